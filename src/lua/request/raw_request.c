/*
** client:request: checks the description of a call that the contract does not have, makes an
** endpoint's row of it, and writes path, query and body.
*/
#include "raw_request.h"

#include <lauxlib.h>
#include <string.h>

#include "check.h"
#include "json.h"
#include "text/percent.h"

struct reader {
  lua_State *L;
  struct ck_endpoint *row;
  struct ck_request *request;
  struct ck_problems *problems;
  int table; /* stack index of the caller's table */
};

/* Pushes a field of the caller's table without metamethods; returns its type. */
static int push_field(struct reader *reader, const char *name) {
  lua_pushstring(reader->L, name);
  return lua_rawget(reader->L, reader->table);
}

/* ---- the method and what follows from it --------------------------------------------------- */

static void read_method(struct reader *reader) {
  static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
  const struct ck_path path = { .name = "method" };
  lua_State *L = reader->L;
  int type = push_field(reader, path.name);
  const char *text = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
  for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
    if (strcmp(text, methods[i]) == 0 && strlen(text) == lua_rawlen(L, -1))
      reader->row->method = methods[i];
  if (type == LUA_TNIL) ck_problems_add(reader->problems, &path, "is required");
  else if (reader->row->method == NULL)
    ck_problems_refuse(reader->problems, &path,
                       "one of \"GET\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"");
  reader->request->options.method = reader->row->method;
  lua_pop(L, 1);
}

static bool is_get(const struct reader *reader) {
  return reader->row->method != NULL && strcmp(reader->row->method, "GET") == 0;
}

/* Returns the field, or `otherwise` unless the caller gives one; `given` may be NULL. */
static bool read_flag(struct reader *reader, const char *name, bool otherwise, bool *given) {
  const struct ck_path path = { .name = name };
  int type = push_field(reader, name);
  bool flag = type == LUA_TBOOLEAN ? lua_toboolean(reader->L, -1) : otherwise;
  if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    ck_problems_refuse(reader->problems, &path, "true or false");
  if (given != NULL) *given = type != LUA_TNIL;
  lua_pop(reader->L, 1);
  return flag;
}

/*
** Every method except GET is assumed to spend credits and not to be idempotent. A caller who sets
** one of the two fields decides on the other as well, unless the caller sets both.
*/
static void read_meaning(struct reader *reader) {
  const struct ck_path path = { .name = "idempotent" };
  struct ck_endpoint *row = reader->row;
  bool given;
  row->idempotent = read_flag(reader, "idempotent", false, &given);
  row->spends_credits =
      read_flag(reader, "spends_credits", !is_get(reader) && !row->idempotent, NULL);
  if (row->idempotent && row->spends_credits)
    ck_problems_add(reader->problems, &path,
                    "excludes spends_credits: sent twice, the call would be paid for twice");
  if (!given) row->idempotent = is_get(reader) && !row->spends_credits;
}

/* ---- the path ------------------------------------------------------------------------------ */

/* The characters of a path that need no encoding by RFC 3986 (3.3), and "%". */
static const char path_characters[] =
    "/-._~!$&'()*+,;=:@%ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static bool has_bad_escape(const char *text) {
  for (const char *at = text; (at = strchr(at, '%')) != NULL; at++)
    if (at[1] == '\0' || ck_percent_code(at + 1) < 0) return true;
  return false;
}

/*
** Returns whether a segment is "." or "..", which servers and proxies resolve. Dots and slashes may
** be percent-encoded, and some servers treat an encoded slash or a backslash as a slash.
*/
static bool has_dot_segment(const char *text) {
  size_t dots = 0, length = 0; /* of the current segment */
  for (int c; text[0] != '\0';) {
    bool is_encoded = text[0] == '%';
    c = is_encoded ? ck_percent_code(text + 1) : text[0];
    text += is_encoded ? 3 : 1;
    bool is_separator = c == '/' || c == '\\';
    dots += c == '.';
    length += !is_separator;
    if (!is_separator && text[0] != '\0') continue;
    if (dots == length && (dots == 1 || dots == 2)) return true;
    dots = length = 0;
  }
  return false;
}

/* Returns NULL, or what is wrong with the path. */
static const char *path_problem(const char *text, size_t length) {
  if (text[0] != '/') return "must begin with \"/\": the rest of the address is api_url's";
  if (text[1] == '/') return "must not begin with \"//\", which would name a host";
  size_t good = strspn(text, path_characters);
  if (text[good] == '?') return "must not have a query: give it as `query`";
  if (text[good] == '{') return "has a {name} that should have been replaced";
  if (good != length) return "has a character that must be percent-encoded";
  if (has_bad_escape(text)) return "has a \"%\" without two hexadecimal digits";
  return has_dot_segment(text) ? "must not have \".\" or \"..\" as a segment" : NULL;
}

static void write_path(struct reader *reader) {
  const struct ck_path path = { .name = "path" };
  size_t length;
  int type = push_field(reader, path.name);
  if (type == LUA_TSTRING) {
    const char *text = lua_tolstring(reader->L, -1, &length);
    const char *problem = path_problem(text, length);
    if (problem != NULL) ck_problems_add(reader->problems, &path, "%s", problem);
    else ck_buffer_add(&reader->request->target, text, length);
  } else if (type == LUA_TNIL) {
    ck_problems_add(reader->problems, &path, "is required");
  } else {
    ck_problems_refuse(reader->problems, &path, "a string");
  }
  lua_pop(reader->L, 1);
}

/* ---- the query ----------------------------------------------------------------------------- */

/*
** Writes a number or a boolean as JSON does, but a whole float as an integer, because it is most
** likely an id. The JSON goes through the body, which is still empty.
*/
static void write_plain(struct reader *reader, const struct ck_path *path) {
  struct ck_buffer *target = &reader->request->target, *body = &reader->request->body;
  size_t start = body->length;
  int whole;
  lua_Integer integer = lua_tointegerx(reader->L, -1, &whole);
  if (whole) ck_json_add_integer(body, integer);
  else ck_json_add_value(body, -1, path, reader->problems);
  if (body->length > start) (void)ck_percent_add(target, body->data + start, body->length - start);
  body->length = start;
}

static void write_single(struct reader *reader, const struct ck_path *path) {
  lua_State *L = reader->L;
  int type = lua_type(L, -1);
  size_t length;
  if (type == LUA_TSTRING) {
    const char *text = lua_tolstring(L, -1, &length);
    if (!ck_percent_add(&reader->request->target, text, length))
      ck_problems_add(reader->problems, path, "must be valid UTF-8");
  } else if (type == LUA_TNUMBER || type == LUA_TBOOLEAN) {
    write_plain(reader, path);
  } else {
    ck_problems_refuse(reader->problems, path,
                       "a string, a number, true, false or a list of those");
  }
}

/* Lists are joined by commas: 1,2,3. */
static void write_list(struct reader *reader, const struct ck_path *path) {
  lua_Integer length;
  if (!ck_json_check_list(lua_gettop(reader->L), &length, path, reader->problems)) return;
  if (length == 0) ck_problems_add(reader->problems, path, "must have at least 1 item");
  for (lua_Integer i = 1; i <= length; i++) {
    struct ck_path item = { .up = path, .index = i };
    if (i > 1) ck_buffer_add_char(&reader->request->target, ',');
    lua_rawgeti(reader->L, -1, i);
    write_single(reader, &item);
    lua_pop(reader->L, 1);
  }
}

/* The name is on the top of the stack, the query at `table`. */
static void write_parameter(struct reader *reader, int table, const struct ck_path *query) {
  lua_State *L = reader->L;
  size_t length;
  const char *name = lua_tolstring(L, -1, &length);
  const struct ck_path path = { .up = query, .name = name };
  if (length == 0 || !ck_percent_add(&reader->request->target, name, length))
    ck_problems_add(reader->problems, query, "has a name that is empty or not valid UTF-8");
  ck_buffer_add_char(&reader->request->target, '=');
  lua_pushvalue(L, -1);
  if (lua_rawget(L, table) == LUA_TTABLE) write_list(reader, &path);
  else write_single(reader, &path);
  lua_pop(L, 1);
}

/* Names are sorted, so that equal tables give equal addresses. */
static void write_query(struct reader *reader) {
  const struct ck_path path = { .name = "query" };
  lua_State *L = reader->L;
  int type = push_field(reader, path.name), query = lua_gettop(L);
  if (type != LUA_TTABLE) {
    if (type != LUA_TNIL) ck_problems_refuse(reader->problems, &path, "a table of name = value");
    lua_pop(L, 1);
    return;
  }
  for (lua_pushnil(L); lua_next(L, query); lua_pop(L, 1))
    if (lua_type(L, -2) != LUA_TSTRING)
      ck_problems_add(reader->problems, &path,
                      "must be a table of name = value, got a key of type %s",
                      luaL_typename(L, -2));
  int names = ck_json_push_names(L, query);
  for (lua_Integer i = 1; lua_rawgeti(L, names, i) != LUA_TNIL; i++, lua_settop(L, names)) {
    ck_buffer_add_char(&reader->request->target, i == 1 ? '?' : '&');
    write_parameter(reader, query, &path);
  }
  lua_settop(L, query - 1);
}

/* ---- the body ------------------------------------------------------------------------------ */

static void write_body(struct reader *reader) {
  const struct ck_path path = { .name = "body" };
  bool has_body = push_field(reader, path.name) != LUA_TNIL;
  reader->request->options.has_body = has_body;
  if (has_body) ck_json_add_value(&reader->request->body, -1, &path, reader->problems);
  if (has_body && is_get(reader))
    ck_problems_add(reader->problems, &path, "a GET has none: give parameters as `query`");
  lua_pop(reader->L, 1);
}

/* ---- the whole table ----------------------------------------------------------------------- */

/* The fields of the description: their names only, which is what messages and options need. */
static const struct ck_field fields[] = {
  { .name = "method" }, { .name = "path" },           { .name = "query" },
  { .name = "body" },   { .name = "spends_credits" }, { .name = "idempotent" },
};

void ck_raw_request_check(struct ck_endpoint *row, int index, struct ck_request *request,
                          struct ck_problems *problems) {
  struct reader reader = { problems->L, row, request, problems, index };
  luaL_checkstack(reader.L, 16, "arguments");
  *row = (struct ck_endpoint){ .name = "request",
                               .large_response = true,
                               .fields = fields,
                               .field_count = sizeof(fields) / sizeof(fields[0]) };
  read_method(&reader);
  read_meaning(&reader);
  write_path(&reader);
  write_query(&reader);
  write_body(&reader);
  for (lua_pushnil(reader.L); lua_next(reader.L, index); lua_pop(reader.L, 1))
    ck_check_name(row, ck_problems_name(reader.L, -2, "(list item)"), problems);
}
