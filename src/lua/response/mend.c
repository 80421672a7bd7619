/*
** Mends text from a server: invalid UTF-8, extensions of JSON, such as NaN, and long integers.
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

enum { LONG = 16 }; /* an integer of fewer digits is exact as a float */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/*
** Returns whether the text, which ends with a NUL, begins with a long integer of the given length.
** A string in place of anything else could make an invalid text valid: a name, or a leading zero.
*/
static bool is_long_integer(const char *text, size_t length) {
  size_t sign = text[0] == '-';
  const char *next = text + length + strspn(text + length, " \t\r\n");
  return length >= sign + LONG && text[sign] != '0' &&
         strspn(text + sign, "0123456789") == length - sign && strchr(",]}", *next) != NULL;
}

static void add_marked(luaL_Buffer *mended, const char *integer, size_t length) {
  luaL_addchar(mended, '"');
  luaL_addchar(mended, CK_MEND_MARK);
  luaL_addlstring(mended, integer, length);
  luaL_addchar(mended, '"');
}

void ck_mend_push_json(lua_State *L, const char *text, size_t length) {
  ck_mend_push_utf8(L, text, length);
  const char *at = lua_tolstring(L, -1, &length), *end = at + length;
  bool in_string = false;
  luaL_Buffer mended;
  luaL_buffinit(L, &mended);
  if (strncmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
  const char *rest = at; /* is not in the buffer yet */
  while (at < end) {
    const char *with = NULL;
    bool is_long = false;
    size_t step = 1;
    if (*at == '"') in_string = !in_string;
    if (in_string && *at == '\\') {
      if (is_surrogate(at, HIGH) && is_surrogate(at + 6, LOW)) step = 12;
      else if (is_surrogate(at, HIGH LOW)) step = 6, with = "\\ufffd";
      else if (at + 1 < end) step = 2;
    } else if (!in_string && not_a_number(at) > 0) step = not_a_number(at), with = "null";
    else if (!in_string && (*at == '-' || is_digit(*at))) {
      step = strspn(at, "+-.0123456789eE");
      is_long = is_long_integer(at, step);
    }
    if (with != NULL || is_long) {
      luaL_addlstring(&mended, rest, (size_t)(at - rest));
      if (is_long) add_marked(&mended, at, step);
      else luaL_addstring(&mended, with);
      rest = at + step;
    }
    at += step;
  }
  luaL_addlstring(&mended, rest, (size_t)(end - rest));
  luaL_pushresult(&mended);
  lua_remove(L, -2);
}
