/*
** A transfer makes one attempt at a time over a transport: fill in `request`, start it, step the
** transport until it is `done`, read `response`. It can be used again. Nothing here calls back.
**
**          +-- ck_transfer_start --> active until the response has ended, or `timeout` has passed
**          |
**   done --+-- ck_transfer_sleep --> asleep until the time has passed                  --> done
**          |
**          +-- ck_transfer_queue --> queued until it is admitted, or the time has passed
**
** The three functions above, ck_transfer_reset and changes of `request` are legal only when the
** transfer is done. ck_transfer_cancel ends any state, ck_transfer_notify and ck_transfer_close
** are legal in every state. Once the transport is closed, `attempt` is NULL, the transfer is done
** and cancelled, and only ck_transfer_notify, _cancel and _close are legal.
*/
#ifndef CK_TRANSFER_H
#define CK_TRANSFER_H

#include "policy/outcome.h"
#include "policy/retry_quota.h"
#include "request.h"

struct ck_attempt;
struct ck_transport;

enum { CK_DETAIL_SIZE = 512 };

struct ck_response {
  struct ck_observation observed; /* of the last attempt, for ck_outcome_judge */
  struct ck_buffer head;          /* the last block of header lines, as it arrived */
  struct ck_buffer body;
  char detail[CK_DETAIL_SIZE]; /* libcurl's message about a failure; may be empty */
};

struct ck_transfer {
  struct ck_request request;
  struct ck_response response;
  bool done;                  /* nothing is in progress */
  bool admitted;              /* the queue has admitted an attempt, which has not ended */
  bool blocks;                /* the call blocks: nobody polls the descriptor until it ends */
  void *observer;             /* borrowed: see ck_transfer_notify */
  struct ck_attempt *attempt; /* owned by the transport; NULL once that is closed, or inherited */
};

/* Returns whether the transfer has lost its attempt: the transport was closed, or is a parent's. */
static inline bool ck_transfer_is_detached(const struct ck_transfer *transfer) {
  return transfer->attempt == NULL;
}

/* Opens a zeroed transfer; ck_transfer_close frees it. Returns false without memory. */
bool ck_transfer_open(struct ck_transfer *transfer, struct ck_transport *transport);

/* Empties request and response for another call, and removes the observer. */
void ck_transfer_reset(struct ck_transfer *transfer);

/* Begins an attempt. The transfer may be done, and failed, on return. */
void ck_transfer_start(struct ck_transfer *transfer);

/* Waits for `seconds`; the response remains as it is. */
void ck_transfer_sleep(struct ck_transfer *transfer, double seconds);

/*
** Waits at most `seconds` for the permission to begin an attempt. Nearly always the transfer is
** done and `admitted` on return. Of the waiting calls, the one that has made the most attempts
** (`tries`) is admitted first, before it runs out of attempts. After a pause the first one, which
** may be rejected, is of the call that has made the fewest.
*/
void ck_transfer_queue(struct ck_transfer *transfer, double seconds, int tries);

/* Releases an admission that is not used. */
void ck_transfer_decline(struct ck_transfer *transfer);

/* Ends what is in progress. The transfer is done, and `response.observed.cancelled` is set. */
void ck_transfer_cancel(struct ck_transfer *transfer);

/*
** Makes ck_transport_next_done return `observer` when the transfer is done the next time; NULL: it
** does not. An earlier end that has not been returned yet is dropped.
*/
void ck_transfer_notify(struct ck_transfer *transfer, void *observer);

/* Frees everything but the struct. May be repeated. */
void ck_transfer_close(struct ck_transfer *transfer);

/* ---- shared by the transfers of a client; not legal once the transport is closed ------------ */

/* Reports that the last attempt met a 429: no attempt of the client starts for `seconds`. */
void ck_transfer_note_rate_limited(struct ck_transfer *transfer, double seconds);

/* Reports that the server processed the last attempt. */
void ck_transfer_note_success(struct ck_transfer *transfer);

/* Returns the seconds that are left of the pause after a 429; 0 if there is none. */
double ck_transfer_pause_left(const struct ck_transfer *transfer);

/* Returns the quota of retries, which is the transport's. */
struct ck_retry_quota *ck_transfer_retry_quota(struct ck_transfer *transfer);

#endif
