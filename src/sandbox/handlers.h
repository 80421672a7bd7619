/*
** The lua_State in which the sandbox's handlers live. The server's thread and the thread that
** started the sandbox both use it, one at a time, under its lock.
*/
#ifndef CK_SANDBOX_HANDLERS_H
#define CK_SANDBOX_HANDLERS_H

#include <locale.h>
#include <lua.h>
#include <pthread.h>
#include <stdbool.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

struct ck_handlers {
  lua_State *state;     /* NULL: not open */
  pthread_mutex_t lock; /* guards `state`; lives as long as `state` */
  locale_t locale;      /* the host's numbers, and everything else as in "C"; owned */
  int handle;           /* registry: function(method, target, headers, body, connection) */
  int control;          /* registry: function(what, …) */
};

/*
** Opens the state: it gets the standard libraries, package.path, package.cpath and the C
** functions in package.preload of `host`, then calls the function `open` of the Lua module
** cekura.sandbox.app with a copy of the table at `config`. Raises in `host`; what was
** acquired until then is released by ck_handlers_close.
*/
void ck_handlers_open(struct ck_handlers *handlers, lua_State *host, int config);

/*
** lua_pcall in the state, under its lock, in its locale: HTTP and JSON are ASCII, whatever the
** host has set. The numbers stay the host's, because lua-cjson has remembered its decimal point.
*/
int ck_handlers_pcall(struct ck_handlers *handlers, int arguments, int results, int on_error);

/*
** Calls control(…) with copies of the `count` values on top of the stack of `host`, which it
** replaces by a copy of the one result. Raises in `host`, with the lock released.
*/
void ck_handlers_control(struct ck_handlers *handlers, lua_State *host, int count);

/* Does nothing where it is not open. Nobody may use the state any more. */
void ck_handlers_close(struct ck_handlers *handlers);

#endif
