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

#define EXACT_BELOW 9007199254740992.0 /* 2^53: a larger float may have been rounded */

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
  bool is_inexact; /* set if a number may have been an integer that lua-cjson rounded or clamped */
};

static void convert_table(lua_State *L, struct conversion *conversion, int depth);

/*
** Pushes what replaces the value on the top, and returns true; or converts a table in place, and
** returns false. lua-cjson 2.1.0 decodes every number as a float; newer versions decode only those
** with a point or an exponent as floats. Inline, because there are many values.
*/
static inline bool push_converted(lua_State *L, struct conversion *conversion, int type,
                                  bool keep_null, int depth) {
  if (type == LUA_TSTRING) {
    const char *text = conversion->has_marked ? lua_tostring(L, -1) : "";
    if (text[0] != CK_MEND_MARK) return false;
    lua_stringtonumber(L, text + 1); /* an integer, or a float beyond 64 bits */
    return true;
  }
  if (type == LUA_TNUMBER) {
    lua_Number value = lua_tonumber(L, -1);
    bool is_exact = value > -EXACT_BELOW && value < EXACT_BELOW;
    if (!is_exact) conversion->is_inexact = true;
    lua_Integer whole = is_exact ? (lua_Integer)value : 0; /* lua_tointegerx would take longer */
    if (!is_exact || (lua_Number)whole != value || lua_isinteger(L, -1)) return false;
    lua_pushinteger(L, whole);
    return true;
  }
  if (type == LUA_TTABLE) convert_table(L, conversion, depth + 1);
  if (type != LUA_TLIGHTUSERDATA || keep_null) return false;
  lua_pushnil(L);
  return true;
}

/* Converts the array on the top. It has no holes: its nulls are not nil. */
static void convert_array(lua_State *L, struct conversion *conversion, int depth) {
  int type;
  for (lua_Integer i = 1; (type = lua_rawgeti(L, -1, i)) != LUA_TNIL; i++) {
    if (push_converted(L, conversion, type, true, depth)) lua_rawseti(L, -3, i);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/*
** object, first name, its value → object. lua_next allows changing and clearing existing fields, and
** lua_settable calls no metamethods for them.
*/
static void convert_object(lua_State *L, struct conversion *conversion, int depth) {
  do {
    if (push_converted(L, conversion, lua_type(L, -1), conversion->keep_null, depth)) {
      lua_copy(L, -3, -2); /* object, name, name, new value */
      lua_settable(L, -4);
    } else lua_pop(L, 1);
  } while (lua_next(L, -2));
}

/* The stack grows with the depth: that of each task would have room for CK_MAX_DEPTH otherwise. */
static void convert_table(lua_State *L, struct conversion *conversion, int depth) {
  enum { LEVELS = 8, OF_LEVEL = 2, OF_LAST = 4 };
  if (depth % LEVELS == 0) luaL_checkstack(L, LEVELS * OF_LEVEL + OF_LAST, "response");
  lua_pushnil(L);
  if (!lua_next(L, -2)) return;
  if (lua_type(L, -2) == LUA_TSTRING) convert_object(L, conversion, depth);
  else {
    lua_pop(L, 2);
    convert_array(L, conversion, depth);
  }
}

/* Converts the value on the top. */
static void convert(lua_State *L, struct conversion *conversion) {
  if (lua_istable(L, -1)) convert_table(L, conversion, 0);
  else if (push_converted(L, conversion, lua_type(L, -1), true, 0)) lua_remove(L, -2);
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

/* Decodes the mended text. Pushes the converted value, or a message. */
static bool decode_mended(lua_State *L, const char *text, size_t length, bool keep_null) {
  struct conversion conversion = { .keep_null = keep_null, .has_marked = true };
  ck_mend_push_json(L, text, length);
  if (!decode(L)) return false;
  convert(L, &conversion);
  return true;
}

/* Decodes the text; mended, once more, if it has inexact numbers. Pushes as decode_mended does. */
static bool decode_exactly(lua_State *L, const char *text, size_t length, bool keep_null) {
  struct conversion conversion = { .keep_null = keep_null };
  lua_pushlstring(L, text, length);
  if (!decode(L)) return false;
  convert(L, &conversion);
  if (!conversion.is_inexact) return true;
  lua_pop(L, 1);
  return decode_mended(L, text, length, keep_null);
}

/*
** Decodes the text; mended, once more, if it cannot be decoded. The second time has the decimal
** point of the current locale: lua-cjson looks it up when an instance is created.
*/
static bool decode_or_mend(lua_State *L, const char *text, size_t length, bool keep_null) {
  if (ck_utf8_valid(text, length) == length) {
    if (decode_exactly(L, text, length, keep_null)) return true;
    lua_pop(L, 1);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &new_key);
  if (!ck_interrupt_call_without(L, 0, 0)) lua_pop(L, 1);
  return decode_mended(L, text, length, keep_null);
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
  luaL_checkstack(L, 8, "response");
  if (memchr(text, '\0', length) != NULL) lua_pushnil(L); /* lua-cjson takes it for the end */
  else if (decode_or_mend(L, text, length, keep_null)) return true;
  const char *problem = problem_of(text, length);
  if (problem != NULL) {
    lua_pop(L, 1);
    lua_pushstring(L, problem);
  }
  return false;
}

bool ck_decode_exactly(lua_State *L, const char *text, size_t length) {
  luaL_checkstack(L, 8, "JSON");
  return decode_exactly(L, text, length, true);
}
