/*
** The second result of a successful call: { status, headers, attempts, elapsed }.
*/
#ifndef CK_RESPONSE_H
#define CK_RESPONSE_H

#include <lua.h>

#include "http/exchange.h"

/* Creates the metatable of responses. */
void ck_response_open(lua_State *L);

/*
** Pushes the response of an exchange that has ended. `headers` is created when a script first reads
** it or iterates over the response, because most scripts never do.
*/
void ck_response_push(lua_State *L, const struct ck_exchange *exchange);

#endif
