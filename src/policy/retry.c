/*
** Decides whether a call is sent again, and after which wait.
*/
#include "retry.h"

#include "retry_after.h"

static bool is_harmless(const struct ck_policy *policy, const struct ck_outcome *outcome) {
  switch (outcome->retry) {
    case CK_RETRY_ALWAYS: return true;
    case CK_RETRY_IDEMPOTENT:
      return policy->idempotent ||
             (policy->retry_unknown && outcome->applied == CK_APPLIED_UNKNOWN);
    default: return false;
  }
}

/* Exponential backoff with full jitter. */
double ck_retry_wait(const struct ck_policy *policy, const struct ck_situation *situation) {
  bool is_rate_limited = situation->outcome.kind == CK_KIND_RATE_LIMITED;
  int doublings = situation->attempt - 1 + (is_rate_limited ? 1 : 0);
  double most = policy->backoff_base;
  if (situation->retry_after >= 0) return situation->retry_after;
  for (; doublings > 0 && most < policy->backoff_cap; doublings--) most *= 2;
  double wait = situation->random * (most < policy->backoff_cap ? most : policy->backoff_cap);
  if (!is_rate_limited) return wait;
  return wait < CK_RETRY_AFTER_MOST ? wait : CK_RETRY_AFTER_MOST; /* the wait pauses all calls */
}

struct ck_decision ck_retry_decide(const struct ck_policy *policy,
                                   const struct ck_situation *situation) {
  const struct ck_decision stop = { 0 };
  bool at_once = situation->found_closed && policy->idempotent;
  double wait = at_once ? 0 : ck_retry_wait(policy, situation);
  if (!is_harmless(policy, &situation->outcome)) return stop;
  if (situation->attempt >= policy->max_attempts) return stop;
  if (wait >= situation->time_left) return stop;
  return (struct ck_decision){
    .again = true,
    .is_free = at_once || situation->outcome.kind == CK_KIND_RATE_LIMITED,
    .wait = wait,
  };
}
