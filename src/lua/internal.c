/* The module "cekura.internal": see internal.h. Each comment shows a call from Lua. */
#include "internal.h"

#include <lauxlib.h>
#include <string.h>

#include "client.h"
#include "default.h"
#include "lua/request/budget.h"
#include "lua/request/json.h"
#include "lua/response/decode.h"
#include "lua/response/error.h"
#include "lua/system/file.h"
#include "lua/system/system.h"
#include "new.h"
#include "policy/retry_after.h"
#include "pool.h"
#include "resource.h"
#include "text/nearest.h"
#include "text/timestamp.h"

/* default_client(): the client, or nil and an error */
static int internal_default_client(lua_State *L) { return ck_default_push(L) ? 1 : 2; }

/*
** client_of(resource, name, method): the client of the resource, or nil and an error. Raises if
** `resource` is not the resource of that name: the method was called with a dot.
*/
static int internal_client_of(lua_State *L) {
  ck_resource_check(L, luaL_checkstring(L, 2), luaL_checkstring(L, 3));
  return ck_default_client_of_resource(L) != NULL ? 1 : 2;
}

/* deadline_of(client): the seconds that its calls may take by default */
static int internal_deadline_of(lua_State *L) {
  const struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  lua_pushnumber(L, client->settings.deadline);
  return 1;
}

/* pause_left(client): the seconds for which it sends nothing after a 429; 0 = it is not paused */
static int internal_pause_left(lua_State *L) {
  const struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  lua_pushnumber(L, client->transport != NULL ? ck_transport_pause_left(client->transport) : 0);
  return 1;
}

/* normal_url(text): the URL in the form that client.api_url has */
static int internal_normal_url(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  ck_new_push_normal_url(L, text, length);
  return 1;
}

/* depth(client): the number of tasks that are resumed within each other; 0 if a call would yield */
static int internal_depth(lua_State *L) {
  const struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  bool blocks = ck_task_current(L, &client->loop) == NULL;
  lua_pushinteger(L, blocks ? client->loop.depth : 0);
  return 1;
}

static enum ck_kind check_kind(lua_State *L, int index) {
  const char *name = luaL_checkstring(L, index);
  for (int kind = CK_KIND_OK; kind <= CK_KIND_NEEDS_PERSON; kind++)
    if (strcmp(name, ck_kind_name((enum ck_kind)kind)) == 0) return (enum ck_kind)kind;
  return (enum ck_kind)luaL_argerror(L, index, "not a kind of error");
}

static enum ck_applied check_applied(lua_State *L, int index) {
  const char *name = luaL_optstring(L, index, "no");
  for (int applied = CK_APPLIED_NO; applied <= CK_APPLIED_YES; applied++)
    if (strcmp(name, ck_applied_name((enum ck_applied)applied)) == 0)
      return (enum ck_applied)applied;
  return (enum ck_applied)luaL_argerror(L, index, "not a value of applied");
}

/* error(kind, message, applied): an error as the library returns it */
static int internal_error(lua_State *L) {
  enum ck_kind kind = check_kind(L, 1);
  enum ck_applied applied = check_applied(L, 3);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  ck_error_new(L, kind, applied);
  return 1;
}

/* redacted(client, text): the text with "[redacted]" in place of the client's key */
static int internal_redacted(lua_State *L) {
  const struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  ck_secret_push(L, &client->key, text, length);
  return 1;
}

/*
** check_options(client, given, rows, what, where): a list of { path, message }, one for each value
** that does not fit its row and each unknown name. For the rows see ck_options_check_rows. `where`
** is the path of the table, nil for none. The client may be nil; its key is redacted.
*/
static int internal_check_options(lua_State *L) {
  enum { CLIENT = 1, GIVEN, ROWS, WHAT, WHERE, PROBLEMS };
  static const struct ck_secret none = { 0 };
  const struct ck_client *client = luaL_testudata(L, CLIENT, "cekura.client");
  const char *what = luaL_checkstring(L, WHAT);
  const struct ck_path up = { .name = luaL_optstring(L, WHERE, NULL) };
  luaL_checktype(L, GIVEN, LUA_TTABLE);
  luaL_checktype(L, ROWS, LUA_TTABLE);
  lua_settop(L, PROBLEMS);
  struct ck_problems problems =
      ck_problems_begin(L, PROBLEMS, client != NULL ? &client->key : &none);
  ck_options_check_rows(GIVEN, ROWS, what, up.name != NULL ? &up : NULL, &problems);
  ck_problems_push_list(&problems);
  return 1;
}

/* read_json(text): the value, with its nulls, of a text in UTF-8; or nil and a message */
static int internal_read_json(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  if (ck_decode_exactly(L, text, length)) return 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* nearest(word, list): the nearest name of the list, or nil */
static int internal_nearest(lua_State *L) {
  struct ck_nearest nearest = { .word = luaL_checkstring(L, 1) };
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, (int)lua_rawlen(L, 2), "too many names");
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++)
    ck_nearest_offer(&nearest, lua_tostring(L, -1)); /* the stack keeps it alive */
  lua_pushstring(L, nearest.known);
  return 1;
}

/* retry_after(headers): the seconds that a response asks to wait for; nil if it asks for none. */
static int internal_retry_after(lua_State *L) {
  size_t length;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "retry-after: ");
  if (lua_getfield(L, 1, "retry-after") != LUA_TSTRING) return 0;
  lua_pushliteral(L, "\r\ndate: ");
  if (lua_getfield(L, 1, "date") != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
  }
  lua_pushliteral(L, "\r\n");
  lua_concat(L, 5);
  const char *head = lua_tolstring(L, -1, &length);
  double seconds = ck_retry_after(head, length, time(NULL));
  if (seconds < 0) return 0;
  lua_pushnumber(L, seconds);
  return 1;
}

/*
** timestamp(value): the seconds since 1970, and the digits of the fraction as a string; nil if the
** value is not an RFC 3339 timestamp.
*/
static int internal_timestamp(lua_State *L) {
  struct ck_timestamp timestamp;
  size_t length;
  const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &length) : NULL;
  if (text == NULL || !ck_timestamp_parse(text, length, &timestamp)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, timestamp.seconds);
  lua_pushlstring(L, timestamp.fraction, timestamp.fraction_length);
  return 2;
}

/* Unfinished tasks that were made in the item may still make calls. */
static enum ck_applied applied_in_item(const struct ck_task *task) {
  return task->descendants > 0 && task->applied == CK_APPLIED_NO ? CK_APPLIED_UNKNOWN
                                                                 : task->applied;
}

/*
** The function that watch returns. Upvalues: the task, its client, and the three values of applied.
*/
static int watch_look(lua_State *L) {
  const struct ck_task *task = lua_touserdata(L, lua_upvalueindex(1));
  const struct ck_client *client = lua_touserdata(L, lua_upvalueindex(2));
  enum ck_applied applied = applied_in_item(task);
  lua_pushvalue(L, lua_upvalueindex(3 + (int)applied));
  lua_pushboolean(L, task->was_suspended);
  lua_pushboolean(L, !client->is_closed);
  lua_pushinteger(L, task->driver == task->parent ? 0 : client->loop.depth);
  lua_pushboolean(L, applied == CK_APPLIED_NO && task->dry_run != CK_DRY_RUN_NONE);
  ck_task_begin_item(L, lua_upvalueindex(1));
  return 6;
}

/*
** watch(task): a function that returns, of the item since its last call: the maximum of `applied`
** over the calls made in it, whether the task was suspended, whether the client is open, how many
** tasks are resumed within each other (0 = by a wait of the parent), whether it has only made dry
** runs, and the error of the first failed call, or nil. From now on, failures in the task do not
** count as failures in its parent.
*/
static int internal_watch(lua_State *L) {
  ck_task_judge(ck_task_check(L, 1));
  lua_settop(L, 1);
  ck_task_push_client(L, 1);
  for (int applied = CK_APPLIED_NO; applied <= CK_APPLIED_YES; applied++)
    lua_pushstring(L, ck_applied_name((enum ck_applied)applied));
  lua_pushcclosure(L, watch_look, 5);
  return 1;
}

/* Returns the evaluations that a call which the task awaits has reserved. */
static long long reserved_by(const struct ck_task *task) {
  const struct ck_call *call = task->awaits;
  if (call == NULL || !call->exchange.charge.is_reserved) return 0;
  return call->exchange.charge.evaluations;
}

/*
** spent_of(workers, is_final): what a list of { task = … } has spent, in the form of client:spent().
** If `is_final` is true, the workers need not count what is spent from now on.
*/
static int internal_spent_of(lua_State *L) {
  struct ck_spent sum = { 0 };
  long long in_flight = 0;
  bool is_final = lua_toboolean(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (lua_Integer i = 1; lua_rawgeti(L, 1, i) == LUA_TTABLE; i++, lua_settop(L, 1)) {
    lua_getfield(L, 2, "task");
    struct ck_task *task = ck_task_check(L, 3);
    ck_spent_add(&sum, &task->spent);
    in_flight += reserved_by(task);
    if (is_final) ck_task_conclude(task);
  }
  ck_budget_push_spent(L, &sum, in_flight);
  return 1;
}

/* note_failure(error): notes the error of a failed call in the running task */
static int internal_note_failure(lua_State *L) {
  lua_settop(L, 1);
  ck_task_note_error(L);
  return 0;
}

/* forgive(error): clears the noted failure of the running task if it is this one */
static int internal_forgive(lua_State *L) {
  lua_settop(L, 1);
  ck_task_forgive(L);
  return 0;
}

/*
** unnoted(function, …): calls a function that does not wait, and returns its results. The running
** task does not note what is done in it.
*/
static int internal_unnoted(lua_State *L) {
  struct ck_task *task = ck_task_exchange_current(L, NULL);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  (void)ck_task_exchange_current(L, task);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* The loader that require finds. */
static int load(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

static void push_module(lua_State *L) {
  static const luaL_Reg functions[] = { { "check_options", internal_check_options },
                                        { "depth", internal_depth },
                                        { "default_client", internal_default_client },
                                        { "client_of", internal_client_of },
                                        { "deadline_of", internal_deadline_of },
                                        { "normal_url", internal_normal_url },
                                        { "error", internal_error },
                                        { "forgive", internal_forgive },
                                        { "json", ck_json_encode },
                                        { "nearest", internal_nearest },
                                        { "note_failure", internal_note_failure },
                                        { "pause_left", internal_pause_left },
                                        { "read_json", internal_read_json },
                                        { "redacted", internal_redacted },
                                        { "retry_after", internal_retry_after },
                                        { "spent_of", internal_spent_of },
                                        { "timestamp", internal_timestamp },
                                        { "unnoted", internal_unnoted },
                                        { "watch", internal_watch },
                                        { NULL, NULL } };
  luaL_newlib(L, functions);
  ck_file_add(L);
  ck_system_add(L);
  ck_client_push_methods(L); /* the Lua files add methods to these */
  lua_setfield(L, -2, "client_methods");
  ck_resource_push_methods(L);
  lua_setfield(L, -2, "resource_methods");
  ck_task_push_methods(L);
  lua_setfield(L, -2, "task_methods");
}

void ck_internal_open(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  push_module(L);
  lua_pushcclosure(L, load, 1);
  lua_setfield(L, -2, "cekura.internal");
  lua_pop(L, 1);
}
