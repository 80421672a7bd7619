#include "copy.h"

#include <lauxlib.h>

enum { MAX_DEPTH = 1100 }; /* lua-cjson reads up to 1000 levels */

static void copy(lua_State *from, int index, lua_State *to, int depth);

static void copy_string(lua_State *from, int index, lua_State *to) {
  size_t length;
  const char *text = lua_tolstring(from, index, &length);
  lua_pushlstring(to, text, length);
}

static void copy_number(lua_State *from, int index, lua_State *to) {
  if (lua_isinteger(from, index)) lua_pushinteger(to, lua_tointeger(from, index));
  else lua_pushnumber(to, lua_tonumber(from, index));
}

static void copy_table(lua_State *from, int index, lua_State *to, int depth) {
  if (depth >= MAX_DEPTH || !lua_checkstack(from, 4))
    luaL_error(to, "this table is nested too deeply, or holds itself");
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
  switch (type) {
    case LUA_TNIL: lua_pushnil(to); return;
    case LUA_TBOOLEAN: lua_pushboolean(to, lua_toboolean(from, index)); return;
    case LUA_TNUMBER: copy_number(from, index, to); return;
    case LUA_TSTRING: copy_string(from, index, to); return;
    case LUA_TTABLE: copy_table(from, index, to, depth); return;
    default: break;
  }
  if (type != LUA_TLIGHTUSERDATA || lua_touserdata(from, index) != NULL)
    luaL_error(to, "a %s cannot be handed to the sandbox", lua_typename(from, type));
  lua_pushlightuserdata(to, NULL); /* JSON null */
}

void ck_copy_value(lua_State *from, int index, lua_State *to) {
  copy(from, lua_absindex(from, index), to, 0);
}
