/* The module cekura.core, which a host can also link statically. */
#include <cekura.h>
#include <lauxlib.h>
#include <lua.h>

#include "call.h"
#include "client.h"
#include "endpoints.h"
#include "internal.h"
#include "loop.h"
#include "lua/request/json.h"
#include "lua/response/decode.h"
#include "lua/response/error.h"
#include "lua/response/response.h"
#include "lua/system/interrupt.h"
#include "new.h"
#include "pool.h"
#include "resource.h"
#include "version.h"

static const luaL_Reg functions[] = { { "new", ck_new },
                                      { "array", ck_json_array },
                                      { NULL, NULL } };

/* Pushes lua-cjson. Raises the error of require if there is none. */
static void require_cjson(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
}

/* Adds the resources of the default client to the module: cekura.runs and the like. */
static void set_default_resources(lua_State *L) {
  ck_resource_push_all(L, 0);
  for (lua_pushnil(L); lua_next(L, -2);) { /* module, resources, name, resource */
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
}

int luaopen_cekura_core(lua_State *L) {
  luaL_checkversion(L);
  require_cjson(L);
  ck_interrupt_open(L);
  ck_json_open(L);
  ck_decode_open(L);
  ck_error_open(L);
  ck_response_open(L);
  ck_pool_open(L);
  ck_client_open(L);
  ck_call_open(L);
  ck_loop_open(L);
  ck_internal_open(L);
  luaL_newlib(L, functions);
  lua_pushliteral(L, CK_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  ck_endpoints_push(L);
  lua_setfield(L, -2, "endpoints");
  set_default_resources(L);
  return 1;
}
