/*
** How many attempts of a client may be under way at once. Any number, until the server says
** 429: then none until the pause that it asked for has passed, then one, then quickly more, up
** to as many as it took of those that were under way. From there on slowly, as TCP does (RFC
** 5681), and ever more slowly where one more is refused every time.
** A pure decision: no clock of its own.
*/
#ifndef CK_LIMITER_H
#define CK_LIMITER_H

#include <stdbool.h>

/* Zeroed, it has never met a 429. Moments are those of ck_clock_now. */
struct ck_limiter {
  double paused_until;
  double window;    /* how many may be under way; 0 = any number */
  double threshold; /* where the window begins to grow slowly */
  double patience;  /* how many times its number is answered before a slow window grows by one */
  unsigned round;   /* begins with the first 429 to an attempt of the round before */
  int crowd;        /* the most that were under way with one that met a 429, in that one */
  int refused;      /* how many of them met it */
  bool proven;      /* since then an attempt was not refused */
  int under_way;
};

/* What an attempt is given when it begins, and gives back with what it was told. */
struct ck_ticket {
  unsigned round;
  int crowd; /* how many were under way then, with this one */
};

/* Whether one more attempt may begin. */
bool ck_limiter_allows(const struct ck_limiter *limiter, double now);

/* Whether the next attempt is the one that finds out whether the server takes any again. */
bool ck_limiter_is_trial(const struct ck_limiter *limiter);

/* An attempt begins; it has ended. */
struct ck_ticket ck_limiter_begin(struct ck_limiter *limiter);
void ck_limiter_end(struct ck_limiter *limiter);

/* What the attempt that has ended was told: a 429, with a pause in seconds; or something else. */
void ck_limiter_note_rate_limited(struct ck_limiter *limiter, struct ck_ticket turn, double now,
                                  double pause);
void ck_limiter_note_success(struct ck_limiter *limiter, struct ck_ticket turn);

#endif
