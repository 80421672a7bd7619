/*
** An epoll_wait to be preloaded. It raises SIGINT just before its first long wait: too late for the
** script to notice it before the wait, and too early to end the wait.
*/
#pragma GCC visibility push(default)
#include <sys/epoll.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <signal.h>

typedef int wait_for(int, struct epoll_event *, int, int);

enum { LONG = 50 }; /* ms */

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout) {
  static int raised;
  wait_for *real = (wait_for *)dlsym(RTLD_NEXT, "epoll_wait");
  if ((timeout < 0 || timeout > LONG) && !raised) raised = raise(SIGINT) == 0;
  return real(epfd, events, maxevents, timeout);
}
