/* Watches sockets by one descriptor, which is readable when any of them is ready. */
#ifndef CK_POLLER_H
#define CK_POLLER_H

#include <stdbool.h>

enum { CK_POLLER_MAX_EVENTS = 256 };

struct ck_poller_event {
  int socket;
  bool readable, writable, broken;
};

/* For what a socket is watched: a sum of these; 0 = it is not watched. */
enum { CK_POLLER_READ = 1, CK_POLLER_WRITE = 2 };

/* Returns the descriptor, owned by the caller; -1 with errno set if there is none. */
int ck_poller_open(void);

/*
** Changes what a socket is watched for, from `before` to `after`, which is not 0. Returns 0; -1 with
** errno set.
*/
int ck_poller_watch(int poller, int socket, int before, int after);

/* Ends the watch of a socket, which may have been closed already. */
void ck_poller_forget(int poller, int socket);

/*
** Closes the descriptor. A forked child (`inherited`) has no copy of a kqueue, whose number may be
** that of another file: there it closes nothing.
*/
void ck_poller_close(int poller, bool inherited);

/*
** Waits at most `ms` milliseconds until a socket is ready; a signal ends the wait. Returns the
** number of events that it wrote, at most CK_POLLER_MAX_EVENTS; there may be more.
*/
int ck_poller_wait(int poller, struct ck_poller_event *events, int ms);

#endif
