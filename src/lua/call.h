/*
** The way of a call: check and write, send, read.
*/
#ifndef CK_CALL_H
#define CK_CALL_H

#include <lua.h>

/* Makes the metatable of calls. */
void ck_call_open(lua_State *L);

/*
** resource:call(arguments, options). Upvalue 1 is the endpoint's row (light userdata),
** upvalue 2 the metatable of the resource that the call is a method of.
*/
int ck_call_endpoint(lua_State *L);

#endif
