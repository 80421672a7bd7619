/*
** The default client: made from the environment by the first call of a resource that has no client
** of its own, as in `cekura.runs:get { … }`.
*/
#include "default.h"

#include "new.h"
#include "resource.h"

static const char default_key; /* its address is the key of the default client in the registry */

bool ck_default_push(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &default_key) == LUA_TUSERDATA) {
    const struct ck_client *client = lua_touserdata(L, -1);
    if (!client->is_closed && !ck_client_is_inherited(client)) return true;
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, ck_new);
  lua_call(L, 0, 2);
  if (lua_isnil(L, -2)) return false;
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
  return true;
}

struct ck_client *ck_default_client_of_resource(lua_State *L) {
  ck_resource_push_client(L);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    if (!ck_default_push(L)) return NULL;
  }
  struct ck_client *client = lua_touserdata(L, -1);
  return ck_client_is_usable(L, client) ? client : NULL;
}
