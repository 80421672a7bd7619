/*
** Checks a caller's table against the contract and writes the request, in one walk.
*/
#ifndef CK_CHECK_H
#define CK_CHECK_H

#include <lua.h>

#include "../core/contract.h"
#include "../core/transport.h"
#include "problems.h"

/*
** Writes path, query and body of the table at `index`. Everything that is wrong is added to
** `problems`; the request must not be sent then. Returns the number of metric evaluations
** that the call would start (a lower bound where the endpoint says so), -1 if unknown.
*/
lua_Integer ck_check(const struct ck_endpoint *endpoint, int index, struct ck_request *request,
                     struct ck_problems *problems);

/* Adds a problem unless `name` is a field of the endpoint: it is an option, or unknown. */
void ck_check_name(const struct ck_endpoint *endpoint, const char *name,
                   struct ck_problems *problems);

#endif
