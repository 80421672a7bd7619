/*
** Listens on a loopback port and serves its connections in a thread, which runs libmicrohttpd's
** loop: a delayed response delays no other one, and the thread ends on request. This file uses no
** Lua.
*/
#ifndef CK_SANDBOX_LISTENER_H
#define CK_SANDBOX_LISTENER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "app.h"
#include "request.h"

struct ck_listener {
  struct MHD_Daemon *daemon;
  struct ck_app *app; /* borrowed; stays open as long as the listener */
  pthread_t thread;
  bool has_thread, has_wake;
  bool has_shortage;            /* the thread's: connections wait for a descriptor */
  int wake[2];                  /* a byte in this pipe ends the thread */
  int listening;                /* the socket, or -1 */
  unsigned short port;          /* host byte order */
  atomic_ulong connections;     /* accepted so far */
  struct ck_request *suspended; /* the thread's: responses that are not due yet */
};

/*
** Listens on 127.0.0.1, on a free port if `port` is 0. Returns NULL, or what failed: a literal,
** with the reason in errno (0 = none). ck_listener_close then releases what was acquired.
*/
const char *ck_listener_open(struct ck_listener *listener, struct ck_app *app, unsigned short port);

/* Ends the thread and closes every connection. A no-op if it is not open. */
void ck_listener_close(struct ck_listener *listener);

/* In a forked child: closes the child's descriptors and leaves the parent's connections alone. */
void ck_listener_abandon(struct ck_listener *listener);

#endif
