/* Warns of deprecated routes by Lua's `warn`, once each. */
#ifndef CK_WARNING_H
#define CK_WARNING_H

#include <lua.h>

#include "contract/contract.h"
#include "http/exchange.h"

/*
** Warns of the route of a response with a Deprecation or Sunset header, unless the client at
** `client` has warned of it before. A route is an endpoint, or the method and the path of a
** client:request without its ids; after 100 of the latter a client warns of no other. The warning
** contains no text of the server. Raises nothing.
*/
void ck_warning_of_route(lua_State *L, int client, const struct ck_endpoint *endpoint,
                         const struct ck_exchange *exchange);

#endif
