#include "decode.h"

#include <lauxlib.h>
#include <string.h>

#include "../core/head.h"
#include "../core/utf8.h"
#include "interrupt.h"
#include "json.h"
#include "mend.h"

/* Places in the registry: decode and new of our own cjson, and whether it knows integers. */
static const char decode_key, new_key, integers_key;

#define EXACT_BELOW ((lua_Integer)1 << 53) /* from there on, a float may not be what was sent */

/* ---- opening ---------------------------------------------------------------------------- */

/* instance.NAME(value), one of lua-cjson's settings */
static void configure(lua_State *L, const char *name, int type, int value) {
  lua_getfield(L, -1, name);
  if (type == LUA_TBOOLEAN) lua_pushboolean(L, value);
  else lua_pushinteger(L, value);
  lua_call(L, 1, 0);
}

/* Whether decode, which is on the top, reads 1 as an integer: 2.1.0 does not, 2.1.0.14 does. */
static void probe_integers(lua_State *L) {
  lua_pushvalue(L, -1);
  lua_pushliteral(L, "[1]");
  lua_call(L, 1, 1);
  if (!lua_istable(L, -1)) luaL_error(L, "what is loaded as cjson is not lua-cjson");
  lua_rawgeti(L, -1, 1);
  lua_pushboolean(L, lua_isinteger(L, -1));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &integers_key);
  lua_pop(L, 2);
}

void ck_decode_open(lua_State *L) {
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1); /* its settings are its own: what the host does to cjson stays there */
  configure(L, "decode_invalid_numbers", LUA_TBOOLEAN, 0);
  configure(L, "decode_max_depth", LUA_TNUMBER, CK_MAX_DEPTH);
  lua_getfield(L, -1, "new");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &new_key);
  lua_getfield(L, -1, "decode");
  probe_integers(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pop(L, 1);
}

/* ---- tidying a decoded value -------------------------------------------------------------- */

struct tidier {
  lua_State *L;
  bool keep_null;
  bool floats_only; /* this lua-cjson reads every number as a float */
};

static void tidy_table(const struct tidier *tidier);

/* There are many of them: this is as short as it can be. */
static void tidy_number(const struct tidier *tidier) {
  lua_State *L = tidier->L;
  int whole;
  lua_Integer value = lua_tointegerx(L, -1, &whole);
  lua_pop(L, 1);
  if (!whole || !tidier->floats_only || value >= EXACT_BELOW || value <= -EXACT_BELOW) return;
  lua_pushvalue(L, -1);
  lua_pushinteger(L, value);
  lua_rawset(L, -4);
}

/* A null in an object, whose keys are strings. In a list it keeps the others in place. */
static void tidy_null(const struct tidier *tidier) {
  lua_pop(tidier->L, 1);
  if (tidier->keep_null || lua_type(tidier->L, -1) != LUA_TSTRING) return;
  lua_pushvalue(tidier->L, -1);
  lua_pushnil(tidier->L);
  lua_rawset(tidier->L, -4);
}

/* table, name, value → table, name; the value in the table may be another afterwards */
static void tidy_value(const struct tidier *tidier) {
  switch (lua_type(tidier->L, -1)) {
    case LUA_TNUMBER: tidy_number(tidier); break;
    case LUA_TLIGHTUSERDATA: tidy_null(tidier); break;
    case LUA_TTABLE:
      tidy_table(tidier);
      lua_pop(tidier->L, 1);
      break;
    default: lua_pop(tidier->L, 1);
  }
}

/* Existing fields may be changed, and cleared, while lua_next goes through them. */
static void tidy_table(const struct tidier *tidier) {
  for (lua_pushnil(tidier->L); lua_next(tidier->L, -2);) tidy_value(tidier);
}

/* The value itself, as the only item of a table, so that it is tidied like any other. */
static void tidy(const struct tidier *tidier) {
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

/* text → its value, or why it cannot be read; whether it can */
static bool decode(lua_State *L) {
  int text = lua_gettop(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pushvalue(L, text);
  bool ok = ck_interrupt_call_without(L, 1, 2);
  if (ok && lua_isnil(L, text + 1)) { /* cjson.safe, in the place of cjson, raises nothing */
    luaL_tolstring(L, text + 2, NULL);
    lua_replace(L, text + 1);
    ok = false;
  }
  lua_settop(L, text + 1);
  lua_remove(L, text);
  return ok;
}

/*
** lua-cjson looks at the locale's decimal point when an instance is made, and reads no fraction
** any more once os.setlocale has chosen another.
*/
static void look_at_locale(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &new_key);
  if (!ck_interrupt_call_without(L, 0, 0)) lua_pop(L, 1);
}

/* Likewise, whatever the locale has become. */
static bool decode_in_any_locale(lua_State *L) {
  lua_pushvalue(L, -1);
  bool ok = decode(L);
  if (!ok) {
    lua_pop(L, 1);
    look_at_locale(L);
    lua_pushvalue(L, -1);
    ok = decode(L);
  }
  lua_remove(L, -2);
  return ok;
}

/*
** Likewise, of a text that need not be valid as it is: most are, and are not mended. lua-cjson would
** take a NUL byte for the end.
*/
static bool decode_mended(lua_State *L, const char *text, size_t length) {
  if (memchr(text, '\0', length) != NULL) {
    lua_pushnil(L);
    return false;
  }
  if (ck_utf8_valid(text, length) == length) {
    lua_pushlstring(L, text, length);
    if (decode_in_any_locale(L)) return true;
    lua_pop(L, 1);
  }
  ck_mend_push_json(L, text, length);
  return decode_in_any_locale(L);
}

static bool reads_floats_only(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &integers_key);
  bool floats_only = !lua_toboolean(L, -1);
  lua_pop(L, 1);
  return floats_only;
}

/* NULL, or why the bytes are not JSON, where that is plainer than what lua-cjson says. */
static const char *problem_of(const char *text, size_t length) {
  size_t first = 0;
  while (first < length && strchr(" \t\r\n", text[first]) != NULL) first++;
  if (first == length) return "it is blank";
  if (strchr("[{\"", text[first]) == NULL) return "it is not JSON";
  return ck_head_is_closed_json(text, length) ? NULL : "its JSON is cut off";
}

/* lua-cjson's message → a message */
static bool refuse(lua_State *L, const char *text, size_t length) {
  const char *problem = problem_of(text, length);
  if (ck_utf8_valid(text, length) != length) problem = "it is not valid UTF-8";
  else if (memchr(text, '\0', length) != NULL) problem = "it holds a NUL byte";
  if (problem == NULL) return false;
  lua_pop(L, 1);
  lua_pushstring(L, problem);
  return false;
}

bool ck_decode(lua_State *L, const char *text, size_t length, bool keep_null) {
  luaL_checkstack(L, 4 * CK_MAX_DEPTH, "answer");
  if (!decode_mended(L, text, length)) return refuse(L, text, length);
  struct tidier tidier = { L, keep_null, reads_floats_only(L) };
  tidy(&tidier);
  return true;
}
