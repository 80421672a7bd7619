/*
** Checks a caller's table against an endpoint's row and writes the request, in one walk.
*/
#ifndef CK_CHECK_H
#define CK_CHECK_H

#include <lua.h>

#include "contract/contract.h"
#include "http/request.h"
#include "problems.h"

/*
** Writes the request's method, path, query and body from the table at `index`. Adds every problem;
** if there is one, the request must not be sent. Returns the number of metric evaluations that the
** call would start, which is a lower bound if the endpoint's row says at_least; -1 = not known.
*/
lua_Integer ck_check(const struct ck_endpoint *endpoint, int index, struct ck_request *request,
                     struct ck_problems *problems);

/* Adds a problem unless `name` is a field of the endpoint: it is an option, or unknown. */
void ck_check_name(const struct ck_endpoint *endpoint, const char *name,
                   struct ck_problems *problems);

#endif
