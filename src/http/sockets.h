/*
** The sockets of a client: libcurl opens and closes them here, and one poller watches them. It also
** watches the sockets of idle connections, which tells whether a connection can still be used.
*/
#ifndef CK_SOCKETS_H
#define CK_SOCKETS_H

#include <stdbool.h>

#include "poller.h"

enum { CK_SOCKETS_BUCKETS = 256 };

/* Sockets are numbers from 3, so that 0 ends a chain. */
struct ck_socket {
  void *user;                /* as ck_sockets_watch was told */
  int next;                  /* in its bucket */
  unsigned short local_port; /* 0 = not known yet */
  unsigned char watched;     /* for what the poller watches it */
  bool is_open;              /* libcurl has opened it here */
  bool is_used; /* libcurl has described it; otherwise it is idle, or libcurl waits itself */
};

struct ck_sockets {
  int poller;             /* owned; -1 if it could not be opened */
  struct ck_socket *list; /* owned; by the numbers of the sockets */
  int room;
  int unwatched;                   /* open sockets that the poller does not watch */
  int buckets[CK_SOCKETS_BUCKETS]; /* chains of open sockets, by the local port */
  struct ck_poller_event events[CK_POLLER_MAX_EVENTS];
  int next_event, event_count; /* in `events`: those that have not been returned */
  double quiet_at;             /* when no idle connection had ended, on ck_clock_now's clock */
};

/* Opens the poller. Returns false without a descriptor. */
bool ck_sockets_init(struct ck_sockets *sockets);

/*
** Closes the poller and frees the list; no socket may be open. A forked child (`inherited`) closes
** its copy of the poller only.
*/
void ck_sockets_free(struct ck_sockets *sockets, bool inherited);

/* Opens a socket that no other program inherits. Returns -1, and sets errno, on failure. */
int ck_sockets_open(struct ck_sockets *sockets, int family, int type, int protocol);

/* Closes the socket. Returns what close returns. */
int ck_sockets_close(struct ck_sockets *sockets, int socket);

/*
** Watches a descriptor for a transfer. libcurl has descriptors that were not opened here; `known`
** tells whether such a one is watched already. `user` is for ck_sockets_user. Returns 0; -1 with
** errno set.
*/
int ck_sockets_watch(struct ck_sockets *sockets, int socket, int what, bool known, void *user);

/* Returns what the descriptor was watched with; NULL unless it was opened here. */
void *ck_sockets_user(const struct ck_sockets *sockets, int socket);

/* Notes that no transfer uses the descriptor. It may be closed, unless it was opened here. */
void ck_sockets_release(struct ck_sockets *sockets, int socket);

/* Notes that a transfer has ended, whose connection may be idle now. */
void ck_sockets_note_end(struct ck_sockets *sockets);

/*
** Waits at most `ms` milliseconds until a socket of a transfer is ready. Returns the number of
** events for ck_sockets_next_event; there may be more.
*/
int ck_sockets_wait(struct ck_sockets *sockets, int ms);

/* Returns whether ck_sockets_next_event has an event without another wait. */
bool ck_sockets_has_event(const struct ck_sockets *sockets);

/* Drops the events that have not been returned. A socket that is still ready has another one. */
void ck_sockets_drop_events(struct ck_sockets *sockets);

/* Returns the next event; false if there is none. */
bool ck_sockets_next_event(struct ck_sockets *sockets, struct ck_poller_event *event);

/*
** Notes that the new connection from this port is about to be used. If the response arrives at once,
** no transfer waits for the socket, and it is watched from here on.
*/
void ck_sockets_note_connected(struct ck_sockets *sockets, int local_port);

/*
** Returns whether the idle connection from this port is stale: it has ended, or it has unread bytes,
** which would be taken for the next response. Returns false if the port is not listed. `now` is on
** ck_clock_now's clock.
*/
bool ck_sockets_is_stale(struct ck_sockets *sockets, int local_port, double now);

#endif
