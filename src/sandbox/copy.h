/*
** Carries plain values from one lua_State to another: nil, booleans, numbers, strings,
** JSON null (a light userdata NULL), and tables of those. Metatables stay behind.
*/
#ifndef CK_SANDBOX_COPY_H
#define CK_SANDBOX_COPY_H

#include <lua.h>

/*
** Pushes onto `to` a copy of the value at `index` of `from`.
** Raises in `to`, never in `from`: call it protected in `to`, with the stack of `from` left
** as it was only where it does not raise. A value of another type, or a table deeper than
** 64 levels (a cycle, then), is such an error.
*/
void ck_copy_value(lua_State *from, int index, lua_State *to);

#endif
