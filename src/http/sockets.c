/* The sockets of a client: opens, watches and closes them, and checks those of idle connections. */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
** If the process has no standard streams, a socket may get the number of one. Then it would send
** what other code writes to that stream.
*/
static int move_above_streams(int socket) {
  if (socket < 0 || socket > STDERR_FILENO) return socket;
  int moved = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  (void)close(socket);
  return moved;
}

/* ---- the list ------------------------------------------------------------------------------- */

bool ck_sockets_init(struct ck_sockets *sockets) {
  *sockets = (struct ck_sockets){ .poller = ck_poller_open() };
  return sockets->poller >= 0;
}

void ck_sockets_free(struct ck_sockets *sockets, bool inherited) {
  if (sockets->poller >= 0) ck_poller_close(sockets->poller, inherited);
  free(sockets->list);
  *sockets = (struct ck_sockets){ .poller = -1 };
}

/* Returns NULL if the descriptor was not opened here. */
static struct ck_socket *entry_of(const struct ck_sockets *sockets, int socket) {
  struct ck_socket *entry = socket < sockets->room ? &sockets->list[socket] : NULL;
  return entry != NULL && entry->is_open ? entry : NULL;
}

static bool make_room(struct ck_sockets *sockets, int socket) {
  int room = sockets->room == 0 ? 32 : sockets->room;
  while (room <= socket) room *= 2;
  if (room == sockets->room) return true;
  struct ck_socket *list = realloc(sockets->list, (size_t)room * sizeof(*list));
  if (list == NULL) return false;
  memset(list + sockets->room, 0, (size_t)(room - sockets->room) * sizeof(*list));
  sockets->list = list;
  sockets->room = room;
  return true;
}

static int *bucket_of(struct ck_sockets *sockets, int local_port) {
  return &sockets->buckets[local_port % CK_SOCKETS_BUCKETS];
}

static void insert(struct ck_sockets *sockets, int socket, int local_port) {
  struct ck_socket *entry = &sockets->list[socket];
  int *bucket = bucket_of(sockets, local_port);
  entry->local_port = (unsigned short)local_port;
  entry->next = *bucket;
  *bucket = socket;
}

static void take_out(struct ck_sockets *sockets, int socket) {
  int *link = bucket_of(sockets, sockets->list[socket].local_port);
  while (*link != socket) link = &sockets->list[*link].next;
  *link = sockets->list[socket].next;
}

/* The socket is not in the set of the poller any more. */
static void unwatch(struct ck_sockets *sockets, int socket) {
  struct ck_socket *entry = &sockets->list[socket];
  if (entry->watched == 0) return;
  ck_poller_forget(sockets->poller, socket);
  entry->watched = 0;
  sockets->unwatched++;
}

static void drop(struct ck_sockets *sockets, int socket) {
  if (entry_of(sockets, socket) == NULL) return;
  unwatch(sockets, socket);
  take_out(sockets, socket);
  sockets->list[socket].is_open = false;
  sockets->unwatched--;
}

/* A socket with this number may be listed if other code has closed it. */
static bool add(struct ck_sockets *sockets, int socket) {
  if (!make_room(sockets, socket)) return false;
  drop(sockets, socket);
  sockets->list[socket] = (struct ck_socket){ .is_open = true };
  insert(sockets, socket, 0);
  sockets->unwatched++;
  return true;
}

/* ---- open and close ------------------------------------------------------------------------- */

int ck_sockets_open(struct ck_sockets *sockets, int family, int type, int protocol) {
#ifdef SOCK_CLOEXEC
  int opened = socket(family, type | SOCK_CLOEXEC, protocol);
#else
  int opened = socket(family, type, protocol);
  if (opened >= 0) (void)fcntl(opened, F_SETFD, FD_CLOEXEC);
#endif
  opened = move_above_streams(opened);
  if (opened < 0 || add(sockets, opened)) return opened;
  (void)close(opened);
  errno = ENOMEM;
  return -1;
}

/* Another socket may get the number. */
static void drop_events(struct ck_sockets *sockets, int socket) {
  int kept = sockets->next_event;
  for (int i = sockets->next_event; i < sockets->event_count; i++)
    if (sockets->events[i].socket != socket) sockets->events[kept++] = sockets->events[i];
  sockets->event_count = kept;
}

/*
** A forked child may have a copy of the socket. Then closing it does not remove it from the set of
** the poller.
*/
int ck_sockets_close(struct ck_sockets *sockets, int socket) {
  drop_events(sockets, socket);
  drop(sockets, socket);
  return close(socket);
}

/* ---- what is watched ------------------------------------------------------------------------ */

static int watch(struct ck_sockets *sockets, int socket, int what) {
  struct ck_socket *entry = &sockets->list[socket];
  if (entry->watched == what) return 0; /* mostly: the connection was idle, and watched */
  if (ck_poller_watch(sockets->poller, socket, entry->watched, what) != 0) return -1;
  if (entry->watched == 0) sockets->unwatched--;
  entry->watched = (unsigned char)what;
  return 0;
}

int ck_sockets_watch(struct ck_sockets *sockets, int socket, int what, bool known, void *user) {
  enum { BOTH = CK_POLLER_READ | CK_POLLER_WRITE };
  struct ck_socket *entry = entry_of(sockets, socket);
  if (entry == NULL) return ck_poller_watch(sockets->poller, socket, known ? BOTH : 0, what);
  entry->is_used = true;
  entry->user = user;
  return watch(sockets, socket, what);
}

void *ck_sockets_user(const struct ck_sockets *sockets, int socket) {
  const struct ck_socket *entry = entry_of(sockets, socket);
  return entry != NULL ? entry->user : NULL;
}

/* The socket of an idle connection remains watched, because the next transfer will need it. */
void ck_sockets_release(struct ck_sockets *sockets, int socket) {
  struct ck_socket *entry = entry_of(sockets, socket);
  if (entry == NULL) {
    ck_poller_forget(sockets->poller, socket);
    return;
  }
  entry->is_used = false;
  if (entry->watched != 0 && watch(sockets, socket, CK_POLLER_READ) != 0) unwatch(sockets, socket);
}

/* ---- events --------------------------------------------------------------------------------- */

/*
** Fetches events. The socket of an idle connection is not watched any more once it is ready: it
** would be ready for as long as libcurl keeps it. Returns whether no other socket is ready.
*/
static bool fetch(struct ck_sockets *sockets, int ms) {
  int count = ck_poller_wait(sockets->poller, sockets->events, ms);
  sockets->next_event = sockets->event_count = 0;
  for (int i = 0; i < count; i++) {
    int socket = sockets->events[i].socket;
    const struct ck_socket *entry = entry_of(sockets, socket);
    if (entry != NULL && !entry->is_used) unwatch(sockets, socket);
    else sockets->events[sockets->event_count++] = sockets->events[i];
  }
  return count < CK_POLLER_MAX_EVENTS;
}

bool ck_sockets_has_event(const struct ck_sockets *sockets) {
  return sockets->next_event < sockets->event_count;
}

int ck_sockets_wait(struct ck_sockets *sockets, int ms) {
  if (!ck_sockets_has_event(sockets)) (void)fetch(sockets, ms);
  return sockets->event_count - sockets->next_event;
}

void ck_sockets_drop_events(struct ck_sockets *sockets) {
  sockets->next_event = sockets->event_count = 0;
}

bool ck_sockets_next_event(struct ck_sockets *sockets, struct ck_poller_event *event) {
  if (!ck_sockets_has_event(sockets)) return false;
  *event = sockets->events[sockets->next_event++];
  return true;
}

/* ---- stale connections ---------------------------------------------------------------------- */

void ck_sockets_note_end(struct ck_sockets *sockets) { sockets->quiet_at = 0; }

/* Returns whether another fetch would not return all events either. */
static bool is_full(const struct ck_sockets *sockets) {
  return sockets->event_count - sockets->next_event == CK_POLLER_MAX_EVENTS;
}

/*
** Returns whether no idle connection has ended or has unread bytes. The events that this fetches
** are those of the next wait.
*/
static bool are_all_quiet(struct ck_sockets *sockets, double now) {
  static const double FRESH = 0.001; /* seconds */
  if (sockets->unwatched > 0) return false;
  if (now - sockets->quiet_at < FRESH) return true;
  if (is_full(sockets) || !fetch(sockets, 0)) return false;
  sockets->quiet_at = now;
  return sockets->unwatched == 0;
}

static int local_port_of(int socket) {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } address = { .any = { .sa_family = AF_UNSPEC } };
  socklen_t length = sizeof(address);
  if (getsockname(socket, &address.any, &length) != 0) return 0;
  if (address.any.sa_family == AF_INET) return ntohs(address.in.sin_port);
  return address.any.sa_family == AF_INET6 ? ntohs(address.in6.sin6_port) : 0;
}

/* Moves the sockets whose ports were unknown to their buckets. */
static void find_ports(struct ck_sockets *sockets) {
  for (int socket = *bucket_of(sockets, 0), next; socket != 0; socket = next) {
    const struct ck_socket *entry = &sockets->list[socket];
    next = entry->next;
    int port = entry->local_port == 0 ? local_port_of(socket) : 0;
    if (port == 0) continue;
    take_out(sockets, socket);
    insert(sockets, socket, port);
  }
}

static bool is_readable(int socket) {
  char byte;
  return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
         (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void ck_sockets_note_connected(struct ck_sockets *sockets, int local_port) {
  if (local_port <= 0 || sockets->unwatched == 0)
    return; /* nearly always: it was watched while it connected */
  find_ports(sockets);
  for (int socket = *bucket_of(sockets, local_port); socket != 0;) {
    const struct ck_socket *entry = &sockets->list[socket];
    if (entry->local_port == local_port && entry->watched == 0)
      (void)watch(sockets, socket, CK_POLLER_READ);
    socket = entry->next;
  }
}

/*
** Connections to different addresses may have the same port. A socket that is not readable is
** watched from now on.
*/
bool ck_sockets_is_stale(struct ck_sockets *sockets, int local_port, double now) {
  bool is_stale = false;
  if (local_port <= 0 || are_all_quiet(sockets, now)) return false;
  find_ports(sockets);
  for (int socket = *bucket_of(sockets, local_port); socket != 0;) {
    const struct ck_socket *entry = &sockets->list[socket];
    if (entry->local_port == local_port) {
      if (is_readable(socket)) is_stale = true;
      else if (entry->watched == 0) (void)watch(sockets, socket, CK_POLLER_READ);
    }
    socket = entry->next;
  }
  return is_stale;
}
