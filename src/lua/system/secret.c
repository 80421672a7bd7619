/*
** The client's key is copied once, overwritten at the end, and redacted wherever Lua or the log
** could see it.
*/
#include "secret.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "text/wipe.h"

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

/* A shorter key, as in tests, protects nothing and occurs in many words. */
enum { SHORTEST = 6 };

/* Returns the first occurrence of the key, or NULL. */
static char *find(const struct ck_secret *secret, const char *text, size_t length) {
  if (secret->length < SHORTEST || length < secret->length) return NULL;
  return memmem(text, length, secret->text, secret->length);
}

/*
** A key of digits may be a number in JSON, which must stay a number: it is overwritten with a digit
** that it lacks, if there is one, other than 0.
*/
static char cover_of(const struct ck_secret *secret) {
  if (strspn(secret->text, "0123456789") < secret->length) return '*';
  for (char digit = '9'; digit > '1'; digit--)
    if (strchr(secret->text, digit) == NULL) return digit;
  return '1';
}

void ck_secret_hide(const struct ck_secret *secret, char *text, size_t length, bool is_cut) {
  char *at = text, *end = text + length, *found;
  while ((found = find(secret, at, (size_t)(end - at))) != NULL) {
    memset(found, cover_of(secret), secret->length);
    at = found + secret->length;
  }
  if (!is_cut || secret->length < SHORTEST) return;
  size_t cut = (size_t)(end - at) < secret->length ? (size_t)(end - at) : secret->length;
  while (cut > 0 && memcmp(end - cut, secret->text, cut) != 0) cut--;
  if (cut > 0) memset(end - cut, cover_of(secret), cut);
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
