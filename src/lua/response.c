#include "response.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "../core/ascii.h"
#include "../core/head.h"

/* Place in the registry: the metatable. */
static const char metatable_key;

enum { HEAD = 1 }; /* where the head waits, as it arrived, until `headers` is asked for */

/* ---- headers ------------------------------------------------------------------------------- */

static void push_lower(lua_State *L, const char *text, size_t length) {
  luaL_Buffer lower;
  char *to = luaL_buffinitsize(L, &lower, length);
  for (size_t i = 0; i < length; i++) to[i] = ck_ascii_lower(text[i]);
  luaL_pushresultsize(&lower, length);
}

/* headers, name, value → headers; one that comes again is joined to the first, as HTTP has it */
static void set_header(lua_State *L) {
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -4) == LUA_TSTRING) {
    lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), lua_tostring(L, -2));
    lua_replace(L, -3); /* headers, name, both, earlier */
  }
  lua_pop(L, 1);
  lua_rawset(L, -3);
}

static void push_headers(lua_State *L, const char *head, size_t length) {
  struct ck_header header;
  lua_newtable(L);
  for (size_t at = 0; ck_head_next(head, length, &at, &header);) {
    push_lower(L, header.name, header.name_length);
    lua_pushlstring(L, header.value, header.value_length);
    set_header(L);
  }
}

/* From then on the response is a table like any other. */
static void read_head(lua_State *L, int response) {
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

/* A script can get at these functions, and call them with anything. */
static int response_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(name, "headers") != 0) return 0;
  read_head(L, 1);
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
  read_head(L, 1);
  lua_pushcfunction(L, response_next);
  lua_pushvalue(L, 1);
  return 2;
}

/* cekura.response (200 after 1.234 s); a script may have changed the fields. */
static int response_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_pushliteral(L, "status");
  lua_rawget(L, 1);
  lua_pushliteral(L, "elapsed");
  lua_rawget(L, 1);
  int has_status, has_time;
  lua_Integer status = lua_tointegerx(L, 2, &has_status);
  lua_Number elapsed = lua_tonumberx(L, 3, &has_time);
  if (!has_status || !has_time || !(elapsed >= 0 && elapsed < 1e9)) {
    lua_pushliteral(L, "cekura.response");
    return 1;
  }
  long ms = (long)(elapsed * 1000 + 0.5);
  char seconds[32]; /* not %f, which asks the locale */
  (void)snprintf(seconds, sizeof(seconds), "%ld.%03ld", ms / 1000, ms % 1000);
  lua_pushfstring(L, "cekura.response (%I after %s s)", (LUAI_UACINT)status, seconds);
  return 1;
}

/* ---- the table --------------------------------------------------------------------------------- */

void ck_response_open(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__index", response_index },
                                          { "__pairs", response_pairs },
                                          { "__tostring", response_tostring },
                                          { NULL, NULL } };
  luaL_newlib(L, metamethods);
  lua_pushliteral(L, "cekura.response");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

void ck_response_push(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  lua_createtable(L, 0, 4); /* also of HEAD: an array for it alone would cost more */
  lua_pushlstring(L, response->head.data, response->head.length);
  lua_rawseti(L, -2, HEAD);
  lua_pushinteger(L, response->observed.status);
  lua_setfield(L, -2, "status");
  lua_pushinteger(L, exchange->attempts);
  lua_setfield(L, -2, "attempts");
  lua_pushnumber(L, exchange->elapsed);
  lua_setfield(L, -2, "elapsed");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
}
