/*
** A call of an endpoint that the contract does not have: checks the caller's description of it,
** makes a row of it like the contract's own, and writes the request.
*/
#ifndef CK_RAW_REQUEST_H
#define CK_RAW_REQUEST_H

#include <lua.h>
#include <stdbool.h>

#include "../core/contract.h"
#include "../core/transport.h"
#include "problems.h"

/*
** Reads { method, path, query, body, spends_credits, idempotent } at `index` into `row`, which
** gets no path, and of its fields the names only, and writes path, query and body. Everything that is wrong is
** added to `problems`; the request must not be sent then.
*/
void ck_raw_request_check(struct ck_endpoint *row, int index, struct ck_request *request,
                          struct ck_problems *problems);

#endif
