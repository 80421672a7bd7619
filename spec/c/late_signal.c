/*
** An epoll_wait and a poll to be preloaded. They raise SIGINT just before the first long wait: too
** late for the script to notice it before the wait, and too early to end the wait.
*/
#pragma GCC visibility push(default)
#include <poll.h>
#include <sys/epoll.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <signal.h>

typedef int wait_for_events(int, struct epoll_event *, int, int);
typedef int wait_for_sockets(struct pollfd *, nfds_t, int);

enum { LONG = 50 }; /* ms */

static void raise_before(int timeout) {
  static int raised;
  if ((timeout < 0 || timeout > LONG) && !raised) raised = raise(SIGINT) == 0;
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout) {
  wait_for_events *real = (wait_for_events *)dlsym(RTLD_NEXT, "epoll_wait");
  raise_before(timeout);
  return real(epfd, events, maxevents, timeout);
}

int poll(struct pollfd *fds, nfds_t nfds, int timeout) {
  wait_for_sockets *real = (wait_for_sockets *)dlsym(RTLD_NEXT, "poll");
  raise_before(timeout);
  return real(fds, nfds, timeout);
}
