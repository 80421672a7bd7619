/* One descriptor that becomes readable when any of the watched sockets is ready. */
#ifndef CK_POLLER_H
#define CK_POLLER_H

#include <stdbool.h>

struct ck_poller_event {
  int socket;
  int tag; /* that it was watched with */
  bool readable, writable, broken;
};

struct ck_poller_watch {
  int socket;
  int tag;                 /* from 0; comes back with each event */
  bool readable, writable; /* what to wait for */
};

/* Both return the descriptor or 0, and -1 with errno set when the system refuses. */
int ck_poller_open(void);
int ck_poller_watch(int poller, const struct ck_poller_watch *watch, bool known);

void ck_poller_forget(int poller, int socket);

/* `inherited`: in a forked child, which has no copy of a kqueue, so the number is another file's. */
void ck_poller_close(int poller, bool inherited);

/*
** Waits until a socket is ready, `ms` milliseconds have passed or a signal has come.
** Returns how many events it wrote, 0 for the two latter.
*/
int ck_poller_wait(int poller, struct ck_poller_event *events, int most, int ms);

#endif
