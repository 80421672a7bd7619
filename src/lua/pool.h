/*
** Calls, and the pool of finished ones whose buffers the next call reuses.
**
** A userdata anchors each call on the stack. Its finalizer frees the call when the stack is
** collected without the client. The client's table owns the memory of the call: Lua drops a
** finalizer that it has no memory for, and libcurl may then still write to the call.
*/
#ifndef CK_POOL_H
#define CK_POOL_H

#include "client.h"
#include "contract/contract.h"
#include "http/exchange.h"

struct ck_call {
  struct ck_exchange exchange;
  struct ck_client *client; /* kept alive by the anchor */
  const struct ck_endpoint *endpoint;
  struct ck_endpoint raw; /* the row of a client:request, to which `endpoint` points then */
  struct ck_task *task;   /* suspended until the call has ended; NULL = the caller blocks */
  struct ck_settings settings;
  bool is_running; /* its function is on the C stack: the client's `close` is deferred */
  bool is_idle;    /* in the pool */
};

/* Makes the metatable of anchors. */
void ck_pool_open(lua_State *L);

/*
** Pushes the anchor of a call of the client at `client`. Returns the call, which is running, and
** whose exchange can begin. Returns NULL if a finalizer has closed the client meanwhile.
*/
struct ck_call *ck_pool_take(lua_State *L, int client);

/* Returns the call of the anchor at `anchor`. */
struct ck_call *ck_pool_call(lua_State *L, int anchor);

/*
** Note that the call's function is about to yield, and that it has been resumed. ck_pool_suspend
** closes a client whose close was deferred.
*/
void ck_pool_suspend(lua_State *L, int client, struct ck_call *call);
void ck_pool_resume(struct ck_call *call);

/*
** Notes that the call's function has returned or raised, and closes a client whose close was
** deferred. The call is idle then, unless it is in flight, which a task awaits.
*/
void ck_pool_release(lua_State *L, int client, int anchor);

#endif
