#include "pace.h"

static const double MOST_PATIENCE = 64;

bool ck_pace_allows(const struct ck_pace *pace, double now) {
  if (pace->window == 0) return true; /* nearly always */
  return now >= pace->paused_until && pace->under_way < (int)pace->window;
}

bool ck_pace_is_trial(const struct ck_pace *pace) { return pace->window != 0 && !pace->proven; }

struct ck_turn ck_pace_begin(struct ck_pace *pace) {
  pace->under_way++;
  return (struct ck_turn){ pace->round, pace->under_way };
}

void ck_pace_end(struct ck_pace *pace) { pace->under_way--; }

/* The window was that of a try for more than the server had taken before, and it failed. */
static bool has_tried_more(const struct ck_pace *pace) {
  return pace->window != 0 && pace->window > pace->threshold;
}

static void begin_round(struct ck_pace *pace) {
  if (has_tried_more(pace)) pace->patience *= 4;
  if (pace->patience > MOST_PATIENCE) pace->patience = MOST_PATIENCE;
  if (pace->window == 0) pace->patience = 1;
  pace->window = 1;
  pace->round++;
  pace->crowd = pace->refused = 0;
  pace->proven = false;
}

/*
** What the server has taken is what it did not refuse of those that were under way together;
** but at least half, for a limit by the second refuses them all once its second is used up.
*/
static double count_taken(const struct ck_pace *pace) {
  double taken = pace->crowd - pace->refused, half = pace->crowd / 2.0;
  if (taken < half) taken = half;
  return taken > 1 ? taken : 1;
}

/* More may have begun after it; and others of the burst may have ended before it was looked at. */
static int most_under_way(const struct ck_pace *pace, struct ck_turn turn) {
  return turn.crowd > pace->under_way ? turn.crowd : pace->under_way + 1;
}

static void count(struct ck_pace *pace, struct ck_turn turn) {
  int crowd = most_under_way(pace, turn);
  if (crowd > pace->crowd) pace->crowd = crowd;
  pace->refused++;
  pace->threshold = count_taken(pace);
}

/* The others of a burst were under way when the first was refused: they are of its round. */
void ck_pace_limit(struct ck_pace *pace, struct ck_turn turn, double now, double pause) {
  if (turn.round == pace->round) begin_round(pace);
  if (turn.round + 1 == pace->round) count(pace, turn);
  if (now + pause > pace->paused_until) pace->paused_until = now + pause;
}

/* Beyond what was too much once, that is no longer true. */
static void grow(struct ck_pace *pace) {
  if ((int)pace->window > pace->crowd) pace->patience = 1;
  if (pace->window < pace->threshold) pace->window += 1;
  else pace->window += 1 / (pace->window * pace->patience);
}

/* A window that was not even half filled has not been tried, and does not grow. */
void ck_pace_content(struct ck_pace *pace, struct ck_turn turn) {
  if (pace->window == 0 || turn.round != pace->round) return;
  pace->proven = true;
  if (turn.crowd * 2 >= (int)pace->window) grow(pace);
}
