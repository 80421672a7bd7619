/*
** Fuzzes the head and body of a response, read as a success and as an error. response.lua is the
** oracle.
*/
#include <lauxlib.h>
#include <string.h>

#include "fuzz.h"
#include "lua/response/decode.h"
#include "lua/response/error.h"
#include "lua/response/response.h"

static char key[] = "Sesame"; /* the same as in response.lua */

static const struct ck_secret secret = { key, sizeof(key) - 1 };

static struct ck_buffer buffer_of(const uint8_t *data, size_t size) {
  struct ck_buffer buffer = CK_BUFFER(size + 1);
  ck_buffer_add(&buffer, data, size);
  return buffer;
}

/* The head ends with a blank line. Without one, everything is the body. */
static void split(struct fuzz_input *input, struct ck_response *response) {
  static const char blank[] = "\r\n\r\n";
  const uint8_t *end = memmem(input->at, input->left, blank, sizeof(blank) - 1);
  size_t head = end != NULL ? (size_t)(end - input->at) + sizeof(blank) - 1 : 0;
  response->head = buffer_of(input->at, head);
  response->body = buffer_of(input->at + head, input->left - head);
  ck_secret_hide(&secret, response->head.data, response->head.length, false);
  ck_secret_hide(&secret, response->body.data, response->body.length, false);
}

/* → whether the body can be decoded, the value or the message */
static void push_decoded(lua_State *L, const struct ck_response *response, bool keep_null) {
  const char *text = response->body.length > 0 ? response->body.data : "";
  lua_pushboolean(L, ck_decode(L, text, response->body.length, keep_null));
  lua_insert(L, -2);
}

/* Calls the oracle with body, keep_null, is_read, value or message, error, response. */
static void judge(lua_State *L, const struct ck_response *response, bool keep_null) {
  luaL_checkstack(L, 16, "response");
  lua_pushlstring(L, response->body.length > 0 ? response->body.data : "", response->body.length);
  lua_pushboolean(L, keep_null);
  push_decoded(L, response, keep_null);
  struct ck_exchange exchange = { .attempts = 1, .retry_after = -1 };
  exchange.transfer.response = *response;
  exchange.outcome = ck_outcome_judge(&response->observed);
  ck_error_push_exchange(L, &exchange);
  ck_response_push(L, &exchange);
  fuzz_judge(L, 6);
}

/* The first byte selects the status and `keep_null`. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int statuses[] = { 200, 302, 400, 401, 404, 429, 500, 0 };
  static lua_State *L;
  struct fuzz_input input = { data, size };
  struct ck_response response = { 0 };
  if (L == NULL) L = fuzz_open("response", false);
  uint8_t choice = fuzz_byte(&input);
  split(&input, &response);
  response.observed.status = statuses[choice & 7];
  judge(L, &response, (choice & 8) != 0);
  ck_buffer_free(&response.head);
  ck_buffer_free(&response.body);
  return 0;
}
