/*
** The attempts that wait until they may begin. The limiter decides how many may be in flight, the
** queue which is next. The queue returns attempts, and the caller acts on them.
*/
#ifndef CK_QUEUE_H
#define CK_QUEUE_H

#include "attempt.h"
#include "policy/limiter.h"

struct ck_queue {
  struct ck_link waiting; /* attempts, borrowed; first those whose calls have made more attempts */
  double earliest;        /* no deadline of a waiting attempt is before it */
  struct ck_limiter limiter;
};

/* Initialises a zeroed queue. */
void ck_queue_init(struct ck_queue *queue);

/* Admits the attempt if it need not wait. Returns false, with nothing changed, if it must. */
bool ck_queue_try(struct ck_queue *queue, struct ck_attempt *attempt);

/* Appends the attempt to those with the same `tries`. */
void ck_queue_add(struct ck_queue *queue, struct ck_attempt *attempt, int tries);

/* Removes and returns the next attempt that may begin now; NULL if there is none. */
struct ck_attempt *ck_queue_next_admitted(struct ck_queue *queue);

/* Removes and returns an attempt whose deadline is before the end of the pause; NULL: none. */
struct ck_attempt *ck_queue_next_expired(struct ck_queue *queue);

/* Returns the seconds until an attempt may begin; HUGE_VAL if time alone does not decide that. */
double ck_queue_time_left(const struct ck_queue *queue, double now);

/* Returns the seconds that are left of the pause after a 429; 0 if there is none. */
double ck_queue_pause_left(const struct ck_queue *queue);

#endif
