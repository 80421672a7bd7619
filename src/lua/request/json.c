/*
** Writes JSON from Lua values: strings, exact integers, floats that read back as the same number,
** tables as lists or objects. A value that JSON cannot express becomes a problem with its path.
*/
#include "json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/number.h"
#include "text/utf8.h"

/* ---- strings and numbers ------------------------------------------------------------------- */

/* Returns how many bytes of the text need no escape. */
static size_t plain_length(const char *text, size_t length) {
  size_t i = 0;
  while (i < length && (unsigned char)text[i] >= ' ' && text[i] != '"' && text[i] != '\\') i++;
  return i;
}

static void add_escaped(struct ck_buffer *buffer, unsigned char c) {
  static const char short_forms[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
  const char *found = c == '\0' ? NULL : strchr(short_forms, c);
  char text[8];
  if (found != NULL) (void)snprintf(text, sizeof(text), "\\%c", letters[found - short_forms]);
  else (void)snprintf(text, sizeof(text), "\\u%04x", c);
  ck_buffer_add_string(buffer, text);
}

bool ck_json_add_string(struct ck_buffer *buffer, const char *text, size_t length) {
  if (ck_utf8_valid(text, length) != length) return false;
  ck_buffer_add_char(buffer, '"');
  for (size_t at = 0; at < length; at++) {
    size_t plain = plain_length(text + at, length - at);
    ck_buffer_add(buffer, text + at, plain);
    at += plain;
    if (at < length) add_escaped(buffer, (unsigned char)text[at]);
  }
  ck_buffer_add_char(buffer, '"');
  return true;
}

void ck_json_add_integer(struct ck_buffer *buffer, lua_Integer value) {
  char digits[24], *at = digits + sizeof(digits);
  lua_Unsigned rest = value < 0 ? 0u - (lua_Unsigned)value : (lua_Unsigned)value;
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (value < 0) *--at = '-';
  ck_buffer_add(buffer, at, (size_t)(digits + sizeof(digits) - at));
}

/* ---- names in order ------------------------------------------------------------------------ */

struct name {
  const char *text;
  size_t length;
};

static int compare_names(const void *one, const void *other) {
  const struct name *a = one, *b = other;
  int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
  return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* A list of their own pins the strings, because a finalizer may change the table meanwhile. */
int ck_json_push_names(lua_State *L, int index) {
  lua_Integer count = 0;
  lua_newtable(L); /* the sorted names */
  lua_newtable(L); /* the names as they come */
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) continue;
    lua_pushvalue(L, -2);
    lua_rawseti(L, -4, ++count);
  }
  struct name *names = lua_newuserdatauv(L, (size_t)count * sizeof(*names), 0);
  for (lua_Integer i = 0; i < count; i++, lua_pop(L, 1)) {
    lua_rawgeti(L, -2, i + 1);
    names[i].text = lua_tolstring(L, -1, &names[i].length);
  }
  qsort(names, (size_t)count, sizeof(*names), compare_names);
  for (lua_Integer i = 0; i < count; i++) {
    lua_pushlstring(L, names[i].text, names[i].length);
    lua_rawseti(L, -4, i + 1);
  }
  lua_pop(L, 2);
  return lua_gettop(L);
}

/* ---- tables -------------------------------------------------------------------------------- */

/* One level of nested values; the chain of levels shows whether a table contains itself. */
struct level {
  const struct level *up;
  const void *table;
  const struct ck_path *path;
  int depth;
};

enum { PROBLEMS_AT_MOST = 1000, TEXT_AT_MOST = 64 * 1024 * 1024 };

struct writer {
  lua_State *L;
  struct ck_buffer *buffer;
  struct ck_problems *problems;
  bool canonical; /* names are sorted, and a float that is whole is written as an integer */
};

static void add_value(struct writer *writer, int index, const struct level *level);

/* Keys of the registry. */
static const char mark_key, empty_mark_key, empty_array_key;

/* Returns whether the table at `index` is marked as an array, by cekura.array or lua-cjson. */
static bool is_marked(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &mark_key);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &empty_mark_key);
  bool marked = lua_rawequal(L, -3, -2) || (!lua_isnil(L, -1) && lua_rawequal(L, -3, -1));
  lua_pop(L, 3);
  return marked;
}

/* Returns the number of entries, and sets `strings` to the number of those with string keys. */
static lua_Integer count_entries(lua_State *L, int index, lua_Integer *strings) {
  lua_Integer entries = 0;
  *strings = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    entries++;
    *strings += lua_type(L, -2) == LUA_TSTRING;
  }
  return entries;
}

bool ck_json_check_list(int index, lua_Integer *length, const struct ck_path *path,
                        struct ck_problems *problems) {
  lua_State *L = problems->L;
  lua_Integer strings, entries = count_entries(L, index, &strings);
  *length = (lua_Integer)lua_rawlen(L, index);
  if (entries == *length && strings == 0) return true;
  ck_problems_add(problems, path,
                  strings > 0 ? "must be a list, got a table with string keys"
                              : "must be a list without holes: keys 1 to n");
  return false;
}

static void add_array(struct writer *writer, int index, const struct level *level) {
  lua_State *L = writer->L;
  lua_Integer length = (lua_Integer)lua_rawlen(L, index);
  ck_buffer_add_char(writer->buffer, '[');
  for (lua_Integer i = 1; i <= length; i++) {
    struct ck_path path = { .up = level->path, .index = i };
    struct level inner = { level, NULL, &path, level->depth + 1 };
    if (i > 1) ck_buffer_add_char(writer->buffer, ',');
    lua_rawgeti(L, index, i);
    add_value(writer, lua_gettop(L), &inner);
    lua_pop(L, 1);
  }
  ck_buffer_add_char(writer->buffer, ']');
}

/* The name is at -2, its value at -1. */
static void add_member(struct writer *writer, const struct level *level) {
  lua_State *L = writer->L;
  size_t length;
  const char *name = lua_tolstring(L, -2, &length);
  struct ck_path path = { .up = level->path, .name = name };
  struct level inner = { level, NULL, &path, level->depth + 1 };
  if (!ck_json_add_string(writer->buffer, name, length))
    ck_problems_add(writer->problems, level->path, "has a key that is not valid UTF-8");
  ck_buffer_add_char(writer->buffer, ':');
  add_value(writer, lua_gettop(L), &inner);
}

static void add_object(struct writer *writer, int index, const struct level *level) {
  lua_State *L = writer->L;
  bool first = true;
  ck_buffer_add_char(writer->buffer, '{');
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (!first) ck_buffer_add_char(writer->buffer, ',');
    first = false;
    add_member(writer, level);
  }
  ck_buffer_add_char(writer->buffer, '}');
}

static void add_sorted_object(struct writer *writer, int index, const struct level *level) {
  lua_State *L = writer->L;
  int names = ck_json_push_names(L, index);
  ck_buffer_add_char(writer->buffer, '{');
  for (lua_Integer i = 1; lua_rawgeti(L, names, i) != LUA_TNIL; i++, lua_settop(L, names)) {
    if (i > 1) ck_buffer_add_char(writer->buffer, ',');
    lua_pushvalue(L, -1);
    lua_rawget(L, index); /* names, name, value */
    add_member(writer, level);
  }
  ck_buffer_add_char(writer->buffer, '}');
  lua_settop(L, names - 1);
}

static bool is_within_itself(const struct level *level) {
  for (const struct level *up = level->up; up != NULL; up = up->up)
    if (up->table == level->table) return true;
  return false;
}

static void add_table(struct writer *writer, int index, struct level *level) {
  lua_State *L = writer->L;
  lua_Integer strings, length = (lua_Integer)lua_rawlen(L, index);
  level->table = lua_topointer(L, index);
  luaL_checkstack(L, 8, "value too deep");
  if (is_within_itself(level)) {
    ck_problems_add(writer->problems, level->path, "contains itself");
    return;
  }
  if (level->depth > CK_MAX_DEPTH) {
    ck_problems_add(writer->problems, level->path, "is nested deeper than %d", CK_MAX_DEPTH);
    return;
  }
  lua_Integer entries = count_entries(L, index, &strings);
  bool marked = is_marked(L, index);
  if (entries == length && strings == 0 && (length > 0 || marked)) add_array(writer, index, level);
  else if (entries != strings || marked)
    ck_problems_add(writer->problems, level->path,
                    "is neither a list (keys 1 to n) nor an object (string keys)");
  else if (writer->canonical) add_sorted_object(writer, index, level);
  else add_object(writer, index, level);
}

/* ---- any value ----------------------------------------------------------------------------- */

static void add_number(struct writer *writer, int index, const struct level *level) {
  lua_State *L = writer->L;
  lua_Number value = lua_tonumber(L, index);
  int whole;
  lua_Integer integer = lua_tointegerx(L, index, &whole);
  if (lua_isinteger(L, index) || (whole && writer->canonical))
    ck_json_add_integer(writer->buffer, integer);
  else if (isfinite(value)) {
    char text[CK_NUMBER_SIZE];
    ck_number_write(value, text);
    ck_buffer_add_string(writer->buffer, text);
  } else
    ck_problems_add(writer->problems, level->path, "must be a finite number, got %s",
                    isnan(value) ? "nan" : "an infinity");
}

/* NULL is null in every lua-cjson; its newer versions have an empty array as another pointer. */
static void add_light(struct writer *writer, int index, const struct level *level) {
  lua_State *L = writer->L;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &empty_array_key);
  bool empty_array = lua_rawequal(L, -1, index);
  lua_pop(L, 1);
  if (lua_touserdata(L, index) == NULL) ck_buffer_add_string(writer->buffer, "null");
  else if (empty_array) ck_buffer_add_string(writer->buffer, "[]");
  else ck_problems_add(writer->problems, level->path, "must be a JSON value, got userdata");
}

/*
** The walk ends when the buffer is full or there are very many problems: a table that occurs twice
** in a table, and so on for n levels, is written 2^n times.
*/
static bool is_over(const struct writer *writer) {
  return writer->buffer->failed || writer->problems->count >= PROBLEMS_AT_MOST;
}

static void add_value(struct writer *writer, int index, const struct level *level) {
  lua_State *L = writer->L;
  struct level own = *level;
  size_t length;
  if (is_over(writer)) return;
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
      ck_buffer_add_string(writer->buffer, lua_toboolean(L, index) ? "true" : "false");
      break;
    case LUA_TSTRING: {
      const char *text = lua_tolstring(L, index, &length);
      if (!ck_json_add_string(writer->buffer, text, length))
        ck_problems_add(writer->problems, level->path, "must be valid UTF-8");
      break;
    }
    case LUA_TNUMBER: add_number(writer, index, level); break;
    case LUA_TTABLE: add_table(writer, index, &own); break;
    case LUA_TLIGHTUSERDATA: add_light(writer, index, level); break;
    default:
      ck_problems_add(writer->problems, level->path, "must be a JSON value, got a %s",
                      luaL_typename(L, index));
  }
}

void ck_json_add_value(struct ck_buffer *buffer, int index, const struct ck_path *path,
                       struct ck_problems *problems) {
  struct writer writer = { .L = problems->L, .buffer = buffer, .problems = problems };
  struct level outermost = { .path = path, .depth = 1 };
  add_value(&writer, lua_absindex(problems->L, index), &outermost);
}

static int free_buffer(lua_State *L) {
  ck_buffer_free(lua_touserdata(L, 1));
  return 0;
}

/* Pushes an empty buffer, which the collector frees if an error is raised. */
static struct ck_buffer *push_buffer(lua_State *L) {
  struct ck_buffer *buffer = lua_newuserdatauv(L, sizeof(*buffer), 0);
  *buffer = CK_BUFFER(TEXT_AT_MOST);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_buffer);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return buffer;
}

int ck_json_encode(lua_State *L) {
  enum { VALUE = 1, NAME, PROBLEMS, BUFFER };
  static const struct ck_secret none = { 0 };
  const struct ck_path path = { .name = luaL_optstring(L, NAME, "value") };
  lua_settop(L, PROBLEMS);
  struct ck_problems problems = ck_problems_begin(L, PROBLEMS, &none);
  struct writer writer = { L, push_buffer(L), &problems, .canonical = true };
  struct level outermost = { .path = &path, .depth = 1 };
  add_value(&writer, VALUE, &outermost);
  if (problems.count > 0) {
    lua_pushnil(L);
    ck_problems_push(&problems); /* nil, fields, line */
    lua_remove(L, -2);
    return 2;
  }
  if (writer.buffer->failed)
    return luaL_error(L, "the JSON text is larger than 64 MiB, or there is not enough memory");
  lua_pushlstring(L, writer.buffer->data, writer.buffer->length);
  ck_buffer_free(writer.buffer);
  return 1;
}

/* ---- the mark of an array ------------------------------------------------------------------ */

int ck_json_array(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_argcheck(L, !lua_getmetatable(L, 1) || is_marked(L, 1), 1,
                "has a metatable of its own: copy it into a plain table");
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &mark_key);
  lua_setmetatable(L, 1);
  return 1;
}

void ck_json_open(lua_State *L) {
  int cjson = lua_gettop(L);
  if (lua_getfield(L, cjson, "array_mt") != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushliteral(L, "cekura.array");
    lua_setfield(L, -2, "__name");
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &mark_key);
  lua_getfield(L, cjson, "empty_array_mt");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &empty_mark_key);
  lua_getfield(L, cjson, "empty_array");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &empty_array_key);
}
