/*
** The evaluations that the calls of a client have started, and the limit of them. A call reserves
** its evaluations before an attempt is sent, and settles them when the attempt has been judged: an
** attempt that may have been applied is counted, each time. The reservations and the counted
** evaluations of a client never exceed its limit, so that no sum overflows.
*/
#ifndef CK_SPENDING_H
#define CK_SPENDING_H

#include <limits.h>
#include <stdbool.h>

#include "outcome.h"

/* The attempts of calls that spend credits: those that were applied, or may have been. */
struct ck_spent {
  long long evaluations;         /* of attempts that were applied */
  long long evaluations_unknown; /* of attempts that may have been applied */
  long long calls;               /* the number of the former */
  long long calls_unknown;       /* the number of the latter */
  long long uncounted;           /* those of both whose evaluations are not known exactly */
};

/* What a client has spent, and may spend. LLONG_MAX as the limit means none. */
struct ck_spending {
  long long limit;
  long long in_flight; /* evaluations that are reserved */
  struct ck_spent spent;
};

/* Of a call. */
struct ck_charge {
  struct ck_spending *spending; /* the client's, borrowed; NULL: the call spends no credits */
  long long evaluations;        /* what an attempt starts, or starts at least */
  bool is_uncounted;            /* it may start more */
  bool is_reserved;
  struct ck_spent spent; /* by the attempts of the call */
};

/* Returns whether the limit permits one more attempt of the call. Reserves nothing. */
bool ck_charge_fits(const struct ck_charge *charge);

/* Reserves the evaluations of one attempt, unless they are. Returns false if they do not fit. */
bool ck_charge_reserve(struct ck_charge *charge);

/*
** Counts what is reserved if the attempt was or may have been applied, and releases it otherwise.
** A no-op if nothing is reserved.
*/
void ck_charge_settle(struct ck_charge *charge, enum ck_applied applied);

/* Adds the second one to the first. Numbers above LLONG_MAX become LLONG_MAX. */
void ck_spent_add(struct ck_spent *sum, const struct ck_spent *spent);

#endif
