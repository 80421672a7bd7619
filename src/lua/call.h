/*
** The way of a call: check and write, send, read.
*/
#ifndef CK_CALL_H
#define CK_CALL_H

#include <lua.h>

#include "task.h"

/* Gives resources the endpoints as methods, and clients `request`. */
void ck_call_open(lua_State *L);

/*
** Takes the steps that can be taken now in calls that tasks of the client at `index` await;
** the task of one that has ended is ready then. Raises what on_event lets through: Ctrl-C.
*/
void ck_call_advance_all(lua_State *L, int index);

/* Gives up the call that the task awaits. */
void ck_call_abandon(lua_State *L, int index, struct ck_task *task);

#endif
