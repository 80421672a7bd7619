/*
** Calls the app for a request, and makes its results a response that libmicrohttpd can send.
*/
#ifndef CK_SANDBOX_RESPONSE_H
#define CK_SANDBOX_RESPONSE_H

#include "app.h"
#include "request.h"

/*
** Fills in the response of `request`. A Lua error becomes a 500, with the error on stderr; without
** memory for that, the connection is dropped.
*/
void ck_respond(struct ck_app *app, struct ck_request *request);

#endif
