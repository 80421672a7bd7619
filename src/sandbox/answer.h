/* Asks the Lua handler, and makes of its results an answer that libmicrohttpd can send. */
#ifndef CK_SANDBOX_ANSWER_H
#define CK_SANDBOX_ANSWER_H

#include "handlers.h"
#include "request.h"

/*
** Fills in the answer of `request`. A Lua error becomes a 500, with the error on stderr.
** Without memory for even that, the connection is dropped.
*/
void ck_answer_request(struct ck_handlers *handlers, struct ck_request *request);

#endif
