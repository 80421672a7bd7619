/* The quota of retries that the calls of one client share. */
#include "retry_quota.h"

static const double CAPACITY = 50;     /* three retries of sixteen calls that meet one outage */
static const double SHARE = 0.1;       /* of a retry, for each call */
static const double FORGET_AFTER = 60; /* seconds without a retry: the outage is over */

void ck_retry_quota_refund(struct ck_retry_quota *quota, double retries) {
  quota->spent = quota->spent > retries ? quota->spent - retries : 0;
}

void ck_retry_quota_earn(struct ck_retry_quota *quota) { ck_retry_quota_refund(quota, SHARE); }

bool ck_retry_quota_spend(struct ck_retry_quota *quota, double now) {
  if (now - quota->last_spend > FORGET_AFTER) quota->spent = 0;
  quota->last_spend = now;
  if (quota->spent + 1 > CAPACITY) return false;
  quota->spent += 1;
  return true;
}
