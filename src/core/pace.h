/*
** How many attempts of a client may be under way at once. Any number, until the server says
** 429: then none until the pause that it asked for has passed, then one, then quickly more, up
** to as many as it took of those that were under way. From there on slowly, as TCP does (RFC
** 5681), and ever more slowly where one more is refused every time.
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
  double patience;  /* how many times its number is answered before a slow window grows by one */
  unsigned round;   /* begins with the first 429 to an attempt of the round before */
  int crowd;        /* the most that were under way with one that met a 429, in that one */
  int refused;      /* how many of them met it */
  bool proven;      /* since then an attempt was not refused */
  int under_way;
};

/* What an attempt is given when it begins, and gives back with what it was told. */
struct ck_turn {
  unsigned round;
  int crowd; /* how many were under way then, with this one */
};

/* Whether one more attempt may begin. */
bool ck_pace_allows(const struct ck_pace *pace, double now);

/* Whether the next attempt is the one that finds out whether the server takes any again. */
bool ck_pace_is_trial(const struct ck_pace *pace);

/* An attempt begins; it has ended. */
struct ck_turn ck_pace_begin(struct ck_pace *pace);
void ck_pace_end(struct ck_pace *pace);

/* What the attempt that has ended was told: a 429, with a pause in seconds; or something else. */
void ck_pace_limit(struct ck_pace *pace, struct ck_turn turn, double now, double pause);
void ck_pace_content(struct ck_pace *pace, struct ck_turn turn);

#endif
