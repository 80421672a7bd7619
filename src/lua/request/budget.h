/*
** The options max_evaluations and spend_limit: how many metric evaluations a call, and all calls of
** a client, may start.
*/
#ifndef CK_BUDGET_H
#define CK_BUDGET_H

#include <lua.h>

#include "contract/contract.h"
#include "options.h"
#include "policy/spending.h"

/*
** Returns what a call starts: the number that its options state, or `proven`, which its arguments
** prove (-1 = none), whichever is larger. `spending` is the client's, borrowed.
*/
struct ck_charge ck_budget_charge(struct ck_spending *spending, const struct ck_endpoint *endpoint,
                                  const struct ck_settings *settings, lua_Integer proven);

/*
** Reserves what the call starts and returns NULL if both limits permit the call; a dry run reserves
** nothing. Otherwise pushes and returns a message.
*/
const char *ck_budget_problem(lua_State *L, const struct ck_settings *settings,
                              struct ck_charge *charge);

/* Adds `evaluations` and `evaluations_at_least` to the plan of a dry run, on the top. */
void ck_budget_add(lua_State *L, const struct ck_charge *charge);

/* Pushes the table that client:spent() returns. */
void ck_budget_push_spent(lua_State *L, const struct ck_spent *spent, long long in_flight);

#endif
