/* Resources: empty userdata that refer to their client, and whose methods are the endpoints. */
#include "resource.h"

#include <lauxlib.h>

/* Place in the registry: { resource name = metatable }. */
static const char metatables_key;

/* The user value of a resource: its client; nil for the default client's. */
enum { RESOURCE_CLIENT = 1 };

static void push_metatables(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &metatables_key); }

static int resource_tostring(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* metatables → metatables, metatable of the resource, which is made on first use */
static void push_metatable(lua_State *L, const char *resource) {
  if (lua_getfield(L, -1, resource) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 3);
  lua_newtable(L);
  lua_setfield(L, -2, "__index");
  lua_pushfstring(L, "cekura.%s", resource);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__name");
  lua_pushcclosure(L, resource_tostring, 1);
  lua_setfield(L, -2, "__tostring");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, resource);
}

void ck_resource_open(lua_State *L, lua_CFunction method) {
  lua_newtable(L);
  for (size_t i = 0; i < ck_endpoint_count; i++) {
    const struct ck_endpoint *endpoint = &ck_endpoints[i];
    push_metatable(L, endpoint->resource); /* metatables, metatable */
    lua_getfield(L, -1, "__index");
    lua_pushlightuserdata(L, (void *)endpoint); /* is only read */
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, method, 2);
    lua_setfield(L, -2, endpoint->call);
    lua_pop(L, 2);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatables_key);
}

void ck_resource_push_all(lua_State *L, int client) {
  push_metatables(L);
  int metatables = lua_gettop(L);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, metatables);) { /* resources, name, metatable */
    lua_pushvalue(L, -2);
    (void)lua_newuserdatauv(L, 0, 1);
    if (client != 0) {
      lua_pushvalue(L, client);
      lua_setiuservalue(L, -2, RESOURCE_CLIENT);
    }
    lua_rotate(L, -3, -1); /* resources, name, name, resource, metatable */
    lua_setmetatable(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, metatables);
}

void ck_resource_push_client(lua_State *L) { lua_getiuservalue(L, 1, RESOURCE_CLIENT); }

void ck_resource_push_methods(lua_State *L) {
  push_metatables(L);
  int metatables = lua_gettop(L);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, metatables); lua_pop(L, 1)) { /* methods, name, metatable */
    lua_pushvalue(L, -2);
    lua_getfield(L, -2, "__index");
    lua_rawset(L, -5);
  }
  lua_remove(L, metatables);
}

/* The type is checked as well: a script can set the metatable of a resource in a table. */
bool ck_resource_is(lua_State *L, int index, int metatable) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return false;
  bool is_resource = lua_rawequal(L, -1, metatable);
  lua_pop(L, 1);
  return is_resource;
}

void ck_resource_check(lua_State *L, const char *resource, const char *method) {
  push_metatables(L);
  lua_getfield(L, -1, resource);
  if (!ck_resource_is(L, 1, lua_gettop(L))) {
    luaL_where(L, 2); /* the caller of the method, which is written in Lua */
    lua_pushfstring(L, "call it with a colon: %s:%s{ … }", resource, method);
    lua_concat(L, 2);
    (void)lua_error(L);
  }
  lua_pop(L, 2);
}
