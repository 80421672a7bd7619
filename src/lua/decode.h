/*
** Reads JSON with lua-cjson, and puts right what its versions disagree on.
*/
#ifndef CK_DECODE_H
#define CK_DECODE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "secret.h"

/* Makes the private instance of the lua-cjson that stands on the top of the stack. */
void ck_decode_open(lua_State *L);

struct ck_reading {
  const struct ck_secret *secret;
  bool keep_null;
  bool redacted; /* set by ck_decode: the key stood in what was read */
};

/*
** Pushes the value that the bytes say, or a message why they are no JSON value, and tells
** which. Integers become Lua integers. A null in an object is left out, one in an array is
** cekura.null, as is every null with `keep_null`. The key is redacted wherever it stands.
*/
bool ck_decode(lua_State *L, const char *text, size_t length, struct ck_reading *reading);

#endif
