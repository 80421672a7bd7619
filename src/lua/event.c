#include "event.h"

#include <lauxlib.h>
#include <stdint.h>

#include "../core/clock.h"
#include "interrupt.h"

static const char *const names[] = {
  [CK_STEP_REQUEST] = "request",
  [CK_STEP_RESPONSE] = "response",
  [CK_STEP_RETRY] = "retry",
  [CK_STEP_GIVE_UP] = "give_up",
};

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static void set_seconds(lua_State *L, const char *name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

/* A status where there was one; of a failure its kind, and what it may have done. */
static void set_outcome(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_observation *attempt = &exchange->transfer.response.observed;
  if (attempt->status != 0) {
    lua_pushinteger(L, attempt->status);
    lua_setfield(L, -2, "status");
  }
  if (exchange->outcome.kind == CK_KIND_OK) return;
  set_string(L, "kind", ck_kind_name(exchange->outcome.kind));
  set_string(L, "applied", ck_applied_name(exchange->outcome.applied));
}

struct event {
  const struct ck_client *client;
  const struct ck_endpoint *endpoint;
  const struct ck_exchange *exchange;
  enum ck_step step;
  struct ck_buffer url; /* empty if the client is closed */
};

static void set_bytes(lua_State *L, const char *name, const struct ck_buffer *bytes,
                      const struct ck_secret *key) {
  if (bytes->length == 0) return;
  ck_secret_push(L, key, bytes->data, bytes->length);
  lua_setfield(L, -2, name);
}

/* Not of a client that is closed, whose key is no longer known. */
static void set_request(lua_State *L, const struct event *event) {
  const struct ck_transfer *transfer = &event->exchange->transfer;
  const struct ck_secret *key = &event->client->key;
  set_string(L, "method", event->endpoint->method);
  if (event->client->transport == NULL) return;
  set_bytes(L, "url", &event->url, key);
  if (!event->client->settings.event_bodies) return;
  if (event->step == CK_STEP_REQUEST) set_bytes(L, "body", &transfer->request.body, key);
  if (event->step == CK_STEP_RESPONSE) set_bytes(L, "body", &transfer->response.body, key);
}

static void push_event(lua_State *L, const struct event *event) {
  const struct ck_exchange *exchange = event->exchange;
  lua_createtable(L, 0, 10);
  set_string(L, "type", names[event->step]);
  set_string(L, "endpoint", event->endpoint->name);
  set_request(L, event);
  lua_pushinteger(L, exchange->attempts);
  lua_setfield(L, -2, "attempt");
  set_seconds(L, "elapsed", ck_clock_now() - exchange->started);
  if (event->step != CK_STEP_REQUEST) set_outcome(L, exchange);
  if (event->step == CK_STEP_RETRY) set_seconds(L, "wait", exchange->wait);
}

/* on_event, event: protected as a whole, because memory may run out while the table is made. */
static int tell(lua_State *L) {
  const struct event *event = lua_touserdata(L, 2);
  lua_settop(L, 1);
  push_event(L, event);
  lua_call(L, 1, 0);
  return 0;
}

/* As a message handler, so that a __tostring that raises is caught with the rest. */
static int show(lua_State *L) {
  if (!ck_interrupt_note(L, tell)) luaL_tolstring(L, 1, NULL);
  return 1;
}

static void warn(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  lua_warning(L, "cekura: on_event: ", 1);
  lua_warning(L, message != NULL ? message : luaL_typename(L, -1), 0);
}

void ck_event_emit(lua_State *L, const struct ck_client *client, const struct ck_endpoint *endpoint,
                   const struct ck_exchange *exchange, enum ck_step step) {
  struct event event = { client, endpoint, exchange, step, CK_BUFFER(SIZE_MAX) };
  if (client->transport != NULL)
    (void)ck_transport_url(client->transport, &exchange->transfer.request, &event.url);
  lua_pushcfunction(L, show);
  lua_pushcfunction(L, tell);
  lua_rotate(L, -3, 2);
  lua_pushlightuserdata(L, &event); /* show, tell, on_event, event */
  bool ok = lua_pcall(L, 2, 0, -4) == LUA_OK;
  ck_buffer_free(&event.url);
  if (!ok && !ck_interrupt_take(L)) {
    warn(L);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}
