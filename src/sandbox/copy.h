/*
** Copies plain values from one lua_State to another: nil, booleans, numbers, strings, JSON null (a
** light userdata NULL), and tables of those without their metatables.
*/
#ifndef CK_SANDBOX_COPY_H
#define CK_SANDBOX_COPY_H

#include <lua.h>

/*
** Pushes onto `to` a copy of the value at `index` of `from`. Raises in `to`, never in `from`, if
** the value has another type or is nested too deeply; `from` then has additional values on its
** stack.
*/
void ck_copy_value(lua_State *from, int index, lua_State *to);

#endif
