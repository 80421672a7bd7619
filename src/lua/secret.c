#include "secret.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../core/wipe.h"

bool ck_secret_set(struct ck_secret *secret, const char *text) {
  secret->text = strdup(text);
  secret->length = secret->text == NULL ? 0 : strlen(text);
  return secret->text != NULL;
}

void ck_secret_wipe(struct ck_secret *secret) {
  if (secret->text != NULL) ck_wipe(secret->text, secret->length);
  free(secret->text);
  *secret = (struct ck_secret){ 0 };
}

/* A shorter one guards nothing, and would be found in many words. */
enum { SHORTEST = 6 };

static const char *find(const struct ck_secret *secret, const char *text, size_t length) {
  if (secret->length < SHORTEST || length < secret->length) return NULL;
  return memmem(text, length, secret->text, secret->length);
}

bool ck_secret_is_in(const struct ck_secret *secret, const char *text, size_t length) {
  return find(secret, text, length) != NULL;
}

void ck_secret_push(lua_State *L, const struct ck_secret *secret, const char *text, size_t length) {
  const char *found = find(secret, text, length), *end = text + length;
  if (found == NULL) {
    lua_pushlstring(L, text, length);
    return;
  }
  luaL_Buffer clean;
  luaL_buffinit(L, &clean);
  for (; found != NULL; found = find(secret, text, (size_t)(end - text))) {
    luaL_addlstring(&clean, text, (size_t)(found - text));
    luaL_addstring(&clean, "[redacted]");
    text = found + secret->length;
  }
  luaL_addlstring(&clean, text, (size_t)(end - text));
  luaL_pushresult(&clean);
}
