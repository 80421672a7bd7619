/*
** Builds the error tables that a script sees. No other file does.
*/
#ifndef CK_ERROR_H
#define CK_ERROR_H

#include <lua.h>

#include "http/exchange.h"
#include "lua/request/problems.h"

/* Creates the metatable of errors. */
void ck_error_open(lua_State *L);

/* Replaces the message on the top of the stack by an error. */
void ck_error_new(lua_State *L, enum ck_kind kind, enum ck_applied applied);

/* Pushes an error with every problem in `fields`. Nothing was sent. */
void ck_error_push_problems(struct ck_problems *problems, enum ck_kind kind);

/*
** Pushes the error of an exchange that has ended without success, with what its last attempt
** received: `status`, `request_id`, `body`, and `detail` or `fields` from the body. Sets
** `retryable`.
*/
void ck_error_push_exchange(lua_State *L, const struct ck_exchange *exchange);

/* Replaces the message on the top by the error of a 2xx response that is not JSON. */
void ck_error_push_unreadable(lua_State *L, const struct ck_response *response,
                              enum ck_applied applied);

#endif
