#include "call.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "../core/contract.h"
#include "../core/exchange.h"
#include "check.h"
#include "client.h"
#include "raw_request.h"
#include "decode.h"
#include "error.h"
#include "event.h"
#include "interrupt.h"
#include "new.h"
#include "pool.h"
#include "request_headers.h"
#include "resource.h"
#include "response.h"

/* Stack of a running call. */
enum { RESOURCE = 1, ARGUMENTS, OPTIONS, CLIENT, CALL, PROBLEMS, TOP = PROBLEMS };

/* From here on libcurl asks "Expect: 100-continue" and waits a second for the answer. */
enum { EXPECT_ABOVE = 1024 * 1024 };

static bool reads(const struct ck_call *call) { return strcmp(call->endpoint->method, "GET") == 0; }

static void give_back(lua_State *L) { ck_pool_release(L, CLIENT, CALL); }

/* ---- results -------------------------------------------------------------------------------- */

static void push_url(lua_State *L, struct ck_call *call) {
  struct ck_buffer *url = &call->exchange.transfer.response.head; /* has been read by now */
  ck_buffer_reset(url);
  url->limit = SIZE_MAX; /* it is none of a head: many ids make a long address */
  if (!ck_transport_url(call->client->transport, &call->exchange.transfer.request, url))
    luaL_error(L, "not enough memory");
  ck_secret_push(L, &call->client->key, url->data, url->length);
}

/* The error on the top gains what it was a call of, and is the call's result. */
static int fail(lua_State *L, struct ck_call *call) {
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

/*
** on_event has closed the client, or this is a child that it has forked. Or the collector came, as
** it may with whatever Lua allocates, and ran a finalizer that did so: what was made since cannot
** be trusted to be without the key.
*/
static bool is_gone(const struct ck_call *call) { return call->exchange.transfer.slot == NULL; }

/* Closed: the key is gone, and the answer with it. Forked: nobody here knows what becomes of it. */
static int fail_gone(lua_State *L, struct ck_call *call) {
  bool closed = call->client->transport == NULL, reads = ck_endpoint_reads(call->endpoint);
  lua_pushstring(L, closed ? "the client was closed during the call"
                           : "the call was begun before fork: it is the parent's");
  if (closed) ck_error_new(L, CK_KIND_CANCELLED, call->exchange.outcome.applied);
  else ck_error_new(L, CK_KIND_CONFIG, reads ? CK_APPLIED_NO : CK_APPLIED_UNKNOWN);
  return fail(L, call);
}

/* Results that a finalizer had a chance to spoil: with the key gone, nothing was redacted. */
static int conclude(lua_State *L, struct ck_call *call, int results) {
  return is_gone(call) ? fail_gone(L, call) : results;
}

/* error, explanation → error */
static void explain(lua_State *L) {
  lua_getfield(L, -2, "message");
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_setfield(L, -2, "message");
}

static void explain_budget(lua_State *L) {
  lua_pushliteral(L, " (not tried again: too many calls of this client fail)");
  explain(L);
}

/* The last attempt did not reach the server, and may not even have reached the proxy. */
static void explain_proxy(lua_State *L, const struct ck_call *call) {
  const struct ck_observation *attempt = &call->exchange.transfer.response.observed;
  const char *proxy = is_gone(call) ? NULL : ck_transport_proxy(call->client->transport);
  bool failed = attempt->code != 0 && !attempt->cancelled && !attempt->lacks_descriptor;
  if (proxy == NULL || !failed || attempt->times_sent > 0) return;
  lua_pushfstring(L, " (through the proxy %s)", proxy);
  explain(L);
}

/* The error on the top gains what else is known of the call, and is its result. */
static int fail_sent(lua_State *L, struct ck_call *call) {
  if (is_gone(call)) return fail_gone(L, call);
  push_url(L, call);
  lua_setfield(L, -2, "url");
  if (call->exchange.over_quota) explain_budget(L);
  explain_proxy(L, call);
  if (call->exchange.retry_after >= 0) {
    lua_pushnumber(L, call->exchange.retry_after);
    lua_setfield(L, -2, "retry_after");
  }
  give_back(L);
  return fail(L, call);
}

static int fail_with_answer(lua_State *L, struct ck_call *call) {
  ck_error_push_exchange(L, &call->exchange);
  return fail_sent(L, call);
}

/* It may close the client, or fork, and this be the child. */
static void tell(lua_State *L, struct ck_call *call, enum ck_step step) {
  ck_event_emit(L, call->client, call->endpoint, &call->exchange, step);
  if (call->client->transport != NULL) (void)ck_transport_part(call->client->transport);
}

/* A task that stands for the call counts as running meanwhile, unless the call is taken from it. */
static void emit(lua_State *L, struct ck_call *call, enum ck_step step) {
  struct ck_task *task = call->task;
  bool stands = task != NULL && task->awaits == call;
  if (stands) ck_task_begin_event(task);
  tell(L, call, step);
  if (stands && task->awaits == call) ck_task_end_event(task);
}

/* on_event is told. */
static void report(lua_State *L, int client, struct ck_call *call, enum ck_step step) {
  if (!call->settings.on_event || step == CK_STEP_NONE || step == CK_STEP_FINISHED) return;
  lua_getiuservalue(L, client, CK_CLIENT_ON_EVENT);
  emit(L, call, step);
}

/* The server did as asked, and then its answer cannot be read: the message is on the top. */
static int fail_unreadable(lua_State *L, struct ck_call *call) {
  call->exchange.outcome.kind = CK_KIND_RESPONSE;
  report(L, CLIENT, call, CK_STEP_GIVE_UP);
  ck_error_push_unreadable(L, &call->exchange.transfer.response, call->exchange.outcome.applied);
  return fail_sent(L, call);
}

/* The larger of what the arguments prove and what the caller states; -1 = neither is there. */
static lua_Integer evaluations(const struct ck_call *call) {
  lua_Integer stated = call->settings.evaluations;
  return stated > call->evaluations ? stated : call->evaluations;
}

/* Whether the call may start more evaluations than that. A free call starts none. */
static bool is_uncounted(const struct ck_call *call) {
  if (!call->endpoint->spends_credits || call->settings.evaluations >= 0) return false;
  return call->endpoint->at_least || call->evaluations < 0;
}

/* plan → plan */
static void set_evaluations(lua_State *L, const struct ck_call *call) {
  if (!call->endpoint->spends_credits || evaluations(call) < 0) return;
  lua_pushinteger(L, evaluations(call));
  lua_setfield(L, -2, "evaluations");
  if (!is_uncounted(call)) return;
  lua_pushboolean(L, true);
  lua_setfield(L, -2, "evaluations_at_least");
}

/* Pushes the client's headers, and the call's own if it has any: 0 = none. */
static int push_headers(lua_State *L, int *own) {
  *own = 0;
  lua_getiuservalue(L, CLIENT, CK_CLIENT_HEADERS);
  int client = lua_gettop(L);
  if (!lua_istable(L, OPTIONS)) return client;
  lua_pushliteral(L, "headers");
  if (lua_rawget(L, OPTIONS) == LUA_TTABLE) *own = client + 1; /* raw: as it was checked */
  return client;
}

static int dry_run(lua_State *L, struct ck_call *call) {
  const struct ck_request *request = &call->exchange.transfer.request;
  lua_createtable(L, 0, 5);
  if (is_gone(call)) return fail_gone(L, call);
  push_url(L, call);
  lua_setfield(L, -2, "url");
  lua_pushstring(L, request->options.method);
  lua_setfield(L, -2, "method");
  int own, client = push_headers(L, &own);
  ck_request_headers_push(L, request->options.has_body, client, own, &call->client->key);
  lua_setfield(L, client - 1, "headers");
  lua_settop(L, client - 1);
  if (request->options.has_body) {
    ck_secret_push(L, &call->client->key, request->body.data, request->body.length);
    lua_setfield(L, -2, "body");
  }
  set_evaluations(L, call);
  ck_task_note_dry_run(*call->client->loop.current, reads(call));
  give_back(L);
  return 1;
}

/* ---- check and write -------------------------------------------------------------------------- */

/* What comes with such a method has a length, if only of 0 (RFC 9110, 8.6). */
static bool is_empty(const struct ck_request_options *options) {
  return !options->has_body && options->method[0] == 'P'; /* POST, PUT, PATCH */
}

/* Most requests use the client's headers as they are. */
static void write_headers(lua_State *L, struct ck_call *call) {
  struct ck_request *request = &call->exchange.transfer.request;
  bool large = request->body.length > EXPECT_ABOVE, empty = is_empty(&request->options);
  int own, client = push_headers(L, &own);
  bool ok = is_gone(call) || (own == 0 && !large && !empty) ||
            ck_request_headers_write(L, &request->headers, call->client->key.text, client, own);
  if (ok && large) ok = ck_headers_leave_out(&request->headers, "Expect");
  if (ok && empty) ok = ck_headers_add(&request->headers, "Content-Length", "0");
  if (!ok) luaL_error(L, "not enough memory");
  lua_settop(L, client - 1);
}

/* A server may have closed an idle connection: a call that must not be sent twice opens a new one. */
static void write_connection(struct ck_call *call) {
  struct ck_request_options *options = &call->exchange.transfer.request.options;
  options->fresh_connection = !call->endpoint->idempotent;
}

static void write_limits(struct ck_call *call) {
  struct ck_request *request = &call->exchange.transfer.request;
  const struct ck_settings *settings = &call->settings;
  request->max_response_bytes = (size_t)settings->max_response_bytes;
  request->options.connect_timeout = settings->connect_timeout;
  request->options.compressed = call->endpoint->large_answer;
  request->may_be_empty = call->endpoint == &call->own;
}

static void write_policy(struct ck_call *call) {
  const struct ck_settings *settings = &call->settings;
  call->exchange.timeout = settings->timeout;
  call->exchange.deadline = settings->deadline;
  call->exchange.policy = (struct ck_policy){
    .max_attempts = (int)settings->max_attempts,
    .backoff_base = settings->backoff_base,
    .backoff_cap = settings->backoff_cap,
    .idempotent = call->endpoint->idempotent,
    .reads = ck_endpoint_reads(call->endpoint),
    .retry_unknown = settings->retry_unknown,
  };
}

/* Returns the least number of evaluations that the call would start, -1 = unknown. */
static lua_Integer check(struct ck_call *call, struct ck_problems *problems) {
  struct ck_request *request = &call->exchange.transfer.request;
  if (call->endpoint != &call->own) return ck_check(call->endpoint, ARGUMENTS, request, problems);
  ck_raw_request_check(&call->own, ARGUMENTS, request, problems);
  return -1;
}

/* Only headers are read again once they have been checked. */
static void keep_headers(lua_State *L) {
  if (!lua_istable(L, OPTIONS)) return;
  lua_pushliteral(L, "headers");
  bool has_headers = lua_rawget(L, OPTIONS) == LUA_TTABLE;
  lua_pop(L, 1);
  if (!has_headers) return;
  lua_pushvalue(L, OPTIONS);
  ck_options_copy(L, lua_gettop(L));
  lua_replace(L, OPTIONS);
}

/* Writes the whole request. False: there are problems, and it must not be sent. */
static bool write(lua_State *L, struct ck_call *call, struct ck_problems *problems) {
  struct ck_request *request = &call->exchange.transfer.request;
  keep_headers(L);
  call->settings = call->client->settings;
  call->exchange.attempts = 0;
  call->exchange.outcome = (struct ck_outcome){ 0 };
  call->exchange.retry_after = -1;
  call->evaluations = check(call, problems);
  ck_options_read(&call->settings, OPTIONS, call->endpoint, problems);
  if (problems->count > 0) return false;
  if (request->body.failed || request->target.failed)
    luaL_error(L, "the request is larger than 64 MiB, or there is not enough memory");
  write_headers(L, call);
  write_limits(call);
  write_connection(call);
  write_policy(call);
  return true;
}

static int refuse_problems(lua_State *L, struct ck_call *call, struct ck_problems *problems) {
  ck_error_push_problems(problems, CK_KIND_VALIDATION);
  give_back(L);
  return fail(L, call);
}

/* NULL if the call keeps to max_evaluations; else the message why it does not is pushed. */
static const char *push_budget_problem(lua_State *L, const struct ck_call *call) {
  lua_Integer most = call->settings.max_evaluations, count = evaluations(call);
  const char *bound = is_uncounted(call) ? "at least " : "";
  if (most < 0 || !call->endpoint->spends_credits) return NULL;
  if (count > most)
    return lua_pushfstring(L,
                           "would start %s%I metric evaluations, max_evaluations is %I: "
                           "nothing was sent",
                           bound, (LUAI_UACINT)count, (LUAI_UACINT)most);
  if (!is_uncounted(call) || call->settings.uncounted) return NULL;
  const char *known = count < 0 ? "" : lua_pushfstring(L, " (at least %I)", (LUAI_UACINT)count);
  return lua_pushfstring(L,
                         "the number of metric evaluations is not known%s, max_evaluations is %I: "
                         "nothing was sent; state the number with the option evaluations, or set "
                         "uncounted = true",
                         known, (LUAI_UACINT)most);
}

static int refuse_budget(lua_State *L, struct ck_call *call) {
  ck_error_new(L, CK_KIND_BUDGET, CK_APPLIED_NO);
  give_back(L);
  return fail(L, call);
}

/* ---- send ---------------------------------------------------------------------------------------- */

/* on_event may do anything: the task that stands, and through it the call, are held meanwhile. */
static void hold(lua_State *L, int client, const struct ck_call *call) {
  const struct ck_task *task = call->task;
  if (call->settings.on_event && task != NULL && task->awaits == call) ck_task_pin(L, client, task);
}

/* Before anybody reads what the server, or libcurl of the address, says of an attempt. */
static void hide_key(struct ck_call *call) {
  struct ck_response *response = &call->exchange.transfer.response;
  const struct ck_secret *key = &call->client->key;
  bool is_cut = !response->observed.whole;
  if (key->text == NULL) return; /* the client is closed, and nobody reads it any more */
  ck_secret_hide(key, response->head.data, response->head.length, is_cut);
  ck_secret_hide(key, response->body.data, response->body.length, is_cut);
  ck_secret_hide(key, response->detail, strlen(response->detail), false);
}

/* An attempt has ended. */
static void note_attempt(struct ck_call *call) {
  const struct ck_client *client = call->client;
  hide_key(call);
  if (client->log != CK_LOG_NONE && client->transport != NULL)
    ck_log_attempt(client->log, client->transport, &call->exchange, &client->key);
}

/* As many steps as can be taken without waiting; the task is told when there are more. */
static void advance(lua_State *L, int client, struct ck_call *call) {
  int top = lua_gettop(L);
  enum ck_step step;
  hold(L, client, call);
  ck_transfer_notify(&call->exchange.transfer, NULL);
  do {
    step = ck_exchange_advance(&call->exchange);
    if (step == CK_STEP_RESPONSE) note_attempt(call);
    report(L, client, call, step);
  } while (step != CK_STEP_NONE && !ck_exchange_has_ended(&call->exchange));
  ck_transfer_notify(&call->exchange.transfer, call->task);
  lua_settop(L, top);
}

/* Unless somebody else has made it go on already. */
static void make_ready(struct ck_task *task, const struct ck_call *call) {
  if (task->awaits == call) ck_task_make_ready(task);
}

void ck_call_advance_all(lua_State *L, int index) {
  struct ck_client *client = lua_touserdata(L, index);
  struct ck_task *task;
  while (client->transport != NULL && (task = ck_transport_next_done(client->transport)) != NULL) {
    struct ck_call *call = task->awaits;
    advance(L, index, call);
    if (!ck_exchange_has_ended(&call->exchange) || task->awaits != call) continue;
    /* Here, too: its coroutine may have been closed by somebody else. */
    ck_task_note(task, call->exchange.applied);
    ck_task_make_ready(task);
  }
}

void ck_call_abandon(lua_State *L, int index, struct ck_task *task) {
  struct ck_call *call = task->awaits;
  ck_exchange_cancel(&call->exchange);
  advance(L, index, call);
  ck_task_note(task, call->exchange.applied);
  make_ready(task, call);
}

/*
** A hook that raises ends the call: its error is raised when the caller goes on. An event of another
** call, or a hook, may have closed the client, or forked: then there is nothing to wait for.
*/
static void block(lua_State *L, struct ck_call *call, unsigned long raised) {
  while (!ck_exchange_has_ended(&call->exchange)) {
    if (ck_interrupt_came(call->client->interrupt, raised)) ck_exchange_cancel(&call->exchange);
    else if (!is_gone(call)) (void)ck_transport_step(call->client->transport, CK_INTERRUPT_LOOK);
    advance(L, CLIENT, call); /* before others, whose events may make calls that it keeps waiting */
    ck_call_advance_all(L, CLIENT);
  }
}

static void begin(lua_State *L, struct ck_call *call) {
  call->task = ck_task_current(L, &call->client->loop);
  ck_exchange_begin(&call->exchange);
  advance(L, CLIENT, call);
}

/* ---- read ------------------------------------------------------------------------------------------ */

static int read(lua_State *L, struct ck_call *call) {
  const struct ck_response *response = &call->exchange.transfer.response;
  ck_task_note(*call->client->loop.current, call->exchange.applied);
  if (is_gone(call)) return fail_gone(L, call);
  if (call->exchange.outcome.kind != CK_KIND_OK) return fail_with_answer(L, call);
  if (response->body.length == 0) lua_pushboolean(L, true);
  else if (!ck_decode(L, response->body.data, response->body.length, call->settings.keep_null))
    return fail_unreadable(L, call);
  ck_response_push(L, &call->exchange);
  if (is_gone(call)) return fail_gone(L, call);
  give_back(L);
  return 2;
}

/* ---- the whole way ---------------------------------------------------------------------------------- */

/* Misuse of the language itself is all that raises: a dot for the colon, no table. */
static void check_tables(lua_State *L, const char *name) {
  if (!lua_istable(L, ARGUMENTS))
    luaL_error(L, "%s takes a table of arguments, got %s", name, luaL_typename(L, ARGUMENTS));
  if (!lua_isnil(L, OPTIONS) && !lua_istable(L, OPTIONS))
    luaL_error(L, "%s takes a table of options, got %s", name, luaL_typename(L, OPTIONS));
}

/* The only field that must be given; NULL if there is none, or more than one. */
static const struct ck_field *only_required(const struct ck_endpoint *endpoint) {
  const struct ck_field *found = NULL;
  for (size_t i = 0; i < endpoint->field_count; i++) {
    if (endpoint->fields[i].required && found != NULL) return NULL;
    if (endpoint->fields[i].required) found = &endpoint->fields[i];
  }
  return found;
}

/* An id in the place of the table: the message shows where it belongs. Other text may be the key. */
static void check_bare_id(lua_State *L, const struct ck_endpoint *endpoint, const char *name) {
  const struct ck_field *field = only_required(endpoint);
  int type = lua_type(L, ARGUMENTS);
  if (field == NULL || (type != LUA_TNUMBER && type != LUA_TSTRING)) return;
  const char *text = luaL_tolstring(L, ARGUMENTS, NULL), *quote = type == LUA_TSTRING ? "\"" : "";
  bool is_id = strspn(text, "0123456789") == lua_rawlen(L, -1) && strlen(text) <= 20;
  bool is_list = ck_type_items(field->type) != NULL;
  luaL_error(L, "%s takes a table of arguments, got %s: %s { %s = %s%s%s%s%s }", name,
             luaL_typename(L, ARGUMENTS), name, field->name, is_list ? "{ " : "", quote,
             is_id ? text : "…", quote, is_list ? " }" : "");
}

static void check_use(lua_State *L, const struct ck_endpoint *endpoint) {
  if (!ck_resource_is(L, RESOURCE, lua_upvalueindex(2)))
    luaL_error(L, "call it with a colon: %s:%s{ … }", endpoint->resource, endpoint->call);
  const char *name = lua_pushfstring(L, "%s:%s", endpoint->resource, endpoint->call);
  check_bare_id(L, endpoint, name);
  check_tables(L, name);
  lua_settop(L, OPTIONS);
}

/*
** The task goes on here. One that somebody else has resumed meanwhile stands again, or, if the
** call has ended, waits for it no longer.
*/
static int resume(lua_State *L, int status, lua_KContext context) {
  struct ck_call *call = (struct ck_call *)context;
  (void)status;
  lua_settop(L, TOP);
  if (!ck_exchange_has_ended(&call->exchange)) advance(L, CLIENT, call);
  if (!ck_exchange_has_ended(&call->exchange)) return lua_yieldk(L, 0, context, resume);
  make_ready(call->task, call);
  return read(L, call);
}

/* In a task the others go on while it stands; elsewhere the caller is blocked. */
static int send(lua_State *L, struct ck_call *call) {
  unsigned long raised = ck_interrupt_count(call->client->interrupt);
  begin(L, call);
  if (call->task != NULL && !ck_exchange_has_ended(&call->exchange)) {
    ck_task_await(L, CLIENT, call->task, call, CALL);
    return lua_yieldk(L, 0, (lua_KContext)call, resume);
  }
  block(L, call, raised);
  return read(L, call);
}

/* There is no client that could be used. nil, error → the same */
static int fail_without_client(lua_State *L) {
  ck_task_note_error(L);
  return 2;
}

/* The client is on the top of the stack, at CLIENT. No endpoint: the arguments describe one. */
static int make(lua_State *L, struct ck_client *client, const struct ck_endpoint *endpoint) {
  struct ck_call *call = ck_pool_take(L, CLIENT);
  call->client = client;
  call->endpoint = endpoint != NULL ? endpoint : &call->own;
  lua_settop(L, TOP);
  if (is_gone(call)) return fail_gone(L, call);
  struct ck_problems problems = ck_problems_begin(L, PROBLEMS, &client->key);
  if (!write(L, call, &problems)) return conclude(L, call, refuse_problems(L, call, &problems));
  if (push_budget_problem(L, call) != NULL) return refuse_budget(L, call);
  if (call->settings.dry_run) return conclude(L, call, dry_run(L, call));
  return send(L, call);
}

/* resource:call(arguments, options): see ck_resource_open for the upvalues */
static int call_endpoint(lua_State *L) {
  const struct ck_endpoint *endpoint = lua_touserdata(L, lua_upvalueindex(1));
  lua_settop(L, OPTIONS);
  check_use(L, endpoint);
  struct ck_client *client = ck_new_client_of_resource(L);
  return client != NULL ? make(L, client, endpoint) : fail_without_client(L);
}

/* client:request(arguments, options): a call of an endpoint that the arguments describe */
static int call_request(lua_State *L) {
  lua_settop(L, OPTIONS);
  struct ck_client *client = ck_client_check(L);
  if (client == NULL) return fail_without_client(L);
  check_tables(L, "request");
  lua_pushvalue(L, RESOURCE);
  return make(L, client, NULL);
}

void ck_call_open(lua_State *L) {
  ck_resource_open(L, call_endpoint);
  ck_client_push_methods(L);
  lua_pushcfunction(L, call_request);
  lua_setfield(L, -2, "request");
  lua_pop(L, 1);
}
