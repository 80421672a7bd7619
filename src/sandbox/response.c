/*
** The response to a request: calls handle() of cekura.sandbox.app with the request, and makes a
** response of libmicrohttpd from its results.
*/
#include "response.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text/ascii.h"

struct exchange {
  struct ck_app *app;
  struct ck_request *request;
};

/* The results of handle(), by their index in the stack; the exchange is at 1. */
enum { STATUS = 2, HEADERS, BODY, DELAY, DROP, TRUNCATE, RESULTS = TRUNCATE - STATUS + 1 };

static void push_lower(lua_State *L, const char *text, size_t length) {
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, length);
  for (size_t i = 0; i < length; i++) out[i] = ck_ascii_lower(text[i]);
  luaL_pushresultsize(&b, length);
}

/* Pushes { name = value }, with names in lower case. The values of a repeated name are joined. */
static void push_headers(lua_State *L, const struct ck_request *request) {
  lua_createtable(L, 0, (int)request->header_count);
  for (size_t i = 0; i < request->header_count; i++) {
    const struct ck_header *header = &request->headers[i];
    push_lower(L, header->name, header->name_length);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TSTRING) { /* headers, name, earlier value */
      lua_pushliteral(L, ", ");
      lua_pushlstring(L, header->value, header->value_length);
      lua_concat(L, 3);
    } else {
      lua_pop(L, 1);
      lua_pushlstring(L, header->value, header->value_length);
    }
    lua_rawset(L, -3);
  }
}

/* A body that ends before its announced length. */
struct cut_body {
  size_t size;
  char data[];
};

static ssize_t read_cut_body(void *cls, uint64_t position, char *out, size_t space) {
  const struct cut_body *cut = cls;
  if (position >= cut->size) return MHD_CONTENT_READER_END_WITH_ERROR; /* closes */
  size_t left = cut->size - (size_t)position;
  size_t size = left < space ? left : space;
  memcpy(out, cut->data + position, size);
  return (ssize_t)size;
}

static struct MHD_Response *new_cut_response(const char *body, size_t announced, size_t sent) {
  struct cut_body *cut = malloc(sizeof *cut + sent);
  if (cut == NULL) return NULL;
  cut->size = sent;
  memcpy(cut->data, body, sent);
  struct MHD_Response *response =
      MHD_create_response_from_callback(announced, 16 * 1024, read_cut_body, cut, free);
  if (response == NULL) free(cut);
  return response;
}

/* MHD_RESPMEM_MUST_COPY does not write to its argument, although the type allows it. */
static struct MHD_Response *new_response(const char *body, size_t size) {
  return MHD_create_response_from_buffer(size, (void *)(size_t)body, MHD_RESPMEM_MUST_COPY);
}

static void add_headers(lua_State *L, struct MHD_Response *response) {
  if (lua_isnil(L, HEADERS)) return;
  luaL_checktype(L, HEADERS, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, HEADERS)) { /* name, value */
    const char *name = lua_tostring(L, -2), *value = lua_tostring(L, -1);
    if (name == NULL || value == NULL || !MHD_add_response_header(response, name, value))
      luaL_error(L, "cannot send the header %s", name ? name : "(no name)");
    lua_pop(L, 1);
  }
}

/*
** Makes the response from the results of handle(). The request owns it before add_headers raises.
*/
static void read_results(lua_State *L, struct ck_request *request) {
  size_t size;
  const char *body = luaL_optlstring(L, BODY, "", &size);
  double delay = luaL_optnumber(L, DELAY, 0);
  request->status = (unsigned)luaL_checkinteger(L, STATUS);
  request->drop = lua_toboolean(L, DROP);
  request->due = delay > 0 ? ck_clock_now() + delay : 0;
  if (lua_isnil(L, TRUNCATE)) {
    request->response = new_response(body, size);
  } else {
    lua_Integer sent = luaL_checkinteger(L, TRUNCATE);
    luaL_argcheck(L, sent >= 0 && (size_t)sent < size, TRUNCATE, "outside the body");
    request->response = new_cut_response(body, size, (size_t)sent);
  }
  if (request->response == NULL) luaL_error(L, "not enough memory");
  add_headers(L, request->response);
}

/* Runs in the app's state, protected. The body is nil if it was too large. */
static int handle(lua_State *L) {
  const struct exchange *exchange = lua_touserdata(L, 1);
  struct ck_request *request = exchange->request;
  lua_rawgeti(L, LUA_REGISTRYINDEX, exchange->app->handle);
  lua_pushstring(L, request->method);
  lua_pushstring(L, request->target);
  push_headers(L, request);
  if (request->too_large) lua_pushnil(L);
  else lua_pushlstring(L, request->body, request->body_size);
  lua_pushinteger(L, (lua_Integer)request->connection);
  lua_call(L, 5, RESULTS);
  read_results(L, request);
  return 0;
}

static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  luaL_traceback(L, L, message ? message : "an error that is not a string", 1);
  return 1;
}

static void respond_with_error(struct ck_request *request, const char *message) {
  static const char body[] = "{\"detail\":\"The sandbox failed: see its standard error.\"}";
  fprintf(stderr, "cekura.sandbox: %s\n", message ? message : "unknown error");
  if (request->response != NULL) MHD_destroy_response(request->response);
  request->response = new_response(body, sizeof body - 1);
  request->status = 500;
  request->drop = request->response == NULL ||
                  !MHD_add_response_header(request->response, "Content-Type", "application/json");
  request->due = 0;
}

void ck_respond(struct ck_app *app, struct ck_request *request) {
  lua_State *L = app->state;
  struct exchange exchange = { app, request };
  pthread_mutex_lock(&app->lock);
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, handle);
  lua_pushlightuserdata(L, &exchange);
  if (ck_app_pcall(app, 1, 0, 1) != LUA_OK) respond_with_error(request, lua_tostring(L, -1));
  lua_settop(L, 0);
  pthread_mutex_unlock(&app->lock);
  request->has_response = true;
}
