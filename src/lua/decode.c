#include "decode.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "../core/utf8.h"
#include "json.h"

/* Place in the registry: cjson.decode of our own instance. */
static const char decode_key;

#define EXACT_BELOW 9007199254740992.0 /* 2^53: from there on, a float may not be what was sent */

/* ---- opening ---------------------------------------------------------------------------- */

/* instance.NAME(value), one of lua-cjson's settings */
static void configure(lua_State *L, const char *name, int type, int value) {
  lua_getfield(L, -1, name);
  if (type == LUA_TBOOLEAN)
    lua_pushboolean(L, value);
  else
    lua_pushinteger(L, value);
  lua_call(L, 1, 0);
}

void ck_decode_open(lua_State *L) {
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1); /* its settings are its own: what the host does to cjson stays there */
  configure(L, "decode_invalid_numbers", LUA_TBOOLEAN, 0);
  configure(L, "decode_max_depth", LUA_TNUMBER, CK_MAX_DEPTH);
  lua_getfield(L, -1, "decode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pop(L, 1);
}

/* ---- tidying a decoded value -------------------------------------------------------------- */

struct tidier {
  lua_State *L;
  const struct ck_secret *secret;
  bool keep_null;
  bool may_hold_key; /* the key, or an escape that may spell it, stands in the text */
};

static void tidy_table(struct tidier *tidier);

/* table, key, value → table, key; the replacement is on the top and goes into the table */
static void replace(lua_State *L) {
  lua_pushvalue(L, -3); /* table, key, value, new, key */
  lua_insert(L, -2);
  lua_rawset(L, -5);
}

/* lua-cjson 2.1.0 reads every number as a float. */
static void tidy_number(lua_State *L) {
  lua_Number value = lua_tonumber(L, -1);
  if (lua_isinteger(L, -1) || value != floor(value) || fabs(value) >= EXACT_BELOW) return;
  lua_pushinteger(L, (lua_Integer)value);
  replace(L);
}

static void tidy_string(struct tidier *tidier) {
  size_t length;
  const char *text = lua_tolstring(tidier->L, -1, &length);
  if (!ck_secret_is_in(tidier->secret, text, length)) return;
  ck_secret_push(tidier->L, tidier->secret, text, length);
  replace(tidier->L);
}

/* A null in an object, whose keys are strings. In a list it keeps the others in place. */
static void tidy_null(struct tidier *tidier) {
  if (tidier->keep_null || lua_type(tidier->L, -2) != LUA_TSTRING) return;
  lua_pushnil(tidier->L);
  replace(tidier->L);
}

/* table, key, value: each of these may replace the value in the table, and leaves the stack */
static void tidy_value(struct tidier *tidier) {
  switch (lua_type(tidier->L, -1)) {
    case LUA_TNUMBER: tidy_number(tidier->L); break;
    case LUA_TSTRING: tidy_string(tidier); break;
    case LUA_TLIGHTUSERDATA: tidy_null(tidier); break;
    case LUA_TTABLE: tidy_table(tidier); break;
    default: break;
  }
}

/* table, name, value: renames the field if the key stands in its name. */
static bool tidy_name(struct tidier *tidier) {
  lua_State *L = tidier->L;
  size_t length;
  const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : NULL;
  if (name == NULL || !ck_secret_is_in(tidier->secret, name, length)) return false;
  ck_secret_push(L, tidier->secret, name, length);
  lua_insert(L, -2);
  lua_rawset(L, -4); /* table, name */
  lua_pushnil(L);
  lua_rawset(L, -3);
  return true;
}

/* A new field ends a traversal, so that each renaming begins another. */
static void tidy_names(struct tidier *tidier) {
  lua_State *L = tidier->L;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (tidy_name(tidier))
      lua_pushnil(L);
    else
      lua_pop(L, 1);
  }
}

/* Existing fields may be changed, and cleared, while lua_next goes through them. */
static void tidy_table(struct tidier *tidier) {
  lua_State *L = tidier->L;
  luaL_checkstack(L, 6, "answer too deep");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) tidy_value(tidier);
  if (tidier->may_hold_key) tidy_names(tidier);
}

/* The value itself, as the only item of a table, so that it is tidied like any other. */
static void tidy(struct tidier *tidier) {
  lua_State *L = tidier->L;
  if (lua_istable(L, -1)) {
    tidy_table(tidier);
    return;
  }
  lua_createtable(L, 1, 0);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 1);
  tidy_table(tidier);
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
}

/* ---- reading --------------------------------------------------------------------------------- */

bool ck_decode(lua_State *L, const char *text, size_t length, bool keep_null,
               const struct ck_secret *secret) {
  struct tidier tidier = { L, secret, keep_null, false };
  if (ck_utf8_valid(text, length) != length) {
    lua_pushliteral(L, "the answer is not valid UTF-8");
    return false;
  }
  luaL_checkstack(L, 4, "answer");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pushlstring(L, text, length);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) return false;
  tidier.may_hold_key =
    ck_secret_is_in(secret, text, length) || memchr(text, '\\', length) != NULL;
  tidy(&tidier);
  return true;
}
