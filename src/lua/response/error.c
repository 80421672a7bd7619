/*
** Builds error tables: from a message, from problems found before sending, or from a response.
*/
#include "error.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "decode.h"
#include "http/reason.h"
#include "mend.h"
#include "text/head.h"
#include "text/utf8.h"

/* Place in the registry: the metatable of errors. */
static const char metatable_key;

enum { BODY_AT_MOST = 64 * 1024, SUMMARY_AT_MOST = 300, EXCERPT_FROM = 400, EXCERPT_AT_MOST = 80 };

/* ---- text -------------------------------------------------------------------------------- */

/* Returns a field of the error, which stays on the stack; NULL if it is not a string. */
static const char *get(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return lua_tostring(L, -1);
}

static bool is_set(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return lua_toboolean(L, -1);
}

/* Returns what `applied` means for the caller. Only an idempotent call may be sent again. */
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

/* endpoint: message (kind; consequence), on one line: control characters become spaces. */
static int error_tostring(lua_State *L) {
  const char *endpoint = get(L, "endpoint"), *message = get(L, "message");
  const char *kind = get(L, "kind"), *applied = get(L, "applied");
  lua_pushfstring(L, "%s: %s (%s%s)", endpoint != NULL ? endpoint : "cekura",
                  message != NULL ? message : "?", kind != NULL ? kind : "?",
                  consequence(L, applied != NULL ? applied : "no"));
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  luaL_Buffer line;
  char *to = luaL_buffinitsize(L, &line, length);
  for (size_t i = 0; i < length; i++) {
    to[i] = text[i];
    if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) to[i] = ' ';
  }
  luaL_pushresultsize(&line, length);
  return 1;
}

/* "failed: " .. err is the same as "failed: " .. tostring(err). */
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

/* Returns whether a later call may succeed. For an exchange, its outcome decides instead. */
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

/* ---- the body of a refusal ------------------------------------------------------------------ */

/* Pushes the server's message if the table on the top has one in a usual place; else nil. */
static void push_detail(lua_State *L) {
  static const char *const names[] = { "detail", "error", "message" };
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (lua_getfield(L, -1, names[i]) == LUA_TSTRING) return;
    lua_pop(L, 1);
  }
  if (lua_rawgeti(L, -1, 1) == LUA_TSTRING) return; /* the body is a list of messages */
  lua_pop(L, 1);
  lua_pushnil(L);
}

/* Pushes { field = { message, … } } of the table on the top, without values of other types. */
static void push_fields(lua_State *L) {
  int body = lua_gettop(L), fields = body + 1;
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, body); lua_pop(L, 1)) { /* name, value */
    if (lua_type(L, -2) != LUA_TSTRING) continue;
    if (lua_type(L, -1) == LUA_TSTRING) { /* a single message becomes a list of one */
      lua_createtable(L, 1, 0);
      lua_insert(L, -2);
      lua_rawseti(L, -2, 1);
    }
    if (!lua_istable(L, -1)) continue;
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, fields);
  }
}

/* fields → fields, "name: its first message" of the first name in order; nil if there is none */
static void push_first_field(lua_State *L) {
  lua_pushnil(L);
  for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1)) { /* fields, first, name, messages */
    if (!lua_isnil(L, -3) && !lua_compare(L, -2, -3, LUA_OPLT)) continue;
    lua_pushvalue(L, -2);
    lua_replace(L, -4);
  }
  if (lua_isnil(L, -1)) return;
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  lua_rawgeti(L, -1, 1); /* fields, first, messages, message */
  const char *message = lua_tostring(L, -1);
  lua_pushfstring(L, "%s: %s", lua_tostring(L, -3), message != NULL ? message : "refused");
  lua_replace(L, -4);
  lua_pop(L, 2);
}

/* error → error, summary. Sets `detail` or `fields` if the body is JSON that has them. */
static void read_body(lua_State *L, const struct ck_response *response) {
  const struct ck_buffer *body = &response->body;
  int error = lua_gettop(L);
  if (body->length > 0 && ck_decode(L, body->data, body->length, false) && lua_istable(L, -1)) {
    push_detail(L);
    if (!lua_isnil(L, -1)) {
      lua_pushvalue(L, -1);
      lua_setfield(L, error, "detail");
    } else {
      lua_pop(L, 1);
      push_fields(L);
      push_first_field(L);
      if (!lua_isnil(L, -1)) {
        lua_pushvalue(L, -2);
        lua_setfield(L, error, "fields");
      }
    }
  } else lua_pushnil(L);
  lua_replace(L, error + 1);
  lua_settop(L, error + 1);
}

/* summary → message */
static void to_status_line(lua_State *L, int status) {
  size_t length;
  const char *summary = lua_tolstring(L, -1, &length), *advice = "";
  if (status == 401) advice = " (check api_key or CEKURA_API_KEY)";
  else if (status < 400) advice = " (a redirect is not followed: check api_url)";
  if (summary == NULL) lua_pushfstring(L, "status %d%s", status, advice);
  else {
    lua_pushlstring(L, summary, ck_utf8_cut(summary, length, SUMMARY_AT_MOST));
    lua_pushfstring(L, "status %d: %s%s", status, lua_tostring(L, -1), advice);
    lua_remove(L, -2);
  }
  lua_remove(L, -2);
}

/* message → message. After a 429, appends the wait that the server asked for, and the attempts. */
static void append_rate_limit(lua_State *L, const struct ck_exchange *exchange) {
  if (exchange->outcome.kind != CK_KIND_RATE_LIMITED) return;
  const char *message = lua_tostring(L, -1), *after = "";
  int seconds = (int)exchange->retry_after;
  if (seconds < exchange->retry_after) seconds++;
  if (seconds >= 0) after = lua_pushfstring(L, "Retry-After: %d s, ", seconds);
  else lua_pushnil(L);
  if (exchange->attempts == 0) lua_pushfstring(L, "%s (%snothing was sent)", message, after);
  else
    lua_pushfstring(L, "%s (%s%d attempt%s)", message, after, exchange->attempts,
                    exchange->attempts == 1 ? "" : "s");
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* Sets the beginning of the body in the error on the top. */
static void set_body(lua_State *L, const struct ck_response *response) {
  const struct ck_buffer *body = &response->body;
  size_t length = body->length < BODY_AT_MOST ? body->length : BODY_AT_MOST;
  lua_pushlstring(L, length > 0 ? body->data : "", length);
  lua_setfield(L, -2, "body");
}

static void push_refusal(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  lua_pushliteral(L, "");
  ck_error_new(L, exchange->outcome.kind, exchange->outcome.applied);
  set_body(L, response);
  read_body(L, response);
  to_status_line(L, response->observed.status);
  append_rate_limit(L, exchange);
  lua_setfield(L, -2, "message");
}

/* ---- no response, or one that is not usable ------------------------------------------------- */

/* Pushes the first words of a server's text, on one line and in valid UTF-8. */
static void push_excerpt(lua_State *L, const char *text, size_t length) {
  ck_mend_push_utf8(L, text, ck_utf8_cut(text, length, EXCERPT_FROM));
  text = lua_tolstring(L, -1, &length);
  luaL_Buffer excerpt;
  char *to = luaL_buffinitsize(L, &excerpt, length);
  size_t size = 0;
  for (size_t i = 0; i < length; i++) {
    bool is_blank = (unsigned char)text[i] <= ' ' || text[i] == 0x7f;
    if (!is_blank) to[size++] = text[i];
    else if (size > 0 && to[size - 1] != ' ') to[size++] = ' ';
  }
  luaL_pushresultsize(&excerpt, ck_utf8_cut(to, size, EXCERPT_AT_MOST));
  lua_remove(L, -2);
}

/* Pushes an excerpt of a header; returns NULL, with nil pushed, if there is no such header. */
static const char *push_header(lua_State *L, const struct ck_response *response, const char *name) {
  struct ck_header header;
  if (ck_head_find(response->head.data, response->head.length, name, &header))
    push_excerpt(L, header.value, header.value_length);
  else lua_pushnil(L);
  return lua_tostring(L, -1);
}

/* message → message. Appends the content type, the coding and the first words of the body. */
static void append_contents(lua_State *L, const struct ck_response *response) {
  const struct ck_buffer *body = &response->body;
  const char *message = lua_tostring(L, -1);
  const char *type = push_header(L, response, "content-type");
  const char *coding = push_header(L, response, "content-encoding");
  push_excerpt(L, body->length > 0 ? body->data : "", body->length);
  const char *words = lua_tostring(L, -1);
  lua_pushfstring(L, "%s (content type: %s%s%s, ", message, type != NULL ? type : "none",
                  coding != NULL ? ", coded as " : "", coding != NULL ? coding : "");
  if (words[0] != '\0') lua_pushfstring(L, "begins with \"%s\")", words);
  else lua_pushliteral(L, "without any text)");
  lua_concat(L, 2);
  lua_replace(L, -5);
  lua_pop(L, 3);
}

static void push_failure(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  const char *detail = ck_reason_detail(response), *advice = ck_reason_advice(response);
  lua_pushfstring(L, "%s%s%s%s%s%s", ck_reason_of(response), detail != NULL ? ": " : "",
                  detail != NULL ? detail : "", advice != NULL ? " (" : "",
                  advice != NULL ? advice : "", advice != NULL ? ")" : "");
  append_rate_limit(L, exchange);
  bool has_status = response->observed.status != 0;
  if (exchange->outcome.kind == CK_KIND_RESPONSE && has_status) append_contents(L, response);
  ck_error_new(L, exchange->outcome.kind, exchange->outcome.applied);
  if (has_status) set_body(L, response);
}

/* Sets the status, if one arrived, and the request id in the error on the top. */
static void set_status(lua_State *L, const struct ck_response *response) {
  struct ck_header header;
  if (response->observed.status == 0) return;
  lua_pushinteger(L, response->observed.status);
  lua_setfield(L, -2, "status");
  if (!ck_head_find(response->head.data, response->head.length, "x-request-id", &header)) return;
  lua_pushlstring(L, header.value, header.value_length);
  lua_setfield(L, -2, "request_id");
}

void ck_error_push_exchange(lua_State *L, const struct ck_exchange *exchange) {
  const struct ck_outcome *outcome = &exchange->outcome;
  const struct ck_response *response = &exchange->transfer.response;
  bool is_harmless = exchange->policy.idempotent || outcome->applied == CK_APPLIED_NO;
  luaL_checkstack(L, 20, "error");
  if (response->observed.status >= 300 && outcome->kind != CK_KIND_CANCELLED)
    push_refusal(L, exchange);
  else push_failure(L, exchange);
  set_status(L, response);
  set_retryable(L, is_harmless && outcome->retry != CK_RETRY_NEVER);
}

void ck_error_push_unreadable(lua_State *L, const struct ck_response *response,
                              enum ck_applied applied) {
  luaL_checkstack(L, 20, "error");
  lua_pushfstring(L, "the response cannot be read: %s", lua_tostring(L, -1));
  lua_remove(L, -2);
  append_contents(L, response);
  ck_error_new(L, CK_KIND_RESPONSE, applied);
  set_body(L, response);
  set_status(L, response);
}
