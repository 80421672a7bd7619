/* cekura.new: checks the options, and opens a client. */
#include "new.h"

#include <lauxlib.h>
#include <string.h>

#include "http/proxy.h"
#include "http/url.h"
#include "lua/request/headers.h"
#include "lua/response/error.h"
#include "resource.h"
#include "text/ascii.h"
#include "version.h"

/* The stack of cekura.new. */
enum { OPTIONS = 1, CLIENT, PROBLEMS };

/* Pushes an option, without metamethods, as the check has read it. Returns its type. */
static int push_option(lua_State *L, const char *name) {
  if (!lua_istable(L, OPTIONS)) {
    lua_pushnil(L);
    return LUA_TNIL;
  }
  lua_pushstring(L, name);
  return lua_rawget(L, OPTIONS);
}

/* ---- check ----------------------------------------------------------------------------------- */

/* A key that is given, but not a string, is NULL and has a problem already. */
static void check_key(const char *key, bool is_given, struct ck_problems *problems) {
  const struct ck_path path = { .name = "api_key" };
  if (key == NULL && is_given) return;
  if (key == NULL || key[0] == '\0') {
    ck_problems_add(problems, &path,
                    "is required: set CEKURA_API_KEY in the environment, or give it to cekura.new");
    return;
  }
  for (; *key != '\0'; key++) {
    if (*key > ' ' && *key < 0x7f) continue;
    ck_problems_add(problems, &path, "must be visible ASCII, without spaces or line breaks");
    return;
  }
}

/* Checks the proxy of the options, or else of the environment. */
static void check_proxy(struct ck_settings *settings, struct ck_problems *problems) {
  struct ck_path path = { .name = "proxy" };
  bool is_plain = ck_ascii_begins(settings->api_url, "http:");
  if (settings->proxy == NULL && !is_plain)
    settings->proxy = ck_proxy_of_environment(settings->api_url, &path.name);
  if (settings->proxy == NULL || settings->proxy[0] == '\0') return;
  const char *problem = is_plain ? "would be shown the key: api_url is plain http"
                                 : ck_proxy_problem(settings->proxy);
  if (problem != NULL) ck_problems_add(problems, &path, "%s", problem);
}

static void check(struct ck_settings *settings, bool key_is_given, struct ck_problems *problems) {
  const struct ck_path url = { .name = "api_url" }, agent = { .name = "user_agent" };
  const char *problem = ck_url_problem(settings->api_url, settings->allow_http);
  check_key(settings->api_key, key_is_given, problems);
  if (problem != NULL) ck_problems_add(problems, &url, "%s", problem);
  check_proxy(settings, problems);
  if (settings->user_agent != NULL && !ck_headers_is_value(settings->user_agent))
    ck_problems_add(problems, &agent, "must not contain line breaks or other control characters");
}

/* Returns the key that the client would have; the options or the environment own it. */
static struct ck_secret borrow_key(lua_State *L) {
  struct ck_secret key = { .text = (char *)ck_options_environment("CEKURA_API_KEY") };
  if (key.text != NULL) key.length = strlen(key.text);
  if (push_option(L, "api_key") == LUA_TSTRING)
    key.text = (char *)lua_tolstring(L, -1, &key.length);
  lua_pop(L, 1);
  return key;
}

/* Raises for cekura:new{ … }, which passes the module as the options. */
static void check_dot(lua_State *L) {
  if (push_option(L, "new") == LUA_TFUNCTION && lua_tocfunction(L, -1) == ck_new)
    luaL_error(L, "call it with a dot: cekura.new{ … }");
  lua_pop(L, 1);
}

/* ---- open ------------------------------------------------------------------------------------ */

/* Copies the headers, so that a later change of the caller's table has no effect. */
static void set_headers(lua_State *L, const struct ck_settings *settings) {
  lua_newtable(L);
  int headers = lua_gettop(L);
  if (settings->user_agent != NULL) lua_pushstring(L, settings->user_agent);
  else lua_pushliteral(L, "cekura-lua/" CK_VERSION);
  lua_setfield(L, headers, "User-Agent");
  if (push_option(L, "headers") == LUA_TTABLE) ck_options_add_fields(L, headers + 1, headers);
  lua_settop(L, headers);
  lua_setiuservalue(L, CLIENT, CK_CLIENT_HEADERS);
}

void ck_new_push_normal_url(lua_State *L, const char *url, size_t length) {
  luaL_Buffer buffer;
  char *text = luaL_buffinitsize(L, &buffer, length);
  memcpy(text, url, length);
  luaL_pushresultsize(&buffer, ck_url_normalise(text, length));
}

static void set_values(lua_State *L, const struct ck_settings *settings) {
  static const int tables[] = { CK_CLIENT_IDLE_CALLS, CK_CLIENT_TASKS, CK_CLIENT_CALLS,
                                CK_CLIENT_DEPRECATED };
  for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
    lua_newtable(L);
    lua_setiuservalue(L, CLIENT, tables[i]);
  }
  set_headers(L, settings);
  (void)push_option(L, "on_event");
  lua_setiuservalue(L, CLIENT, CK_CLIENT_ON_EVENT);
  ck_resource_push_all(L, CLIENT);
  ck_new_push_normal_url(L, settings->api_url, strlen(settings->api_url));
  lua_setfield(L, -2, "api_url");
  lua_setiuservalue(L, CLIENT, CK_CLIENT_RESOURCES);
}

/* Returns NULL, or what failed. The client owns each resource as soon as it is acquired. */
static const char *connect(lua_State *L, struct ck_client *client) {
  struct ck_settings *settings = &client->settings;
  const char *problem;
  struct ck_transport_options options = { .url = settings->api_url,
                                          .ca_file = settings->ca_file,
                                          .ca_path = settings->ca_path,
                                          .proxy = settings->proxy };
  client->transport = ck_transport_open(&options, &problem);
  if (client->transport == NULL) return problem;
  if (!ck_secret_set(&client->key, settings->api_key)) return "out of memory";
  lua_getiuservalue(L, CLIENT, CK_CLIENT_HEADERS);
  if (!ck_request_headers_write(L, ck_transport_headers(client->transport), client->key.text,
                                lua_gettop(L), 0))
    return "out of memory";
  settings->api_key = settings->api_url = settings->ca_file = NULL; /* borrowed strings */
  settings->ca_path = settings->proxy = settings->user_agent = NULL;
  return NULL;
}

int ck_new(lua_State *L) {
  if (!lua_isnoneornil(L, OPTIONS)) luaL_checktype(L, OPTIONS, LUA_TTABLE);
  lua_settop(L, OPTIONS);
  check_dot(L);
  if (lua_istable(L, OPTIONS)) ck_options_copy(L, OPTIONS);
  struct ck_client *client = ck_client_push(L);
  lua_settop(L, PROBLEMS);
  struct ck_secret key = borrow_key(L);
  struct ck_problems problems = ck_problems_begin(L, PROBLEMS, &key);
  client->settings = ck_options_defaults();
  ck_options_read(&client->settings, OPTIONS, NULL, &problems);
  check(&client->settings, push_option(L, "api_key") != LUA_TNIL, &problems);
  lua_Integer limit = client->settings.spend_limit;
  client->spending.limit = limit < 0 ? LLONG_MAX : limit;
  client->log = ck_log_level(&problems);
  if (problems.count > 0) {
    lua_pushnil(L);
    ck_error_push_problems(&problems, CK_KIND_CONFIG);
    return 2;
  }
  set_values(L, &client->settings);
  const char *problem = connect(L, client);
  if (problem != NULL) {
    lua_pushnil(L);
    lua_pushstring(L, problem);
    ck_error_new(L, CK_KIND_CONFIG, CK_APPLIED_NO);
    return 2;
  }
  lua_settop(L, CLIENT);
  return 1;
}
