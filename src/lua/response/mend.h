/*
** Mends text from a server, so that one invalid byte or number does not make all of it unreadable,
** and marks the integers that lua-cjson would round (2.1.0) or clamp (2.1.0.14 and newer).
*/
#ifndef CK_MEND_H
#define CK_MEND_H

#include <lua.h>
#include <stddef.h>

#define CK_MEND_MARK '\xFF' /* the first byte of a marked integer; no UTF-8 contains it */

/* Pushes the bytes as valid UTF-8: U+FFFD replaces each longest beginning of a character. */
void ck_mend_push_utf8(lua_State *L, const char *text, size_t length);

/*
** Pushes a JSON text with the same meaning, in valid UTF-8: without a byte order mark, with U+FFFD
** for half of a surrogate pair, and with null for NaN, Infinity and -Infinity. Each integer of 16 or
** more digits becomes a string of CK_MEND_MARK and the integer.
*/
void ck_mend_push_json(lua_State *L, const char *text, size_t length);

#endif
