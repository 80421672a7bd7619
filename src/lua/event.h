/*
** Events: on_event is called at each step of a call.
*/
#ifndef CK_EVENT_H
#define CK_EVENT_H

#include <lua.h>

#include "client.h"
#include "contract/contract.h"
#include "http/exchange.h"

/*
** Pops on_event, and calls it with a table that describes the step. Raises nothing: an error of
** on_event becomes a warning, because it must not lose the response of a call that may have been
** paid for. An error of a debug hook is raised on the main thread later: see interrupt.h.
*/
void ck_event_emit(lua_State *L, const struct ck_client *client, const struct ck_endpoint *endpoint,
                   const struct ck_exchange *exchange, enum ck_step step);

#endif
