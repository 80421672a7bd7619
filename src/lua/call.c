/*
** The path of a call: check and write, send and retry, read. `run`, near the end, contains all of
** it.
*/
#include "call.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "client.h"
#include "contract/contract.h"
#include "default.h"
#include "event.h"
#include "http/exchange.h"
#include "lua/request/budget.h"
#include "lua/request/check.h"
#include "lua/request/headers.h"
#include "lua/request/raw_request.h"
#include "lua/response/decode.h"
#include "lua/response/error.h"
#include "lua/response/response.h"
#include "lua/system/interrupt.h"
#include "pool.h"
#include "resource.h"
#include "usage.h"
#include "warning.h"

/* The stack of a call. */
enum { SELF = 1, ARGUMENTS, OPTIONS, CLIENT, CALL, PROBLEMS, TOP = PROBLEMS };

/* Above this size, libcurl would send "Expect: 100-continue" and wait a second for a response. */
enum { EXPECT_ABOVE = 1024 * 1024 }; /* bytes */

static bool has_ended(const struct ck_call *call) { return ck_exchange_has_ended(&call->exchange); }

static bool is_raw(const struct ck_call *call) { return call->endpoint == &call->raw; }

/* ---- check and write ------------------------------------------------------------------------- */

/*
** Copies options with headers, which are read twice: a finalizer may change the original between.
*/
static void copy_headers(lua_State *L) {
  if (!lua_istable(L, OPTIONS)) return;
  lua_pushliteral(L, "headers");
  if (lua_rawget(L, OPTIONS) == LUA_TTABLE) {
    lua_pushvalue(L, OPTIONS);
    ck_options_copy(L, lua_gettop(L));
    lua_replace(L, OPTIONS);
  }
  lua_pop(L, 1);
}

/*
** Pushes the client's headers, then the call's. Returns the index of the call's; 0 = it has none.
*/
static int push_headers(lua_State *L) {
  lua_getiuservalue(L, CLIENT, CK_CLIENT_HEADERS);
  if (!lua_istable(L, OPTIONS)) return 0;
  lua_pushliteral(L, "headers");
  return lua_rawget(L, OPTIONS) == LUA_TTABLE ? lua_gettop(L) : 0;
}

/* Most requests use the client's headers as they are. */
static void write_headers(lua_State *L, struct ck_call *call) {
  struct ck_request *request = &call->exchange.transfer.request;
  bool is_large = request->body.length > EXPECT_ABOVE, ok = true;
  /* POST, PUT and PATCH without a body have a length of 0 (RFC 9110, 8.6). */
  bool is_empty = !request->options.has_body && request->options.method[0] == 'P';
  int top = lua_gettop(L), own = push_headers(L);
  if (own != 0 || is_large || is_empty)
    ok = ck_request_headers_write(L, &request->headers, call->client->key.text, top + 1, own);
  if (ok && is_large) ok = ck_headers_leave_out(&request->headers, "Expect");
  if (ok && is_empty) ok = ck_headers_add(&request->headers, "Content-Length", "0");
  if (!ok) luaL_error(L, "not enough memory");
  lua_settop(L, top);
}

/*
** A call that must not be sent twice opens a connection, because the server may have closed an idle
** one. The connection is closed afterwards: such calls would leave idle ones, and use none.
*/
static void apply_settings(struct ck_call *call, lua_Integer proven) {
  struct ck_exchange *exchange = &call->exchange;
  struct ck_request *request = &exchange->transfer.request;
  const struct ck_settings *settings = &call->settings;
  const struct ck_endpoint *endpoint = call->endpoint;
  request->max_response_bytes = (size_t)settings->max_response_bytes;
  request->options.connect_timeout = settings->connect_timeout;
  request->options.large_response = endpoint->large_response;
  request->options.fresh_connection = !endpoint->idempotent;
  request->options.closes_connection = !endpoint->idempotent;
  request->may_be_empty = is_raw(call);
  exchange->timeout = settings->timeout;
  exchange->max_elapsed = settings->deadline;
  exchange->reads = ck_endpoint_reads(endpoint);
  exchange->charge = ck_budget_charge(&call->client->spending, endpoint, settings, proven);
  exchange->policy = (struct ck_policy){
    .max_attempts = (int)settings->max_attempts,
    .backoff_base = settings->backoff_base,
    .backoff_cap = settings->backoff_cap,
    .idempotent = endpoint->idempotent,
    .retry_unknown = settings->retry_unknown,
  };
}

/* With the line of the Lua code that called `make`, which has called us. */
static void raise_too_large(lua_State *L) {
  luaL_where(L, 2);
  lua_pushliteral(L, "the request is larger than 64 MiB, or there is not enough memory");
  lua_concat(L, 2);
  (void)lua_error(L);
}

/* Writes the whole request, unless there are problems. */
static void check_and_write(lua_State *L, struct ck_call *call, struct ck_problems *problems) {
  struct ck_request *request = &call->exchange.transfer.request;
  call->settings = call->client->settings;
  ck_exchange_reset(&call->exchange);
  lua_Integer proven = -1;
  copy_headers(L);
  if (is_raw(call)) ck_raw_request_check(&call->raw, ARGUMENTS, request, problems);
  else proven = ck_check(call->endpoint, ARGUMENTS, request, problems);
  ck_options_read(&call->settings, OPTIONS, call->endpoint, problems);
  if (problems->count > 0) return;
  if (request->body.failed || request->target.failed) raise_too_large(L);
  write_headers(L, call);
  apply_settings(call, proven);
}

/* ---- refuse, or show what would be sent ------------------------------------------------------ */

static void push_url(lua_State *L, struct ck_call *call) {
  struct ck_buffer *url = &call->exchange.transfer.response.head; /* which has been read by now */
  ck_buffer_reset(url);
  url->limit = SIZE_MAX; /* not a head's: many ids make a long URL */
  if (!ck_transport_url(call->client->transport, &call->exchange.transfer.request, url))
    luaL_error(L, "not enough memory");
  ck_secret_push(L, &call->client->key, url->data, url->length);
}

/* error → nil, the error with the fields that every error of a call has */
static int fail(lua_State *L, const struct ck_call *call) {
  lua_pushstring(L, call->endpoint->name);
  lua_setfield(L, -2, "endpoint");
  lua_pushstring(L, call->endpoint->method);
  lua_setfield(L, -2, "method");
  lua_pushinteger(L, call->exchange.attempts);
  lua_setfield(L, -2, "attempts");
  lua_pushboolean(L, call->endpoint->idempotent);
  lua_setfield(L, -2, "idempotent");
  ck_task_note_error(L);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* The plan of a dry run. */
static int plan(lua_State *L, struct ck_call *call) {
  const struct ck_request *request = &call->exchange.transfer.request;
  lua_createtable(L, 0, 5);
  int table = lua_gettop(L), own;
  push_url(L, call);
  lua_setfield(L, table, "url");
  lua_pushstring(L, request->options.method);
  lua_setfield(L, table, "method");
  own = push_headers(L);
  ck_request_headers_push(L, request->options.has_body, table + 1, own, &call->client->key);
  lua_setfield(L, table, "headers");
  lua_settop(L, table);
  if (request->options.has_body) {
    ck_secret_push(L, &call->client->key, request->body.data, request->body.length);
    lua_setfield(L, table, "body");
  }
  ck_budget_add(L, &call->exchange.charge);
  ck_task_note_dry_run(*call->client->loop.current, strcmp(call->endpoint->method, "GET") == 0);
  return 1;
}

/* ---- send, retry ----------------------------------------------------------------------------- */

/* The client was closed, or this process is a fork: the call has lost its libcurl handle. */
static bool is_detached(const struct ck_call *call) {
  return ck_transfer_is_detached(&call->exchange.transfer);
}

/* Runs after on_event or a hook, which may have closed the client, or forked. */
static void after_callback(const struct ck_client *client) {
  if (!ck_transport_detach_inherited(client->transport) && client->is_closed)
    ck_transport_cancel(client->transport);
}

static void emit(lua_State *L, int client_index, struct ck_call *call, enum ck_step step) {
  struct ck_client *client = call->client;
  if (!call->settings.on_event || client->is_closed) return;
  if (step == CK_STEP_NONE || step == CK_STEP_FINISHED) return;
  lua_getiuservalue(L, client_index, CK_CLIENT_ON_EVENT);
  client->callbacks++;
  ck_event_emit(L, client, call->endpoint, &call->exchange, step);
  client->callbacks--;
  after_callback(client);
}

/* Redacts the key in the response, and in libcurl's message, before other code reads them. */
static void redact(struct ck_response *response, const struct ck_secret *key) {
  bool is_cut = !response->observed.whole;
  if (key->text == NULL) return; /* the client is closed, and nothing reads them */
  ck_secret_hide(key, response->head.data, response->head.length, is_cut);
  ck_secret_hide(key, response->body.data, response->body.length, is_cut);
  ck_secret_hide(key, response->detail, strlen(response->detail), false);
}

static void redact_and_log(struct ck_call *call) {
  const struct ck_client *client = call->client;
  redact(&call->exchange.transfer.response, &client->key);
  if (client->log != CK_LOG_NONE && client->transport != NULL)
    ck_log_attempt(client->log, client->transport, &call->exchange, &client->key);
}

/* The host's warn function is a callback, too. */
static void warn_of_route(lua_State *L, int client_index, const struct ck_call *call) {
  struct ck_client *client = call->client;
  if (client->is_closed) return;
  client->callbacks++;
  ck_warning_of_route(L, client_index, call->endpoint, &call->exchange);
  client->callbacks--;
  after_callback(client);
}

/* Takes every step that needs no waiting. The transfer notifies the task when there is another. */
static void advance(lua_State *L, int client, struct ck_call *call) {
  int top = lua_gettop(L);
  enum ck_step step;
  ck_client_enter(call->client);
  ck_transfer_notify(&call->exchange.transfer, NULL);
  do {
    step = ck_exchange_advance(&call->exchange);
    if (step == CK_STEP_RESPONSE) redact_and_log(call);
    else if (step == CK_STEP_DEPRECATED) warn_of_route(L, client, call);
    emit(L, client, call, step);
  } while (step != CK_STEP_NONE && !has_ended(call));
  ck_transfer_notify(&call->exchange.transfer, call->task);
  lua_settop(L, top);
  ck_client_leave(L, client);
}

/* Notes in the task what the call has done, and what it has spent since the last note. */
static void note(struct ck_task *task, struct ck_exchange *exchange) {
  ck_task_note(task, exchange->applied);
  if (exchange->charge.spending != NULL) ck_task_note_spent(task, &exchange->charge.spent);
}

/* The call of a task has ended. Its coroutine may have been resumed, or closed, by other code. */
static void end_awaited(struct ck_task *task, struct ck_call *call) {
  if (task->awaits != call) return;
  note(task, &call->exchange);
  ck_task_make_ready(task);
}

void ck_call_advance_all(lua_State *L, int index) {
  const struct ck_client *client = lua_touserdata(L, index);
  struct ck_task *task;
  while (client->transport != NULL && (task = ck_transport_next_done(client->transport)) != NULL) {
    struct ck_call *call = task->awaits;
    advance(L, index, call);
    if (has_ended(call)) end_awaited(task, call);
  }
}

void ck_call_abandon(lua_State *L, int index, struct ck_task *task) {
  struct ck_call *call = task->awaits;
  ck_exchange_cancel(&call->exchange);
  advance(L, index, call);
  end_awaited(task, call);
}

/* Runs the main thread's hook. Returns whether hooks have raised errors since `before`. */
static bool run_hook(struct ck_client *client, unsigned long before) {
  client->callbacks++;
  bool came = ck_interrupt_came(client->interrupt, before);
  client->callbacks--;
  after_callback(client);
  return came;
}

/* A hook that raises ends the call; its error is raised after the call has returned. */
static void block(lua_State *L, struct ck_call *call, unsigned long raised) {
  while (!has_ended(call)) {
    if (run_hook(call->client, raised)) ck_exchange_cancel(&call->exchange);
    else if (!is_detached(call))
      (void)ck_transport_step(call->client->transport, CK_INTERRUPT_LOOK);
    advance(L, CLIENT, call);
    ck_call_advance_all(L, CLIENT);
  }
}

/* ---- read ------------------------------------------------------------------------------------ */

/* error, text → error, with the text appended to its message */
static void explain(lua_State *L) {
  lua_getfield(L, -2, "message");
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_setfield(L, -2, "message");
}

/* Names the proxy in the error of an attempt that was not sent: the proxy may be the cause. */
static void explain_proxy(lua_State *L, const struct ck_call *call) {
  const struct ck_observation *attempt = &call->exchange.transfer.response.observed;
  const char *proxy = ck_transport_proxy(call->client->transport);
  bool failed = attempt->code != 0 && !attempt->cancelled && !attempt->lacks_descriptor;
  if (proxy == NULL || !failed || attempt->times_sent > 0) return;
  lua_pushfstring(L, " (through the proxy %s)", proxy);
  explain(L);
}

/* error → nil, the error with the fields that the exchange sets */
static int fail_sent(lua_State *L, struct ck_call *call) {
  push_url(L, call);
  lua_setfield(L, -2, "url");
  if (call->exchange.over_quota) {
    lua_pushliteral(L, " (not tried again: too many calls of this client fail)");
    explain(L);
  }
  if (call->exchange.over_limit) {
    lua_pushliteral(L, " (not tried again: another attempt would exceed spend_limit)");
    explain(L);
  }
  explain_proxy(L, call);
  if (call->exchange.retry_after >= 0) {
    lua_pushnumber(L, call->exchange.retry_after);
    lua_setfield(L, -2, "retry_after");
  }
  return fail(L, call);
}

/* A closed client has no key to redact with; after fork, only the parent learns the outcome. */
static int fail_detached(lua_State *L, struct ck_call *call) {
  bool reads = ck_endpoint_reads(call->endpoint);
  if (call->client->is_closed) {
    lua_pushliteral(L, "the client was closed during the call");
    ck_error_new(L, CK_KIND_CANCELLED, call->exchange.outcome.applied);
  } else {
    lua_pushliteral(L, "the call was begun before fork: only the parent process can continue it");
    ck_error_new(L, CK_KIND_CONFIG, reads ? CK_APPLIED_NO : CK_APPLIED_UNKNOWN);
  }
  return fail(L, call);
}

static int read_response(lua_State *L, struct ck_call *call) {
  struct ck_exchange *exchange = &call->exchange;
  const struct ck_response *response = &exchange->transfer.response;
  bool is_ok = exchange->outcome.kind == CK_KIND_OK;
  note(*call->client->loop.current, exchange);
  if (is_detached(call) || (call->client->is_closed && exchange->outcome.kind == CK_KIND_CANCELLED))
    return fail_detached(L, call);
  if (!is_ok) {
    ck_error_push_exchange(L, exchange);
    return fail_sent(L, call);
  }
  if (response->body.length == 0) lua_pushboolean(L, true);
  else if (!ck_decode(L, response->body.data, response->body.length, call->settings.keep_null)) {
    exchange->outcome.kind = CK_KIND_RESPONSE;
    emit(L, CLIENT, call, CK_STEP_GIVE_UP);
    ck_error_push_unreadable(L, response, exchange->outcome.applied);
    return fail_sent(L, call);
  }
  ck_response_push(L, exchange);
  return 2;
}

/* ---- the whole path -------------------------------------------------------------------------- */

static int suspend(lua_State *L, struct ck_call *call);

/* Continues the call of a task. Other code may have resumed its coroutine too early. */
static int resume(lua_State *L, int status, lua_KContext context) {
  struct ck_call *call = (struct ck_call *)context;
  (void)status;
  lua_settop(L, TOP);
  if (call->client->callbacks > 0) return suspend(L, call);
  ck_pool_resume(call);
  if (!has_ended(call)) advance(L, CLIENT, call);
  if (!has_ended(call)) return suspend(L, call);
  if (call->task->awaits == call) ck_task_make_ready(call->task);
  return read_response(L, call);
}

static int suspend(lua_State *L, struct ck_call *call) {
  ck_pool_suspend(L, CLIENT, call);
  return lua_yieldk(L, 0, (lua_KContext)call, resume);
}

/* Suspends the task that makes the call, so that others go on; blocks outside of tasks. */
static int send_request(lua_State *L, struct ck_call *call) {
  unsigned long raised = ck_interrupt_count(call->client->interrupt);
  call->task = ck_task_current(L, &call->client->loop);
  call->exchange.transfer.blocks = call->task == NULL;
  ck_exchange_begin(&call->exchange);
  advance(L, CLIENT, call);
  if (call->task != NULL && !has_ended(call)) {
    ck_task_await(L, CLIENT, call->task, call, CALL);
    return suspend(L, call);
  }
  block(L, call, raised);
  return read_response(L, call);
}

/* nil, error → the same, after noting the error: there is no client that can be used */
static int fail_without_client(lua_State *L) {
  ck_task_note_error(L);
  return 2;
}

/* The whole path of a call. The arguments are those of `make`, the client and the anchor. */
static int run(lua_State *L) {
  struct ck_call *call = ck_pool_call(L, CALL);
  lua_settop(L, TOP);
  struct ck_problems problems = ck_problems_begin(L, PROBLEMS, &call->client->key);
  check_and_write(L, call, &problems);
  if (problems.count > 0) {
    ck_error_push_problems(&problems, CK_KIND_VALIDATION);
    return fail(L, call);
  }
  if (ck_budget_problem(L, &call->settings, &call->exchange.charge) != NULL) {
    ck_error_new(L, CK_KIND_BUDGET, CK_APPLIED_NO);
    return fail(L, call);
  }
  if (call->settings.dry_run) return plan(L, call);
  return send_request(L, call);
}

/* Releases the call. The results of `run`, or its error, are above CALL. */
static int release(lua_State *L, int status, lua_KContext unused) {
  (void)unused;
  ck_pool_release(L, CLIENT, CALL);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - CALL;
}

/*
** Makes a call of the client, which is on the top of the stack, at CLIENT. `endpoint` is NULL for
** client:request, whose arguments describe it. The call runs protected: it is released even if an
** error ends the coroutine, where Lua would close no to-be-closed value.
*/
static int make(lua_State *L, struct ck_client *client, const struct ck_endpoint *endpoint) {
  struct ck_call *call = ck_pool_take(L, CLIENT);
  if (call == NULL) {
    (void)ck_client_is_usable(L, client);
    return fail_without_client(L);
  }
  call->endpoint = endpoint != NULL ? endpoint : &call->raw;
  lua_pushcfunction(L, run);
  for (int i = SELF; i <= CALL; i++) lua_pushvalue(L, i);
  return release(L, lua_pcallk(L, CALL, LUA_MULTRET, 0, 0, release), 0);
}

/* resource:call(arguments, options): see ck_resource_open for the upvalues */
static int call_endpoint(lua_State *L) {
  const struct ck_endpoint *endpoint = lua_touserdata(L, lua_upvalueindex(1));
  lua_settop(L, OPTIONS);
  ck_usage_check(L, endpoint, lua_upvalueindex(2));
  struct ck_client *client = ck_default_client_of_resource(L);
  return client != NULL ? make(L, client, endpoint) : fail_without_client(L);
}

/* client:request(arguments, options): a call of an endpoint that the arguments describe */
static int call_request(lua_State *L) {
  lua_settop(L, OPTIONS);
  struct ck_client *client = ck_client_check(L);
  if (client == NULL) return fail_without_client(L);
  ck_usage_check_tables(L, "request");
  lua_pushvalue(L, SELF);
  return make(L, client, NULL);
}

void ck_call_open(lua_State *L) {
  ck_resource_open(L, call_endpoint);
  ck_client_push_methods(L);
  lua_pushcfunction(L, call_request);
  lua_setfield(L, -2, "request");
  lua_pop(L, 1);
}
