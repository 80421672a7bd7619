/*
** One call: its attempts, and the waits between them. The transfer makes the attempts, outcome.c
** judges them, and retry.c proposes another one, which the retry quota may refuse.
**
**   ck_exchange_begin --> READY --> QUEUED --> SENDING --> JUDGED --> ENDED
**                           ^         ^                      |
**                           |         +------ WAITING <------+  another attempt, after a wait
**                           +--------------------------------+  another attempt, after a 429
**
** SENDING leads to JUDGED by way of DEPRECATED if the response has a Deprecation or Sunset header.
** READY, QUEUED and WAITING also lead to ENDED: the call is cancelled, or its deadline passes.
**
** Once begun, an exchange is advanced until it has ended: after ck_transport_step, if its transfer
** is done. ck_exchange_advance takes one step; the caller repeats it until it returns
** CK_STEP_NONE. ck_exchange_cancel is legal in every state. If the client is closed, the next
** steps end the exchange. The exchange owns its transfer, which the caller opens, resets and
** closes.
*/
#ifndef CK_EXCHANGE_H
#define CK_EXCHANGE_H

#include "policy/retry.h"
#include "policy/spending.h"
#include "transfer.h"

/* The step that ck_exchange_advance has taken. */
enum ck_step {
  CK_STEP_NONE,       /* nothing: the transfer is not done, or the exchange has ended */
  CK_STEP_REQUEST,    /* began an attempt */
  CK_STEP_RESPONSE,   /* an attempt has ended; `outcome` is its own */
  CK_STEP_DEPRECATED, /* its response has a Deprecation or Sunset header; follows the last one */
  CK_STEP_RETRY,      /* another attempt will begin after `wait` seconds */
  CK_STEP_GIVE_UP,    /* ended: the call has failed; `outcome` is that of all attempts together */
  CK_STEP_FINISHED    /* ended: a complete 2xx, whose body is not decoded yet */
};

enum ck_state {
  CK_STATE_READY,
  CK_STATE_QUEUED,
  CK_STATE_SENDING,
  CK_STATE_DEPRECATED,
  CK_STATE_JUDGED,
  CK_STATE_WAITING,
  CK_STATE_ENDED
};

struct ck_exchange {
  /* Filled in by the caller before ck_exchange_begin. */
  struct ck_transfer transfer; /* its request */
  struct ck_policy policy;
  double timeout;          /* seconds for one attempt */
  double max_elapsed;      /* seconds for the whole call */
  bool reads;              /* the server never acts on the call, whatever its outcome */
  struct ck_charge charge; /* reserved for the first attempt */

  /* Results so far. Times are those of ck_clock_now. */
  enum ck_state state;
  int attempts;
  double started;
  double deadline_at;
  double elapsed;     /* seconds; set at the end */
  double wait;        /* seconds; of the last CK_STEP_RETRY */
  double random;      /* jitter of the wait after the last attempt, from 0 to 1 */
  double retry_after; /* seconds: asked for, or the rest of a pause; negative = none */
  int retries;        /* taken from the client's retry quota */
  bool over_quota;    /* there was no other attempt because the quota was used up */
  bool over_limit;    /* there was none because it would exceed the limit of evaluations */
  struct ck_outcome outcome;
  enum ck_applied applied; /* the maximum over all attempts */
};

/* Forgets the results of an earlier call. */
void ck_exchange_reset(struct ck_exchange *exchange);

/* Begins the call. Nothing is sent before ck_exchange_advance. */
void ck_exchange_begin(struct ck_exchange *exchange);

/* Takes one step if that is possible without waiting, and returns which. */
enum ck_step ck_exchange_advance(struct ck_exchange *exchange);

static inline bool ck_exchange_has_ended(const struct ck_exchange *exchange) {
  return exchange->state == CK_STATE_ENDED;
}

/*
** Counts or releases what the exchange has reserved, and sets `applied`, by what is known of an
** attempt in flight. For an exchange that is not advanced to its end, which settles by itself.
*/
void ck_exchange_settle(struct ck_exchange *exchange);

/* Cancels the call: the next steps are those to CK_STEP_GIVE_UP, of kind CK_KIND_CANCELLED. */
void ck_exchange_cancel(struct ck_exchange *exchange);

#endif
