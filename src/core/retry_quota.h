/*
** How much a client may try again. When a server is down, every call fails, and retries
** would only multiply what hits it: then there are at most one for ten calls, beyond an
** allowance. Retries that led to an answer cost nothing. (AWS's SDKs and gRPC do likewise:
** "retry quota", "retry throttling".)
*/
#ifndef CK_RETRY_QUOTA_H
#define CK_RETRY_QUOTA_H

#include <stdbool.h>

/* Zeroed, nothing has been spent. Moments are those of ck_clock_now. */
struct ck_retry_quota {
  double spent; /* retries */
  double asked; /* when one was asked for last */
};

/* A call begins, and earns its share. */
void ck_retry_quota_earn(struct ck_retry_quota *quota);

/* Takes one retry. False: there is none left. */
bool ck_retry_quota_spend(struct ck_retry_quota *quota, double now);

/* The call succeeded with that many retries. */
void ck_retry_quota_refund(struct ck_retry_quota *quota, int retries);

#endif
