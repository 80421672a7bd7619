/* The pool of a client's calls: anchors on the stack, and the buffers of finished calls. */
#include "pool.h"

#include <lauxlib.h>
#include <string.h>

struct anchor {
  struct ck_call *call; /* NULL before it has one */
};

/* The user values of an anchor. */
enum {
  ANCHOR_CLIENT = 1,
  ANCHOR_CALL, /* the call's memory, also for a task that a finalizer resurrects */
  ANCHOR_VALUES = ANCHOR_CALL
};

static const char metatable_key;

struct ck_call *ck_pool_call(lua_State *L, int anchor) {
  return ((struct anchor *)lua_touserdata(L, anchor))->call;
}

void ck_pool_suspend(lua_State *L, int client, struct ck_call *call) {
  if (!call->is_running) return;
  call->is_running = false;
  ck_client_leave(L, client);
}

void ck_pool_resume(struct ck_call *call) {
  call->is_running = true;
  ck_client_enter(call->client);
}

void ck_pool_release(lua_State *L, int client, int anchor) {
  struct ck_call *call = ck_pool_call(L, anchor);
  ck_pool_suspend(L, client, call);
  if (ck_transfer_is_detached(&call->exchange.transfer) || !ck_exchange_has_ended(&call->exchange))
    return;
  call->is_idle = true;
  lua_getiuservalue(L, client, CK_CLIENT_IDLE_CALLS);
  lua_pushvalue(L, anchor);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

/*
** Returns whether the call is idle, or a task awaits it. Then the client is collected, too, and its
** finalizer frees the call. Until then finalizers of other objects may use both.
*/
static bool is_in_use(lua_State *L, int client, const struct ck_call *call) {
  lua_getiuservalue(L, client, CK_CLIENT_TASKS);
  lua_rawgetp(L, -1, call->task); /* which may have been freed if it is not in the table */
  const struct ck_task *task = lua_touserdata(L, -1);
  bool is_awaited = task != NULL && task->awaits == call;
  lua_pop(L, 2);
  return call->is_idle || is_awaited;
}

static int anchor_gc(lua_State *L) {
  enum { ANCHOR = 1, CLIENT };
  struct anchor *anchor = lua_touserdata(L, ANCHOR);
  if (anchor->call == NULL) return 0;
  lua_getiuservalue(L, ANCHOR, ANCHOR_CLIENT);
  if (is_in_use(L, CLIENT, anchor->call)) return 0;
  ck_pool_suspend(L, CLIENT, anchor->call);
  ck_transfer_close(&anchor->call->exchange.transfer);
  ck_exchange_settle(&anchor->call->exchange);
  lua_getiuservalue(L, CLIENT, CK_CLIENT_CALLS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, anchor->call);
  return 0;
}

void ck_pool_open(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__gc", anchor_gc }, { NULL, NULL } };
  luaL_newlib(L, metamethods);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

/* Pushes an anchor without a call. */
static struct anchor *push_anchor(lua_State *L, int client) {
  struct anchor *anchor = lua_newuserdatauv(L, sizeof(*anchor), ANCHOR_VALUES);
  anchor->call = NULL;
  lua_pushvalue(L, client);
  lua_setiuservalue(L, -2, ANCHOR_CLIENT);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  return anchor;
}

/* anchor → anchor. Makes a call, and adds it to the client's table, with its address as the key. */
static struct ck_call *make_call(lua_State *L, int client) {
  struct ck_call *call = lua_newuserdatauv(L, sizeof(*call), 0);
  memset(call, 0, sizeof(*call));
  call->client = lua_touserdata(L, client);
  call->exchange.state = CK_STATE_ENDED;
  lua_getiuservalue(L, client, CK_CLIENT_CALLS);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, call);
  lua_pop(L, 1);
  lua_setiuservalue(L, -2, ANCHOR_CALL);
  return call;
}

static struct ck_call *take_new(lua_State *L, int client) {
  struct anchor *anchor = push_anchor(L, client);
  struct ck_call *call = anchor->call = make_call(L, client);
  if (call->client->is_closed) return NULL; /* by a finalizer */
  if (!ck_transfer_open(&call->exchange.transfer, call->client->transport))
    luaL_error(L, "not enough memory");
  return call;
}

/* idle anchors → the last of them, removed from the list */
static struct ck_call *take_idle(lua_State *L, lua_Integer count) {
  lua_rawgeti(L, -1, count);
  lua_pushnil(L);
  lua_rawseti(L, -3, count);
  lua_remove(L, -2);
  struct ck_call *call = ck_pool_call(L, -1);
  call->is_idle = false;
  ck_transfer_reset(&call->exchange.transfer);
  return call;
}

struct ck_call *ck_pool_take(lua_State *L, int client) {
  lua_getiuservalue(L, client, CK_CLIENT_IDLE_CALLS);
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  if (count == 0) lua_pop(L, 1);
  struct ck_call *call = count > 0 ? take_idle(L, count) : take_new(L, client);
  if (call != NULL) ck_pool_resume(call);
  return call;
}
