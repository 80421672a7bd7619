/*
** client:request: a call of an endpoint that the contract does not have.
*/
#ifndef CK_RAW_REQUEST_H
#define CK_RAW_REQUEST_H

#include <lua.h>

#include "contract/contract.h"
#include "http/request.h"
#include "problems.h"

/*
** Reads { method, path, query, body, spends_credits, idempotent } at `index` into `row`, which
** gets no path, and only the names of its fields. Writes the request's method, path, query and
** body. Adds every problem; if there is one, the request must not be sent.
*/
void ck_raw_request_check(struct ck_endpoint *row, int index, struct ck_request *request,
                          struct ck_problems *problems);

#endif
