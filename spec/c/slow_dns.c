/*
** A getaddrinfo to be preloaded. For names that end in ".hangs.invalid" it hangs for SLOW_DNS
** seconds (30 by default), like a resolver whose server does not respond.
*/
#pragma GCC visibility push(default)
#include <netdb.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int hangs(const char *name) {
  static const char end[] = ".hangs.invalid";
  size_t length = name == NULL ? 0 : strlen(name);
  return length >= sizeof(end) && strcmp(name + length - strlen(end), end) == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai) {
  resolve *real = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");
  if (!hangs(name)) return real(name, service, req, pai);
  const char *seconds = getenv("SLOW_DNS");
  (void)usleep((useconds_t)((seconds != NULL ? strtod(seconds, NULL) : 30) * 1e6));
  return EAI_AGAIN;
}
