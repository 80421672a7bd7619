/*
** Clocks to be preloaded. They are two minutes ahead once the file that FAST_CLOCK names exists.
** The name "server.invalid" is that of localhost; the file that LOOKUPS names gets a line for each
** lookup of it.
*/
#pragma GCC visibility push(default)
#include <netdb.h>
#include <time.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LATER = 120 }; /* seconds */

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static time_t offset(void) {
  const char *path = getenv("FAST_CLOCK");
  return path != NULL && access(path, F_OK) == 0 ? LATER : 0;
}

/* The allocator of ASan reads the clock, and must not enter dlsym. */
int clock_gettime(clockid_t clock_id, struct timespec *tp) {
  int result = (int)syscall(SYS_clock_gettime, clock_id, tp);
  tp->tv_sec += offset();
  return result;
}

time_t time(time_t *timer) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  if (timer != NULL) *timer = now.tv_sec;
  return now.tv_sec;
}

static void note(const char *name) {
  const char *path = getenv("LOOKUPS");
  int log = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
  if (log < 0) return;
  if (write(log, name, strlen(name)) < 0 || write(log, "\n", 1) < 0) abort();
  (void)close(log);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai) {
  resolve *real = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");
  if (name == NULL || strcmp(name, "server.invalid") != 0) return real(name, service, req, pai);
  note(name);
  return real("localhost", service, req, pai);
}
