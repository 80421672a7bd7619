/*
** Decodes JSON with lua-cjson; the values are the same with each of its versions.
*/
#ifndef CK_DECODE_H
#define CK_DECODE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/*
** Creates a private instance of the lua-cjson on the top of the stack, with settings of its own.
** Raises if the module is not lua-cjson.
*/
void ck_decode_open(lua_State *L);

/*
** Pushes the value of a JSON text and returns true, or pushes a message that begins with "it" and
** returns false. Integers become Lua integers. A null in an array is cekura.null; a null in an
** object is omitted, unless `keep_null` is set.
*/
bool ck_decode(lua_State *L, const char *text, size_t length, bool keep_null);

/* Decodes like ck_decode with `keep_null`, repairs nothing, and pushes lua-cjson's message. */
bool ck_decode_exactly(lua_State *L, const char *text, size_t length);

#endif
