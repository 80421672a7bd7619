/*
** Walks a caller's table along the endpoint's row: checks every field, collects every problem, and
** writes path, query and body on the way.
*/
#include "check.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "options.h"
#include "text/nearest.h"
#include "text/percent.h"
#include "text/timestamp.h"

struct walk {
  lua_State *L;
  const struct ck_endpoint *endpoint;
  struct ck_request *request;
  struct ck_problems *problems;
  const struct ck_field *fields; /* of the table: the endpoint's, or those of an object in a list */
  size_t field_count;
  const struct ck_path *up; /* the path of the object in a list; NULL for the caller's table */
  struct ck_buffer *to;     /* the buffer of the current field: the body, or the target */
  char separator;           /* before the next field of the query */
  bool has_member;          /* whether the object has a member, so that a comma is next */
  int table;                /* stack index of the table */
  lua_Integer evaluations;  /* the product of the counted lists so far, -1 = none counted */
  size_t entries;           /* in the table */
  size_t present;           /* fields that the table has */
  size_t one_of;            /* of these, fields that exclude each other */
};

#define TOO_MANY ((lua_Integer)1 << 62)

/* Values in the query are percent-encoded, and lists joined by commas. The body is JSON. */
static bool is_in_query(const struct walk *walk) { return walk->to == &walk->request->target; }

static bool is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

/* ---- ids ----------------------------------------------------------------------------------- */

/* Returns the id: a positive integer, a whole float, or a string of digits; 0 for anything else. */
static lua_Integer to_id(lua_State *L, int index) {
  lua_Integer id = 0;
  size_t length;
  if (lua_type(L, index) == LUA_TNUMBER) {
    id = lua_tointeger(L, index); /* 0 for a float that is not whole or not in range */
    return id > 0 ? id : 0;
  }
  if (lua_type(L, index) != LUA_TSTRING) return 0;
  const char *text = lua_tolstring(L, index, &length);
  for (size_t i = 0; i < length; i++) {
    lua_Integer digit = text[i] - '0';
    if (digit < 0 || digit > 9 || id > (LUA_MAXINTEGER - digit) / 10) return 0;
    id = id * 10 + digit;
  }
  return id;
}

static lua_Integer check_id(struct walk *walk, const struct ck_path *path) {
  lua_Integer id = to_id(walk->L, -1);
  if (id == 0)
    ck_problems_refuse(walk->problems, path, "an id: a whole number from 1 to 9223372036854775807");
  return id;
}

static void write_id(struct walk *walk, const struct ck_path *path) {
  lua_Integer id = check_id(walk, path);
  if (id != 0) ck_json_add_integer(walk->to, id);
}

/* ---- text ---------------------------------------------------------------------------------- */

static void write_text(struct walk *walk, const char *text, size_t length,
                       const struct ck_path *path) {
  bool ok = is_in_query(walk) ? ck_percent_add(walk->to, text, length)
                              : ck_json_add_string(walk->to, text, length);
  if (!ok) ck_problems_add(walk->problems, path, "must be valid UTF-8");
}

/* Returns the number of code points of a text in UTF-8. */
static size_t code_points(const char *text, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) count += ((unsigned char)text[i] & 0xC0) != 0x80;
  return count;
}

static void write_string(struct walk *walk, const struct ck_field *field,
                         const struct ck_path *path) {
  size_t length;
  if (lua_type(walk->L, -1) != LUA_TSTRING) {
    ck_problems_refuse(walk->problems, path, "a string");
    return;
  }
  const char *text = lua_tolstring(walk->L, -1, &length);
  if (length < field->min_length) ck_problems_add(walk->problems, path, "must not be empty");
  else if (field->max_length > 0 && code_points(text, length) > field->max_length)
    ck_problems_add(walk->problems, path, "must have at most %d characters",
                    (int)field->max_length);
  else write_text(walk, text, length, path);
}

static void write_time(struct walk *walk, const struct ck_path *path) {
  size_t length = 0;
  bool is_text = lua_type(walk->L, -1) == LUA_TSTRING;
  const char *text = is_text ? lua_tolstring(walk->L, -1, &length) : "";
  struct ck_timestamp timestamp;
  if (ck_timestamp_parse(text, length, &timestamp)) write_text(walk, text, length, path);
  else ck_problems_refuse(walk->problems, path, "a date and time like \"2025-01-01T00:00:00Z\"");
}

/* Returns whether the text is names in one pair of braces, which may nest: "{id,metadata{a}}". */
static bool is_selection(const char *text, size_t length) {
  static const char allowed[] = "{}, _-*"
                                "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  int depth = 0;
  if (length < 3 || text[0] != '{' || strspn(text, allowed) != length) return false;
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '{') depth++;
    if (text[i] == '}' && --depth <= 0 && i + 1 < length) return false;
  }
  return depth == 0;
}

static void write_selection(struct walk *walk, const struct ck_path *path) {
  size_t length = 0;
  const char *text = "";
  if (lua_type(walk->L, -1) == LUA_TSTRING) text = lua_tolstring(walk->L, -1, &length);
  if (is_selection(text, length)) write_text(walk, text, length, path);
  else ck_problems_refuse(walk->problems, path, "a selection of fields like \"{id,status}\"");
}

/* ---- lists --------------------------------------------------------------------------------- */

/* A repeated id would be paid for twice. The table at `seen` maps ids to their positions. */
static void check_repeated(struct walk *walk, int seen, lua_Integer id,
                           const struct ck_path *path) {
  lua_State *L = walk->L;
  if (lua_rawgeti(L, seen, id) == LUA_TNUMBER)
    ck_problems_add(walk->problems, path, "is the same id as item %I: it would be evaluated twice",
                    (LUAI_UACINT)lua_tointeger(L, -1));
  lua_pop(L, 1);
  lua_pushinteger(L, path->index);
  lua_rawseti(L, seen, id);
}

/* The id is on the top of the stack. `seen` is 0 unless ids must not be repeated. */
static void write_list_id(struct walk *walk, const struct ck_field *field, int seen,
                          const struct ck_path *path) {
  const char *quote = field->type == CK_TYPE_ID_STRINGS ? "\"" : "";
  lua_Integer id = check_id(walk, path);
  if (id == 0) return;
  if (seen != 0) check_repeated(walk, seen, id, path);
  ck_buffer_add_string(walk->to, quote);
  ck_json_add_integer(walk->to, id);
  ck_buffer_add_string(walk->to, quote);
}

static void write_enum(struct walk *walk, const struct ck_field *field, const struct ck_path *path);
static void write_fields(struct walk *walk);

/* An object of a list is on the top of the stack. */
static void write_list_object(struct walk *walk, const struct ck_field *field,
                              const struct ck_path *path) {
  struct walk inner = *walk;
  if (!lua_istable(walk->L, -1)) {
    ck_problems_refuse(walk->problems, path, "an object: a table with string keys");
    return;
  }
  inner.fields = field->fields;
  inner.field_count = field->field_count;
  inner.up = path;
  inner.table = lua_gettop(walk->L);
  inner.entries = inner.present = 0;
  inner.has_member = false;
  ck_buffer_add_char(walk->to, '{');
  write_fields(&inner);
  ck_buffer_add_char(walk->to, '}');
}

/* The item is on the top of the stack. `seen` is 0 unless ids must not be repeated. */
static void write_item(struct walk *walk, const struct ck_field *field, int seen,
                       const struct ck_path *path) {
  switch (field->type) {
    case CK_TYPE_STRING_LIST: write_string(walk, field, path); break;
    case CK_TYPE_ENUM_LIST: write_enum(walk, field, path); break;
    case CK_TYPE_OBJECT_LIST: write_list_object(walk, field, path); break;
    case CK_TYPE_ANY_LIST: ck_json_add_value(walk->to, -1, path, walk->problems); break;
    default: write_list_id(walk, field, seen, path); break;
  }
}

/* The list is on the top of the stack. */
static void write_items(struct walk *walk, const struct ck_field *field, lua_Integer length,
                        const struct ck_path *path) {
  lua_State *L = walk->L;
  int list = lua_gettop(L), seen = walk->endpoint->spends_credits ? list + 1 : 0;
  if (seen != 0) lua_newtable(L);
  for (lua_Integer i = 1; i <= length; i++) {
    struct ck_path item = { .up = path, .index = i };
    if (i > 1) ck_buffer_add_char(walk->to, ',');
    lua_rawgeti(L, list, i);
    write_item(walk, field, seen, &item);
    lua_pop(L, 1);
  }
  lua_settop(L, list);
}

static void count(struct walk *walk, lua_Integer length) {
  if (walk->evaluations < 0) walk->evaluations = 1;
  bool fits = length == 0 || walk->evaluations <= TOO_MANY / length;
  walk->evaluations = fits ? walk->evaluations * length : TOO_MANY;
}

static const char *wanted_list(const struct ck_field *field) {
  switch (field->type) {
    case CK_TYPE_STRING_LIST:
    case CK_TYPE_ENUM_LIST: return "a list of strings";
    case CK_TYPE_OBJECT_LIST: return "a list of objects";
    case CK_TYPE_ANY_LIST: return "a list";
    default: return "a list of ids";
  }
}

static void write_list(struct walk *walk, const struct ck_field *field,
                       const struct ck_path *path) {
  lua_Integer length;
  if (!lua_istable(walk->L, -1)) {
    ck_problems_refuse(walk->problems, path, wanted_list(field));
    return;
  }
  if (!ck_json_check_list(lua_gettop(walk->L), &length, path, walk->problems)) return;
  if (length < (lua_Integer)field->min_items)
    ck_problems_add(walk->problems, path, "must have at least %d item%s", (int)field->min_items,
                    field->min_items == 1 ? "" : "s");
  if (field->max_items > 0 && length > (lua_Integer)field->max_items)
    ck_problems_add(walk->problems, path, "must have at most %d items, got %I: send it in slices",
                    (int)field->max_items, (LUAI_UACINT)length);
  if (field->counted) count(walk, length);
  if (!is_in_query(walk)) ck_buffer_add_char(walk->to, '[');
  write_items(walk, field, length, path);
  if (!is_in_query(walk)) ck_buffer_add_char(walk->to, ']');
}

/* ---- the other types ----------------------------------------------------------------------- */

static void write_integer(struct walk *walk, const struct ck_field *field,
                          const struct ck_path *path) {
  int whole;
  lua_Integer value = lua_tointegerx(walk->L, -1, &whole);
  if (!whole || lua_type(walk->L, -1) != LUA_TNUMBER)
    ck_problems_refuse(walk->problems, path, "a whole number");
  else if (field->minimum > 0 && value < (lua_Integer)field->minimum)
    ck_problems_add(walk->problems, path, "must be at least %d, got %I", (int)field->minimum,
                    (LUAI_UACINT)value);
  else ck_json_add_integer(walk->to, value);
}

static void write_int32(struct walk *walk, const struct ck_path *path) {
  int whole;
  lua_Integer value = lua_tointegerx(walk->L, -1, &whole);
  if (whole && lua_type(walk->L, -1) == LUA_TNUMBER && value >= INT32_MIN && value <= INT32_MAX)
    ck_json_add_integer(walk->to, value);
  else ck_problems_refuse(walk->problems, path, "a whole number from -2147483648 to 2147483647");
}

static void write_enum(struct walk *walk, const struct ck_field *field,
                       const struct ck_path *path) {
  lua_State *L = walk->L;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  bool has_nul = strlen(text) != lua_rawlen(L, -1);
  for (int i = 0; field->values[i] != NULL; i++) {
    if (has_nul || strcmp(field->values[i], text) != 0) continue;
    write_string(walk, field, path);
    return;
  }
  struct ck_nearest nearest = { .word = text };
  lua_pushliteral(L, "one of");
  for (int i = 0; field->values[i] != NULL; i++) {
    ck_nearest_offer(&nearest, field->values[i]);
    lua_pushfstring(L, "%s%s \"%s\"", lua_tostring(L, -1), i > 0 ? "," : "", field->values[i]);
    lua_remove(L, -2);
  }
  const char *wanted = lua_tostring(L, -1), *got = ck_problems_describe(walk->problems, -2);
  if (nearest.known != NULL)
    ck_problems_add(walk->problems, path, "must be %s, got %s, did you mean \"%s\"?", wanted, got,
                    nearest.known);
  else ck_problems_add(walk->problems, path, "must be %s, got %s", wanted, got);
  lua_pop(L, 2);
}

static void write_boolean(struct walk *walk, const struct ck_path *path) {
  if (lua_isboolean(walk->L, -1))
    ck_buffer_add_string(walk->to, lua_toboolean(walk->L, -1) ? "true" : "false");
  else ck_problems_refuse(walk->problems, path, "true or false");
}

static void write_object(struct walk *walk, const struct ck_path *path) {
  size_t start = walk->to->length;
  if (!lua_istable(walk->L, -1)) {
    ck_problems_refuse(walk->problems, path, "an object: a table with string keys");
    return;
  }
  ck_json_add_value(walk->to, -1, path, walk->problems);
  if (walk->to->length > start && walk->to->data[start] == '[')
    ck_problems_add(walk->problems, path, "must be an object, got a list");
}

/* Encodes the JSON in the body, which a request with a query does not use, into the query. */
static void move_to_query(struct walk *walk) {
  struct ck_buffer *body = &walk->request->body;
  walk->to = &walk->request->target;
  if (body->length > 0) (void)ck_percent_add(walk->to, body->data, body->length);
  body->length = 0;
}

static void write_number(struct walk *walk, const struct ck_path *path) {
  bool in_query = is_in_query(walk);
  if (lua_type(walk->L, -1) != LUA_TNUMBER || !isfinite(lua_tonumber(walk->L, -1))) {
    ck_problems_refuse(walk->problems, path, "a finite number");
    return;
  }
  ck_json_add_value(&walk->request->body, -1, path, walk->problems);
  if (in_query) move_to_query(walk);
}

static void write_json_text(struct walk *walk, const struct ck_field *field,
                            const struct ck_path *path) {
  if (lua_type(walk->L, -1) == LUA_TSTRING) {
    write_string(walk, field, path);
    return;
  }
  walk->to = &walk->request->body;
  write_object(walk, path);
  move_to_query(walk);
}

/* ---- a field ------------------------------------------------------------------------------- */

static void write_value(struct walk *walk, const struct ck_field *field,
                        const struct ck_path *path) {
  switch (field->type) {
    case CK_TYPE_ID: write_id(walk, path); break;
    case CK_TYPE_ID_LIST:
    case CK_TYPE_ID_STRINGS:
    case CK_TYPE_STRING_LIST:
    case CK_TYPE_ENUM_LIST:
    case CK_TYPE_OBJECT_LIST:
    case CK_TYPE_ANY_LIST: write_list(walk, field, path); break;
    case CK_TYPE_INTEGER: write_integer(walk, field, path); break;
    case CK_TYPE_INT32: write_int32(walk, path); break;
    case CK_TYPE_NUMBER: write_number(walk, path); break;
    case CK_TYPE_STRING: write_string(walk, field, path); break;
    case CK_TYPE_TIME: write_time(walk, path); break;
    case CK_TYPE_ENUM: write_enum(walk, field, path); break;
    case CK_TYPE_BOOLEAN: write_boolean(walk, path); break;
    case CK_TYPE_SELECTION: write_selection(walk, path); break;
    case CK_TYPE_JSON_TEXT: write_json_text(walk, field, path); break;
    case CK_TYPE_ANY: ck_json_add_value(walk->to, -1, path, walk->problems); break;
  }
}

static void write_member(struct walk *walk, const struct ck_field *field,
                         const struct ck_path *path) {
  struct ck_buffer *body = walk->to = &walk->request->body;
  ck_buffer_add_string(body, walk->has_member ? ",\"" : "\"");
  walk->has_member = true;
  ck_buffer_add_string(body, field->name);
  ck_buffer_add_string(body, "\":");
  if (!is_null(walk->L, -1)) write_value(walk, field, path);
  else if (field->nullable) ck_buffer_add_string(body, "null");
  else ck_problems_add(walk->problems, path, "must not be null");
}

static void write_parameter(struct walk *walk, const struct ck_field *field,
                            const struct ck_path *path) {
  walk->to = &walk->request->target;
  ck_buffer_add_char(walk->to, walk->separator);
  ck_buffer_add_string(walk->to, field->name);
  ck_buffer_add_char(walk->to, '=');
  if (!is_null(walk->L, -1)) write_value(walk, field, path);
  else ck_problems_add(walk->problems, path, "must not be null");
  walk->separator = '&';
}

static void write_field(struct walk *walk, const struct ck_field *field) {
  struct ck_path path = { .up = walk->up, .name = field->name };
  lua_pushstring(walk->L, field->name);
  if (lua_rawget(walk->L, walk->table) != LUA_TNIL) {
    walk->present++;
    walk->one_of += field->one_of;
    switch (field->place) {
      case CK_PLACE_BODY: write_member(walk, field, &path); break;
      case CK_PLACE_QUERY: write_parameter(walk, field, &path); break;
      case CK_PLACE_PATH: (void)check_id(walk, &path); break; /* write_path has written it */
    }
  } else if (field->required) {
    ck_problems_add(walk->problems, &path, "is required%s",
                    field->nullable ? " (cekura.null says that there is none)" : "");
  }
  lua_pop(walk->L, 1);
}

/* ---- the whole table ----------------------------------------------------------------------- */

/* Writes the path with the ids in it; write_field adds the problems of wrong ones. */
static void write_path(struct walk *walk) {
  lua_State *L = walk->L;
  struct ck_buffer *to = &walk->request->target;
  const char *at = walk->endpoint->path;
  for (const char *open; (open = strchr(at, '{')) != NULL;) {
    size_t length = strcspn(open + 1, "}");
    ck_buffer_add(to, at, (size_t)(open - at));
    lua_pushlstring(L, open + 1, length);
    lua_rawget(L, walk->table);
    ck_json_add_integer(to, to_id(L, -1));
    lua_pop(L, 1);
    at = open + length + 2;
  }
  ck_buffer_add_string(to, at);
}

static void check_one_of(struct walk *walk) {
  const struct ck_field *first = NULL, *second = NULL;
  for (size_t i = 0; i < walk->endpoint->field_count; i++) {
    const struct ck_field *field = &walk->endpoint->fields[i];
    if (!field->one_of) continue;
    if (first == NULL) first = field;
    else second = field;
  }
  if (first == NULL || second == NULL || walk->one_of == 1) return;
  struct ck_path path = { .name = first->name };
  ck_problems_add(walk->problems, &path,
                  walk->one_of == 0 ? "this or %s is required"
                                    : "this and %s exclude each other: give one",
                  second->name);
}

static void check_name(const struct ck_field *fields, size_t count, const struct ck_path *path,
                       struct ck_problems *problems) {
  struct ck_nearest nearest = { .word = path->name };
  const char *misplaced = ck_options_misplaced(path->name);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(fields[i].name, path->name) == 0) return;
    ck_nearest_offer(&nearest, fields[i].name);
  }
  if (misplaced != NULL) ck_problems_add(problems, path, "%s", misplaced);
  else ck_problems_add_unknown(problems, path, "field", nearest.known);
}

void ck_check_name(const struct ck_endpoint *endpoint, const char *name,
                   struct ck_problems *problems) {
  check_name(endpoint->fields, endpoint->field_count, &(struct ck_path){ .name = name }, problems);
}

/* Looks for unknown keys, unless every entry is one of the fields that were found. */
static void check_unknown(struct walk *walk) {
  lua_State *L = walk->L;
  for (lua_pushnil(L); lua_next(L, walk->table); lua_pop(L, 1)) walk->entries++;
  if (walk->entries == walk->present) return;
  for (lua_pushnil(L); lua_next(L, walk->table); lua_pop(L, 1)) {
    const char *name = ck_problems_name(L, -2, NULL);
    struct ck_path path = { .up = walk->up, .name = name != NULL ? name : "(list item)" };
    if (name != NULL) check_name(walk->fields, walk->field_count, &path, walk->problems);
    else
      ck_problems_add(walk->problems, &path, "fields have names, got a key of type %s",
                      luaL_typename(L, -2));
  }
}

static void write_fields(struct walk *walk) {
  for (size_t i = 0; i < walk->field_count; i++) write_field(walk, &walk->fields[i]);
  check_unknown(walk);
}

/* Reads the time in a field. Returns false if it is missing or not a time. */
static bool read_time(struct walk *walk, const char *name, struct ck_timestamp *time) {
  size_t length;
  lua_pushstring(walk->L, name);
  bool is_text = lua_rawget(walk->L, walk->table) == LUA_TSTRING;
  const char *text = is_text ? lua_tolstring(walk->L, -1, &length) : NULL;
  bool ok = is_text && ck_timestamp_parse(text, length, time);
  lua_pop(walk->L, 1); /* the caller's table owns the text */
  return ok;
}

/* A range without an end reaches to the present. */
static void check_range(struct walk *walk) {
  const struct ck_endpoint *endpoint = walk->endpoint;
  struct ck_path path = { .name = endpoint->range_to };
  struct ck_timestamp from, to = { .seconds = (long long)time(NULL), .fraction = "" };
  if (endpoint->range_days == 0 || !read_time(walk, endpoint->range_from, &from)) return;
  lua_pushstring(walk->L, endpoint->range_to);
  bool has_end = lua_rawget(walk->L, walk->table) != LUA_TNIL;
  lua_pop(walk->L, 1);
  if (has_end && !read_time(walk, endpoint->range_to, &to)) return;
  from.seconds += endpoint->range_days * 86400LL;
  if (ck_timestamp_compare(&to, &from) > 0)
    ck_problems_add(walk->problems, &path,
                    "must be at most %d days after %s: %s:pages reads longer ranges",
                    (int)endpoint->range_days, endpoint->range_from, endpoint->resource);
}

/* An update without fields is refused: the value of the intended field is probably nil. */
static void check_partial(struct walk *walk) {
  if (!walk->endpoint->partial || walk->entries > walk->present || walk->request->body.length > 1)
    return;
  ck_problems_add(walk->problems, &(struct ck_path){ .name = "(fields)" },
                  "nothing to change: give at least one field besides the id");
}

lua_Integer ck_check(const struct ck_endpoint *endpoint, int index, struct ck_request *request,
                     struct ck_problems *problems) {
  struct walk walk = { .L = problems->L,
                       .endpoint = endpoint,
                       .fields = endpoint->fields,
                       .field_count = endpoint->field_count,
                       .request = request,
                       .problems = problems,
                       .separator = '?',
                       .table = index,
                       .evaluations = -1 };
  luaL_checkstack(walk.L, 24, "arguments");
  request->options.method = endpoint->method;
  request->options.has_body = strcmp(endpoint->method, "GET") != 0;
  if (request->options.has_body) ck_buffer_add_char(&request->body, '{');
  write_path(&walk);
  write_fields(&walk);
  check_one_of(&walk);
  check_range(&walk);
  check_partial(&walk);
  if (request->options.has_body) ck_buffer_add_char(&request->body, '}');
  return walk.evaluations;
}
