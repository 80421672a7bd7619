/*
** The lua_State that runs the Lua module cekura.sandbox.app. The server's thread and the thread
** that started the sandbox use it, one at a time, under its lock.
*/
#ifndef CK_SANDBOX_APP_H
#define CK_SANDBOX_APP_H

#include <locale.h>
#include <lua.h>
#include <pthread.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

struct ck_app {
  lua_State *state;     /* NULL: not open */
  pthread_mutex_t lock; /* guards `state`; lives as long as `state` */
  locale_t locale;      /* owned; the numbers of the host, and everything else as in "C" */
  int handle;           /* registry: function(method, target, headers, body, connection) */
  int control;          /* registry: function(what, …) */
};

/*
** Opens the state with the standard libraries, package.path, package.cpath and the C functions in
** package.preload of `host`, and calls `open` of cekura.sandbox.app with a copy of the table at
** `config`. Raises in `host`; ck_app_close then releases what was acquired.
*/
void ck_app_open(struct ck_app *app, lua_State *host, int config);

/*
** Calls lua_pcall in the state, in its locale; the caller holds the lock. Letters are ASCII, as in
** HTTP and JSON, in every locale of the host. Numbers have the host's decimal point, which
** lua-cjson has cached.
*/
int ck_app_pcall(struct ck_app *app, int arguments, int results, int on_error);

/*
** Calls control(…) with copies of the `count` values on top of the stack of `host`, and replaces
** them by a copy of its result. Raises in `host`, with the lock released.
*/
void ck_app_control(struct ck_app *app, lua_State *host, int count);

/* Closes the state; no thread may use it any more. A no-op if it is not open. */
void ck_app_close(struct ck_app *app);

#endif
