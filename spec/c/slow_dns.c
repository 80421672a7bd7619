/*
** A getaddrinfo to be preloaded. For names that end in ".hangs.invalid" it hangs for SLOW_DNS
** seconds (30 by default), like a resolver whose server does not respond. It returns localhost at
** once if the file SLOW_DNS_RECOVERED exists, or if the name begins with "v6." and the lookup is
** not one of IPv6 addresses alone.
*/
#pragma GCC visibility push(default)
#include <netdb.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int is_slow(const char *name) {
  static const char end[] = ".hangs.invalid";
  size_t length = name == NULL ? 0 : strlen(name);
  return length >= sizeof(end) && strcmp(name + length - strlen(end), end) == 0;
}

static int hangs(const char *name, const struct addrinfo *req) {
  const char *recovered = getenv("SLOW_DNS_RECOVERED");
  if (recovered != NULL && access(recovered, F_OK) == 0) return 0;
  return strncmp(name, "v6.", 3) != 0 || (req != NULL && req->ai_family == AF_INET6);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai) {
  resolve *real = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");
  if (!is_slow(name)) return real(name, service, req, pai);
  if (!hangs(name, req)) return real("localhost", service, req, pai);
  const char *seconds = getenv("SLOW_DNS");
  (void)usleep((useconds_t)((seconds != NULL ? strtod(seconds, NULL) : 30) * 1e6));
  return EAI_AGAIN;
}
