/*
** The state machine of a call: asks the transfer for attempts, outcome.c for their outcomes, and
** retry.c whether there is another one.
*/
#include "exchange.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "policy/retry_after.h"

static double time_left(const struct ck_exchange *exchange) {
  return exchange->deadline_at - ck_clock_now();
}

/* Returns a random number from 0 to 1; 0.5 without a source of randomness. */
static double draw(void) {
  unsigned number;
  if (getentropy(&number, sizeof(number)) != 0) return 0.5;
  return (double)number / 4294967295.0;
}

static bool is_detached(const struct ck_exchange *exchange) {
  return ck_transfer_is_detached(&exchange->transfer);
}

static bool is_cancelled(const struct ck_exchange *exchange) {
  return is_detached(exchange) || exchange->transfer.response.observed.cancelled;
}

void ck_exchange_reset(struct ck_exchange *exchange) {
  exchange->attempts = exchange->retries = 0;
  exchange->wait = exchange->random = 0;
  exchange->retry_after = -1;
  exchange->over_quota = exchange->over_limit = false;
  exchange->outcome = (struct ck_outcome){ 0 };
  exchange->applied = CK_APPLIED_NO;
}

void ck_exchange_begin(struct ck_exchange *exchange) {
  ck_exchange_reset(exchange);
  exchange->state = CK_STATE_READY;
  exchange->started = ck_clock_now();
  exchange->deadline_at = exchange->started + exchange->max_elapsed;
  if (!is_detached(exchange)) ck_retry_quota_earn(ck_transfer_retry_quota(&exchange->transfer));
}

void ck_exchange_cancel(struct ck_exchange *exchange) { ck_transfer_cancel(&exchange->transfer); }

static enum ck_step end(struct ck_exchange *exchange, enum ck_kind kind) {
  ck_charge_settle(&exchange->charge, CK_APPLIED_NO); /* unless the last attempt was counted */
  exchange->state = CK_STATE_ENDED;
  exchange->elapsed = ck_clock_now() - exchange->started;
  exchange->outcome.kind = kind;
  exchange->outcome.applied = exchange->applied;
  if (kind == CK_KIND_CANCELLED) exchange->outcome.retry = CK_RETRY_NEVER;
  return kind == CK_KIND_OK ? CK_STEP_FINISHED : CK_STEP_GIVE_UP;
}

/* ---- an attempt ----------------------------------------------------------------------------- */

/* Ends a call whose deadline has passed in the queue, or is before the end of the pause. */
static enum ck_step end_in_queue(struct ck_exchange *exchange) {
  double pause = ck_transfer_pause_left(&exchange->transfer);
  ck_transfer_decline(&exchange->transfer);
  if (pause > 0) exchange->retry_after = pause;
  if (exchange->attempts > 0) return end(exchange, exchange->outcome.kind);
  exchange->transfer.response.observed.paused = true;
  exchange->outcome.retry = CK_RETRY_ALWAYS;
  return end(exchange, CK_KIND_RATE_LIMITED);
}

static enum ck_step begin_attempt(struct ck_exchange *exchange) {
  if (is_cancelled(exchange)) return end(exchange, CK_KIND_CANCELLED);
  double left = time_left(exchange);
  if (!exchange->transfer.admitted || left <= 0) return end_in_queue(exchange);
  exchange->transfer.request.timeout = left < exchange->timeout ? left : exchange->timeout;
  exchange->attempts++;
  exchange->state = CK_STATE_SENDING;
  ck_transfer_start(&exchange->transfer);
  return CK_STEP_REQUEST;
}

static enum ck_step enter_queue(struct ck_exchange *exchange) {
  if (is_cancelled(exchange)) return end(exchange, CK_KIND_CANCELLED);
  exchange->state = CK_STATE_QUEUED;
  ck_transfer_queue(&exchange->transfer, time_left(exchange), exchange->attempts);
  return exchange->transfer.done ? begin_attempt(exchange) : CK_STEP_NONE;
}

/* ---- its outcome ---------------------------------------------------------------------------- */

static struct ck_situation situation_of(const struct ck_exchange *exchange) {
  return (struct ck_situation){ .outcome = exchange->outcome,
                                .found_closed = exchange->transfer.response.observed.resend_refused,
                                .attempt = exchange->attempts,
                                .time_left = time_left(exchange),
                                .retry_after = exchange->retry_after,
                                .random = exchange->random };
}

/* The client's other calls share the limit: a 429 pauses them, a processed request raises it. */
static void note_outcome(struct ck_exchange *exchange) {
  int status = exchange->transfer.response.observed.status;
  if (exchange->outcome.kind == CK_KIND_RATE_LIMITED) {
    struct ck_situation situation = situation_of(exchange);
    double pause = ck_retry_wait(&exchange->policy, &situation);
    ck_transfer_note_rate_limited(&exchange->transfer, pause);
  } else if (status != 0 && status < 500) {
    ck_transfer_note_success(&exchange->transfer);
  }
}

/* The server never acts on a call that reads. */
static struct ck_outcome outcome_of(const struct ck_exchange *exchange) {
  struct ck_outcome outcome = ck_outcome_judge(&exchange->transfer.response.observed);
  if (exchange->reads) outcome.applied = CK_APPLIED_NO;
  return outcome;
}

/* The call has done what the worst of its attempts may have done. */
static void raise_applied(struct ck_exchange *exchange, enum ck_applied applied) {
  if (applied > exchange->applied) exchange->applied = applied;
}

/* An attempt that had no effect leaves its reservation to the next one. */
static void count_attempt(struct ck_exchange *exchange) {
  enum ck_applied applied = exchange->outcome.applied;
  raise_applied(exchange, applied);
  if (applied != CK_APPLIED_NO) ck_charge_settle(&exchange->charge, applied);
}

void ck_exchange_settle(struct ck_exchange *exchange) {
  bool is_sending = exchange->state == CK_STATE_SENDING;
  enum ck_applied applied = is_sending ? outcome_of(exchange).applied : CK_APPLIED_NO;
  raise_applied(exchange, applied);
  ck_charge_settle(&exchange->charge, applied);
}

static enum ck_step judge(struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  exchange->state = response->observed.deprecated ? CK_STATE_DEPRECATED : CK_STATE_JUDGED;
  exchange->outcome = outcome_of(exchange);
  count_attempt(exchange);
  if (exchange->outcome.kind != CK_KIND_OK) {
    exchange->retry_after = ck_retry_after(response->head.data, response->head.length, time(NULL));
    exchange->random = draw();
  }
  if (!is_detached(exchange)) note_outcome(exchange);
  return CK_STEP_RESPONSE;
}

static enum ck_step report_deprecation(struct ck_exchange *exchange) {
  exchange->state = CK_STATE_JUDGED;
  return CK_STEP_DEPRECATED;
}

/* ---- the next attempt ----------------------------------------------------------------------- */

static bool spend_retry(struct ck_exchange *exchange) {
  struct ck_retry_quota *quota = ck_transfer_retry_quota(&exchange->transfer);
  exchange->over_quota = !ck_retry_quota_spend(quota, ck_clock_now());
  if (!exchange->over_quota) exchange->retries++;
  return !exchange->over_quota;
}

/*
** After a complete 429 the connection is alive, and the call waits in the queue for the end of the
** pause with all others. Otherwise it waits by itself, and uses a new connection.
*/
static enum ck_step retry(struct ck_exchange *exchange, double wait) {
  bool rate_limited = exchange->outcome.kind == CK_KIND_RATE_LIMITED;
  if (!rate_limited || !exchange->transfer.response.observed.whole)
    exchange->transfer.request.options.fresh_connection = true;
  exchange->wait = wait;
  exchange->state = rate_limited ? CK_STATE_READY : CK_STATE_WAITING;
  if (!rate_limited) ck_transfer_sleep(&exchange->transfer, wait);
  return CK_STEP_RETRY;
}

static enum ck_step decide(struct ck_exchange *exchange) {
  enum ck_kind kind = exchange->outcome.kind;
  if (kind == CK_KIND_OK) {
    if (exchange->retries > 0 && !is_detached(exchange))
      ck_retry_quota_refund(ck_transfer_retry_quota(&exchange->transfer), exchange->retries);
    return end(exchange, CK_KIND_OK);
  }
  struct ck_situation situation = situation_of(exchange);
  struct ck_decision decision = ck_retry_decide(&exchange->policy, &situation);
  if (!decision.again || is_detached(exchange)) return end(exchange, kind);
  if (is_cancelled(exchange)) return end(exchange, CK_KIND_CANCELLED); /* after the attempt ended */
  exchange->over_limit = !ck_charge_reserve(&exchange->charge);
  if (exchange->over_limit) return end(exchange, kind);
  if (!decision.is_free && !spend_retry(exchange)) return end(exchange, kind);
  return retry(exchange, decision.wait);
}

enum ck_step ck_exchange_advance(struct ck_exchange *exchange) {
  bool done = exchange->transfer.done;
  switch (exchange->state) {
    case CK_STATE_READY: return enter_queue(exchange);
    case CK_STATE_QUEUED: return done ? begin_attempt(exchange) : CK_STEP_NONE;
    case CK_STATE_SENDING: return done ? judge(exchange) : CK_STEP_NONE;
    case CK_STATE_DEPRECATED: return report_deprecation(exchange);
    case CK_STATE_JUDGED: return decide(exchange);
    case CK_STATE_WAITING: return done ? enter_queue(exchange) : CK_STEP_NONE;
    default: return CK_STEP_NONE; /* ended */
  }
}
