/* The client object: its methods, the check that it can be used, and its end. */
#include "client.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/request/budget.h"
#include "lua/response/error.h"
#include "pool.h"

/* Places in the registry: the metatable of clients, and their methods. */
static const char metatable_key, methods_key;

bool ck_client_is_inherited(const struct ck_client *client) {
  return client->transport != NULL && ck_transport_is_inherited(client->transport);
}

void ck_client_check_callbacks(lua_State *L, const struct ck_client *client) {
  if (client->callbacks == 0) return;
  luaL_error(L, "a client cannot be used by its own on_event, or by a debug hook during its call: "
                "note what you need, and use it when the call has returned");
}

bool ck_client_is_usable(lua_State *L, const struct ck_client *client) {
  const char *problem = "the client was made before fork: make one in this process";
  ck_client_check_callbacks(L, client);
  if (client->is_closed) problem = "the client is closed: make a new one with cekura.new";
  else if (!ck_client_is_inherited(client)) return true;
  lua_pushnil(L);
  lua_pushstring(L, problem);
  ck_error_new(L, CK_KIND_CONFIG, CK_APPLIED_NO);
  return false;
}

struct ck_client *ck_client_check(lua_State *L) {
  struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  return ck_client_is_usable(L, client) ? client : NULL;
}

struct ck_client *ck_client_push(lua_State *L) {
  struct ck_client *client = lua_newuserdatauv(L, sizeof(*client), CK_CLIENT_VALUES);
  memset(client, 0, sizeof(*client));
  ck_task_init(L, &client->loop);
  client->interrupt = ck_interrupt_of(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  return client;
}

/* ---- the end --------------------------------------------------------------------------------- */

/*
** Makes a task ready whose call has been cancelled, and notes in it what the call has done: the task
** may be cancelled or collected before it is resumed.
*/
static void release_task(struct ck_task *task) {
  struct ck_call *call = task->awaits;
  ck_exchange_settle(&call->exchange);
  ck_task_note(task, call->exchange.applied);
  ck_task_note_spent(task, &call->exchange.charge.spent);
  ck_task_make_ready(task);
}

/*
** Ends the calls and sleeps of tasks, which are ready then. A call that has ended in the step that
** closes the client has notified no task.
*/
static void release_tasks(lua_State *L, int index, struct ck_client *client) {
  struct ck_link *sleeper;
  struct ck_task *task;
  ck_transport_cancel(client->transport);
  while ((task = ck_transport_next_done(client->transport)) != NULL) release_task(task);
  while ((sleeper = ck_list_first(&client->loop.asleep)) != NULL)
    ck_task_make_ready((struct ck_task *)sleeper);
  if (lua_getiuservalue(L, index, CK_CLIENT_TASKS) != LUA_TTABLE) return; /* it was never opened */
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    task = lua_touserdata(L, -1);
    if (task->state == CK_TASK_AWAITING) release_task(task);
  }
}

/*
** Settles all calls, which have been cancelled: no task may run any more. Frees the buffers of idle
** ones, or of all: Lua drops a finalizer that it has no memory for.
*/
static void free_calls(lua_State *L, int index, bool only_idle) {
  if (lua_getiuservalue(L, index, CK_CLIENT_CALLS) != LUA_TTABLE) return;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    struct ck_call *call = lua_touserdata(L, -1);
    ck_exchange_settle(&call->exchange);
    if (call->is_idle || !only_idle) ck_transfer_close(&call->exchange.transfer);
  }
}

static void close_now(lua_State *L, int index, struct ck_client *client) {
  int top = lua_gettop(L);
  if (client->transport == NULL) return;
  if (!ck_client_is_inherited(client)) release_tasks(L, index, client);
  free_calls(L, index, true);
  ck_transport_close(client->transport);
  client->transport = NULL;
  ck_secret_wipe(&client->key);
  lua_settop(L, top);
}

void ck_client_enter(struct ck_client *client) { client->running++; }

void ck_client_leave(lua_State *L, int index) {
  struct ck_client *client = lua_touserdata(L, index);
  if (--client->running == 0 && client->is_closed) close_now(L, index, client);
}

static int client_close(lua_State *L) {
  struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  client->is_closed = true;
  if (client->running == 0) close_now(L, 1, client);
  return 0;
}

static int client_gc(lua_State *L) {
  struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  client->is_closed = true;
  close_now(L, 1, client);
  free_calls(L, 1, false);
  return 0;
}

/* ---- methods --------------------------------------------------------------------------------- */

static int client_tostring(lua_State *L) {
  const struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  const char *state = client->is_closed ? "closed" : "open", *url = NULL;
  if (lua_getiuservalue(L, 1, CK_CLIENT_RESOURCES) == LUA_TTABLE) {
    lua_getfield(L, -1, "api_url");
    url = lua_tostring(L, -1);
  }
  lua_pushfstring(L, "cekura.client (%s%s%s)", state, url != NULL ? ", " : "",
                  url != NULL ? url : "");
  return 1;
}

/* client:spent(): what its calls have spent. A closed client still returns it. */
static int client_spent(lua_State *L) {
  const struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  if (ck_client_is_inherited(client) && !ck_client_is_usable(L, client)) return 2;
  ck_budget_push_spent(L, &client->spending.spent, client->spending.in_flight);
  return 1;
}

/* client.runs, client.api_url or client.close. A script can obtain this function and misuse it. */
static int client_index(lua_State *L) {
  if (lua_type(L, 1) != LUA_TUSERDATA || lua_getiuservalue(L, 1, CK_CLIENT_RESOURCES) != LUA_TTABLE)
    return luaL_typeerror(L, 1, "cekura.client");
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  lua_pushvalue(L, 2);
  lua_gettable(L, lua_upvalueindex(1));
  return 1;
}

void ck_client_open(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__gc", client_gc },
                                          { "__close", client_close },
                                          { "__tostring", client_tostring },
                                          { NULL, NULL } };
  static const luaL_Reg methods[] = { { "close", client_close },
                                      { "spent", client_spent },
                                      { NULL, NULL } };
  luaL_newmetatable(L, "cekura.client");
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &methods_key);
  lua_pushcclosure(L, client_index, 1);
  lua_setfield(L, -2, "__index");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

void ck_client_push_methods(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &methods_key); }
