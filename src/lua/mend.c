#include "mend.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "../core/utf8.h"

void ck_mend_push_utf8(lua_State *L, const char *text, size_t length) {
  luaL_Buffer mended;
  luaL_buffinit(L, &mended);
  for (;;) {
    size_t valid = ck_utf8_valid(text, length);
    luaL_addlstring(&mended, text, valid);
    if (valid == length) break;
    luaL_addstring(&mended, "\xEF\xBF\xBD");
    valid += ck_utf8_broken(text + valid, length - valid);
    text += valid;
    length -= valid;
  }
  luaL_pushresult(&mended);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* A run of characters that becomes another one; `with` NULL: it stays as it is. */
struct piece {
  size_t length;
  const char *with;
};

static bool begins(const char *at, const char *end, const char *word) {
  size_t length = strlen(word);
  return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

/* Returns the code unit of an escape \uXXXX, -1 if this is not one. */
static int code_unit(const char *at, const char *end) {
  static const char digits[] = "0123456789abcdefABCDEF";
  int unit = 0;
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
  for (int i = 2; i < 6; i++) {
    const char *digit = memchr(digits, at[i], sizeof(digits) - 1);
    if (digit == NULL) return -1;
    int value = (int)(digit - digits);
    unit = unit * 16 + (value < 16 ? value : value - 6);
  }
  return unit;
}

static bool is_high(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
static bool is_low(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

/* The backslash of a string is at `at`. */
static struct piece escape_at(const char *at, const char *end) {
  int unit = code_unit(at, end);
  if (is_high(unit) && is_low(code_unit(at + 6, end))) return (struct piece){ 12, NULL };
  if (is_high(unit) || is_low(unit)) return (struct piece){ 6, "\\ufffd" };
  return (struct piece){ end - at < 2 ? 1 : 2, NULL };
}

/* Of the words that Python and others write, which JSON does not have. */
static struct piece word_at(const char *at, const char *end) {
  static const char *const words[] = { "NaN", "Infinity", "-Infinity" };
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
    if (begins(at, end, words[i])) return (struct piece){ strlen(words[i]), "null" };
  return (struct piece){ 1, NULL };
}

/* Replaces the text on the top of the stack, which is valid UTF-8. */
static void mend_json(lua_State *L) {
  size_t length;
  const char *at = lua_tolstring(L, -1, &length), *end = at + length;
  bool in_string = false;
  luaL_Buffer mended;
  luaL_buffinit(L, &mended);
  if (begins(at, end, "\xEF\xBB\xBF")) at += 3;
  while (at < end) {
    if (*at == '"') in_string = !in_string;
    struct piece piece = !in_string    ? word_at(at, end)
                         : *at == '\\' ? escape_at(at, end)
                                       : (struct piece){ 1, NULL };
    if (piece.with == NULL) luaL_addlstring(&mended, at, piece.length);
    else luaL_addstring(&mended, piece.with);
    at += piece.length;
  }
  luaL_pushresult(&mended);
  lua_remove(L, -2);
}

void ck_mend_push_json(lua_State *L, const char *text, size_t length) {
  ck_mend_push_utf8(L, text, length);
  mend_json(L);
}
