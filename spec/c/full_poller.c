/*
** An epoll_ctl to be preloaded: it fails once, when a socket is to be watched and the file
** FULL_POLLER exists, which it removes.
*/
#pragma GCC visibility push(default)
#include <sys/epoll.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

typedef int control(int, int, int, struct epoll_event *);

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) {
  control *real = (control *)dlsym(RTLD_NEXT, "epoll_ctl");
  const char *path = getenv("FULL_POLLER");
  if (op != EPOLL_CTL_ADD || path == NULL || unlink(path) != 0) return real(epfd, op, fd, event);
  errno = ENOSPC;
  return -1;
}
