#include "secret.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../core/wipe.h"

/* What neither a URL nor JSON has another way of writing for (RFC 3986, 2.3). */
static const char unreserved[] =
    "0123456789-._~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool ck_secret_set(struct ck_secret *secret, const char *text) {
  secret->text = strdup(text);
  if (secret->text == NULL) return false;
  secret->length = strlen(text);
  secret->plain = strspn(text, unreserved) == secret->length;
  return true;
}

void ck_secret_wipe(struct ck_secret *secret) {
  if (secret->text != NULL) ck_wipe(secret->text, secret->length);
  free(secret->text);
  *secret = (struct ck_secret){ 0 };
}

/* A shorter one guards nothing, and would be found in many words. */
enum { SHORTEST = 6 };

/* ---- where it stands ------------------------------------------------------------------------- */

struct place {
  const char *from, *to; /* NULL, or its first byte and the one behind it */
};

/* What two hexadecimal digits say; -1 if they are none. */
static int code_of(const char *digits) {
  static const char all[] = "0123456789abcdefABCDEF";
  int code = 0;
  for (int i = 0; i < 2; i++) {
    const char *digit = memchr(all, digits[i], sizeof(all) - 1);
    if (digit == NULL) return -1;
    int value = (int)(digit - all);
    code = code * 16 + (value < 16 ? value : value - 6);
  }
  return code;
}

/* Reads one character; returns what is behind it. */
static const char *read_plain(const char *text, const char *end, char *c) {
  (void)end;
  *c = *text;
  return text + 1;
}

/* The same, and it may be percent-encoded. */
static const char *read_percent(const char *text, const char *end, char *c) {
  int code = *text == '%' && end - text >= 3 ? code_of(text + 1) : -1;
  if (code < 0) return read_plain(text, end, c);
  *c = (char)code;
  return text + 3;
}

/* The same, and it may be written as JSON writes it in a string. */
static const char *read_json(const char *text, const char *end, char *c) {
  if (*text != '\\' || end - text < 2) return read_plain(text, end, c);
  bool stands_for_itself = text[1] == '"' || text[1] == '\\' || text[1] == '/';
  if (stands_for_itself) return read_plain(text + 1, end, c);
  int code = end - text >= 6 && memcmp(text + 1, "u00", 3) == 0 ? code_of(text + 4) : -1;
  if (code < 0) return read_plain(text, end, c);
  *c = (char)code;
  return text + 6;
}

typedef const char *reader(const char *text, const char *end, char *c);

/* What is behind the key that begins here; NULL if none does. */
static const char *behind(const struct ck_secret *secret, const char *text, const char *end,
                          reader *read) {
  for (size_t i = 0; i < secret->length; i++) {
    char c;
    if (text == end) return NULL;
    text = read(text, end, &c);
    if (c != secret->text[i]) return NULL;
  }
  return text;
}

/* Looks for it in every way of writing. In one pass: a server may send it a million times. */
static struct place find_written(const struct ck_secret *secret, const char *text,
                                 const char *end) {
  for (; text < end; text++) {
    if (*text != secret->text[0] && *text != '%' && *text != '\\') continue;
    const char *to = behind(secret, text, end, read_plain);
    if (to == NULL) to = behind(secret, text, end, read_percent);
    if (to == NULL) to = behind(secret, text, end, read_json);
    if (to != NULL) return (struct place){ text, to };
  }
  return (struct place){ NULL, NULL };
}

static struct place find(const struct ck_secret *secret, const char *text, size_t length) {
  if (secret->length < SHORTEST || length < secret->length) return (struct place){ NULL, NULL };
  if (!secret->plain) return find_written(secret, text, text + length);
  const char *from = memmem(text, length, secret->text, secret->length);
  return (struct place){ from, from == NULL ? NULL : from + secret->length };
}

/* ---- keeping it out -------------------------------------------------------------------------- */

bool ck_secret_is_in(const struct ck_secret *secret, const char *text, size_t length) {
  return find(secret, text, length).from != NULL;
}

void ck_secret_push(lua_State *L, const struct ck_secret *secret, const char *text, size_t length) {
  struct place found = find(secret, text, length);
  const char *end = text + length;
  if (found.from == NULL) {
    lua_pushlstring(L, text, length);
    return;
  }
  luaL_Buffer clean;
  luaL_buffinit(L, &clean);
  for (; found.from != NULL; found = find(secret, text, (size_t)(end - text))) {
    luaL_addlstring(&clean, text, (size_t)(found.from - text));
    luaL_addstring(&clean, "[redacted]");
    text = found.to;
  }
  luaL_addlstring(&clean, text, (size_t)(end - text));
  luaL_pushresult(&clean);
}
