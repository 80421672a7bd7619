/*
** Errors as Lua sees them: the one place where they become tables.
*/
#ifndef CK_ERROR_H
#define CK_ERROR_H

#include <lua.h>

#include "../core/exchange.h"
#include "problems.h"

/* Makes the metatable that gives errors their one-line text. */
void ck_error_open(lua_State *L);

/* Replaces the message on the top of the stack by an error with it. */
void ck_error_new(lua_State *L, enum ck_kind kind, enum ck_applied applied);

/* Pushes an error of problems found before anything was sent, with all of them in `fields`. */
void ck_error_push_problems(struct ck_problems *problems, enum ck_kind kind);

/*
** Pushes an error of what a call ended with: its last status, what its body says (`detail`,
** `fields`), the body itself, and whether the call may be sent again.
*/
void ck_error_push_exchange(lua_State *L, const struct ck_exchange *exchange);

/* Replaces the problem on the top by an error of a successful answer that cannot be read. */
void ck_error_push_unreadable(lua_State *L, const struct ck_response *response,
                              enum ck_applied applied);

#endif
