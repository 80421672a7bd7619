/*
** What drives a client's tasks: a caller that waits for one of them, or a host's own loop,
** which is told by one descriptor and one timeout when there is something to do.
*/
#ifndef CK_LOOP_H
#define CK_LOOP_H

#include <lua.h>

/* Gives all clients and tasks their methods. */
void ck_loop_open(lua_State *L);

#endif
