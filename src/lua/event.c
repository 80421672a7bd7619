/* Events: the table that on_event gets, and the protected call of on_event. */
#include "event.h"

#include <lauxlib.h>
#include <stdint.h>

#include "http/clock.h"
#include "lua/system/interrupt.h"
#include "policy/deprecation.h"
#include "text/head.h"

struct event {
  const struct ck_client *client;
  const struct ck_endpoint *endpoint;
  const struct ck_exchange *exchange;
  enum ck_step step;
  struct ck_buffer url;
};

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static void set_seconds(lua_State *L, const char *name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

static void set_bytes(lua_State *L, const char *name, const struct ck_buffer *bytes,
                      const struct ck_secret *key) {
  if (bytes->length == 0) return;
  ck_secret_push(L, key, bytes->data, bytes->length);
  lua_setfield(L, -2, name);
}

static void set_request(lua_State *L, const struct event *event) {
  const struct ck_transfer *transfer = &event->exchange->transfer;
  const struct ck_secret *key = &event->client->key;
  set_string(L, "method", event->endpoint->method);
  set_bytes(L, "url", &event->url, key);
  if (!event->client->settings.event_bodies) return;
  if (event->step == CK_STEP_REQUEST) set_bytes(L, "body", &transfer->request.body, key);
  if (event->step == CK_STEP_RESPONSE) set_bytes(L, "body", &transfer->response.body, key);
}

/* Sets the status if a response has arrived, and kind and `applied` of a failure. */
static void set_outcome(lua_State *L, const struct ck_exchange *exchange) {
  int status = exchange->transfer.response.observed.status;
  if (status != 0) {
    lua_pushinteger(L, status);
    lua_setfield(L, -2, "status");
  }
  if (exchange->outcome.kind == CK_KIND_OK) return;
  set_string(L, "kind", ck_kind_name(exchange->outcome.kind));
  set_string(L, "applied", ck_applied_name(exchange->outcome.applied));
}

/* Sets the text of the headers of that name, and their date as `at`, if it is readable. */
static void set_date(lua_State *L, const struct ck_buffer *head, const char *name, const char *at) {
  struct ck_header header;
  luaL_Buffer text;
  bool is_first = true;
  if (!ck_head_find(head->data, head->length, name, &header)) return;
  luaL_buffinit(L, &text);
  for (size_t i = 0; ck_head_next(head->data, head->length, &i, &header);) {
    if (!ck_head_is_named(&header, name)) continue;
    if (!is_first) luaL_addlstring(&text, ", ", 2);
    luaL_addlstring(&text, header.value, header.value_length);
    is_first = false;
  }
  luaL_pushresult(&text);
  lua_setfield(L, -2, name);
  long long date = ck_deprecation_date(head->data, head->length, name);
  if (date < 0) return;
  lua_pushinteger(L, (lua_Integer)date);
  lua_setfield(L, -2, at);
}

/* on_event, event: protected as a whole, because memory may run out while the table is made. */
static int notify(lua_State *L) {
  static const char *const types[] = {
    [CK_STEP_REQUEST] = "request",       [CK_STEP_RESPONSE] = "response",
    [CK_STEP_DEPRECATED] = "deprecated", [CK_STEP_RETRY] = "retry",
    [CK_STEP_GIVE_UP] = "give_up",
  };
  const struct event *event = lua_touserdata(L, 2);
  const struct ck_exchange *exchange = event->exchange;
  lua_settop(L, 1);
  lua_createtable(L, 0, 10);
  set_string(L, "type", types[event->step]);
  set_string(L, "endpoint", event->endpoint->name);
  set_request(L, event);
  lua_pushinteger(L, exchange->attempts);
  lua_setfield(L, -2, "attempt");
  set_seconds(L, "elapsed", ck_clock_now() - exchange->started);
  if (event->step != CK_STEP_REQUEST) set_outcome(L, exchange);
  if (event->step == CK_STEP_RETRY) set_seconds(L, "wait", exchange->wait);
  if (event->step == CK_STEP_DEPRECATED) {
    set_date(L, &exchange->transfer.response.head, "deprecation", "deprecation_at");
    set_date(L, &exchange->transfer.response.head, "sunset", "sunset_at");
  }
  lua_call(L, 1, 0);
  return 0;
}

/* error: a warning about on_event, protected, because the host's warn function may raise. */
static int warn(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  lua_warning(L, "cekura: on_event: ", 1);
  lua_warning(L, message != NULL ? message : luaL_typename(L, 1), 0);
  return 0;
}

void ck_event_emit(lua_State *L, const struct ck_client *client, const struct ck_endpoint *endpoint,
                   const struct ck_exchange *exchange, enum ck_step step) {
  struct event event = { client, endpoint, exchange, step, CK_BUFFER(SIZE_MAX) };
  (void)ck_transport_url(client->transport, &exchange->transfer.request, &event.url);
  lua_pushcfunction(L, notify);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, &event);
  bool ok = ck_interrupt_protect(L, 2);
  ck_buffer_free(&event.url);
  if (ok) return;
  lua_pushcfunction(L, warn);
  lua_insert(L, -2);
  if (!ck_interrupt_protect(L, 1)) lua_pop(L, 1);
}
