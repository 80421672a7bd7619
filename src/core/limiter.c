#include "limiter.h"

static const double MOST_PATIENCE = 64;

bool ck_limiter_allows(const struct ck_limiter *limiter, double now) {
  if (limiter->window == 0) return true; /* nearly always */
  return now >= limiter->paused_until && limiter->under_way < (int)limiter->window;
}

bool ck_limiter_is_trial(const struct ck_limiter *limiter) {
  return limiter->window != 0 && !limiter->proven;
}

struct ck_ticket ck_limiter_begin(struct ck_limiter *limiter) {
  limiter->under_way++;
  return (struct ck_ticket){ limiter->round, limiter->under_way };
}

void ck_limiter_end(struct ck_limiter *limiter) { limiter->under_way--; }

/* The window was that of a try for more than the server had taken before, and it failed. */
static bool has_tried_more(const struct ck_limiter *limiter) {
  return limiter->window != 0 && limiter->window > limiter->threshold;
}

static void begin_round(struct ck_limiter *limiter) {
  if (has_tried_more(limiter)) limiter->patience *= 4;
  if (limiter->patience > MOST_PATIENCE) limiter->patience = MOST_PATIENCE;
  if (limiter->window == 0) limiter->patience = 1;
  limiter->window = 1;
  limiter->round++;
  limiter->crowd = limiter->refused = 0;
  limiter->proven = false;
}

/*
** What the server has taken is what it did not refuse of those that were under way together;
** but at least half, for a limit by the second refuses them all once its second is used up.
*/
static double count_taken(const struct ck_limiter *limiter) {
  double taken = limiter->crowd - limiter->refused, half = limiter->crowd / 2.0;
  if (taken < half) taken = half;
  return taken > 1 ? taken : 1;
}

/* More may have begun after it; and others of the burst may have ended before it was looked at. */
static int most_under_way(const struct ck_limiter *limiter, struct ck_ticket turn) {
  return turn.crowd > limiter->under_way ? turn.crowd : limiter->under_way + 1;
}

static void count(struct ck_limiter *limiter, struct ck_ticket turn) {
  int crowd = most_under_way(limiter, turn);
  if (crowd > limiter->crowd) limiter->crowd = crowd;
  limiter->refused++;
  limiter->threshold = count_taken(limiter);
}

/* The others of a burst were under way when the first was refused: they are of its round. */
void ck_limiter_note_rate_limited(struct ck_limiter *limiter, struct ck_ticket turn, double now,
                                  double pause) {
  if (turn.round == limiter->round) begin_round(limiter);
  if (turn.round + 1 == limiter->round) count(limiter, turn);
  if (now + pause > limiter->paused_until) limiter->paused_until = now + pause;
}

/* Beyond what was too much once, that is no longer true. */
static void grow(struct ck_limiter *limiter) {
  if ((int)limiter->window > limiter->crowd) limiter->patience = 1;
  if (limiter->window < limiter->threshold) limiter->window += 1;
  else limiter->window += 1 / (limiter->window * limiter->patience);
}

/* A window that was not even half filled has not been tried, and does not grow. */
void ck_limiter_note_success(struct ck_limiter *limiter, struct ck_ticket turn) {
  if (limiter->window == 0 || turn.round != limiter->round) return;
  limiter->proven = true;
  if (turn.crowd * 2 >= (int)limiter->window) grow(limiter);
}
