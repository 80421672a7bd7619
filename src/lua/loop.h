/*
** The loop of a client's tasks. It is driven by a caller that waits for a task, or by a host's
** event loop, which needs one descriptor and one timeout.
*/
#ifndef CK_LOOP_H
#define CK_LOOP_H

#include <lua.h>

/* Gives clients and tasks the methods of this file. Makes the metatable of tasks. */
void ck_loop_open(lua_State *L);

#endif
