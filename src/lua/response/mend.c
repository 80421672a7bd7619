/*
** Mends text from a server: invalid UTF-8, and extensions of JSON, such as NaN.
*/
#include "mend.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "text/utf8.h"

#define HIGH "89abAB"   /* \uD8YY to \uDBYY begin a pair of surrogates, */
#define LOW  "cdefCDEF" /* \uDCYY to \uDFYY end it */

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

/*
** Returns whether the text, which ends with a NUL, begins with \uDXYY, where X is one of the
** digits.
*/
static bool is_surrogate(const char *text, const char *digits) {
  return text[0] == '\\' && text[1] == 'u' && (text[2] == 'd' || text[2] == 'D') &&
         strspn(text + 3, digits) > 0 && strspn(text + 4, "0123456789abcdefABCDEF") >= 2;
}

/* Returns the length of a number at the beginning of the text that JSON does not have, or 0. */
static size_t not_a_number(const char *text) {
  if (strncmp(text, "NaN", 3) == 0) return 3;
  if (strncmp(text, "Infinity", 8) == 0) return 8;
  return strncmp(text, "-Infinity", 9) == 0 ? 9 : 0;
}

void ck_mend_push_json(lua_State *L, const char *text, size_t length) {
  ck_mend_push_utf8(L, text, length);
  const char *at = lua_tolstring(L, -1, &length), *end = at + length;
  bool in_string = false;
  luaL_Buffer mended;
  luaL_buffinit(L, &mended);
  if (strncmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
  while (at < end) {
    const char *with = NULL;
    size_t step = 1;
    if (*at == '"') in_string = !in_string;
    if (in_string && *at == '\\') {
      if (is_surrogate(at, HIGH) && is_surrogate(at + 6, LOW)) step = 12;
      else if (is_surrogate(at, HIGH LOW)) step = 6, with = "\\ufffd";
      else if (at + 1 < end) step = 2;
    } else if (!in_string && not_a_number(at) > 0) step = not_a_number(at), with = "null";
    if (with == NULL) luaL_addlstring(&mended, at, step);
    else luaL_addstring(&mended, with);
    at += step;
  }
  luaL_pushresult(&mended);
  lua_remove(L, -2);
}
