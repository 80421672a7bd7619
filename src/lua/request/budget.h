/*
** The option max_evaluations: how many metric evaluations a call may start.
*/
#ifndef CK_BUDGET_H
#define CK_BUDGET_H

#include <lua.h>

#include "contract/contract.h"
#include "options.h"

/*
** Returns NULL if max_evaluations permits the call; otherwise pushes and returns a message.
** `proven` is the number of evaluations that the arguments start at least, -1 = unknown.
*/
const char *ck_budget_problem(lua_State *L, const struct ck_endpoint *endpoint,
                              const struct ck_settings *settings, lua_Integer proven);

/* Adds `evaluations` and `evaluations_at_least` to the plan of a dry run, on the top. */
void ck_budget_add(lua_State *L, const struct ck_endpoint *endpoint,
                   const struct ck_settings *settings, lua_Integer proven);

#endif
