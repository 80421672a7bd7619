/*
** Whether a call may be sent again, and when. A pure decision: no clock, no chance of its
** own, nothing but what it is handed.
*/
#ifndef CK_RETRY_H
#define CK_RETRY_H

#include <stdbool.h>

#include "outcome.h"

struct ck_policy {
  int max_attempts;
  double backoff_base, backoff_cap; /* seconds */
  bool idempotent;                  /* sent twice, the call leaves the server as sent once */
  bool reads;                       /* whatever becomes of it, the server has not acted on it */
  bool retry_unknown;               /* the caller would rather pay twice than not know */
};

struct ck_situation {
  struct ck_outcome outcome;
  int attempt;        /* how many have been made */
  double time_left;   /* seconds to the deadline of the call */
  double retry_after; /* seconds that the server asked for, negative = none */
  double random;      /* from 0 to 1 */
};

struct ck_decision {
  bool again;
  double wait; /* seconds before the next attempt */
};

/*
** Again where that cannot do harm: always after an attempt that the server did not act on
** and that may fare better next time; after a doubtful one if the endpoint is idempotent,
** or the caller takes the doubt on itself. A wait that would pass the deadline is not begun.
*/
struct ck_decision ck_retry_decide(const struct ck_policy *policy,
                                   const struct ck_situation *situation);

/* Seconds before another attempt: what the server asked for, else the backoff. */
double ck_retry_wait(const struct ck_policy *policy, const struct ck_situation *situation);

/* Exponential backoff with full jitter: from 0 to the cap of this attempt. */
double ck_retry_backoff(const struct ck_policy *policy, int attempt, double random);

#endif
