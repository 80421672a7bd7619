/* Warns of deprecated routes, and remembers them in a table of the client. */
#include "warning.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "lua/system/interrupt.h"
#include "policy/deprecation.h"

enum { MOST_ROUTES = 100, LONGEST_PATH = 200, SUFFIX_SIZE = 40 };

struct notice {
  struct ck_client *client;
  const struct ck_endpoint *endpoint;
  const struct ck_exchange *exchange;
};

/*
** Returns whether a segment, which begins with "/", is taken for an id: it has a digit, but is not
** a version such as "/v2".
*/
static bool is_id(const char *segment, size_t length) {
  static const char digits[] = "0123456789";
  bool is_version = length > 2 && segment[1] == 'v' && strspn(segment + 2, digits) == length - 2;
  return !is_version && strcspn(segment, digits) < length;
}

/* Pushes the route of a client:request: "GET /test_framework/v2/runs/{id}/". */
static void push_raw_route(lua_State *L, const struct notice *notice) {
  const struct ck_buffer *target = &notice->exchange->transfer.request.target;
  luaL_Buffer route;
  ck_secret_push(L, &notice->client->key, target->data, target->length);
  const char *path = lua_tostring(L, -1);
  luaL_buffinit(L, &route);
  luaL_addstring(&route, notice->endpoint->method);
  luaL_addchar(&route, ' ');
  while (*path == '/' && luaL_bufflen(&route) < LONGEST_PATH) {
    size_t length = 1 + strcspn(path + 1, "/?");
    if (is_id(path, length)) luaL_addstring(&route, "/{id}");
    else luaL_addlstring(&route, path, length < LONGEST_PATH ? length : LONGEST_PATH);
    path += length;
  }
  luaL_pushresult(&route);
}

/* Returns "; sunset: 2026-12-31" in `suffix`; "" if no header of that name is readable. */
static const char *date_of(const struct notice *notice, const char *name, char *suffix) {
  const struct ck_buffer *head = &notice->exchange->transfer.response.head;
  long long date = ck_deprecation_date(head->data, head->length, name);
  time_t seconds = (time_t)date; /* may have 32 bits */
  struct tm utc;
  if (date < 0 || (long long)seconds != date || gmtime_r(&seconds, &utc) == NULL) return "";
  (void)snprintf(suffix, SUFFIX_SIZE, "; %s: %04d-%02d-%02d", name, utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday);
  return suffix;
}

/* routes, notice: protected, because memory may run out, and the host's warn function may raise. */
static int warn(lua_State *L) {
  const struct notice *notice = lua_touserdata(L, 2);
  struct ck_client *client = notice->client;
  bool is_raw = notice->endpoint->path == NULL;
  char deprecation[SUFFIX_SIZE], sunset[SUFFIX_SIZE];
  if (is_raw) push_raw_route(L, notice);
  else lua_pushstring(L, notice->endpoint->name);
  const char *route = lua_tostring(L, -1);
  if (lua_getfield(L, 1, route) != LUA_TNIL) return 0;
  if (is_raw && client->deprecated_requests == MOST_ROUTES) return 0;
  lua_pushboolean(L, true);
  lua_setfield(L, 1, route);
  if (is_raw) client->deprecated_requests++;
  lua_pushfstring(L, "cekura: %s is deprecated by the API%s%s", route,
                  date_of(notice, "deprecation", deprecation), date_of(notice, "sunset", sunset));
  lua_warning(L, lua_tostring(L, -1), 0);
  return 0;
}

void ck_warning_of_route(lua_State *L, int client, const struct ck_endpoint *endpoint,
                         const struct ck_exchange *exchange) {
  struct notice notice = { lua_touserdata(L, client), endpoint, exchange };
  lua_pushcfunction(L, warn);
  lua_getiuservalue(L, client, CK_CLIENT_DEPRECATED);
  lua_pushlightuserdata(L, &notice);
  if (!ck_interrupt_protect(L, 2)) lua_pop(L, 1);
}
