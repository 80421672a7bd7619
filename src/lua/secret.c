#include "secret.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../core/wipe.h"

bool ck_secret_set(struct ck_secret *secret, const char *text) {
  secret->text = strdup(text);
  if (secret->text == NULL) return false;
  secret->length = strlen(text);
  return true;
}

void ck_secret_wipe(struct ck_secret *secret) {
  if (secret->text != NULL) ck_wipe(secret->text, secret->length);
  free(secret->text);
  *secret = (struct ck_secret){ 0 };
}

/* A shorter key protects nothing, and would be found in many words. */
enum { SHORTEST = 6 };

/* Returns where the key begins, or NULL. */
static char *find(const struct ck_secret *secret, const char *text, size_t length) {
  if (secret->length < SHORTEST || length < secret->length) return NULL;
  return memmem(text, length, secret->text, secret->length);
}

/*
** A key of digits alone may be a number in JSON, which must remain readable. It is overwritten with
** a digit that it lacks, if there is one; not with 0, with which no number begins.
*/
static char cover_of(const struct ck_secret *secret) {
  if (strspn(secret->text, "0123456789") < secret->length) return '*';
  for (char digit = '9'; digit > '1'; digit--)
    if (strchr(secret->text, digit) == NULL) return digit;
  return '1';
}

/* Returns the length of the longest beginning of the key that the text ends with. */
static size_t cut_length(const struct ck_secret *secret, const char *text, size_t length) {
  size_t most = length < secret->length ? length : secret->length;
  if (secret->length < SHORTEST) return 0;
  while (most > 0 && memcmp(text + length - most, secret->text, most) != 0) most--;
  return most;
}

void ck_secret_hide(const struct ck_secret *secret, char *text, size_t length, bool is_cut) {
  char *at = text, *found;
  while ((found = find(secret, at, length - (size_t)(at - text))) != NULL) {
    memset(found, cover_of(secret), secret->length);
    at = found + secret->length;
  }
  if (!is_cut) return;
  size_t cut = cut_length(secret, at, length - (size_t)(at - text));
  if (cut > 0) memset(text + length - cut, cover_of(secret), cut);
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
