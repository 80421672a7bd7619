/*
** Reads JSON with lua-cjson, and puts right what its versions disagree on.
*/
#ifndef CK_DECODE_H
#define CK_DECODE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Makes the private instance of the lua-cjson that stands on the top of the stack. */
void ck_decode_open(lua_State *L);

/*
** Pushes the value that the bytes say, or a message why they are no JSON value, and tells
** which. Integers become Lua integers. A null in an object is left out, one in an array is
** cekura.null, as is every null with `keep_null`.
*/
bool ck_decode(lua_State *L, const char *text, size_t length, bool keep_null);

#endif
