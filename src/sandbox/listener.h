/*
** Listens on a loopback port and serves what arrives in a thread of its own, which runs
** libmicrohttpd from outside: so the same loop can send an answer later than others without
** holding those up, and ends when it is told to. Knows no Lua.
*/
#ifndef CK_SANDBOX_LISTENER_H
#define CK_SANDBOX_LISTENER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "handlers.h"
#include "request.h"

struct ck_listener {
  struct MHD_Daemon *daemon;
  struct ck_handlers *handlers; /* not owned; open as long as the listener is */
  pthread_t thread;
  bool has_thread, has_wake;
  bool has_shortage;          /* the thread's own: connections wait for a descriptor */
  int wake[2];                /* a byte in this pipe ends the thread */
  int listening;              /* the socket, or -1 */
  unsigned short port;        /* host byte order */
  atomic_ulong connections;   /* accepted so far */
  struct ck_request *waiting; /* the thread's own: answers that are not due yet */
};

/*
** Starts to listen on 127.0.0.1, on a free port where `port` is 0. NULL, or what failed (a
** constant; errno says why, or is 0); ck_listener_close releases what was acquired until then.
*/
const char *ck_listener_open(struct ck_listener *listener, struct ck_handlers *handlers,
                             unsigned short port);

/* Ends the thread, and closes every connection. Does nothing where it is not open. */
void ck_listener_close(struct ck_listener *listener);

/* After a fork, in the child: closes this process's copies, and leaves the parent's alone. */
void ck_listener_abandon(struct ck_listener *listener);

#endif
