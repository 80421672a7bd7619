/* Compares the limits of evaluations with the number that a call proves or states. */
#include "budget.h"

struct ck_charge ck_budget_charge(struct ck_spending *spending, const struct ck_endpoint *endpoint,
                                  const struct ck_settings *settings, lua_Integer proven) {
  lua_Integer stated = settings->evaluations, count = stated > proven ? stated : proven;
  return (struct ck_charge){
    .spending = endpoint->spends_credits ? spending : NULL,
    .evaluations = count > 0 ? count : 0,
    .is_uncounted = stated < 0 && (endpoint->at_least || proven < 0),
  };
}

/* ---- refuse ---------------------------------------------------------------------------------- */

static const char *push_too_many(lua_State *L, const struct ck_charge *charge, const char *limits) {
  return lua_pushfstring(L, "would start %s%I metric evaluations, %s: nothing was sent",
                         charge->is_uncounted ? "at least " : "", (LUAI_UACINT)charge->evaluations,
                         limits);
}

/* `limit` is that of the option `name`; negative = none. */
static const char *uncounted_problem(lua_State *L, const struct ck_charge *charge, const char *name,
                                     lua_Integer limit) {
  const char *known = "";
  if (limit < 0) return NULL;
  if (charge->evaluations > 0)
    known = lua_pushfstring(L, " (at least %I)", (LUAI_UACINT)charge->evaluations);
  return lua_pushfstring(L,
                         "the number of metric evaluations is not known%s, %s is %I: nothing was "
                         "sent; state the number with the option evaluations, or set "
                         "uncounted = true",
                         known, name, (LUAI_UACINT)limit);
}

static const char *spend_limit_problem(lua_State *L, const struct ck_charge *charge) {
  const struct ck_spending *spending = charge->spending;
  const struct ck_spent *spent = &spending->spent;
  return push_too_many(
      L, charge,
      lua_pushfstring(L, "spend_limit is %I, of which %I are spent (%I unknown) and %I in flight",
                      (LUAI_UACINT)spending->limit,
                      (LUAI_UACINT)(spent->evaluations + spent->evaluations_unknown),
                      (LUAI_UACINT)spent->evaluations_unknown, (LUAI_UACINT)spending->in_flight));
}

const char *ck_budget_problem(lua_State *L, const struct ck_settings *settings,
                              struct ck_charge *charge) {
  lua_Integer most = settings->max_evaluations;
  const char *problem = NULL;
  if (charge->spending == NULL) return NULL;
  if (most >= 0 && charge->evaluations > most)
    return push_too_many(L, charge, lua_pushfstring(L, "max_evaluations is %I", (LUAI_UACINT)most));
  if (!ck_charge_fits(charge)) return spend_limit_problem(L, charge);
  if (charge->is_uncounted && !settings->uncounted) {
    problem = uncounted_problem(L, charge, "max_evaluations", most);
    if (problem == NULL)
      problem = uncounted_problem(L, charge, "spend_limit", settings->spend_limit);
  }
  if (problem == NULL && !settings->dry_run) (void)ck_charge_reserve(charge);
  return problem;
}

/* ---- tables ---------------------------------------------------------------------------------- */

void ck_budget_add(lua_State *L, const struct ck_charge *charge) {
  if (charge->spending == NULL || (charge->is_uncounted && charge->evaluations == 0)) return;
  lua_pushinteger(L, charge->evaluations);
  lua_setfield(L, -2, "evaluations");
  if (!charge->is_uncounted) return;
  lua_pushboolean(L, true);
  lua_setfield(L, -2, "evaluations_at_least");
}

void ck_budget_push_spent(lua_State *L, const struct ck_spent *spent, long long in_flight) {
  const struct {
    const char *name;
    long long number;
  } fields[] = {
    { "evaluations", spent->evaluations },
    { "evaluations_unknown", spent->evaluations_unknown },
    { "calls", spent->calls },
    { "calls_unknown", spent->calls_unknown },
    { "uncounted", spent->uncounted },
    { "in_flight", in_flight },
  };
  lua_createtable(L, 0, sizeof(fields) / sizeof(*fields));
  for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
    lua_pushinteger(L, fields[i].number);
    lua_setfield(L, -2, fields[i].name);
  }
}
