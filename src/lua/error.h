/*
** Errors as Lua sees them: the one place where they become tables.
*/
#ifndef CK_ERROR_H
#define CK_ERROR_H

#include <lua.h>

#include "../core/outcome.h"
#include "../core/transport.h"
#include "problems.h"

/* Makes the metatable that gives errors their one-line text. */
void ck_error_open(lua_State *L);

/* Replaces the message on the top of the stack by an error with it. */
void ck_error_new(lua_State *L, enum ck_kind kind, enum ck_applied applied);

/* Pushes an error of problems found before anything was sent, with all of them in `fields`. */
void ck_error_push_problems(struct ck_problems *problems, enum ck_kind kind);

/*
** Pushes an error of what an attempt ended with: its status, what its body says (`detail`,
** `fields`), and the body itself.
*/
void ck_error_push_answer(lua_State *L, const struct ck_answer *answer, struct ck_outcome outcome);

/* Replaces the problem on the top by an error of a successful answer that cannot be read. */
void ck_error_push_unreadable(lua_State *L, const struct ck_answer *answer,
                              enum ck_applied applied);

#endif
