/* Compares max_evaluations with the number of evaluations that is proven or stated. */
#include "budget.h"

/* Returns the larger one of the proven and the stated number; -1 = neither is known. */
static lua_Integer evaluations(const struct ck_settings *settings, lua_Integer proven) {
  return settings->evaluations > proven ? settings->evaluations : proven;
}

/* Returns whether the call may start more evaluations than are known. */
static bool is_uncounted(const struct ck_endpoint *endpoint, const struct ck_settings *settings,
                         lua_Integer proven) {
  if (!endpoint->spends_credits || settings->evaluations >= 0) return false;
  return endpoint->at_least || proven < 0;
}

const char *ck_budget_problem(lua_State *L, const struct ck_endpoint *endpoint,
                              const struct ck_settings *settings, lua_Integer proven) {
  lua_Integer most = settings->max_evaluations, count = evaluations(settings, proven);
  bool uncounted = is_uncounted(endpoint, settings, proven);
  if (most < 0 || !endpoint->spends_credits) return NULL;
  if (count > most)
    return lua_pushfstring(L,
                           "would start %s%I metric evaluations, max_evaluations is %I: "
                           "nothing was sent",
                           uncounted ? "at least " : "", (LUAI_UACINT)count, (LUAI_UACINT)most);
  if (!uncounted || settings->uncounted) return NULL;
  const char *known = count < 0 ? "" : lua_pushfstring(L, " (at least %I)", (LUAI_UACINT)count);
  return lua_pushfstring(L,
                         "the number of metric evaluations is not known%s, max_evaluations is %I: "
                         "nothing was sent; state the number with the option evaluations, or set "
                         "uncounted = true",
                         known, (LUAI_UACINT)most);
}

void ck_budget_add(lua_State *L, const struct ck_endpoint *endpoint,
                   const struct ck_settings *settings, lua_Integer proven) {
  lua_Integer count = evaluations(settings, proven);
  if (!endpoint->spends_credits || count < 0) return;
  lua_pushinteger(L, count);
  lua_setfield(L, -2, "evaluations");
  if (!is_uncounted(endpoint, settings, proven)) return;
  lua_pushboolean(L, true);
  lua_setfield(L, -2, "evaluations_at_least");
}
