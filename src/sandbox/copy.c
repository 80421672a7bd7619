/*
** Copies plain values from one lua_State to another. Only the state that receives may raise.
*/
#include "copy.h"

#include <lauxlib.h>

enum { MAX_DEPTH = 1100 }; /* lua-cjson reads up to 1000 levels */

static void copy(lua_State *from, int index, lua_State *to, int depth);

static void copy_table(lua_State *from, int index, lua_State *to, int depth) {
  if (depth >= MAX_DEPTH || !lua_checkstack(from, 4))
    luaL_error(to, "this table is nested too deeply, or contains itself");
  luaL_checkstack(to, 4, NULL);
  lua_newtable(to);
  lua_pushnil(from);
  while (lua_next(from, index)) { /* from: key, value */
    copy(from, lua_gettop(from) - 1, to, depth + 1);
    copy(from, lua_gettop(from), to, depth + 1);
    lua_rawset(to, -3);
    lua_pop(from, 1);
  }
}

static void copy(lua_State *from, int index, lua_State *to, int depth) {
  int type = lua_type(from, index);
  size_t length;
  const char *text;
  switch (type) {
    case LUA_TNIL: lua_pushnil(to); return;
    case LUA_TBOOLEAN: lua_pushboolean(to, lua_toboolean(from, index)); return;
    case LUA_TNUMBER:
      if (lua_isinteger(from, index)) lua_pushinteger(to, lua_tointeger(from, index));
      else lua_pushnumber(to, lua_tonumber(from, index));
      return;
    case LUA_TSTRING:
      text = lua_tolstring(from, index, &length);
      lua_pushlstring(to, text, length);
      return;
    case LUA_TTABLE: copy_table(from, index, to, depth); return;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(from, index) != NULL) break;
      lua_pushlightuserdata(to, NULL); /* JSON null */
      return;
    default: break;
  }
  luaL_error(to, "a %s cannot be given to the sandbox", lua_typename(from, type));
}

void ck_copy_value(lua_State *from, int index, lua_State *to) {
  copy(from, lua_absindex(from, index), to, 0);
}
