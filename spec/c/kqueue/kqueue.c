/*
** kqueue for sockets, on epoll: a test double with which the kqueue branch of src/http/poller.c
** runs on Linux. As on the BSDs, each filter of a socket is added, deleted and reported
** separately, deleting a filter that does not exist is an error, closing a socket removes it from
** the queue, and a forked child does not inherit the queue.
*/
#include "sys/event.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READS = 1, WRITES = 2, AT_ONCE = 16, QUEUES = 4096, MAX_SOCKETS = 65536 };

/* ---- fork ------------------------------------------------------------------------------- */

static atomic_int queues[QUEUES];
static atomic_int made;

static int is_epoll(int descriptor) {
  char path[64], target[64] = "";
  (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(path, target, sizeof(target) - 1);
  return length > 0 && strcmp(target, "anon_inode:[eventpoll]") == 0;
}

static void close_all_in_child(void) {
  int count = made < QUEUES ? made : QUEUES;
  for (int i = 0; i < count; i++)
    if (is_epoll(queues[i])) (void)close(queues[i]);
  made = 0;
}

static void watch_for_forks(void) { (void)pthread_atfork(NULL, NULL, close_all_in_child); }

int kqueue(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, watch_for_forks);
  int queue = epoll_create1(0);
  if (queue >= 0) queues[atomic_fetch_add(&made, 1) % QUEUES] = queue;
  return queue;
}

/* ---- what is watched ---------------------------------------------------------------------- */

static struct {
  int queue;
  unsigned filters;
} watched[MAX_SOCKETS]; /* by socket; stale once the socket is closed, which the kernel reports */

static uint64_t pack(int socket, unsigned filters) {
  return (uint64_t)filters << 32 | (uint32_t)socket;
}

static unsigned filters_in(uint64_t packed) { return (unsigned)(packed >> 32); }

static int refuse(int error) {
  errno = error;
  return -1;
}

static int set_filters(int queue, int socket, unsigned before, unsigned after) {
  struct epoll_event event = { .data.u64 = pack(socket, after) };
  if (after & READS) event.events |= EPOLLIN | EPOLLRDHUP;
  if (after & WRITES) event.events |= EPOLLOUT;
  int what = after == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  int code = epoll_ctl(queue, what, socket, &event);
  watched[socket].queue = queue;
  watched[socket].filters = code == 0 ? after : 0;
  return code;
}

static int make_change(int queue, const struct kevent *change) {
  unsigned filter = change->filter == EVFILT_READ ? READS : WRITES;
  int socket = (int)change->ident;
  if (socket >= MAX_SOCKETS) return refuse(ENOMEM);
  unsigned before = watched[socket].queue == queue ? watched[socket].filters : 0;
  if (!(change->flags & EV_ADD)) {
    if (fcntl(socket, F_GETFD) < 0) return -1;
    return (before & filter) ? set_filters(queue, socket, before, before & ~filter)
                             : refuse(ENOENT);
  }
  if (before != 0 && set_filters(queue, socket, before, before | filter) == 0) return 0;
  return set_filters(queue, socket, 0, filter); /* it is a new socket with an old number */
}

/* ---- what is reported ------------------------------------------------------------------- */

static struct kevent report(const struct epoll_event *ready, short filter) {
  int ended = (ready->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
  return (struct kevent){ .ident = (uint32_t)ready->data.u64,
                          .filter = filter,
                          .flags = ended ? EV_EOF : 0 };
}

static int wait_for_events(int queue, struct kevent *events, int most, int ms) {
  struct epoll_event ready[AT_ONCE];
  int room = most / 2 < 1 ? 1 : most / 2, written = 0;
  int count = epoll_wait(queue, ready, room < AT_ONCE ? room : AT_ONCE, ms);
  for (int i = 0; i < count; i++) {
    unsigned filters = filters_in(ready[i].data.u64), flags = ready[i].events;
    if ((filters & READS) && (flags & ~(unsigned)EPOLLOUT) && written < most)
      events[written++] = report(&ready[i], EVFILT_READ);
    if ((filters & WRITES) && (flags & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && written < most)
      events[written++] = report(&ready[i], EVFILT_WRITE);
  }
  return count < 0 ? -1 : written;
}

int kevent(int queue, const struct kevent *changes, int changed, struct kevent *events, int most,
           const struct timespec *timeout) {
  if (timeout != NULL && (timeout->tv_sec < 0 || timeout->tv_nsec < 0)) return refuse(EINVAL);
  for (int i = 0; i < changed; i++)
    if (make_change(queue, &changes[i]) != 0) return -1;
  if (most == 0) return 0;
  int ms = timeout == NULL ? -1 : (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000);
  return wait_for_events(queue, events, most, ms);
}
