/*
** Makes Lua values from the bytes of an input.
*/
#ifndef CK_FUZZ_VALUE_H
#define CK_FUZZ_VALUE_H

#include "fuzz.h"

/*
** Pushes a value of any kind that a script could pass: numbers, text that may not be UTF-8, lists
** with holes, objects, marked arrays, tables that contain themselves, functions. `left` is the
** number of values that may still be made.
*/
void fuzz_push_value(lua_State *L, struct fuzz_input *input, int *left);

#endif
