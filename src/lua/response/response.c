/*
** The second result of a successful call. Its headers are parsed when a script asks for them.
*/
#include "response.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "text/ascii.h"
#include "text/head.h"

/* Place in the registry: the metatable of responses. */
static const char metatable_key;

enum { HEAD = 1 }; /* the index of the head in a response, until it is parsed */

/* The names of the fields are in the metatable, so that Lua need not look up their texts. */
enum { STATUS = 1, ATTEMPTS, ELAPSED };
static const char *const names[] = {
  [STATUS] = "status", [ATTEMPTS] = "attempts", [ELAPSED] = "elapsed"
};

/* ---- headers ------------------------------------------------------------------------------- */

/* Pushes { name = value }, with names in lower case. Values of a repeated name are joined. */
static void push_headers(lua_State *L, const char *head, size_t length) {
  struct ck_header header;
  lua_newtable(L);
  for (size_t at = 0; ck_head_next(head, length, &at, &header);) {
    luaL_Buffer name;
    char *to = luaL_buffinitsize(L, &name, header.name_length);
    for (size_t i = 0; i < header.name_length; i++) to[i] = ck_ascii_lower(header.name[i]);
    luaL_pushresultsize(&name, header.name_length);
    lua_pushlstring(L, header.value, header.value_length);
    lua_pushvalue(L, -2);
    if (lua_rawget(L, -4) == LUA_TSTRING) { /* headers, name, value, earlier */
      lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), lua_tostring(L, -2));
      lua_replace(L, -3);
    }
    lua_pop(L, 1);
    lua_rawset(L, -3);
  }
}

/* Replaces the head by the field `headers`. */
static void parse_head(lua_State *L, int response) {
  size_t length;
  if (lua_rawgeti(L, response, HEAD) == LUA_TSTRING) {
    const char *head = lua_tolstring(L, -1, &length);
    push_headers(L, head, length);
    lua_pushnil(L);
    lua_rawseti(L, response, HEAD);
    lua_setfield(L, response, "headers");
  }
  lua_pop(L, 1);
}

/* ---- metamethods: a script can call them with anything --------------------------------------- */

static int response_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(name, "headers") != 0) return 0;
  parse_head(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, 1);
  return 1;
}

static int response_next(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  return lua_next(L, 1) ? 2 : 0;
}

static int response_pairs(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  parse_head(L, 1);
  lua_pushcfunction(L, response_next);
  lua_pushvalue(L, 1);
  return 2;
}

/* cekura.response (200 after 1.234 s), with a point in every locale */
static int response_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "status");
  lua_getfield(L, 1, "elapsed");
  lua_Number rounded = lua_tonumber(L, -1) * 1000 + 0.5;
  lua_Integer ms = rounded >= 0 && rounded < 9e18 ? (lua_Integer)rounded : 0;
  char fraction[8];
  (void)snprintf(fraction, sizeof(fraction), "%03d", (int)(ms % 1000));
  lua_pushfstring(L, "cekura.response (%I after %I.%s s)", (LUAI_UACINT)lua_tointeger(L, -2),
                  (LUAI_UACINT)(ms / 1000), fraction);
  return 1;
}

/* ---- the table ------------------------------------------------------------------------------- */

void ck_response_open(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__index", response_index },
                                          { "__pairs", response_pairs },
                                          { "__tostring", response_tostring },
                                          { NULL, NULL } };
  luaL_newlib(L, metamethods);
  lua_pushliteral(L, "cekura.response");
  lua_setfield(L, -2, "__name");
  for (int i = STATUS; i <= ELAPSED; i++) {
    lua_pushstring(L, names[i]);
    lua_rawseti(L, -2, i);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

void ck_response_push(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  lua_createtable(L, 0, 4); /* HEAD is in the hash part, too: an array part would cost more */
  lua_pushlstring(L, response->head.data, response->head.length);
  lua_rawseti(L, -2, HEAD);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key); /* response, metatable */
  lua_rawgeti(L, -1, STATUS);
  lua_pushinteger(L, response->observed.status);
  lua_rawset(L, -4);
  lua_rawgeti(L, -1, ATTEMPTS);
  lua_pushinteger(L, exchange->attempts);
  lua_rawset(L, -4);
  lua_rawgeti(L, -1, ELAPSED);
  lua_pushnumber(L, exchange->elapsed);
  lua_rawset(L, -4);
  lua_setmetatable(L, -2);
}
