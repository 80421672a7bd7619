/*
** A host that embeds Lua, with the client linked in: require "cekura.core" needs no file. The files in
** lua/ add client:each, waits and pages. vote.lua costs nothing.
**
**   make embed
**   LUA_PATH="lua/?.lua;lua/?/init.lua;;" build/embed examples/vote.lua
*/
#include <cekura.h> /* in libcekura.a, which pkg-config links: see docs/guide-embedding.md */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

/* Does everything that may raise an error. The argument is the name of the script. */
static int run_script(lua_State *L) {
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cekura_core);
  lua_setfield(L, -2, "cekura.core");
  if (luaL_loadfile(L, lua_tostring(L, 1)) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

/* An error of a call is a table with a message, which luaL_tolstring returns. */
static int explain(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 2) return fprintf(stderr, "usage: %s SCRIPT\n", arguments[0]), 2;
  lua_State *L = luaL_newstate();
  if (L == NULL) return fprintf(stderr, "no memory\n"), 1;
  lua_pushcfunction(L, explain);
  lua_pushcfunction(L, run_script);
  lua_pushstring(L, arguments[1]);
  int failed = lua_pcall(L, 1, 0, 1) != LUA_OK;
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L); /* closes the client, too */
  return failed;
}
