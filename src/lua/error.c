#include "error.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "../core/head.h"
#include "../core/utf8.h"
#include "decode.h"
#include "mend.h"

/* Place in the registry: the errors' metatable. */
static const char metatable_key;

enum { BODY_AT_MOST = 64 * 1024, SAY_AT_MOST = 300, WORDS_AT_MOST = 80, LOOK_AT_MOST = 400 };

/* ---- text -------------------------------------------------------------------------------- */

static const char *get(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return lua_tostring(L, -1);
}

static bool is_set(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return lua_toboolean(L, -1);
}

/* An idempotent call may be sent twice. */
static const char *consequence(lua_State *L, const char *applied) {
  bool is_done = strcmp(applied, "yes") == 0, is_idempotent = is_set(L, "idempotent");
  if (strcmp(applied, "no") == 0) return "";
  if (is_idempotent && is_set(L, "retryable"))
    return is_done ? "; the server did act on it: it may be sent again"
                   : "; the server may have acted on it: it may be sent again";
  if (is_done) return "; the server did act on it: do not send it again";
  return is_idempotent ? "; the server may have acted on it"
                       : "; the server may have acted on it: look before you send it again";
}

/* Line breaks and other control characters, from a server or a caller, become spaces. */
static void push_one_line(lua_State *L, const char *text, size_t length) {
  luaL_Buffer line;
  char *to = luaL_buffinitsize(L, &line, length);
  memcpy(to, text, length);
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)to[i] < ' ' || to[i] == 0x7f) to[i] = ' ';
  luaL_pushresultsize(&line, length);
}

/* endpoint: message (kind; what it means for the server's state) */
static int error_tostring(lua_State *L) {
  const char *endpoint = get(L, "endpoint"), *message = get(L, "message");
  const char *kind = get(L, "kind"), *applied = get(L, "applied");
  lua_pushfstring(L, "%s: %s (%s%s)", endpoint != NULL ? endpoint : "cekura",
                  message != NULL ? message : "?", kind != NULL ? kind : "?",
                  consequence(L, applied != NULL ? applied : "no"));
  push_one_line(L, lua_tostring(L, -1), lua_rawlen(L, -1));
  return 1;
}

/* So that "failed: " .. err reads as print(err) does. */
static int error_concat(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  luaL_tolstring(L, 2, NULL);
  lua_concat(L, 2);
  return 1;
}

void ck_error_open(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__tostring", error_tostring },
                                          { "__concat", error_concat },
                                          { NULL, NULL } };
  luaL_newlib(L, metamethods);
  lua_pushliteral(L, "cekura.error");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

/* ---- the table ----------------------------------------------------------------------------- */

/* Of an error that is not of one call: whether it comes of something that passes. */
static bool is_transient(enum ck_kind kind) {
  return kind == CK_KIND_RATE_LIMITED || kind == CK_KIND_SERVER || kind == CK_KIND_NETWORK ||
         kind == CK_KIND_TIMEOUT;
}

static void set_retryable(lua_State *L, bool retryable) {
  lua_pushboolean(L, retryable);
  lua_setfield(L, -2, "retryable");
}

void ck_error_new(lua_State *L, enum ck_kind kind, enum ck_applied applied) {
  lua_createtable(L, 0, 8);
  lua_insert(L, -2);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, ck_kind_name(kind));
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, ck_applied_name(applied));
  lua_setfield(L, -2, "applied");
  set_retryable(L, applied == CK_APPLIED_NO && is_transient(kind));
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
}

void ck_error_push_problems(struct ck_problems *problems, enum ck_kind kind) {
  lua_State *L = problems->L;
  ck_problems_push(problems); /* fields, line */
  ck_error_new(L, kind, CK_APPLIED_NO);
  lua_insert(L, -2);
  lua_setfield(L, -2, "fields");
}

/* ---- what an answer says ---------------------------------------------------------------------- */

/* Pushes the first of these members of the table on the top that is a string; else nil. */
static void push_detail(lua_State *L) {
  static const char *const names[] = { "detail", "error", "message" };
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (lua_getfield(L, -1, names[i]) == LUA_TSTRING) return;
    lua_pop(L, 1);
  }
  lua_rawgeti(L, -1, 1); /* or the body is a list of messages */
  if (lua_type(L, -1) == LUA_TSTRING) return;
  lua_pop(L, 1);
  lua_pushnil(L);
}

/* A single message becomes a list of one, so that every field's value is a list. */
static void push_messages(lua_State *L) {
  if (lua_type(L, -1) == LUA_TTABLE) {
    lua_pushvalue(L, -1);
    return;
  }
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, 1);
}

/* Pushes { field = { message, … } } of the table on the top, whose keys are field names. */
static void push_fields(lua_State *L) {
  int response = lua_gettop(L);
  lua_newtable(L);
  int fields = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, response); lua_pop(L, 1)) {
    bool says = lua_istable(L, -1) || lua_type(L, -1) == LUA_TSTRING;
    if (!says || lua_type(L, -2) != LUA_TSTRING) continue;
    lua_pushvalue(L, -2);
    lua_insert(L, -2); /* key, key, value */
    push_messages(L);  /* key, key, value, messages */
    lua_remove(L, -2); /* key, key, messages */
    lua_rawset(L, fields);
    lua_pushnil(L); /* key, nil: for the loop's pop */
  }
}

/* fields → fields, the first of their names; nil where there are none */
static void push_first_name(lua_State *L) {
  lua_pushnil(L);
  for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1)) { /* fields, first, name, messages */
    if (!lua_isnil(L, -3) && !lua_compare(L, -2, -3, LUA_OPLT)) continue;
    lua_pushvalue(L, -2);
    lua_replace(L, -4);
  }
}

/* fields → fields, "field: its first message"; nil where there are none */
static void push_first_field(lua_State *L) {
  push_first_name(L);
  if (lua_isnil(L, -1)) return;
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  lua_rawgeti(L, -1, 1); /* fields, name, messages, message */
  const char *message = lua_tostring(L, -1);
  lua_pushfstring(L, "%s: %s", lua_tostring(L, -3), message != NULL ? message : "refused");
  lua_insert(L, -4);
  lua_pop(L, 3);
}

/*
** error, answer → error. Sets `detail` or `fields` of what a refusal's body says, and pushes
** the gist of it, or nil.
*/
static void set_what_it_says(lua_State *L, int error) {
  push_detail(L);
  if (!lua_isnil(L, -1)) {
    lua_pushvalue(L, -1);
    lua_setfield(L, error, "detail");
    return;
  }
  lua_pop(L, 1);
  push_fields(L);
  push_first_field(L); /* fields, gist */
  if (lua_isnil(L, -1)) return;
  lua_pushvalue(L, -2);
  lua_setfield(L, error, "fields");
}

static const char *advice(int status) {
  switch (status) {
    case 401: return " (check api_key or CEKURA_API_KEY)";
    default:
      return status >= 300 && status < 400 ? " (a redirect is not followed: check api_url)" : "";
  }
}

/* Pushes a line for a status and the gist of its body, which is on the top, or nil. */
static void push_status_line(lua_State *L, int status) {
  size_t length = 0;
  const char *gist = lua_tolstring(L, -1, &length);
  if (gist == NULL) {
    lua_pushfstring(L, "status %d%s", status, advice(status));
    return;
  }
  lua_pushlstring(L, gist, ck_utf8_cut(gist, length, SAY_AT_MOST));
  lua_pushfstring(L, "status %d: %s%s", status, lua_tostring(L, -1), advice(status));
  lua_remove(L, -2);
}

static void set_body(lua_State *L, const struct ck_response *response) {
  const struct ck_buffer *body = &response->body;
  size_t length = body->length < BODY_AT_MOST ? body->length : BODY_AT_MOST;
  lua_pushlstring(L, length > 0 ? body->data : "", length);
  lua_setfield(L, -2, "body");
}

/* error → error, gist: what the body says, if it is JSON */
static void read_body(lua_State *L, const struct ck_response *response) {
  const struct ck_buffer *body = &response->body;
  int error = lua_gettop(L);
  if (body->length == 0 || !ck_decode(L, body->data, body->length, false) || !lua_istable(L, -1)) {
    lua_settop(L, error);
    lua_pushnil(L);
    return;
  }
  set_what_it_says(L, error);
  lua_replace(L, error + 1);
  lua_settop(L, error + 1);
}

static void set_request_id(lua_State *L, const struct ck_response *response) {
  struct ck_header header;
  if (!ck_head_find(response->head.data, response->head.length, "x-request-id", &header)) return;
  lua_pushlstring(L, header.value, header.value_length);
  lua_setfield(L, -2, "request_id");
}

/* message → message. Of a 429: how long the server asked to wait, and how often it was asked. */
static void add_limit(lua_State *L, const struct ck_exchange *exchange) {
  if (exchange->outcome.kind != CK_KIND_RATE_LIMITED) return;
  const char *message = lua_tostring(L, -1), *after;
  lua_Integer seconds = (lua_Integer)exchange->retry_after;
  if ((double)seconds < exchange->retry_after) seconds++;
  if (exchange->retry_after < 0) after = lua_pushliteral(L, "");
  else after = lua_pushfstring(L, "Retry-After: %I s, ", (LUAI_UACINT)seconds);
  if (exchange->attempts == 0) lua_pushfstring(L, "%s (%snothing was sent)", message, after);
  else
    lua_pushfstring(L, "%s (%s%d attempt%s)", message, after, exchange->attempts,
                    exchange->attempts == 1 ? "" : "s");
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static void push_refusal(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  struct ck_outcome outcome = exchange->outcome;
  lua_pushliteral(L, "");
  ck_error_new(L, outcome.kind, outcome.applied);
  set_body(L, response);
  read_body(L, response);
  push_status_line(L, response->observed.status);
  add_limit(L, exchange);
  lua_setfield(L, -3, "message");
  lua_pop(L, 1);
}

/* ---- an answer that says yes, and cannot be used ------------------------------------------------ */

/* Pushes the first words of a server's text as one line of valid UTF-8. */
static void push_words(lua_State *L, const char *text, size_t length) {
  ck_mend_push_utf8(L, text, ck_utf8_cut(text, length, LOOK_AT_MOST));
  text = lua_tolstring(L, -1, &length);
  luaL_Buffer words;
  char *to = luaL_buffinitsize(L, &words, length);
  size_t size = 0;
  for (size_t i = 0; i < length; i++) {
    bool is_blank = (unsigned char)text[i] <= ' ' || text[i] == 0x7f;
    if (!is_blank) to[size++] = text[i];
    else if (size > 0 && to[size - 1] != ' ') to[size++] = ' ';
  }
  luaL_pushresultsize(&words, ck_utf8_cut(to, size, WORDS_AT_MOST));
  lua_remove(L, -2);
}

/* Pushes the words of a header; returns NULL, with nil pushed, if there is no such header. */
static const char *push_header_words(lua_State *L, const struct ck_response *response,
                                     const char *name) {
  struct ck_header header;
  if (ck_head_find(response->head.data, response->head.length, name, &header))
    push_words(L, header.value, header.value_length);
  else lua_pushnil(L);
  return lua_tostring(L, -1);
}

/* problem → the problem, and what has arrived instead of an answer */
static void add_arrived(lua_State *L, const struct ck_response *response) {
  const struct ck_buffer *body = &response->body;
  const char *problem = lua_tostring(L, -1);
  const char *type = push_header_words(L, response, "content-type");
  const char *coding = push_header_words(L, response, "content-encoding");
  push_words(L, body->length > 0 ? body->data : "", body->length);
  const char *words = lua_tostring(L, -1);
  lua_pushfstring(L, "%s (content type: %s%s%s, ", problem, type != NULL ? type : "none",
                  coding != NULL ? ", coded as " : "", coding != NULL ? coding : "");
  if (words[0] != '\0') lua_pushfstring(L, "begins with \"%s\")", words);
  else lua_pushliteral(L, "without any text)");
  lua_concat(L, 2);
  lua_replace(L, -5);
  lua_pop(L, 3);
}

/* reason → reason; a hint to what may be wrong with the options */
static void add_advice(lua_State *L, const struct ck_response *response) {
  const char *advice = ck_answer_advice(response);
  if (advice == NULL) return;
  lua_pushfstring(L, "%s (%s)", lua_tostring(L, -1), advice);
  lua_remove(L, -2);
}

static void push_failure(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  struct ck_outcome outcome = exchange->outcome;
  lua_pushstring(L, ck_answer_reason(response));
  add_advice(L, response);
  add_limit(L, exchange);
  if (outcome.kind == CK_KIND_RESPONSE && response->observed.status != 0) add_arrived(L, response);
  ck_error_new(L, outcome.kind, outcome.applied);
  if (response->observed.status != 0) set_body(L, response);
}

/* error → error */
static void set_status(lua_State *L, const struct ck_response *response) {
  if (response->observed.status == 0) return;
  lua_pushinteger(L, response->observed.status);
  lua_setfield(L, -2, "status");
  set_request_id(L, response);
}

void ck_error_push_exchange(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_outcome *outcome = &exchange->outcome;
  bool is_harmless = exchange->policy.idempotent || outcome->applied == CK_APPLIED_NO;
  luaL_checkstack(L, 20, "error");
  if (exchange->transfer.response.observed.status >= 300 && outcome->kind != CK_KIND_CANCELLED)
    push_refusal(L, exchange);
  else push_failure(L, exchange);
  set_status(L, &exchange->transfer.response);
  set_retryable(L, is_harmless && outcome->retry != CK_RETRY_NEVER);
}

void ck_error_push_unreadable(lua_State *L, const struct ck_response *response,
                              enum ck_applied applied) {
  luaL_checkstack(L, 20, "error");
  lua_pushfstring(L, "the answer cannot be read: %s", lua_tostring(L, -1));
  lua_remove(L, -2);
  add_arrived(L, response);
  ck_error_new(L, CK_KIND_RESPONSE, applied);
  set_body(L, response);
  set_status(L, response);
}
