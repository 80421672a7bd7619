/*
** A client: its settings, its key, its connections and its tasks.
*/
#ifndef CK_CLIENT_H
#define CK_CLIENT_H

#include <lua.h>

#include "http/transport.h"
#include "lua/request/options.h"
#include "lua/response/log.h"
#include "lua/system/interrupt.h"
#include "lua/system/secret.h"
#include "policy/spending.h"
#include "task.h"

struct ck_client {
  struct ck_transport *transport; /* owned; NULL before it is opened, and once it is closed */
  struct ck_settings settings;    /* without the borrowed strings */
  struct ck_secret key;
  struct ck_spending spending;
  enum ck_log_level log;
  struct ck_loop loop;
  struct ck_interrupt *interrupt; /* the state's */
  bool is_closed;                 /* `close` was called; it is deferred while `running` > 0 */
  int running;                    /* calls on the C stack */
  int callbacks;                  /* on_event and debug hooks that run within those calls */
  int deprecated_requests;        /* routes of client:request that it has warned of */
};

/* The user values of a client. */
enum {
  CK_CLIENT_TASKS = CK_LOOP_TASKS,
  CK_CLIENT_RESOURCES,  /* { runs = …, results = …, api_url = … } */
  CK_CLIENT_IDLE_CALLS, /* anchors of finished calls, whose buffers are reused: see pool.h */
  CK_CLIENT_HEADERS,    /* { name = value }: the user agent, and the headers option's */
  CK_CLIENT_ON_EVENT,   /* a function, or nil */
  CK_CLIENT_DEPRECATED, /* { route = true }: those that the client has warned of */
  CK_CLIENT_CALLS,      /* { address = call }: those that have not been finalized */
  CK_CLIENT_VALUES = CK_CLIENT_CALLS
};

/* Makes the metatable of clients. */
void ck_client_open(lua_State *L);

/* Pushes the table of methods that all clients have. */
void ck_client_push_methods(lua_State *L);

/* Pushes a client without a transport; its user values are nil. */
struct ck_client *ck_client_push(lua_State *L);

/*
** Returns the client at stack index 1; raises if the value is not a client. Returns NULL, with nil
** and an error pushed, if the client is not usable: see ck_client_is_usable.
*/
struct ck_client *ck_client_check(lua_State *L);

/*
** Returns whether calls can be made: the client is open, and was made by this process. Pushes nil
** and an error of kind `config` otherwise. Raises within a callback: see ck_client_check_callbacks.
*/
bool ck_client_is_usable(lua_State *L, const struct ck_client *client);

/* Raises while on_event, or a debug hook, runs within a call of the client. */
void ck_client_check_callbacks(lua_State *L, const struct ck_client *client);

/*
** Mark the beginning and the end of a time in which a call is on the C stack, and `close` only sets
** a flag. The last ck_client_leave then closes the client, which is at `index`.
*/
void ck_client_enter(struct ck_client *client);
void ck_client_leave(lua_State *L, int index);

/* Returns whether the client is open and was made before a fork, and this process is the child. */
bool ck_client_is_inherited(const struct ck_client *client);

#endif
