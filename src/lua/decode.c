#include "decode.h"

#include <lauxlib.h>
#include <string.h>

#include "../core/utf8.h"
#include "interrupt.h"
#include "json.h"

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

/* Pushes what the text says, or why it cannot be read; whether it can. */
static bool decode(lua_State *L, const char *text, size_t length) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pushlstring(L, text, length);
  if (!ck_interrupt_call_without(L, 1, 2)) return false;
  bool ok = !lua_isnil(L, -2);
  if (ok) lua_pop(L, 1);
  else luaL_tolstring(L, -1, NULL); /* cjson.safe, in the place of cjson, raises nothing */
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
static bool decode_in_any_locale(lua_State *L, const char *text, size_t length) {
  int top = lua_gettop(L);
  if (decode(L, text, length)) return true;
  lua_settop(L, top);
  look_at_locale(L);
  return decode(L, text, length);
}

static bool reads_floats_only(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &integers_key);
  bool floats_only = !lua_toboolean(L, -1);
  lua_pop(L, 1);
  return floats_only;
}

/* NULL, or why these bytes are no JSON text. */
static const char *problem_of(const char *text, size_t length) {
  if (ck_utf8_valid(text, length) != length) return "the answer is not valid UTF-8";
  /* lua-cjson would take it for the end */
  return memchr(text, '\0', length) != NULL ? "the answer holds a NUL byte" : NULL;
}

bool ck_decode(lua_State *L, const char *text, size_t length, bool keep_null) {
  const char *problem = problem_of(text, length);
  luaL_checkstack(L, 4 * CK_MAX_DEPTH, "answer");
  if (problem != NULL) lua_pushstring(L, problem);
  if (problem != NULL || !decode_in_any_locale(L, text, length)) return false;
  struct tidier tidier = { L, keep_null, reads_floats_only(L) };
  tidy(&tidier);
  return true;
}
