/*
** Limits how many attempts of a client are in flight at once. There is no limit until the first
** 429. Then no attempt starts before the pause has passed, and the first one tests whether the
** server accepts requests again. From there the limit grows as TCP's congestion window does (RFC
** 5681): by one for each success up to the threshold, the number that the server accepted at once.
**
** If the 429s have shown that number, the limit remains there for 16 times as long as the pause and
** the return took, so that these take no more than a seventeenth of the time. If they have not, as
** those of a limit per second, it grows sooner. The limiter reads no clock.
*/
#ifndef CK_LIMITER_H
#define CK_LIMITER_H

#include <stdbool.h>

/* A zeroed limiter has no limit. Times are those of ck_clock_now. */
struct ck_limiter {
  double paused_until;
  double limit;        /* attempts that may be in flight; 0 = any number */
  double threshold;    /* what the server is assumed to accept at once */
  double growth_delay; /* before growth above it, in durations of the pause and the return */
  double rejected_at;  /* when this epoch began */
  double grows_at;     /* when that growth begins; 0: the threshold has not been reached */
  unsigned epoch;      /* begins with the first 429 to an attempt of the epoch before */
  int peak_in_flight;  /* the most that were in flight when one met a 429, in the last epoch */
  int accepted;        /* the most of them that met none */
  int accepted_before; /* peak_accepted of the last epoch */
  int peak_accepted;   /* the most in flight, of which one succeeded before the epoch's end */
  bool first;          /* the last epoch had no limit */
  bool grew;           /* the last epoch ended above its threshold */
  bool proven;         /* an attempt of this epoch has succeeded */
  int in_flight;
};

/* Describes an attempt at its beginning; its caller passes it again to report the end. */
struct ck_ticket {
  unsigned epoch;
  int in_flight; /* including this attempt */
};

/* Returns whether one more attempt may begin. */
bool ck_limiter_allows(const struct ck_limiter *limiter, double now);

/* Returns whether the next attempt is the one that tests whether the server accepts any again. */
bool ck_limiter_is_trial(const struct ck_limiter *limiter);

/* Counts an attempt that begins, and one that has ended. */
struct ck_ticket ck_limiter_begin(struct ck_limiter *limiter);
void ck_limiter_end(struct ck_limiter *limiter);

/* Reports that the attempt met a 429: no attempt starts for `pause` seconds. */
void ck_limiter_note_rate_limited(struct ck_limiter *limiter, struct ck_ticket ticket, double now,
                                  double pause);

/* Reports that the server processed the attempt. Without a limit `now` is not read. */
void ck_limiter_note_success(struct ck_limiter *limiter, struct ck_ticket ticket, double now);

#endif
