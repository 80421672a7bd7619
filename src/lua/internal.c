#include "internal.h"

#include <lauxlib.h>

#include "file.h"
#include "system.h"

/* The loader that require finds: the table has been made already. */
static int load(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

void ck_internal_open(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_newtable(L);
  ck_file_add(L);
  ck_system_add(L);
  lua_pushcclosure(L, load, 1);
  lua_setfield(L, -2, "cekura.internal");
  lua_pop(L, 1);
}
