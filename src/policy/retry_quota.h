/*
** Limits the retries of one client. When a server is down, every call fails, and retries multiply
** its load. Beyond a fixed number there is therefore one retry for ten calls. The retries of a call
** that succeeds are refunded. AWS's SDKs ("retry quota") and gRPC ("retry throttling") do the same.
*/
#ifndef CK_RETRY_QUOTA_H
#define CK_RETRY_QUOTA_H

#include <stdbool.h>

/* A zeroed quota is unspent. Times are those of ck_clock_now. */
struct ck_retry_quota {
  double spent;      /* retries */
  double last_spend; /* when ck_retry_quota_spend was called last */
};

/* Adds the tenth of a retry that each new call earns. */
void ck_retry_quota_earn(struct ck_retry_quota *quota);

/* Takes one retry. Returns false if none is left. */
bool ck_retry_quota_spend(struct ck_retry_quota *quota, double now);

/* Refunds the retries of a call that has succeeded. */
void ck_retry_quota_refund(struct ck_retry_quota *quota, double retries);

#endif
