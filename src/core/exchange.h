/*
** One call: its attempts, and the waits between them. The transfer makes the attempts, the
** policy says whether there is another one, and whoever drives the exchange is told of each
** step as it is taken.
*/
#ifndef CK_EXCHANGE_H
#define CK_EXCHANGE_H

#include "retry.h"
#include "transport.h"

/* What ck_exchange_advance did. */
enum ck_step {
  CK_STEP_NONE,     /* nothing: step the transport until the transfer is done, then ask again */
  CK_STEP_REQUEST,  /* began an attempt */
  CK_STEP_RESPONSE, /* an attempt has ended; `outcome` is its own */
  CK_STEP_RETRY,    /* will begin another attempt after `wait` seconds */
  CK_STEP_GIVE_UP,  /* the call has failed; `outcome` is that of all attempts together */
  CK_STEP_FINISHED  /* the call has an answer, its body still unread */
};

enum ck_state {
  CK_STATE_READY,
  CK_STATE_QUEUED,
  CK_STATE_SENDING,
  CK_STATE_JUDGED,
  CK_STATE_WAITING,
  CK_STATE_ENDED
};

struct ck_exchange {
  struct ck_transfer transfer; /* its request is the caller's to fill in */
  struct ck_policy policy;
  double timeout;  /* seconds for one attempt */
  double deadline; /* seconds for the whole call; a moment of ck_clock_now's once begun */
  /* What has happened so far. */
  enum ck_state state;
  int attempts;
  double started;
  double elapsed;     /* seconds, once it has ended */
  double wait;        /* of the last CK_STEP_RETRY */
  double random;      /* of the waits after the last attempt, from 0 to 1 */
  double retry_after; /* seconds that the server asked for last, negative = none */
  int retries;        /* taken from the client's budget */
  bool over_quota;    /* there would have been another attempt, but for that budget */
  struct ck_outcome outcome;
  enum ck_applied applied; /* by all attempts so far */
};

/*
** The transfer has been reset; the request, the policy and the two limits are filled in. Nothing is
** sent yet.
*/
void ck_exchange_begin(struct ck_exchange *exchange);

/* Takes the next step if there is one to take now. CK_STEP_GIVE_UP and CK_STEP_FINISHED are the last. */
enum ck_step ck_exchange_advance(struct ck_exchange *exchange);

static inline bool ck_exchange_has_ended(const struct ck_exchange *exchange) {
  return exchange->state == CK_STATE_ENDED;
}

/* Gives the call up: the next steps are those to CK_STEP_GIVE_UP, of kind CK_KIND_CANCELLED. */
void ck_exchange_cancel(struct ck_exchange *exchange);

#endif
