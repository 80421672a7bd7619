/* The poller: epoll on Linux, kqueue on macOS and the BSDs. */
#include "poller.h"

#if defined(__linux__) && !defined(CK_KQUEUE)

#include <sys/epoll.h>
#include <unistd.h>

int ck_poller_open(void) { return epoll_create1(EPOLL_CLOEXEC); }

int ck_poller_watch(int poller, int socket, int before, int after) {
  struct epoll_event event = { .data.fd = socket };
  if (after & CK_POLLER_READ) event.events |= EPOLLIN;
  if (after & CK_POLLER_WRITE) event.events |= EPOLLOUT;
  return epoll_ctl(poller, before != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
}

/* libcurl may have closed the socket, which removes it from the set. */
void ck_poller_forget(int poller, int socket) {
  struct epoll_event unused = { 0 };
  (void)epoll_ctl(poller, EPOLL_CTL_DEL, socket, &unused);
}

void ck_poller_close(int poller, bool inherited) {
  (void)inherited;
  (void)close(poller);
}

int ck_poller_wait(int poller, struct ck_poller_event *events, int ms) {
  struct epoll_event ready[CK_POLLER_MAX_EVENTS];
  int count = epoll_wait(poller, ready, CK_POLLER_MAX_EVENTS, ms);
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

#else

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/event.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

int ck_poller_open(void) {
  int poller = kqueue();
  if (poller >= 0) (void)fcntl(poller, F_SETFD, FD_CLOEXEC);
  return poller;
}

/* Deleting a filter that does not exist is a no-op here; the kernel reports an error. */
static int set_filter(int poller, int socket, short filter, bool on) {
  struct kevent change;
  EV_SET(&change, (uintptr_t)socket, filter, on ? EV_ADD : EV_DELETE, 0, 0, NULL);
  int code = kevent(poller, &change, 1, NULL, 0, NULL);
  return code == 0 || (!on && (errno == ENOENT || errno == EBADF)) ? 0 : -1;
}

/* Adding a filter that exists is a no-op. */
int ck_poller_watch(int poller, int socket, int before, int after) {
  bool reads = (after & CK_POLLER_READ) != 0, writes = (after & CK_POLLER_WRITE) != 0;
  if ((reads || (before & CK_POLLER_READ)) && set_filter(poller, socket, EVFILT_READ, reads) != 0)
    return -1;
  if (!writes && !(before & CK_POLLER_WRITE)) return 0;
  return set_filter(poller, socket, EVFILT_WRITE, writes);
}

void ck_poller_forget(int poller, int socket) {
  (void)set_filter(poller, socket, EVFILT_READ, false);
  (void)set_filter(poller, socket, EVFILT_WRITE, false);
}

void ck_poller_close(int poller, bool inherited) {
  if (!inherited) (void)close(poller);
}

int ck_poller_wait(int poller, struct ck_poller_event *events, int ms) {
  struct kevent ready[CK_POLLER_MAX_EVENTS];
  struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L };
  int count = kevent(poller, NULL, 0, ready, CK_POLLER_MAX_EVENTS, &wait);
  for (int i = 0; i < count; i++) {
    events[i] = (struct ck_poller_event){
      .socket = (int)ready[i].ident,
      .readable = ready[i].filter == EVFILT_READ,
      .writable = ready[i].filter == EVFILT_WRITE,
      .broken = (ready[i].flags & EV_ERROR) != 0,
    };
  }
  return count > 0 ? count : 0;
}

#endif
