/*
** The way of a call: check and write, send, read.
*/
#ifndef CK_CALL_H
#define CK_CALL_H

#include <lua.h>

#include "task.h"

/*
** resource:call(arguments, options). Upvalue 1 is the endpoint's row (light userdata),
** upvalue 2 the metatable of the resource that the call is a method of.
*/
int ck_call_endpoint(lua_State *L);

/* client:request(arguments, options): a call of an endpoint that the arguments describe */
int ck_call_request(lua_State *L);

/*
** Takes the steps that can be taken now in calls that tasks of the client at `index` await;
** the task of one that has ended is ready then. Raises what on_event lets through: Ctrl-C.
*/
void ck_call_advance_all(lua_State *L, int index);

/* Gives up the call that the task awaits. */
void ck_call_abandon(lua_State *L, int index, struct ck_task *task);

#endif
