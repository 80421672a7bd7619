/* The limit on attempts in flight: additive increase, and a restart from one after a 429. */
#include "limiter.h"

static const double MAX_GROWTH_DELAY = 64;

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

/* Slow growth becomes slower each time that the limit exceeds what the server accepts. */
static void begin_epoch(struct ck_limiter *limiter) {
  if (limiter->limit == 0) limiter->growth_delay = 1;
  else if (limiter->limit > limiter->threshold) limiter->growth_delay *= 4;
  if (limiter->growth_delay > MAX_GROWTH_DELAY) limiter->growth_delay = MAX_GROWTH_DELAY;
  limiter->limit = 1;
  limiter->epoch++;
  limiter->peak_in_flight = limiter->rejected = 0;
  limiter->proven = false;
}

/*
** The server has accepted the attempts in flight that it did not reject. At least half is assumed,
** because a limit per second rejects a whole burst once its second is used up.
*/
static void count_rejected(struct ck_limiter *limiter, struct ck_ticket ticket) {
  int in_flight = limiter->in_flight + 1; /* others may have begun after it, or ended before it */
  if (in_flight < ticket.in_flight) in_flight = ticket.in_flight;
  if (in_flight > limiter->peak_in_flight) limiter->peak_in_flight = in_flight;
  limiter->rejected++;
  double peak = limiter->peak_in_flight;
  limiter->threshold = max(1, max(peak - limiter->rejected, peak / 2));
}

/* The tickets of the other attempts of a burst are of the epoch before. */
void ck_limiter_note_rate_limited(struct ck_limiter *limiter, struct ck_ticket ticket, double now,
                                  double pause) {
  if (ticket.epoch == limiter->epoch) begin_epoch(limiter);
  if (ticket.epoch + 1 == limiter->epoch) count_rejected(limiter, ticket);
  limiter->paused_until = max(limiter->paused_until, now + pause);
}

void ck_limiter_note_success(struct ck_limiter *limiter, struct ck_ticket ticket) {
  if (limiter->limit == 0 || ticket.epoch != limiter->epoch) return;
  limiter->proven = true;
  if (ticket.in_flight * 2 < (int)limiter->limit) return; /* far below the limit */
  if ((int)limiter->limit > limiter->peak_in_flight)
    limiter->growth_delay = 1; /* the server accepts more now */
  if (limiter->limit < limiter->threshold) limiter->limit += 1;
  else limiter->limit += 1 / (limiter->limit * limiter->growth_delay);
}
