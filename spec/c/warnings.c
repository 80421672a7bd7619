/*
** The host's side of `warn`: a C function that calls a Lua function, which may raise.
**
**   warnings.on(fn)   calls fn(piece, is_continued) for each piece of a warning of this state
*/
#include <lauxlib.h>
#include <lua.h>

__attribute__((visibility("default"))) int luaopen_warnings(lua_State *L);

static const char function_key;

static void forward(void *user, const char *piece, int is_continued) {
  lua_State *L = user; /* the main thread, which is running, or below the running one */
  luaL_checkstack(L, 4, "warning");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &function_key);
  lua_pushstring(L, piece);
  lua_pushboolean(L, is_continued);
  lua_call(L, 2, 0);
}

static int on(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &function_key);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_setwarnf(L, forward, lua_tothread(L, -1));
  return 0;
}

int luaopen_warnings(lua_State *L) {
  static const luaL_Reg functions[] = { { "on", on }, { NULL, NULL } };
  luaL_newlib(L, functions);
  return 1;
}
