/*
** Decides whether and when a call is sent again. A pure function of its arguments: it has no clock
** and no source of random numbers.
*/
#ifndef CK_RETRY_H
#define CK_RETRY_H

#include <stdbool.h>

#include "outcome.h"

struct ck_policy {
  int max_attempts;
  double backoff_base, backoff_cap; /* seconds; see ck_retry_wait */
  bool idempotent;                  /* sending the call twice has the same effect as once */
  bool retry_unknown;               /* the caller accepts that the call may take effect twice */
};

struct ck_situation {
  struct ck_outcome outcome;
  bool found_closed;  /* the server had closed its connection, which an earlier request had used */
  int attempt;        /* how many have been made, at least 1 */
  double time_left;   /* seconds to the deadline of the call */
  double retry_after; /* seconds that the server asked for, negative = none */
  double random;      /* from 0 to 1 */
};

struct ck_decision {
  bool again;
  bool is_free; /* not taken from the retry quota: its cause is not a sign of overload */
  double wait;  /* seconds before the next attempt */
};

/*
** Decides on another attempt. Every call may be sent again if the server did not act on it. If the
** server may have acted, an idempotent call may be sent again; with `retry_unknown` every call,
** unless its status shows that the server did act. There is no other attempt if the wait would pass
** the deadline.
**
** A server may close an idle connection while a request is on its way. An idempotent call is then sent
** again without a wait, on a new connection. This happens at most once in a call, because every later
** attempt has a new connection.
*/
struct ck_decision ck_retry_decide(const struct ck_policy *policy,
                                   const struct ck_situation *situation);

/*
** Returns the seconds before another attempt: the server's Retry-After, or else a random number up
** to the base, which doubles with each attempt. After a 429 the base is doubled once more: a server
** that limits a client recovers later than a connection. The default of 0.5 s is 1 s then, as in
** the AWS SDKs since 2026:
** https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
*/
double ck_retry_wait(const struct ck_policy *policy, const struct ck_situation *situation);

#endif
