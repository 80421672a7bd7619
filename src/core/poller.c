#include "poller.h"

#include <sys/epoll.h>

enum { AT_ONCE = 32 };

int ck_poller_open(void) { return epoll_create1(EPOLL_CLOEXEC); }

int ck_poller_watch(int poller, int socket, bool read, bool write, bool known) {
  struct epoll_event event = { .data.fd = socket };
  event.events = (read ? (unsigned)EPOLLIN : 0u) | (write ? (unsigned)EPOLLOUT : 0u);
  return epoll_ctl(poller, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
}

/* libcurl may have closed the socket already, and then the set has forgotten it. */
void ck_poller_forget(int poller, int socket) {
  struct epoll_event unused = { 0 };
  (void)epoll_ctl(poller, EPOLL_CTL_DEL, socket, &unused);
}

int ck_poller_wait(int poller, struct ck_poller_event *events, int most, int ms) {
  struct epoll_event ready[AT_ONCE];
  int count = epoll_wait(poller, ready, most < AT_ONCE ? most : AT_ONCE, ms);
  for (int i = 0; i < count; i++) {
    unsigned flags = ready[i].events;
    events[i] = (struct ck_poller_event){
      .socket = ready[i].data.fd,
      .readable = (flags & EPOLLIN) != 0,
      .writable = (flags & EPOLLOUT) != 0,
      .broken = (flags & (EPOLLERR | EPOLLHUP)) != 0,
    };
  }
  return count > 0 ? count : 0;
}
