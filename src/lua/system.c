#include "system.h"

#include <lauxlib.h>

#include "../core/clock.h"

/* monotime(): seconds since an arbitrary moment */
static int system_monotime(lua_State *L) {
  lua_pushnumber(L, ck_clock_now());
  return 1;
}

void ck_system_add(lua_State *L) {
  static const luaL_Reg functions[] = { { "monotime", system_monotime }, { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
}
