/*
** The second result of a call that succeeded: { status, headers, attempts, elapsed }.
*/
#ifndef CK_RESPONSE_H
#define CK_RESPONSE_H

#include <lua.h>

#include "../core/exchange.h"

/* Makes the metatable of responses. */
void ck_response_open(lua_State *L);

/*
** Pushes the response. Its headers become a table when a script first looks at them, or
** goes through the response with pairs: most scripts never do.
*/
void ck_response_push(lua_State *L, const struct ck_exchange *exchange);

#endif
