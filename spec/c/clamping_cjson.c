/*
** The Lua module cjson as of lua-cjson 2.1.0.14 and newer, made from the older one that is next in
** package.cpath. The older one checks the text and decodes each string and float. Integers are
** decoded here: exactly, but those beyond 64 bits become the nearest 64-bit integer. It encodes as the
** older one does.
*/
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

/* Upvalues of decode. */
enum { DECODE = 1, MARKS_ARRAYS, ARRAY_MT };

static const char blanks[] = " \t\r\n";

static const char *skip(const char *at) { return at + strspn(at, blanks); }

/* Pushes what the older decoder reads from the scalar. */
static void push_older(lua_State *L, const char *text, size_t length) {
  lua_pushvalue(L, lua_upvalueindex(DECODE));
  lua_pushlstring(L, text, length);
  lua_call(L, 1, 1);
}

static const char *push_string(lua_State *L, const char *text) {
  const char *end = text + 1;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  push_older(L, text, (size_t)(end + 1 - text));
  return end + 1;
}

static const char *push_number_or_word(lua_State *L, const char *text) {
  char *end;
  long long value = strtoll(text, &end, 10);
  if (end != text && (*end == '\0' || strchr(".eEx", *end) == NULL)) {
    lua_pushinteger(L, value);
    return end;
  }
  size_t length = strcspn(text, ",]} \t\r\n");
  push_older(L, text, length);
  return text + length;
}

/* Pushes the value of a valid text, and returns its end. */
static const char *push_value(lua_State *L, const char *at);

static const char *push_array(lua_State *L, const char *at) {
  lua_newtable(L);
  if (lua_toboolean(L, lua_upvalueindex(MARKS_ARRAYS))) {
    lua_pushvalue(L, lua_upvalueindex(ARRAY_MT));
    lua_setmetatable(L, -2);
  }
  at = skip(at + 1);
  for (lua_Integer i = 1; *at != ']'; i++) {
    at = skip(push_value(L, at));
    lua_rawseti(L, -2, i);
    if (*at == ',') at = skip(at + 1);
  }
  return at + 1;
}

static const char *push_object(lua_State *L, const char *at) {
  lua_newtable(L);
  at = skip(at + 1);
  while (*at != '}') {
    at = skip(push_string(L, at));
    at = skip(push_value(L, skip(at + 1)));
    lua_rawset(L, -3);
    if (*at == ',') at = skip(at + 1);
  }
  return at + 1;
}

static const char *push_value(lua_State *L, const char *at) {
  luaL_checkstack(L, 8, "value too deep");
  switch (*at) {
    case '[': return push_array(L, at);
    case '{': return push_object(L, at);
    case '"': return push_string(L, at);
    default: return push_number_or_word(L, at);
  }
}

/* decode(text): the value; of cjson.safe also nil and a message */
static int decode(lua_State *L) {
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(DECODE));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 2);
  if (lua_isnil(L, -2)) return 2;
  push_value(L, skip(lua_tostring(L, 1)));
  return 1;
}

/* decode_array_with_array_mt([on]): returns the setting. Upvalue: decode. */
static int decode_array_with_array_mt(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    lua_pushvalue(L, 1);
    lua_setupvalue(L, lua_upvalueindex(1), MARKS_ARRAYS);
  }
  lua_getupvalue(L, lua_upvalueindex(1), MARKS_ARRAYS);
  return 1;
}

static int new_instance(lua_State *L);

/* older instance → newer instance */
static void renew(lua_State *L) {
  lua_getfield(L, -1, "decode");
  lua_pushboolean(L, 0);
  luaL_newmetatable(L, "cjson.array");
  lua_pushcclosure(L, decode, 3);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "decode");
  lua_pushcclosure(L, decode_array_with_array_mt, 1);
  lua_setfield(L, -2, "decode_array_with_array_mt");
  lua_getfield(L, -1, "new");
  lua_pushcclosure(L, new_instance, 1);
  lua_setfield(L, -2, "new");
  luaL_newmetatable(L, "cjson.array");
  lua_setfield(L, -2, "array_mt");
  luaL_newmetatable(L, "cjson.empty_array");
  lua_setfield(L, -2, "empty_array_mt");
  lua_pushlightuserdata(L, (void *)blanks);
  lua_setfield(L, -2, "empty_array");
}

/* new(): another instance. Upvalue: that of the older module. */
static int new_instance(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_call(L, 0, 1);
  renew(L);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_cjson(lua_State *L);
__attribute__((visibility("default"))) int luaopen_cjson_safe(lua_State *L);

/* Returns what the function `entry` of the next other cjson.so in package.cpath returns. */
static const char call_next[] = "local own, entry = ... "
                                "for template in package.cpath:gmatch '[^;]+' do "
                                "  local path = package.searchpath('cjson', template) "
                                "  local open = path and assert(package.loadlib(path, entry)) "
                                "  if open and open ~= own then return open() end "
                                "end "
                                "error 'there is no other lua-cjson in package.cpath'";

static int open_next(lua_State *L, lua_CFunction own, const char *entry) {
  if (luaL_loadstring(L, call_next) != LUA_OK) return lua_error(L);
  lua_pushcfunction(L, own);
  lua_pushstring(L, entry);
  lua_call(L, 2, 1);
  renew(L);
  return 1;
}

int luaopen_cjson(lua_State *L) { return open_next(L, luaopen_cjson, "luaopen_cjson"); }

int luaopen_cjson_safe(lua_State *L) {
  return open_next(L, luaopen_cjson_safe, "luaopen_cjson_safe");
}
