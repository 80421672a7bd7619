/*
** The path of a call: check and write, send and retry, read.
*/
#ifndef CK_CALL_H
#define CK_CALL_H

#include <lua.h>

#include "task.h"

/* Gives resources the endpoints as methods, and clients `request`. */
void ck_call_open(lua_State *L);

/*
** Takes every step that can be taken without waiting in calls that tasks of the client at `index`
** await. The tasks of calls that have ended are ready then. Raises nothing.
*/
void ck_call_advance_all(lua_State *L, int index);

/* Cancels the call that a task of the client at `index` awaits; the task is ready then. */
void ck_call_abandon(lua_State *L, int index, struct ck_task *task);

#endif
