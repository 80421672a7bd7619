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
** gets no path and no fields, and writes path, query and body. Everything that is wrong is
** added to `problems`; the request must not be sent then.
*/
void ck_raw_request_check(struct ck_endpoint *row, int index, struct ck_request *request,
                          struct ck_problems *problems);

/* Whether such a description has a field of that name. */
bool ck_raw_request_is_field(const char *name);

#endif
