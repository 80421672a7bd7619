#include "request_headers.h"

#include <lauxlib.h>
#include <string.h>

#include "../core/ascii.h"

/* Of a request with a body only; first in the list, as ck_headers_of wants it. */
static const char content_type[] = "Content-Type";

static const char media_type[] = "application/json";

/* Set by the client or by libcurl; a second one would contradict it, or frame the body anew. */
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

/* Whether C sees all of the string at `index`. */
static bool has_no_nul(lua_State *L, int index) {
  return strlen(lua_tostring(L, index)) == lua_rawlen(L, index);
}

/* The name is at -2, the value at -1; the path ends with the name. */
static void check_entry(const struct ck_path *path, struct ck_problems *problems) {
  lua_State *L = problems->L;
  if (!ck_headers_is_name(path->name) || !has_no_nul(L, -2))
    ck_problems_add(problems, path, "is not a header name");
  else if (is_reserved(path->name)) ck_problems_add(problems, path, "is set by the client itself");
  else if (lua_type(L, -1) != LUA_TSTRING)
    ck_problems_add(problems, path, "must be a string, got %s", luaL_typename(L, -1));
  else if (!ck_headers_is_value(lua_tostring(L, -1)) || !has_no_nul(L, -1))
    ck_problems_add(problems, path, "must not contain line breaks or other control characters");
}

/* Each of a call's is compared with each of the client's; and no server takes so many. */
enum { HEADERS_AT_MOST = 1000 };

void ck_request_headers_check(int index, const struct ck_path *path, struct ck_problems *problems) {
  lua_State *L = problems->L;
  if (!lua_istable(L, index)) {
    ck_problems_add(problems, path, "must be a table of name = value, got %s",
                    luaL_typename(L, index));
    return;
  }
  int count = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    struct ck_path inner = { .up = path, .index = 1 };
    count++;
    if (lua_type(L, -2) == LUA_TSTRING) {
      inner.name = lua_tostring(L, -2);
      check_entry(&inner, problems);
    } else {
      ck_problems_add(problems, path, "must be a table of name = value, got a list");
    }
  }
  if (count > HEADERS_AT_MOST)
    ck_problems_add(problems, path, "must have at most %d names, got %d", HEADERS_AT_MOST, count);
}

/* Whether the table at `index` names the header, in any case of letters. */
static bool names(lua_State *L, int index, const char *name) {
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (!ck_ascii_equal(lua_tostring(L, -2), name)) continue;
    lua_pop(L, 2);
    return true;
  }
  return false;
}

/* Appends the table's entries but for those that the table at `unless` names too. 0 = none. */
static bool add_table(lua_State *L, struct ck_headers *headers, int index, int unless) {
  bool ok = true;
  if (index == 0) return true;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    const char *name = lua_tostring(L, -2);
    if (unless == 0 || !names(L, unless, name))
      ok = ck_headers_add(headers, name, lua_tostring(L, -1)) && ok;
  }
  return ok;
}

bool ck_request_headers_write(lua_State *L, struct ck_headers *headers, const char *key, int client,
                              int call) {
  luaL_checkstack(L, 6, "headers");
  bool ok = ck_headers_add(headers, content_type, media_type) &&
            ck_headers_add(headers, "X-CEKURA-API-KEY", key) &&
            ck_headers_add(headers, "Accept", media_type);
  return ok && add_table(L, headers, client, call) && add_table(L, headers, call, 0);
}

static void copy_table(lua_State *L, int from, int unless, int to, const struct ck_secret *secret) {
  size_t length;
  if (from == 0) return;
  for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    if (unless != 0 && names(L, unless, lua_tostring(L, -2))) continue;
    lua_pushvalue(L, -2);
    const char *value = lua_tolstring(L, -2, &length);
    ck_secret_push(L, secret, value, length);
    lua_rawset(L, to);
  }
}

static void set(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

void ck_request_headers_push(lua_State *L, bool has_body, int client, int call,
                             const struct ck_secret *secret) {
  luaL_checkstack(L, 8, "headers");
  lua_newtable(L);
  int table = lua_gettop(L);
  if (has_body) set(L, content_type, media_type);
  set(L, "Accept", media_type);
  copy_table(L, client, call, table, secret);
  copy_table(L, call, 0, table, secret);
}
