/*
** The headers of a request: those of every request, then the client's, then the call's.
** A header of the call replaces one of the client with the same name.
*/
#include "headers.h"

#include <lauxlib.h>
#include <string.h>

#include "text/ascii.h"

/* Only requests with a body have this header. ck_headers_of expects it to be the first one. */
static const char content_type[] = "Content-Type";

static const char media_type[] = "application/json";

/* The client or libcurl sets these; a second one would contradict it or change the framing. */
static const char *const reserved[] = {
  "X-CEKURA-API-KEY", "Content-Type",      "Accept", "User-Agent", "Content-Length", "Host",
  "Connection",       "Transfer-Encoding", "Expect", "TE",         "Upgrade",        "Trailer",
  "Accept-Encoding",
};

static bool is_reserved(const char *name) {
  for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
    if (ck_ascii_equal(reserved[i], name)) return true;
  return false;
}

static bool has_nul(lua_State *L, int index) {
  return strlen(lua_tostring(L, index)) != lua_rawlen(L, index);
}

/* The name is at -2, the value at -1; the path ends with the name. */
static void check_header(const struct ck_path *path, struct ck_problems *problems) {
  lua_State *L = problems->L;
  if (!ck_headers_is_name(path->name) || has_nul(L, -2))
    ck_problems_add(problems, path, "is not a header name");
  else if (is_reserved(path->name)) ck_problems_add(problems, path, "is set by the client itself");
  else if (lua_type(L, -1) != LUA_TSTRING)
    ck_problems_add(problems, path, "must be a string, got %s", luaL_typename(L, -1));
  else if (!ck_headers_is_value(lua_tostring(L, -1)) || has_nul(L, -1))
    ck_problems_add(problems, path, "must not contain line breaks or other control characters");
}

/* Each header of a call is compared with each of the client. No server accepts so many. */
enum { HEADERS_AT_MOST = 1000 };

void ck_request_headers_check(int index, const struct ck_path *path, struct ck_problems *problems) {
  lua_State *L = problems->L;
  int count = 0;
  if (!lua_istable(L, index)) {
    ck_problems_add(problems, path, "must be a table of name = value, got %s",
                    luaL_typename(L, index));
    return;
  }
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), count++) {
    bool is_name = lua_type(L, -2) == LUA_TSTRING;
    const struct ck_path inner = { .up = path, .name = is_name ? lua_tostring(L, -2) : NULL };
    if (is_name) check_header(&inner, problems);
    else ck_problems_add(problems, path, "must be a table of name = value, got a list");
  }
  if (count > HEADERS_AT_MOST)
    ck_problems_add(problems, path, "must have at most %d names, got %d", HEADERS_AT_MOST, count);
}

/*
** Returns whether the table at `index` (0 = none) has the header; the case of letters is ignored.
*/
static bool has_header(lua_State *L, int index, const char *name) {
  if (index == 0) return false;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (!ck_ascii_equal(lua_tostring(L, -2), name)) continue;
    lua_pop(L, 2);
    return true;
  }
  return false;
}

/* Appends the headers of the table at `index` that the table at `unless` lacks. 0 = none. */
static bool add_table(lua_State *L, struct ck_headers *headers, int index, int unless) {
  bool ok = true;
  if (index == 0) return true;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    const char *name = lua_tostring(L, -2);
    if (!has_header(L, unless, name)) ok = ck_headers_add(headers, name, lua_tostring(L, -1)) && ok;
  }
  return ok;
}

bool ck_request_headers_write(lua_State *L, struct ck_headers *headers, const char *key, int client,
                              int call) {
  luaL_checkstack(L, 6, "headers");
  bool ok = ck_headers_add(headers, content_type, media_type) &&
            ck_headers_add(headers, "X-CEKURA-API-KEY", key) &&
            ck_headers_add(headers, "Accept", media_type) && ck_headers_leave_out_codings(headers);
  return ok && add_table(L, headers, client, call) && add_table(L, headers, call, 0);
}

/* Copies the headers of the table at `from` that the table at `unless` lacks. 0 = none. */
static void copy_table(lua_State *L, int from, int unless, int to, const struct ck_secret *secret) {
  size_t length;
  if (from == 0) return;
  for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    if (has_header(L, unless, lua_tostring(L, -2))) continue;
    lua_pushvalue(L, -2);
    const char *value = lua_tolstring(L, -2, &length);
    ck_secret_push(L, secret, value, length);
    lua_rawset(L, to);
  }
}

void ck_request_headers_push(lua_State *L, bool has_body, int client, int call,
                             const struct ck_secret *secret) {
  luaL_checkstack(L, 8, "headers");
  lua_newtable(L);
  int table = lua_gettop(L);
  lua_pushstring(L, media_type);
  lua_setfield(L, table, "Accept");
  if (has_body) {
    lua_pushstring(L, media_type);
    lua_setfield(L, table, content_type);
  }
  copy_table(L, client, call, table, secret);
  copy_table(L, call, 0, table, secret);
}
