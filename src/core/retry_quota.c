#include "retry_quota.h"

/* Enough for the three retries of sixteen calls that meet a short outage together. */
static const double ALLOWANCE = 50;

static const double SHARE = 0.1; /* of a retry, that each call earns */

/* Seconds without a call that fails: what there was before says nothing of the server now. */
static const double QUIET = 60;

static void give(struct ck_retry_quota *quota, double retries) {
  quota->spent = quota->spent > retries ? quota->spent - retries : 0;
}

void ck_retry_quota_earn(struct ck_retry_quota *quota) { give(quota, SHARE); }

bool ck_retry_quota_spend(struct ck_retry_quota *quota, double now) {
  if (now - quota->asked > QUIET) quota->spent = 0;
  quota->asked = now;
  if (quota->spent + 1 > ALLOWANCE) return false;
  quota->spent += 1;
  return true;
}

void ck_retry_quota_refund(struct ck_retry_quota *quota, int retries) { give(quota, retries); }
