/*
** The loop of a client's tasks. A caller that waits for a task runs it, or a host's event loop
** does, by one descriptor and one timeout.
*/
#ifndef CK_LOOP_H
#define CK_LOOP_H

#include <lua.h>

/* Gives clients and tasks the methods of this file. Makes the metatable of tasks. */
void ck_loop_open(lua_State *L);

#endif
