/* The limit on attempts in flight: additive increase, and a restart from one after a 429. */
#include "limiter.h"

static const double EXACT_GROWTH_DELAY = 16;

static double max(double a, double b) { return a > b ? a : b; }

bool ck_limiter_allows(const struct ck_limiter *limiter, double now) {
  if (limiter->limit == 0) return true; /* nearly always */
  return now >= limiter->paused_until && limiter->in_flight < (int)limiter->limit;
}

bool ck_limiter_is_trial(const struct ck_limiter *limiter) {
  return limiter->limit != 0 && !limiter->proven;
}

struct ck_ticket ck_limiter_begin(struct ck_limiter *limiter) {
  limiter->in_flight++;
  return (struct ck_ticket){ limiter->epoch, limiter->in_flight };
}

void ck_limiter_end(struct ck_limiter *limiter) { limiter->in_flight--; }

static void begin_epoch(struct ck_limiter *limiter, double now) {
  limiter->first = limiter->limit == 0;
  limiter->grew = limiter->first || limiter->limit > limiter->threshold;
  limiter->limit = 1;
  limiter->epoch++;
  limiter->rejected_at = now;
  limiter->grows_at = 0;
  limiter->accepted_before = limiter->peak_accepted;
  limiter->peak_in_flight = limiter->accepted = limiter->peak_accepted = 0;
  limiter->proven = false;
}

/*
** The server has accepted the attempts that are in flight after the last 429. If some of them ended
** before it, they were in flight at an earlier 429, with all that were rejected later.
*/
static void count_rejected(struct ck_limiter *limiter, struct ck_ticket ticket) {
  int others = limiter->in_flight;
  bool is_first = limiter->peak_in_flight == 0; /* others may have ended since it was rejected */
  if (is_first && others < ticket.in_flight - 1) others = ticket.in_flight - 1;
  if (others + 1 > limiter->peak_in_flight) limiter->peak_in_flight = others + 1;
  limiter->accepted--;
  if (others > limiter->accepted) limiter->accepted = others;
}

/*
** A little less than the server accepted is assumed, because an attempt may have taken the place
** of one whose response was on its way. At least half is assumed if the server accepted that many
** before, or rejected all of a burst, because a limit per second does so once its second is used
** up.
*/
static void set_threshold(struct ck_limiter *limiter) {
  double least = limiter->peak_in_flight / 2.0;
  int accepted = limiter->accepted, little_less = accepted - accepted / 32;
  if (accepted > 0 && limiter->accepted_before < least) least = limiter->accepted_before;
  limiter->threshold = max(1, max(little_less, least));
}

/*
** The 429s have shown how many the server accepts if it accepted a fair part of a burst that was
** larger than any that it had accepted before. If the limit had not grown, they say nothing new.
*/
static void set_growth_delay(struct ck_limiter *limiter) {
  int peak = limiter->peak_in_flight;
  bool is_exact = limiter->accepted_before < peak && limiter->accepted * 8 >= peak;
  if (!limiter->grew) return;
  limiter->growth_delay = is_exact ? EXACT_GROWTH_DELAY : limiter->first ? 0 : 1;
}

/*
** The tickets of the other attempts of a burst are of the epoch before. The trial after a pause
** shows only that the pause was too short.
*/
void ck_limiter_note_rate_limited(struct ck_limiter *limiter, struct ck_ticket ticket, double now,
                                  double pause) {
  if (ticket.epoch == limiter->epoch && !ck_limiter_is_trial(limiter)) begin_epoch(limiter, now);
  if (ticket.epoch + 1 == limiter->epoch) {
    count_rejected(limiter, ticket);
    set_threshold(limiter);
    set_growth_delay(limiter);
  }
  limiter->paused_until = max(limiter->paused_until, now + pause);
}

/* Above the threshold the limit grows by one at first, and doubles the excess from then on. */
static void grow(struct ck_limiter *limiter, double now) {
  if (limiter->limit < limiter->threshold) {
    limiter->limit += 1;
    return;
  }
  if (limiter->grows_at == 0)
    limiter->grows_at = now + limiter->growth_delay * (now - limiter->rejected_at);
  if (now < limiter->grows_at) return;
  limiter->limit += max(1, limiter->limit - limiter->threshold) / limiter->limit;
}

void ck_limiter_note_success(struct ck_limiter *limiter, struct ck_ticket ticket, double now) {
  if (ticket.epoch != limiter->epoch) return;
  if (ticket.in_flight > limiter->peak_accepted) limiter->peak_accepted = ticket.in_flight;
  if (limiter->limit == 0) return; /* nearly always */
  limiter->proven = true;
  bool far_below = ticket.in_flight * 2 < (int)limiter->limit;
  if (!far_below) grow(limiter, now);
}
