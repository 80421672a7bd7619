/*
** What Lua's own libraries lack: a clock that only goes forward, the width of a terminal,
** and a file that is locked, appended to, and forced to disk.
*/
#ifndef CK_SYSTEM_H
#define CK_SYSTEM_H

#include <lua.h>

/* Adds the functions to the table on the top of the stack. */
void ck_system_add(lua_State *L);

#endif
