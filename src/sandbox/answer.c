#include "answer.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "clock.h"

struct question {
  struct ck_handlers *handlers;
  struct ck_request *request;
};

/* What handle() returns, by the index in the stack at which it is read; 1 is the question. */
enum { STATUS = 2, HEADERS, BODY, DELAY, DROP, TRUNCATE, RESULTS = TRUNCATE - STATUS + 1 };

static void push_lower(lua_State *L, const char *text, size_t length) {
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, length);
  for (size_t i = 0; i < length; i++) out[i] = ck_ascii_lower(text[i]);
  luaL_pushresultsize(&b, length);
}

/* A table by lower-case name; a header that came twice is joined with a comma. */
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

/* nil where the body was too large to be kept */
static void push_body(lua_State *L, const struct ck_request *request) {
  if (request->too_large) lua_pushnil(L);
  else lua_pushlstring(L, request->body, request->body_size);
}

/* A body that ends before the length that it announced. */
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

/* MHD_RESPMEM_MUST_COPY leaves its argument alone, whatever its type says. */
static struct MHD_Response *new_response(const char *body, size_t size) {
  return MHD_create_response_from_buffer(size, (void *)(size_t)body, MHD_RESPMEM_MUST_COPY);
}

static struct MHD_Response *read_body(lua_State *L) {
  size_t size;
  const char *body = luaL_optlstring(L, BODY, "", &size);
  if (lua_isnil(L, TRUNCATE)) return new_response(body, size);
  lua_Integer sent = luaL_checkinteger(L, TRUNCATE);
  luaL_argcheck(L, sent >= 0 && (size_t)sent < size, TRUNCATE, "outside the body");
  return new_cut_response(body, size, (size_t)sent);
}

static void read_headers(lua_State *L, struct MHD_Response *response) {
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

/* In the handlers' state, protected. */
static int ask(lua_State *L) {
  const struct question *question = lua_touserdata(L, 1);
  struct ck_request *request = question->request;
  lua_rawgeti(L, LUA_REGISTRYINDEX, question->handlers->handle);
  lua_pushstring(L, request->method);
  lua_pushstring(L, request->target);
  push_headers(L, request);
  push_body(L, request);
  lua_pushinteger(L, (lua_Integer)request->connection);
  lua_call(L, 5, RESULTS);
  request->status = (unsigned)luaL_checkinteger(L, STATUS);
  request->drop = lua_toboolean(L, DROP);
  request->response = read_body(L); /* the request owns it from here on */
  if (request->response == NULL) return luaL_error(L, "not enough memory");
  read_headers(L, request->response);
  double delay = luaL_optnumber(L, DELAY, 0);
  request->due = delay > 0 ? ck_clock_now() + delay : 0;
  return 0;
}

static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  luaL_traceback(L, L, message ? message : "an error that is not a string", 1);
  return 1;
}

static void answer_with_error(struct ck_request *request, const char *message) {
  static const char body[] = "{\"detail\":\"The sandbox failed: see its standard error.\"}";
  fprintf(stderr, "cekura.sandbox: %s\n", message ? message : "unknown error");
  if (request->response != NULL) MHD_destroy_response(request->response);
  request->response = new_response(body, sizeof body - 1);
  request->status = 500;
  request->drop = request->response == NULL ||
                  !MHD_add_response_header(request->response, "Content-Type", "application/json");
  request->due = 0;
}

void ck_answer_request(struct ck_handlers *handlers, struct ck_request *request) {
  lua_State *L = handlers->state;
  struct question question = { handlers, request };
  pthread_mutex_lock(&handlers->lock);
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, ask);
  lua_pushlightuserdata(L, &question);
  if (ck_handlers_pcall(handlers, 1, 0, 1) != LUA_OK)
    answer_with_error(request, lua_tostring(L, -1));
  lua_settop(L, 0);
  pthread_mutex_unlock(&handlers->lock);
  request->answered = true;
}
