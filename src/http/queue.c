/* The queue of attempts that wait until they may begin. */
#include "queue.h"

#include <math.h>

#include "clock.h"

void ck_queue_init(struct ck_queue *queue) { ck_list_init(&queue->waiting); }

static bool is_empty(const struct ck_queue *queue) {
  return ck_list_first(&queue->waiting) == NULL;
}

bool ck_queue_try(struct ck_queue *queue, struct ck_attempt *attempt) {
  bool unlimited = queue->limiter.limit == 0; /* nearly always */
  if (!unlimited && (!is_empty(queue) || !ck_limiter_allows(&queue->limiter, ck_clock_now())))
    return false;
  attempt->ticket = ck_limiter_begin(&queue->limiter);
  return true;
}

void ck_queue_add(struct ck_queue *queue, struct ck_attempt *attempt, int tries) {
  struct ck_link *head = &queue->waiting, *before = head;
  if (is_empty(queue) || attempt->deadline_at < queue->earliest)
    queue->earliest = attempt->deadline_at;
  while (before->previous != head && ((struct ck_attempt *)before->previous)->tries < tries)
    before = before->previous;
  attempt->tries = tries;
  ck_list_insert(before, &attempt->link);
}

/*
** Returns the first attempt in the queue, whose call has made the most attempts. For the trial
** after a pause, which may be rejected, returns the first one whose call has made the fewest.
*/
static struct ck_attempt *next(const struct ck_queue *queue) {
  const struct ck_link *head = &queue->waiting;
  struct ck_attempt *chosen = (struct ck_attempt *)head->next;
  if (!ck_limiter_is_trial(&queue->limiter)) return chosen;
  for (struct ck_link *link = head->next; link != head; link = link->next) {
    struct ck_attempt *attempt = (struct ck_attempt *)link;
    if (attempt->tries < chosen->tries) chosen = attempt;
  }
  return chosen;
}

struct ck_attempt *ck_queue_next_admitted(struct ck_queue *queue) {
  if (is_empty(queue) || !ck_limiter_allows(&queue->limiter, ck_clock_now())) return NULL;
  struct ck_attempt *attempt = next(queue);
  ck_list_remove(&attempt->link);
  attempt->ticket = ck_limiter_begin(&queue->limiter);
  return attempt;
}

struct ck_attempt *ck_queue_next_expired(struct ck_queue *queue) {
  const struct ck_link *head = &queue->waiting;
  double earliest = HUGE_VAL;
  if (queue->earliest > queue->limiter.paused_until) return NULL; /* nearly always */
  for (struct ck_link *link = head->next; link != head; link = link->next) {
    struct ck_attempt *attempt = (struct ck_attempt *)link;
    if (attempt->deadline_at <= queue->limiter.paused_until) {
      ck_list_remove(link);
      return attempt;
    }
    if (attempt->deadline_at < earliest) earliest = attempt->deadline_at;
  }
  queue->earliest = earliest;
  return NULL;
}

double ck_queue_time_left(const struct ck_queue *queue, double now) {
  const struct ck_limiter *limiter = &queue->limiter;
  if (is_empty(queue)) return HUGE_VAL; /* nearly always */
  if (limiter->paused_until > now) return limiter->paused_until - now;
  return ck_limiter_allows(limiter, now) ? 0 : HUGE_VAL;
}

double ck_queue_pause_left(const struct ck_queue *queue) {
  if (queue->limiter.paused_until == 0) return 0; /* nearly always */
  double left = queue->limiter.paused_until - ck_clock_now();
  return left > 0 ? left : 0;
}
