#include "client.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "../core/contract.h"
#include "../core/proxy.h"
#include "../core/url.h"
#include "call.h"
#include "error.h"
#include "pool.h"
#include "interrupt.h"
#include "request_headers.h"
#include "version.h"

/* Places in the registry: metatables, { resource name = metatable }, and the default client. */
static const char client_key, methods_key, resources_key, default_key;

/* The user value of a resource: its client; nil for the default client's. */
enum { RESOURCE_CLIENT = 1 };

/* ---- resources ----------------------------------------------------------------------------- */

/* Pushes the table of metatables of resources. */
static void push_metatables(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &resources_key); }

static int resource_tostring(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* metatables → metatables, metatable of the resource, made now if there is none */
static void push_metatable(lua_State *L, const char *resource) {
  if (lua_getfield(L, -1, resource) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 3);
  lua_newtable(L);
  lua_setfield(L, -2, "__index");
  lua_pushfstring(L, "cekura.%s", resource);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__name");
  lua_pushcclosure(L, resource_tostring, 1);
  lua_setfield(L, -2, "__tostring");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, resource);
}

/* The endpoint becomes a method of its resource. */
static void add_method(lua_State *L, const struct ck_endpoint *endpoint) {
  push_metatable(L, endpoint->resource); /* metatables, metatable */
  lua_getfield(L, -1, "__index");
  lua_pushlightuserdata(L, (void *)endpoint); /* only ever read */
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, ck_call_endpoint, 2);
  lua_setfield(L, -2, endpoint->call);
  lua_pop(L, 2);
}

/* Pushes { name = resource }, each belonging to the client at `client`, or to the default. */
static void push_resources(lua_State *L, int client) {
  push_metatables(L);
  int metatables = lua_gettop(L);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, metatables);) { /* resources, name, metatable */
    lua_pushvalue(L, -2);
    (void)lua_newuserdatauv(L, 0, 1);
    if (client != 0) {
      lua_pushvalue(L, client);
      lua_setiuservalue(L, -2, RESOURCE_CLIENT);
    }
    lua_rotate(L, -3, -1); /* resources, name, name, resource, metatable */
    lua_setmetatable(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, metatables);
}

void ck_client_push_default_resources(lua_State *L) { push_resources(L, 0); }

/* ---- the end of a client -------------------------------------------------------------------- */

bool ck_client_is_parents(const struct ck_client *client) {
  return client->transport != NULL && ck_transport_is_inherited(client->transport);
}

/* A task's call that was collected before its client has told nobody that it ended. */
static void release_forgotten(lua_State *L) {
  lua_getiuservalue(L, 1, CK_CLIENT_TASKS);
  if (!lua_istable(L, -1)) return; /* it was never opened */
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    struct ck_task *task = lua_touserdata(L, -1);
    if (task->state == CK_TASK_AWAITING) ck_task_make_ready(task);
  }
}

/* The calls of tasks end, and the tasks learn of it when they are resumed. */
static void release_tasks(lua_State *L, struct ck_client *client) {
  struct ck_link *sleeper;
  struct ck_task *task;
  if (client->transport == NULL || ck_client_is_parents(client)) return;
  ck_transport_cancel(client->transport);
  while ((task = ck_transport_next_done(client->transport)) != NULL) ck_task_make_ready(task);
  release_forgotten(L);
  while ((sleeper = ck_list_first(&client->loop.asleep)) != NULL)
    ck_task_make_ready((struct ck_task *)sleeper);
}

static int client_close(lua_State *L) {
  struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  release_tasks(L, client);
  ck_pool_free_idle(L, 1);
  ck_transport_close(client->transport);
  client->transport = NULL;
  ck_secret_wipe(&client->key);
  return 0;
}

/* Only now are the calls of no use to anybody that Lua had no memory to finalize. */
static int client_gc(lua_State *L) {
  (void)client_close(L);
  ck_pool_close_all(L, 1);
  return 0;
}

static int client_tostring(lua_State *L) {
  struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  const char *state = client->transport == NULL ? "closed" : "open", *url = NULL;
  if (lua_getiuservalue(L, 1, CK_CLIENT_RESOURCES) == LUA_TTABLE) {
    lua_getfield(L, -1, "api_url");
    url = lua_tostring(L, -1);
  }
  lua_pushfstring(L, "cekura.client (%s%s%s)", state, url != NULL ? ", " : "",
                  url != NULL ? url : "");
  return 1;
}

/*
** client.runs, or client.close; a name that neither has is the methods' metatable's. A script can get
** at this function, and call it with anything.
*/
static int client_index(lua_State *L) {
  if (lua_type(L, 1) != LUA_TUSERDATA || lua_getiuservalue(L, 1, CK_CLIENT_RESOURCES) != LUA_TTABLE)
    return luaL_typeerror(L, 1, "cekura.client");
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  lua_pushvalue(L, 2);
  lua_gettable(L, lua_upvalueindex(1));
  return 1;
}

/* ---- making one -------------------------------------------------------------------------------- */

static struct ck_client *push_client(lua_State *L) {
  struct ck_client *client = lua_newuserdatauv(L, sizeof(*client), CK_CLIENT_VALUES);
  memset(client, 0, sizeof(*client));
  ck_task_init(L, &client->loop);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &client_key);
  lua_setmetatable(L, -2);
  client->interrupt = ck_interrupt_of(L);
  return client;
}

/* One that is `given` and yet is not there has a problem already. */
static void check_key(const char *key, bool given, struct ck_problems *problems) {
  const struct ck_path path = { .name = "api_key" };
  if (key == NULL && given) return;
  if (key == NULL || key[0] == '\0') {
    ck_problems_add(problems, &path,
                    "is required: give it to cekura.new, or set CEKURA_API_KEY in the environment");
    return;
  }
  for (; *key != '\0'; key++) {
    if (*key > ' ' && *key < 0x7f) continue;
    ck_problems_add(problems, &path, "must be visible ASCII, without spaces or line breaks");
    return;
  }
}

/* Chooses it as well: the environment's where the options name none. */
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

static void check(struct ck_settings *settings, bool key_given, struct ck_problems *problems) {
  const struct ck_path url = { .name = "api_url" }, agent = { .name = "user_agent" };
  const char *problem = ck_url_problem(settings->api_url, settings->allow_http);
  check_key(settings->api_key, key_given, problems);
  if (problem != NULL) ck_problems_add(problems, &url, "%s", problem);
  check_proxy(settings, problems);
  if (settings->user_agent != NULL && !ck_headers_is_value(settings->user_agent))
    ck_problems_add(problems, &agent, "must not contain line breaks or other control characters");
}

/* Pushes the option as it was checked, which is raw: no metamethod has a say. */
static int push_option(lua_State *L, int options, const char *name) {
  if (!lua_istable(L, options)) {
    lua_pushnil(L);
    return LUA_TNIL;
  }
  lua_pushstring(L, name);
  return lua_rawget(L, options);
}

static void set_user_agent(lua_State *L, const struct ck_settings *settings) {
  if (settings->user_agent != NULL) lua_pushstring(L, settings->user_agent);
  else lua_pushfstring(L, "cekura-lua/%s %s", CK_VERSION, ck_transport_version());
  lua_setfield(L, -2, "User-Agent");
}

/* A copy, so that a later change of the caller's table changes nothing. */
static void keep_headers(lua_State *L, const struct ck_settings *settings, int options,
                         int client) {
  lua_newtable(L);
  int to = lua_gettop(L);
  set_user_agent(L, settings);
  if (push_option(L, options, "headers") == LUA_TTABLE) ck_options_add_fields(L, to + 1, to);
  lua_settop(L, to);
  lua_setiuservalue(L, client, CK_CLIENT_HEADERS);
}

static void keep_on_event(lua_State *L, int options, int client) {
  (void)push_option(L, options, "on_event");
  lua_setiuservalue(L, client, CK_CLIENT_ON_EVENT);
}

void ck_client_push_normal_url(lua_State *L, const char *url, size_t length) {
  luaL_Buffer buffer;
  char *text = luaL_buffinitsize(L, &buffer, length);
  memcpy(text, url, length);
  luaL_pushresultsize(&buffer, ck_url_normalise(text, length));
}

static void keep_resources(lua_State *L, const struct ck_settings *settings, int client) {
  push_resources(L, client);
  ck_client_push_normal_url(L, settings->api_url, strlen(settings->api_url));
  lua_setfield(L, -2, "api_url");
  lua_setiuservalue(L, client, CK_CLIENT_RESOURCES);
}

static void keep_tables(lua_State *L, int client) {
  lua_newtable(L);
  lua_setiuservalue(L, client, CK_CLIENT_IDLE);
  lua_newtable(L);
  lua_setiuservalue(L, client, CK_CLIENT_TASKS);
  lua_newtable(L);
  lua_setiuservalue(L, client, CK_CLIENT_CALLS);
}

static int push_headers(lua_State *L, int client) {
  lua_getiuservalue(L, client, CK_CLIENT_HEADERS);
  return lua_gettop(L);
}

/* NULL, or what went wrong. The client owns at every moment what it has got so far. */
static const char *open(lua_State *L, struct ck_client *client, int index) {
  struct ck_settings *settings = &client->settings;
  const char *problem;
  struct ck_transport_options options = { .url = settings->api_url,
                                          .ca_file = settings->ca_file,
                                          .ca_path = settings->ca_path,
                                          .proxy = settings->proxy };
  client->transport = ck_transport_open(&options, &problem);
  if (client->transport == NULL) return problem;
  if (!ck_secret_set(&client->key, settings->api_key)) return "out of memory";
  if (!ck_request_headers_write(L, ck_transport_headers(client->transport), client->key.text,
                                push_headers(L, index), 0))
    return "out of memory";
  settings->api_key = settings->api_url = settings->ca_file = NULL;
  settings->ca_path = settings->proxy = settings->user_agent = NULL;
  return NULL;
}

static int refuse(lua_State *L) {
  ck_error_new(L, CK_KIND_CONFIG, CK_APPLIED_NO);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

static int refuse_problems(lua_State *L, struct ck_problems *problems) {
  lua_pushnil(L);
  ck_error_push_problems(problems, CK_KIND_CONFIG);
  return 2;
}

/* The key that the client would have, owned by the options or the environment. */
static struct ck_secret borrow_key(lua_State *L, int options) {
  struct ck_secret key = { .text = (char *)ck_options_environment("CEKURA_API_KEY") };
  if (key.text != NULL) key.length = strlen(key.text);
  if (push_option(L, options, "api_key") == LUA_TSTRING)
    key.text = (char *)lua_tolstring(L, -1, &key.length);
  lua_pop(L, 1);
  return key;
}

/* cekura:new{ … } gives the module as the options. */
static void check_dot(lua_State *L, int options) {
  if (push_option(L, options, "new") == LUA_TFUNCTION && lua_tocfunction(L, -1) == ck_client_new)
    luaL_error(L, "call it with a dot: cekura.new{ … }");
  lua_pop(L, 1);
}

int ck_client_new(lua_State *L) {
  enum { OPTIONS = 1, CLIENT, PROBLEMS };
  if (!lua_isnoneornil(L, OPTIONS)) luaL_checktype(L, OPTIONS, LUA_TTABLE);
  lua_settop(L, OPTIONS);
  check_dot(L, OPTIONS);
  if (lua_istable(L, OPTIONS)) ck_options_copy(L, OPTIONS);
  struct ck_client *client = push_client(L);
  lua_settop(L, PROBLEMS);
  struct ck_secret key = borrow_key(L, OPTIONS);
  struct ck_problems problems = ck_problems_begin(L, PROBLEMS, &key);
  client->settings = ck_options_defaults();
  ck_options_read(&client->settings, OPTIONS, NULL, &problems);
  check(&client->settings, push_option(L, OPTIONS, "api_key") != LUA_TNIL, &problems);
  client->log = ck_log_level(&problems);
  if (problems.count > 0) return refuse_problems(L, &problems);
  keep_headers(L, &client->settings, OPTIONS, CLIENT);
  keep_on_event(L, OPTIONS, CLIENT);
  keep_resources(L, &client->settings, CLIENT);
  keep_tables(L, CLIENT);
  const char *problem = open(L, client, CLIENT); /* forgets what is borrowed */
  if (problem != NULL) {
    lua_pushstring(L, problem);
    return refuse(L);
  }
  lua_settop(L, CLIENT);
  return 1;
}

/* ---- finding the client of a call --------------------------------------------------------------- */

bool ck_client_push_default(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &default_key) == LUA_TUSERDATA) {
    struct ck_client *client = lua_touserdata(L, -1);
    if (client->transport != NULL && !ck_client_is_parents(client)) return true;
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, ck_client_new);
  lua_call(L, 0, 2);
  if (lua_isnil(L, -2)) return false;
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
  return true;
}

/* The client, if it can be used; else NULL, with nil and an error pushed. */
static struct ck_client *check_usable(lua_State *L, struct ck_client *client) {
  if (client->transport == NULL) {
    lua_pushliteral(L, "the client is closed: make a new one with cekura.new");
  } else if (ck_client_is_parents(client)) {
    lua_pushliteral(L, "the client was made before fork: make one in this process");
  } else {
    return client;
  }
  (void)refuse(L);
  return NULL;
}

struct ck_client *ck_client_check(lua_State *L) {
  return check_usable(L, luaL_checkudata(L, 1, "cekura.client"));
}

struct ck_client *ck_client_of_resource(lua_State *L) {
  if (lua_getiuservalue(L, 1, RESOURCE_CLIENT) == LUA_TNIL) {
    lua_pop(L, 1);
    if (!ck_client_push_default(L)) return NULL;
  }
  return check_usable(L, lua_touserdata(L, -1));
}

/* ---- metatables ------------------------------------------------------------------------------------ */

static void open_client_metatable(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__gc", client_gc },
                                          { "__close", client_close },
                                          { "__tostring", client_tostring },
                                          { NULL, NULL } };
  luaL_newmetatable(L, "cekura.client");
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &methods_key);
  lua_pushcfunction(L, client_close);
  lua_setfield(L, -2, "close");
  lua_pushcfunction(L, ck_call_request);
  lua_setfield(L, -2, "request");
  lua_pushcclosure(L, client_index, 1);
  lua_setfield(L, -2, "__index");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
}

void ck_client_push_methods(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &methods_key); }

void ck_client_push_resource_methods(lua_State *L) {
  push_metatables(L);
  int metatables = lua_gettop(L);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, metatables); lua_pop(L, 1)) { /* methods, name, metatable */
    lua_pushvalue(L, -2);
    lua_getfield(L, -2, "__index");
    lua_rawset(L, -5);
  }
  lua_remove(L, metatables);
}

bool ck_client_is_resource(lua_State *L, int index, int metatable) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return false;
  bool is_resource = lua_rawequal(L, -1, metatable);
  lua_pop(L, 1);
  return is_resource;
}

void ck_client_check_resource(lua_State *L, const char *resource, const char *method) {
  push_metatables(L);
  lua_getfield(L, -1, resource);
  if (ck_client_is_resource(L, 1, lua_gettop(L))) {
    lua_pop(L, 2);
    return;
  }
  luaL_where(L, 2); /* the caller of the method, which is written in Lua */
  lua_pushfstring(L, "call it with a colon: %s:%s{ … }", resource, method);
  lua_concat(L, 2);
  (void)lua_error(L);
}

void ck_client_open(lua_State *L) {
  open_client_metatable(L);
  lua_newtable(L);
  for (size_t i = 0; i < ck_endpoint_count; i++) add_method(L, &ck_endpoints[i]);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &resources_key);
}
