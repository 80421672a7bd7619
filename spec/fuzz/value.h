/*
** Lua values out of the bytes of an input.
*/
#ifndef CK_FUZZ_VALUE_H
#define CK_FUZZ_VALUE_H

#include "fuzz.h"

/*
** Pushes a value of any kind that a script could pass: numbers of all sorts, text that may be no
** UTF-8, lists with holes, objects, marked arrays, tables within themselves, functions. `budget`
** bounds how many values there are.
*/
void fuzz_push_value(lua_State *L, struct fuzz_input *input, int *budget);

#endif
