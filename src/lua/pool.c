#include "pool.h"

#include <lauxlib.h>
#include <string.h>

struct handle {
  struct ck_call *call; /* NULL: it has none yet */
};

/* The user values of a handle. */
enum {
  HANDLE_CALLS = 1, /* the client's table of calls */
  HANDLE_CALL,      /* the call: a finalizer may bring back a task that stands in it */
  HANDLE_VALUES = HANDLE_CALL
};

static const char metatable_key;

static int handle_gc(lua_State *L) {
  struct handle *handle = lua_touserdata(L, 1);
  if (handle->call == NULL) return 0;
  ck_transfer_close(&handle->call->exchange.transfer);
  lua_getiuservalue(L, 1, HANDLE_CALLS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, handle->call);
  return 0;
}

void ck_pool_open(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, handle_gc);
  lua_setfield(L, -2, "__gc");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

/* Pushes a handle without a call. */
static struct handle *push_handle(lua_State *L) {
  struct handle *handle = lua_newuserdatauv(L, sizeof(*handle), HANDLE_VALUES);
  handle->call = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  return handle;
}

/* In the client's table a call stands under its address. handle → handle */
static struct ck_call *keep_call(lua_State *L, int client) {
  lua_getiuservalue(L, client, CK_CLIENT_CALLS);
  struct ck_call *call = lua_newuserdatauv(L, sizeof(*call), 0);
  memset(call, 0, sizeof(*call));
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -4, HANDLE_CALL);
  lua_rawsetp(L, -2, call);
  lua_setiuservalue(L, -2, HANDLE_CALLS);
  return call;
}

static struct ck_call *push_new(lua_State *L, int client) {
  struct handle *handle = push_handle(L);
  struct ck_call *call = handle->call = keep_call(L, client);
  struct ck_transport *transport = ((struct ck_client *)lua_touserdata(L, client))->transport;
  if (transport != NULL && !ck_transfer_open(&call->exchange.transfer, transport))
    luaL_error(L, "not enough memory");
  return call;
}

/* idle handles → the last of them */
static struct ck_call *push_idle(lua_State *L, lua_Integer count) {
  lua_rawgeti(L, -1, count);
  lua_pushnil(L);
  lua_rawseti(L, -3, count);
  lua_remove(L, -2);
  struct ck_call *call = ((struct handle *)lua_touserdata(L, -1))->call;
  ck_transfer_reset(&call->exchange.transfer);
  return call;
}

struct ck_call *ck_pool_take(lua_State *L, int client) {
  lua_getiuservalue(L, client, CK_CLIENT_IDLE);
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  if (count > 0) return push_idle(L, count);
  lua_pop(L, 1);
  return push_new(L, client);
}

void ck_pool_release(lua_State *L, int client, int handle) {
  lua_getiuservalue(L, client, CK_CLIENT_IDLE);
  lua_pushvalue(L, handle);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

void ck_pool_free_idle(lua_State *L, int client) {
  if (lua_getiuservalue(L, client, CK_CLIENT_IDLE) == LUA_TTABLE) {
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i > 0; i--) {
      lua_rawgeti(L, -1, i);
      const struct handle *handle = lua_touserdata(L, -1);
      ck_transfer_close(&handle->call->exchange.transfer);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

void ck_pool_close_all(lua_State *L, int client) {
  if (lua_getiuservalue(L, client, CK_CLIENT_CALLS) != LUA_TTABLE) return;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    struct ck_call *call = lua_touserdata(L, -1);
    ck_transfer_close(&call->exchange.transfer);
  }
}
