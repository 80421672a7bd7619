/*
** The decisions of src/policy as a Lua module for the specs. They need no network and no clock.
*/
#include <lauxlib.h>
#include <lua.h>

#include "policy/deprecation.h"
#include "policy/limiter.h"
#include "policy/outcome.h"
#include "policy/retry.h"
#include "policy/retry_after.h"
#include "policy/retry_quota.h"

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
  struct ck_observation attempt = {
    .code = (int)number(L, "code", 0),
    .times_sent = (unsigned)number(L, "times_sent", 1),
    .status = (int)number(L, "status", 0),
    .whole = boolean(L, "whole"),
    .too_large = boolean(L, "too_large"),
    .cancelled = boolean(L, "cancelled"),
  };
  return ck_outcome_judge(&attempt);
}

/*
** judge{ code, times_sent, status, whole, … } → kind, applied, "never" | "idempotent" | "always"
*/
static int judge(lua_State *L) {
  static const char *const retriable[] = { "never", "idempotent", "always" };
  struct ck_outcome outcome = outcome_of(L);
  lua_pushstring(L, ck_kind_name(outcome.kind));
  lua_pushstring(L, ck_applied_name(outcome.applied));
  lua_pushstring(L, retriable[outcome.retry]);
  return 3;
}

/* decide{ the fields of judge, idempotent, retry_unknown, attempt, … } → wait, or false to stop */
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
    .found_closed = boolean(L, "found_closed"),
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

/* retry_after(head, now) → seconds, negative without a valid Retry-After */
static int retry_after(lua_State *L) {
  size_t length;
  const char *head = luaL_checklstring(L, 1, &length);
  lua_pushnumber(L, ck_retry_after(head, length, (time_t)luaL_checkinteger(L, 2)));
  return 1;
}

/* deprecation_date(head, name) → seconds since 1970, negative if there is no readable date */
static int deprecation_date(lua_State *L) {
  size_t length;
  const char *head = luaL_checklstring(L, 1, &length);
  lua_pushinteger(L, ck_deprecation_date(head, length, luaL_checkstring(L, 2)));
  return 1;
}

/* ---- limiter -------------------------------------------------------------------------------- */

/* limiter() → a limiter without a limit; the first argument of the functions below */
static int limiter(lua_State *L) {
  *(struct ck_limiter *)lua_newuserdatauv(L, sizeof(struct ck_limiter), 0) =
      (struct ck_limiter){ 0 };
  return 1;
}

static struct ck_ticket check_ticket(lua_State *L) {
  return (struct ck_ticket){ (unsigned)luaL_checkinteger(L, 2), (int)luaL_checkinteger(L, 3) };
}

/* allows(limiter, now) */
static int allows(lua_State *L) {
  lua_pushboolean(L, ck_limiter_allows(lua_touserdata(L, 1), luaL_checknumber(L, 2)));
  return 1;
}

/* is_trial(limiter) */
static int is_trial(lua_State *L) {
  lua_pushboolean(L, ck_limiter_is_trial(lua_touserdata(L, 1)));
  return 1;
}

/* begin(limiter) → the epoch and in_flight of the attempt's ticket */
static int begin(lua_State *L) {
  struct ck_ticket ticket = ck_limiter_begin(lua_touserdata(L, 1));
  lua_pushinteger(L, ticket.epoch);
  lua_pushinteger(L, ticket.in_flight);
  return 2;
}

/* finish(limiter) */
static int finish(lua_State *L) {
  ck_limiter_end(lua_touserdata(L, 1));
  return 0;
}

/* note_rate_limited(limiter, epoch, in_flight, now, pause) */
static int note_rate_limited(lua_State *L) {
  ck_limiter_note_rate_limited(lua_touserdata(L, 1), check_ticket(L), luaL_checknumber(L, 4),
                               luaL_checknumber(L, 5));
  return 0;
}

/* note_success(limiter, epoch, in_flight, now) */
static int note_success(lua_State *L) {
  ck_limiter_note_success(lua_touserdata(L, 1), check_ticket(L), luaL_checknumber(L, 4));
  return 0;
}

/* limit(limiter) → how many attempts may be in flight, 0 = any number; the threshold */
static int limit(lua_State *L) {
  const struct ck_limiter *self = lua_touserdata(L, 1);
  lua_pushinteger(L, (lua_Integer)self->limit);
  lua_pushinteger(L, (lua_Integer)self->threshold);
  return 2;
}

/* ---- retry quota ---------------------------------------------------------------------------- */

/* quota() → an unspent quota; the first argument of the functions below */
static int quota(lua_State *L) {
  *(struct ck_retry_quota *)lua_newuserdatauv(L, sizeof(struct ck_retry_quota), 0) =
      (struct ck_retry_quota){ 0 };
  return 1;
}

/* earn(quota) */
static int earn(lua_State *L) {
  ck_retry_quota_earn(lua_touserdata(L, 1));
  return 0;
}

/* spend(quota, now) → whether a retry was left */
static int spend(lua_State *L) {
  lua_pushboolean(L, ck_retry_quota_spend(lua_touserdata(L, 1), luaL_checknumber(L, 2)));
  return 1;
}

/* refund(quota, retries) */
static int refund(lua_State *L) {
  ck_retry_quota_refund(lua_touserdata(L, 1), luaL_checknumber(L, 2));
  return 0;
}

int luaopen_decisions(lua_State *L) {
  static const luaL_Reg functions[] = { { "judge", judge },
                                        { "decide", decide },
                                        { "retry_after", retry_after },
                                        { "deprecation_date", deprecation_date },
                                        { "limiter", limiter },
                                        { "allows", allows },
                                        { "is_trial", is_trial },
                                        { "begin", begin },
                                        { "finish", finish },
                                        { "note_rate_limited", note_rate_limited },
                                        { "note_success", note_success },
                                        { "limit", limit },
                                        { "quota", quota },
                                        { "earn", earn },
                                        { "spend", spend },
                                        { "refund", refund },
                                        { NULL, NULL } };
  luaL_newlib(L, functions);
  return 1;
}
