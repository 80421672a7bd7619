/*
** What on_event is told: each step of a call as it is taken.
*/
#ifndef CK_EVENT_H
#define CK_EVENT_H

#include <lua.h>

#include "../core/contract.h"
#include "../core/exchange.h"
#include "client.h"

/*
** Calls the function on the top of the stack, and pops it, with a table of the step. An
** error that it raises becomes a warning: it must not cost the answer of a call that may
** have been paid for. An error of a debug hook is raised on the main thread: see interrupt.h.
*/
void ck_event_emit(lua_State *L, const struct ck_client *client, const struct ck_endpoint *endpoint,
                   const struct ck_exchange *exchange, enum ck_step step);

#endif
