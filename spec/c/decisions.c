/* The core's pure decisions, as a Lua module for the specs: no network, no clock. */
#include <lauxlib.h>
#include <lua.h>

#include "core/outcome.h"
#include "core/retry.h"
#include "core/retry_after.h"

__attribute__((visibility("default"))) int luaopen_decisions(lua_State *L);

static lua_Number number(lua_State *L, const char *name, lua_Number otherwise) {
  lua_getfield(L, 1, name);
  lua_Number value = luaL_optnumber(L, -1, otherwise);
  lua_pop(L, 1);
  return value;
}

static bool boolean(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static struct ck_outcome outcome_of(lua_State *L) {
  struct ck_attempt attempt = {
    .code = (int)number(L, "code", 0),
    .sendings = (unsigned)number(L, "sendings", 1),
    .status = (int)number(L, "status", 0),
    .whole = boolean(L, "whole"),
    .too_large = boolean(L, "too_large"),
    .cancelled = boolean(L, "cancelled"),
    .not_processed = boolean(L, "not_processed"),
  };
  return ck_outcome_judge(&attempt);
}

/* judge{ code, sendings, status, whole, … } → kind, applied, "never" | "idempotent" | "always" */
static int judge(lua_State *L) {
  static const char *const retriable[] = { "never", "idempotent", "always" };
  struct ck_outcome outcome = outcome_of(L);
  lua_pushstring(L, ck_kind_name(outcome.kind));
  lua_pushstring(L, ck_applied_name(outcome.applied));
  lua_pushstring(L, retriable[outcome.retry]);
  return 3;
}

/* decide{ what judge takes, idempotent, retry_unknown, attempt, … } → wait, or false to stop */
static int decide(lua_State *L) {
  struct ck_policy policy = {
    .max_attempts = (int)number(L, "max_attempts", 4),
    .backoff_base = number(L, "base", 0.5),
    .backoff_cap = number(L, "cap", 20),
    .idempotent = boolean(L, "idempotent"),
    .retry_unknown = boolean(L, "retry_unknown"),
  };
  struct ck_situation situation = {
    .outcome = outcome_of(L),
    .attempt = (int)number(L, "attempt", 1),
    .time_left = number(L, "time_left", 120),
    .retry_after = number(L, "retry_after", -1),
    .random = number(L, "random", 1),
  };
  struct ck_decision decision = ck_retry_decide(&policy, &situation);
  if (decision.again) lua_pushnumber(L, decision.wait);
  else lua_pushboolean(L, false);
  return 1;
}

/* retry_after(head, now) → seconds, negative where there is nothing to understand */
static int retry_after(lua_State *L) {
  size_t length;
  const char *head = luaL_checklstring(L, 1, &length);
  lua_pushnumber(L, ck_retry_after(head, length, (time_t)luaL_checkinteger(L, 2)));
  return 1;
}

int luaopen_decisions(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "judge", judge }, { "decide", decide }, { "retry_after", retry_after }, { NULL, NULL }
  };
  luaL_newlib(L, functions);
  return 1;
}
