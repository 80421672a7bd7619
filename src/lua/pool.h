/*
** A call while it exists. What stands on the stack for it is its handle, a userdata with a
** finalizer, so that an error in the middle of it frees what it holds. Where Lua has no memory to
** run a finalizer, it goes without: the client's table has the call itself, and libcurl can write
** to it until the end.
*/
#ifndef CK_POOL_H
#define CK_POOL_H

#include "../core/contract.h"
#include "../core/exchange.h"
#include "client.h"

struct ck_call {
  struct ck_exchange exchange;
  struct ck_client *client; /* kept alive by the resource below it on the stack */
  const struct ck_endpoint *endpoint;
  struct ck_endpoint own; /* what `endpoint` points to where the contract has none */
  struct ck_task *task;   /* that stands until it has ended; NULL: whoever calls is blocked */
  struct ck_settings settings;
  lua_Integer evaluations; /* the fewest that its arguments start; -1 = unknown */
};

/* Makes the metatable of handles. */
void ck_pool_open(lua_State *L);

/*
** Pushes the handle of a call that has ended, or of a new one, of the client at `client`. A
** finalizer may close the client meanwhile: then the call has no slot.
*/
struct ck_call *ck_pool_take(lua_State *L, int client);

/* The call of the handle at `handle` has ended; another one may use what it holds. */
void ck_pool_release(lua_State *L, int client, int handle);

/* The client at `client` is closed: frees what calls that have ended hold for further ones. */
void ck_pool_free_idle(lua_State *L, int client);

/* Frees what calls of the client at `client` still hold, of which nobody makes use any more. */
void ck_pool_close_all(lua_State *L, int client);

#endif
