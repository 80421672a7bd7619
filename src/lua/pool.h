/*
** Calls, and the pool of finished ones whose buffers the next call reuses.
**
** A userdata anchors each call on the stack: its __close releases the call when the function that
** made it returns or raises, its finalizer when the stack is collected. Lua drops a finalizer that
** it has no memory for, and libcurl may still write to the call then: so the client's table owns
** the memory of the call itself.
*/
#ifndef CK_POOL_H
#define CK_POOL_H

#include "contract/contract.h"
#include "http/exchange.h"
#include "client.h"

struct ck_call {
  struct ck_exchange exchange;
  struct ck_client *client; /* kept alive by the anchor */
  const struct ck_endpoint *endpoint;
  struct ck_endpoint raw; /* what `endpoint` points to in a call of client:request */
  struct ck_task *task;   /* suspended until the call has ended; NULL = the caller blocks */
  struct ck_settings settings;
  lua_Integer evaluations; /* that its arguments start at least; -1 = unknown */
  bool is_running;         /* its function is on the C stack: the client's `close` is put off */
  bool is_idle;            /* in the pool */
};

/* Makes the metatable of anchors. */
void ck_pool_open(lua_State *L);

/*
** Pushes the anchor of a call of the client at `client`, marks it to be closed, and returns the
** call, which is running and has ended. Returns NULL if a finalizer has closed the client
** meanwhile.
*/
struct ck_call *ck_pool_take(lua_State *L, int client);

/*
** The call's function yields; it goes on. ck_pool_suspend closes a client whose close was put off.
*/
void ck_pool_suspend(lua_State *L, int client, struct ck_call *call);
void ck_pool_resume(struct ck_call *call);

#endif
