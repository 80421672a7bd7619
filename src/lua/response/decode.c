/*
** Decodes JSON with a private instance of lua-cjson, then converts numbers and nulls in place.
*/
#include "decode.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/request/json.h"
#include "lua/system/interrupt.h"
#include "mend.h"
#include "text/head.h"
#include "text/utf8.h"

static const char decode_key, new_key; /* places of the instance's functions in the registry */

#define EXACT_BELOW ((lua_Integer)1 << 53) /* a larger float may have been rounded */

void ck_decode_open(lua_State *L) {
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "decode_invalid_numbers");
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode_max_depth");
  lua_pushinteger(L, CK_MAX_DEPTH);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "new");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &new_key);
  lua_getfield(L, -1, "decode");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pushliteral(L, "[1]");
  lua_call(L, 1, 1);
  if (!lua_istable(L, -1)) luaL_error(L, "the module loaded as cjson is not lua-cjson");
  lua_pop(L, 2);
}

/* ---- converting a decoded value ----------------------------------------------------------- */

struct conversion {
  bool keep_null;
  bool has_marked; /* a string that begins with CK_MEND_MARK is an integer */
};

/*
** table → table. lua_next allows changing and clearing existing fields. lua-cjson 2.1.0 decodes
** every number as a float; newer versions decode only those with a point or an exponent as floats.
*/
static void convert_table(lua_State *L, const struct conversion *conversion) {
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) { /* table, name, value */
    switch (lua_type(L, -1)) {
      case LUA_TSTRING: {
        if (!conversion->has_marked) continue;
        const char *text = lua_tostring(L, -1);
        if (text[0] != CK_MEND_MARK) continue;
        lua_pushvalue(L, -2);
        lua_stringtonumber(L, text + 1); /* an integer, or a float beyond 64 bits */
        break;
      }
      case LUA_TNUMBER: {
        int is_whole;
        lua_Integer value = lua_tointegerx(L, -1, &is_whole);
        if (!is_whole || value >= EXACT_BELOW || value <= -EXACT_BELOW) continue;
        lua_pushvalue(L, -2);
        lua_pushinteger(L, value);
        break;
      }
      case LUA_TLIGHTUSERDATA:                                                 /* null */
        if (conversion->keep_null || lua_type(L, -2) != LUA_TSTRING) continue; /* in an array */
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        break;
      case LUA_TTABLE: convert_table(L, conversion); continue;
      default: continue;
    }
    lua_rawset(L, -5);
  }
}

/* Converts the value on the top. A number is converted as the only element of a table. */
static void convert(lua_State *L, const struct conversion *conversion) {
  if (lua_istable(L, -1)) convert_table(L, conversion);
  else {
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    convert_table(L, conversion);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* text → value, or a message */
static bool decode(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_insert(L, -2);
  bool ok = ck_interrupt_call_without(L, 1, 1);
  if (!ok || !lua_isnil(L, -1)) return ok;
  lua_pop(L, 1); /* cjson.safe, loaded as cjson, returns nil where cjson raises */
  lua_pushliteral(L, "it is not JSON");
  return false;
}

/*
** Pushes the value or a message. A text that cannot be decoded is decoded again, mended, and with
** the decimal point of the current locale: lua-cjson looks it up when an instance is created.
*/
static bool decode_or_mend(lua_State *L, const char *text, size_t length, bool has_marked) {
  if (ck_utf8_valid(text, length) == length) {
    if (has_marked) ck_mend_push_json(L, text, length);
    else lua_pushlstring(L, text, length);
    if (decode(L)) return true;
    lua_pop(L, 1);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &new_key);
  if (!ck_interrupt_call_without(L, 0, 0)) lua_pop(L, 1);
  ck_mend_push_json(L, text, length);
  return decode(L);
}

/* Returns a plainer message than lua-cjson's, or NULL. */
static const char *problem_of(const char *text, size_t length) {
  size_t first = 0;
  while (first < length && strchr(" \t\r\n", text[first]) != NULL) first++;
  if (ck_utf8_valid(text, length) != length) return "it is not valid UTF-8";
  if (memchr(text, '\0', length) != NULL) return "it contains a NUL byte";
  if (first == length) return "it is blank";
  if (strchr("[{\"", text[first]) == NULL) return "it is not JSON";
  return ck_head_is_closed_json(text, length) ? NULL : "its JSON is cut off";
}

bool ck_decode(lua_State *L, const char *text, size_t length, bool keep_null) {
  luaL_checkstack(L, 4 * CK_MAX_DEPTH, "response");
  bool has_nul = memchr(text, '\0', length) != NULL; /* lua-cjson takes it for the end */
  struct conversion conversion = { keep_null, ck_mend_has_long_integer(text, length) };
  if (has_nul) lua_pushnil(L);
  else if (decode_or_mend(L, text, length, conversion.has_marked)) {
    convert(L, &conversion);
    return true;
  }
  const char *problem = problem_of(text, length);
  if (problem != NULL) {
    lua_pop(L, 1);
    lua_pushstring(L, problem);
  }
  return false;
}

bool ck_decode_exactly(lua_State *L, const char *text, size_t length) {
  luaL_checkstack(L, 4 * CK_MAX_DEPTH, "JSON");
  struct conversion conversion = { true, ck_mend_has_long_integer(text, length) };
  lua_pushlstring(L, text, length);
  if (!decode(L)) return false;
  if (conversion.has_marked) { /* valid text is decoded again, with its long integers marked */
    lua_pop(L, 1);
    ck_mend_push_json(L, text, length);
    if (!decode(L)) return false;
  }
  convert(L, &conversion);
  return true;
}
