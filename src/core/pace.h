/*
** How many attempts of a client may be under way at once. Any number, until the server says
** 429: then none until the pause that it asked for has passed, then one, then two, and so on
** up to half of what was too much, and slower from there on, as TCP does (RFC 5681).
** A pure decision: no clock of its own.
*/
#ifndef CK_PACE_H
#define CK_PACE_H

#include <stdbool.h>

/* Zeroed, it has never met a 429. Moments are those of ck_clock_now. */
struct ck_pace {
  double paused_until;
  double window;    /* how many may be under way; 0 = any number */
  double threshold; /* where the window begins to grow slowly */
  int under_way;
};

/* Whether one more attempt may begin. */
bool ck_pace_allows(const struct ck_pace *pace, double now);

/* An attempt begins; it has ended. */
void ck_pace_begin(struct ck_pace *pace);
void ck_pace_end(struct ck_pace *pace);

/* What the attempt that has just ended was told: a 429, with a pause in seconds; or no 429. */
void ck_pace_limit(struct ck_pace *pace, double now, double pause);
void ck_pace_content(struct ck_pace *pace);

#endif
