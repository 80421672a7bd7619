/* Watches sockets by one descriptor, which is readable when any of them is ready. */
#ifndef CK_POLLER_H
#define CK_POLLER_H

#include <stdbool.h>

struct ck_poller_event {
  int socket;
  bool readable, writable, broken;
};

struct ck_poller_watch {
  int socket;
  bool readable, writable; /* what to wait for */
};

/* Returns the descriptor, owned by the caller; -1 with errno set if there is none. */
int ck_poller_open(void);

/* Watches a socket, or changes what a known one is watched for. Returns 0; -1 with errno set. */
int ck_poller_watch(int poller, const struct ck_poller_watch *watch, bool known);

/* Ends the watch of a socket, which may have been closed already. */
void ck_poller_forget(int poller, int socket);

/*
** Closes the descriptor. A forked child (`inherited`) has no copy of a kqueue, whose number may be
** that of another file: there it closes nothing.
*/
void ck_poller_close(int poller, bool inherited);

/*
** Waits at most `ms` milliseconds until a socket is ready; a signal ends the wait. Returns the
** number of events that it wrote, which is at most `most`.
*/
int ck_poller_wait(int poller, struct ck_poller_event *events, int most, int ms);

#endif
