/*
** The problems of a caller's tables, in a list of Lua strings that no other code can reach. They
** are redacted when they leave it.
*/
#include "problems.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text/number.h"
#include "text/utf8.h"

enum { QUOTE_AT_MOST = 40, SAY_AT_MOST = 10 };

struct ck_problems ck_problems_begin(lua_State *L, int index, const struct ck_secret *secret) {
  lua_pushnil(L);
  lua_replace(L, index);
  return (struct ck_problems){ .L = L, .secret = secret, .index = index };
}

const char *ck_problems_name(lua_State *L, int index, const char *otherwise) {
  if (lua_type(L, index) != LUA_TSTRING) return otherwise;
  const char *name = lua_tostring(L, index);
  return strlen(name) == lua_rawlen(L, index) ? name : "(a name with a NUL byte)";
}

static void push_path(lua_State *L, const struct ck_path *path) {
  luaL_checkstack(L, 4, "path too deep");
  if (path->up == NULL) {
    lua_pushstring(L, path->name);
    return;
  }
  push_path(L, path->up);
  if (path->name != NULL) lua_pushfstring(L, "%s.%s", lua_tostring(L, -1), path->name);
  else lua_pushfstring(L, "%s[%I]", lua_tostring(L, -1), (LUAI_UACINT)path->index);
  lua_remove(L, -2);
}

void ck_problems_add(struct ck_problems *problems, const struct ck_path *path, const char *format,
                     ...) {
  lua_State *L = problems->L;
  luaL_checkstack(L, 8, "too many problems");
  if (problems->count == 0) {
    lua_newtable(L);
    lua_replace(L, problems->index);
  }
  push_path(L, path);
  lua_rawseti(L, problems->index, 2 * problems->count + 1);
  va_list arguments;
  va_start(arguments, format);
  const char *message = lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  if (message == NULL) { /* Lua 5.5 does not raise, and 5.5.1 does not even push its message */
    lua_pushliteral(L, "not enough memory");
    (void)lua_error(L);
  }
  lua_rawseti(L, problems->index, 2 * problems->count + 2);
  problems->count++;
}

void ck_problems_add_unknown(struct ck_problems *problems, const struct ck_path *path,
                             const char *what, const char *known) {
  if (known != NULL)
    ck_problems_add(problems, path, "unknown %s, did you mean \"%s\"?", what, known);
  else ck_problems_add(problems, path, "unknown %s", what);
}

/* Quotes the beginning of a string. The key is redacted before, because the cut may split it. */
static const char *quote(struct ck_problems *problems, int index) {
  lua_State *L = problems->L;
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  ck_secret_push(L, problems->secret, text, length);
  text = lua_tolstring(L, -1, &length);
  size_t shown = ck_utf8_cut(text, length, QUOTE_AT_MOST);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  luaL_addchar(&buffer, '"');
  for (size_t i = 0; i < shown; i++) {
    unsigned char c = (unsigned char)text[i];
    char escape[8];
    (void)snprintf(escape, sizeof(escape), "\\%03d", c); /* as Lua writes it */
    if (c < ' ' || c == 0x7f) luaL_addstring(&buffer, escape);
    else luaL_addchar(&buffer, text[i]);
  }
  luaL_addstring(&buffer, shown < length ? "\"…" : "\"");
  luaL_pushresult(&buffer);
  lua_remove(L, -2);
  return lua_tostring(L, -1);
}

static const char *push_number(lua_State *L, int index) {
  char text[CK_NUMBER_SIZE];
  lua_Number value = lua_tonumber(L, index);
  if (lua_isinteger(L, index) || !isfinite(value)) return luaL_tolstring(L, index, NULL);
  ck_number_write(value, text);
  return lua_pushstring(L, text);
}

const char *ck_problems_describe(struct ck_problems *problems, int index) {
  lua_State *L = problems->L;
  switch (lua_type(L, index)) {
    case LUA_TNUMBER: return push_number(L, index);
    case LUA_TSTRING: return quote(problems, index);
    case LUA_TLIGHTUSERDATA:
      return lua_pushstring(L, lua_touserdata(L, index) == NULL ? "null" : "userdata");
    default: return lua_pushstring(L, luaL_typename(L, index));
  }
}

void ck_problems_refuse(struct ck_problems *problems, const struct ck_path *path,
                        const char *wanted) {
  const char *got = ck_problems_describe(problems, -1);
  ck_problems_add(problems, path, "must be %s, got %s", wanted, got);
  lua_pop(problems->L, 1);
}

static void push_redacted(const struct ck_problems *problems, int i) {
  size_t length;
  lua_rawgeti(problems->L, problems->index, i);
  const char *text = lua_tolstring(problems->L, -1, &length);
  ck_secret_push(problems->L, problems->secret, text, length);
  lua_remove(problems->L, -2);
}

/* Pushes the path and the message of a problem. */
static void push_problem(const struct ck_problems *problems, int i) {
  push_redacted(problems, 2 * i + 1);
  push_redacted(problems, 2 * i + 2);
}

void ck_problems_push_list(const struct ck_problems *problems) {
  lua_State *L = problems->L;
  luaL_checkstack(L, 8, "too many problems");
  lua_createtable(L, problems->count, 0);
  for (int i = 0; i < problems->count; i++) {
    lua_createtable(L, 2, 0);
    push_problem(problems, i); /* list, pair, path, message */
    lua_rawseti(L, -3, 2);
    lua_rawseti(L, -2, 1);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_fields(const struct ck_problems *problems) {
  lua_State *L = problems->L;
  lua_newtable(L);
  for (int i = 0; i < problems->count; i++) {
    push_problem(problems, i);
    lua_insert(L, -2); /* fields, message, path */
    luaL_getsubtable(L, -3, lua_tostring(L, -1));
    lua_pushvalue(L, -3); /* fields, message, path, list, message */
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 3);
  }
}

static void push_line(const struct ck_problems *problems) {
  lua_State *L = problems->L;
  lua_pushliteral(L, "");
  for (int i = 0; i < problems->count && i < SAY_AT_MOST; i++) {
    push_problem(problems, i); /* line, path, message */
    const char *line = lua_tostring(L, -3), *between = i > 0 ? "; " : "";
    lua_pushfstring(L, "%s%s%s: %s", line, between, lua_tostring(L, -2), lua_tostring(L, -1));
    lua_replace(L, -4);
    lua_pop(L, 2);
  }
  if (problems->count <= SAY_AT_MOST) return;
  lua_pushfstring(L, "%s; and %d more", lua_tostring(L, -1), problems->count - SAY_AT_MOST);
  lua_remove(L, -2);
}

void ck_problems_push(const struct ck_problems *problems) {
  luaL_checkstack(problems->L, 12, "too many problems");
  push_fields(problems);
  push_line(problems);
}
