#include "exchange.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "retry_after.h"

static double time_left(const struct ck_exchange *exchange) {
  return exchange->deadline - ck_clock_now();
}

/* From 0 to 1; without a source of chance, the middle will do. */
static double draw(void) {
  unsigned number;
  if (getentropy(&number, sizeof(number)) != 0) return 0.5;
  return (double)number / 4294967295.0;
}

static bool is_closed(const struct ck_exchange *exchange) {
  return exchange->transfer.slot == NULL;
}

void ck_exchange_begin(struct ck_exchange *exchange) {
  exchange->state = CK_STATE_READY;
  exchange->attempts = 0;
  exchange->started = ck_clock_now();
  exchange->deadline += exchange->started;
  exchange->wait = exchange->random = 0;
  exchange->retry_after = -1;
  exchange->retries = 0;
  exchange->over_quota = false;
  exchange->outcome = (struct ck_outcome){ 0 };
  exchange->applied = CK_APPLIED_NO;
  if (!is_closed(exchange)) ck_retry_quota_earn(ck_transport_retry_quota(exchange->transfer.slot));
}

/* What all attempts together may have done is what the most effective one may have done. */
static enum ck_step end(struct ck_exchange *exchange, enum ck_kind kind) {
  exchange->state = CK_STATE_ENDED;
  exchange->elapsed = ck_clock_now() - exchange->started;
  exchange->outcome.kind = kind;
  exchange->outcome.applied = exchange->applied;
  if (kind == CK_KIND_CANCELLED) exchange->outcome.retry = CK_RETRY_NEVER;
  return kind == CK_KIND_OK ? CK_STEP_FINISHED : CK_STEP_GIVE_UP;
}

static void sleep_for(struct ck_exchange *exchange, double seconds) {
  exchange->state = CK_STATE_WAITING;
  ck_transfer_sleep(&exchange->transfer, seconds);
}

/* Its own time is over, or will be before the pause that another call was told of, or its turn. */
static enum ck_step end_paused(struct ck_exchange *exchange) {
  double pause = ck_transfer_pause_left(&exchange->transfer);
  ck_transfer_pass(&exchange->transfer);
  if (pause > 0) exchange->retry_after = pause;
  if (exchange->attempts > 0) return end(exchange, exchange->outcome.kind);
  exchange->transfer.response.observed.paused = true;
  exchange->outcome.retry = CK_RETRY_ALWAYS;
  return end(exchange, CK_KIND_RATE_LIMITED);
}

static bool is_given_up(const struct ck_exchange *exchange) {
  return is_closed(exchange) || exchange->transfer.response.observed.cancelled;
}

static enum ck_step send(struct ck_exchange *exchange) {
  if (is_given_up(exchange)) return end(exchange, CK_KIND_CANCELLED);
  double left = time_left(exchange);
  if (!exchange->transfer.admitted || left <= 0) return end_paused(exchange);
  exchange->transfer.request.timeout = left < exchange->timeout ? left : exchange->timeout;
  exchange->attempts++;
  exchange->state = CK_STATE_SENDING;
  ck_transfer_start(&exchange->transfer);
  return CK_STEP_REQUEST;
}

/* Stands in line with the client's other calls; nearly always it is empty. */
static enum ck_step start(struct ck_exchange *exchange) {
  if (is_given_up(exchange)) return end(exchange, CK_KIND_CANCELLED);
  exchange->state = CK_STATE_QUEUED;
  ck_transfer_queue(&exchange->transfer, time_left(exchange), exchange->attempts);
  return exchange->transfer.done ? send(exchange) : CK_STEP_NONE;
}

static struct ck_situation situation_of(const struct ck_exchange *exchange) {
  return (struct ck_situation){ .outcome = exchange->outcome,
                                .attempt = exchange->attempts,
                                .time_left = time_left(exchange),
                                .retry_after = exchange->retry_after,
                                .random = exchange->random };
}

/* A 429 is for the client, not just for the call that met it; so is a content server. */
static void tell_others(struct ck_exchange *exchange) {
  struct ck_transfer_slot *slot = exchange->transfer.slot;
  int status = exchange->transfer.response.observed.status;
  if (exchange->outcome.kind == CK_KIND_RATE_LIMITED) {
    struct ck_situation situation = situation_of(exchange);
    ck_transport_note_rate_limited(slot, ck_retry_wait(&exchange->policy, &situation));
  } else if (status != 0 && status < 500) {
    ck_transport_note_success(slot);
  }
}

static void note_failure(struct ck_exchange *exchange) {
  const struct ck_buffer *head = &exchange->transfer.response.head;
  exchange->retry_after = ck_retry_after(head->data, head->length, time(NULL));
  exchange->random = draw();
}

static enum ck_step judge(struct ck_exchange *exchange) {
  exchange->outcome = ck_outcome_judge(&exchange->transfer.response.observed);
  if (exchange->policy.reads) exchange->outcome.applied = CK_APPLIED_NO;
  if (exchange->outcome.kind != CK_KIND_OK) note_failure(exchange);
  if (exchange->outcome.applied > exchange->applied) exchange->applied = exchange->outcome.applied;
  exchange->state = CK_STATE_JUDGED;
  if (!is_closed(exchange)) tell_others(exchange);
  return CK_STEP_RESPONSE;
}

/* A 429 is no sign of a server in need, and is paced already. */
static bool can_afford(struct ck_exchange *exchange) {
  struct ck_retry_quota *quota = ck_transport_retry_quota(exchange->transfer.slot);
  if (exchange->outcome.kind == CK_KIND_RATE_LIMITED) return true;
  exchange->over_quota = !ck_retry_quota_spend(quota, ck_clock_now());
  if (!exchange->over_quota) exchange->retries++;
  return !exchange->over_quota;
}

/*
** The next attempt takes no connection that may be dead. One that has brought a 429 is alive.
*/
static void prepare_retry(struct ck_exchange *exchange) {
  struct ck_request_options *options = &exchange->transfer.request.options;
  const struct ck_observation *attempt = &exchange->transfer.response.observed;
  if (!attempt->whole || exchange->outcome.kind != CK_KIND_RATE_LIMITED)
    options->fresh_connection = true;
}

static enum ck_step succeed(struct ck_exchange *exchange) {
  if (exchange->retries > 0 && !is_closed(exchange))
    ck_retry_quota_refund(ck_transport_retry_quota(exchange->transfer.slot), exchange->retries);
  return end(exchange, CK_KIND_OK);
}

/* Nobody begins before the pause after a 429 has passed: who met it waits in the same line. */
static enum ck_step try_again(struct ck_exchange *exchange, double wait) {
  exchange->wait = wait;
  prepare_retry(exchange);
  if (exchange->outcome.kind == CK_KIND_RATE_LIMITED) exchange->state = CK_STATE_READY;
  else sleep_for(exchange, wait);
  return CK_STEP_RETRY;
}

static enum ck_step decide(struct ck_exchange *exchange) {
  if (exchange->outcome.kind == CK_KIND_OK) return succeed(exchange);
  struct ck_situation situation = situation_of(exchange);
  struct ck_decision decision = ck_retry_decide(&exchange->policy, &situation);
  if (!decision.again || is_closed(exchange)) return end(exchange, exchange->outcome.kind);
  if (is_given_up(exchange))
    return end(exchange, CK_KIND_CANCELLED); /* after the attempt had ended */
  if (!can_afford(exchange)) return end(exchange, exchange->outcome.kind);
  return try_again(exchange, decision.wait);
}

enum ck_step ck_exchange_advance(struct ck_exchange *exchange) {
  bool idle = exchange->transfer.done;
  switch (exchange->state) {
    case CK_STATE_READY: return start(exchange);
    case CK_STATE_QUEUED: return idle ? send(exchange) : CK_STEP_NONE;
    case CK_STATE_SENDING: return idle ? judge(exchange) : CK_STEP_NONE;
    case CK_STATE_JUDGED: return decide(exchange);
    case CK_STATE_WAITING: return idle ? start(exchange) : CK_STEP_NONE;
    default: return end(exchange, exchange->outcome.kind);
  }
}

void ck_exchange_cancel(struct ck_exchange *exchange) { ck_transfer_cancel(&exchange->transfer); }
