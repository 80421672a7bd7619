#include "retry.h"

#include "retry_after.h"

double ck_retry_backoff(const struct ck_policy *policy, int attempt, double random) {
  double most = policy->backoff_base;
  for (int i = 1; i < attempt && most < policy->backoff_cap; i++) most *= 2;
  return random * (most < policy->backoff_cap ? most : policy->backoff_cap);
}

static bool is_harmless(const struct ck_policy *policy, const struct ck_outcome *outcome) {
  switch (outcome->retry) {
    case CK_RETRY_ALWAYS: return true;
    case CK_RETRY_IDEMPOTENT:
      return policy->idempotent ||
             (policy->retry_unknown && outcome->applied == CK_APPLIED_UNKNOWN);
    default: return false;
  }
}

double ck_retry_wait(const struct ck_policy *policy, const struct ck_situation *situation) {
  if (situation->retry_after >= 0) return situation->retry_after;
  double wait = ck_retry_backoff(policy, situation->attempt, situation->random);
  bool is_pause =
      situation->outcome.kind == CK_KIND_RATE_LIMITED; /* for the client's other calls, too */
  return is_pause && wait > CK_RETRY_AFTER_MOST ? CK_RETRY_AFTER_MOST : wait;
}

struct ck_decision ck_retry_decide(const struct ck_policy *policy,
                                   const struct ck_situation *situation) {
  const struct ck_decision stop = { false, 0 };
  double wait = ck_retry_wait(policy, situation);
  if (!is_harmless(policy, &situation->outcome)) return stop;
  if (situation->attempt >= policy->max_attempts) return stop;
  if (wait >= situation->time_left) return stop;
  return (struct ck_decision){ true, wait };
}
