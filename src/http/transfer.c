/*
** The transfers of a client: begins their attempts, ends them, and reports them as done. It acts
** on what the multi handle has finished and on what the queue admits.
*/
#include "transfer.h"

#include <stdlib.h>

#include "clock.h"
#include "transport_private.h"

enum {
  MAX_HEAD = 256 * 1024, /* libcurl's own limit is about 300 KiB */
  MAX_REQUEST = 64 * 1024 * 1024
};

/* ---- in progress, and done ------------------------------------------------------------------ */

static void mark_begun(struct ck_attempt *attempt, double now, double seconds) {
  struct ck_transport *transport = attempt->transport;
  if (attempt->transfer->done) transport->in_progress++;
  attempt->transfer->done = false;
  ck_list_remove(&attempt->link);
  attempt->deadline_at = now + seconds;
  if (transport->deadline_at == 0 || attempt->deadline_at < transport->deadline_at)
    transport->deadline_at = attempt->deadline_at;
}

static void mark_done(struct ck_attempt *attempt) {
  struct ck_transport *transport = attempt->transport;
  struct ck_transfer *transfer = attempt->transfer;
  if (!transfer->done && --transport->in_progress == 0) transport->deadline_at = 0;
  transfer->done = true;
  if (transfer->observer != NULL) ck_list_insert(&transport->done, &attempt->link);
}

void ck_transfer_notify(struct ck_transfer *transfer, void *observer) {
  transfer->observer = observer;
  if (transfer->attempt != NULL && transfer->done) ck_list_remove(&transfer->attempt->link);
}

/* ---- an attempt ----------------------------------------------------------------------------- */

static void remove_from_multi(struct ck_attempt *attempt) {
  bool sent = attempt->transfer->response.observed.times_sent > 0;
  if (attempt->active != NULL) ck_multi_remove(attempt->active, attempt->easy, sent);
  attempt->active = NULL;
}

static void finish(struct ck_attempt *attempt, CURLcode code) {
  remove_from_multi(attempt);
  ck_attempt_conclude(attempt, code);
  mark_done(attempt);
  ck_transfer_decline(attempt->transfer);
}

/* Returns whether an attempt failed before it sent anything because it lacked a descriptor. */
static bool lacks_descriptor(const struct ck_attempt *attempt, CURLcode code) {
  const struct ck_observation *observed = &attempt->transfer->response.observed;
  if (code == CURLE_OK || observed->times_sent > 0) return false;
  if (observed->lacks_descriptor) return true;
  switch (code) { /* libcurl's codes if it lacks one for anything but a socket */
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_FAILED_INIT:
    case CURLE_OUT_OF_MEMORY: return ck_multi_lacks_descriptors(&attempt->transport->multi);
    default: return false;
  }
}

/*
** Repeats an attempt that has sent nothing: on another connection, or with the descriptors that the
** idle connections had. Returns whether it is in progress again; it still counts once.
*/
static bool begin_again(struct ck_attempt *attempt, bool disconnects) {
  struct ck_multi *multi = &attempt->transport->multi;
  remove_from_multi(attempt);
  attempt->active = disconnects ? ck_multi_add_after_disconnect(multi, attempt->easy)
                                : ck_multi_add(multi, attempt->easy);
  if (attempt->active != NULL) ck_attempt_reset(attempt);
  return attempt->active != NULL;
}

/* Ends an attempt with libcurl's code, unless it begins again. */
static void end(struct ck_attempt *attempt, CURLcode code) {
  bool lacks = lacks_descriptor(attempt, code);
  if ((lacks || attempt->stale) && begin_again(attempt, lacks)) return;
  attempt->transfer->response.observed.lacks_descriptor = lacks;
  finish(attempt, lacks ? CURLE_COULDNT_CONNECT : code);
}

/*
** Returns whether an attempt drops old addresses. libcurl 7 searches a multi handle for them at the
** end of each transfer that drops them: 1,000 instructions. One transfer in a second is enough for
** one multi handle. Each of several has addresses of its own: then every transfer drops them.
*/
static bool drops_addresses(struct ck_transport *transport, double now) {
  bool can_keep = transport->can_keep_addresses && transport->multi.first.next == NULL;
  if (can_keep && now < transport->drops_addresses_at) return false;
  transport->drops_addresses_at = now + 1;
  return true;
}

/* Returns whether no other transfer is in progress. One that is done may begin again. */
static bool is_alone(const struct ck_transport *transport) {
  return transport->in_progress == 0 && ck_list_first(&transport->done) == NULL;
}

void ck_transfer_start(struct ck_transfer *transfer) {
  struct ck_attempt *attempt = transfer->attempt;
  struct ck_multi *multi = &attempt->transport->multi;
  double now = ck_clock_now();
  transfer->response.body.limit = transfer->request.max_response_bytes;
  ck_multi_begin(multi, transfer->blocks && is_alone(attempt->transport));
  transfer->request.options.drops_addresses = drops_addresses(attempt->transport, now);
  ck_attempt_reset(attempt);
  mark_begun(attempt, now, transfer->request.timeout);
  if (!ck_attempt_prepare(attempt, &attempt->transport->headers)) {
    finish(attempt, CURLE_OUT_OF_MEMORY);
    return;
  }
  attempt->active = ck_multi_add(multi, attempt->easy);
  if (attempt->active == NULL) end(attempt, CURLE_OUT_OF_MEMORY);
  ck_multi_act_on_timer(multi, now + CK_MULTI_TOLERANCE);
  ck_transfers_collect(attempt->transport); /* a near server may have responded already */
}

/* When the multi handle has failed, its other attempts end before it is cleaned up. */
void ck_transfers_collect(struct ck_transport *transport) {
  CURL *easy;
  CURLcode code;
  while ((easy = ck_multi_next_finished(&transport->multi, &code)) != NULL) {
    char *private = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) != CURLE_OK) continue;
    struct ck_attempt *attempt = (struct ck_attempt *)(void *)private;
    end(attempt, code);
  }
  if (!transport->multi.failed) return;
  for (struct ck_attempt *attempt = transport->attempts; attempt != NULL; attempt = attempt->next)
    if (attempt->active != NULL) finish(attempt, CURLE_ABORTED_BY_CALLBACK);
  ck_multi_disconnect(&transport->multi);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void wake(struct ck_attempt *attempt) {
  attempt->asleep = false;
  ck_list_remove(&attempt->link);
  mark_done(attempt);
}

void ck_transfer_sleep(struct ck_transfer *transfer, double seconds) {
  transfer->attempt->asleep = true;
  mark_begun(transfer->attempt, ck_clock_now(), seconds);
}

/* A call whose deadline is before the end of the pause need not wait for it. */
static void wake_expired(struct ck_queue *queue) {
  for (struct ck_attempt *attempt; (attempt = ck_queue_next_expired(queue)) != NULL;) wake(attempt);
}

void ck_transfer_queue(struct ck_transfer *transfer, double seconds, int tries) {
  struct ck_attempt *attempt = transfer->attempt;
  struct ck_queue *queue = &attempt->transport->queue;
  transfer->admitted = ck_queue_try(queue, attempt);
  if (transfer->admitted) return; /* nearly always */
  ck_transfer_sleep(transfer, seconds);
  ck_queue_add(queue, attempt, tries);
  wake_expired(queue);
}

bool ck_transfers_admit(struct ck_transport *transport) {
  bool any = false;
  for (struct ck_attempt *attempt; (attempt = ck_queue_next_admitted(&transport->queue)) != NULL;) {
    attempt->transfer->admitted = any = true;
    wake(attempt);
  }
  return any;
}

void ck_transfer_decline(struct ck_transfer *transfer) {
  if (transfer->admitted) ck_limiter_end(&transfer->attempt->transport->queue.limiter);
  transfer->admitted = false;
}

void ck_transfer_note_rate_limited(struct ck_transfer *transfer, double seconds) {
  struct ck_attempt *attempt = transfer->attempt;
  struct ck_queue *queue = &attempt->transport->queue;
  ck_limiter_note_rate_limited(&queue->limiter, attempt->ticket, ck_clock_now(), seconds);
  wake_expired(queue);
}

void ck_transfer_note_success(struct ck_transfer *transfer) {
  struct ck_attempt *attempt = transfer->attempt;
  struct ck_limiter *limiter = &attempt->transport->queue.limiter;
  bool unlimited = limiter->limit == 0; /* nearly always */
  ck_limiter_note_success(limiter, attempt->ticket, unlimited ? 0 : ck_clock_now());
}

double ck_transfer_pause_left(const struct ck_transfer *transfer) {
  return ck_queue_pause_left(&transfer->attempt->transport->queue);
}

struct ck_retry_quota *ck_transfer_retry_quota(struct ck_transfer *transfer) {
  return &transfer->attempt->transport->quota;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Ends what is in progress, with `code` if that is an attempt. */
static void stop(struct ck_attempt *attempt, CURLcode code) {
  if (attempt->active != NULL) finish(attempt, code);
  if (attempt->asleep) wake(attempt);
}

/* Deadlines are enforced here, because libcurl's own timers cost 1,200 instructions a call. */
void ck_transfers_enforce_deadlines(struct ck_transport *transport, double now) {
  double earliest = 0;
  for (struct ck_attempt *attempt = transport->attempts; attempt != NULL; attempt = attempt->next) {
    if (attempt->deadline_at <= now) stop(attempt, CURLE_OPERATION_TIMEDOUT);
    bool waits = attempt->active != NULL || attempt->asleep;
    if (waits && (earliest == 0 || attempt->deadline_at < earliest))
      earliest = attempt->deadline_at;
  }
  transport->deadline_at = earliest;
}

void ck_transfer_cancel(struct ck_transfer *transfer) {
  transfer->response.observed.cancelled = true;
  if (transfer->attempt == NULL) return;
  stop(transfer->attempt, CURLE_ABORTED_BY_CALLBACK);
  ck_transfer_decline(transfer);
}

/* The transfer may exist for long after the transport, and its own headers contain the key. */
static void detach(struct ck_attempt *attempt) {
  struct ck_transfer *transfer = attempt->transfer;
  ck_headers_free(&transfer->request.headers);
  ck_list_remove(&attempt->link);
  attempt->transfer = NULL;
  transfer->attempt = NULL;
  transfer->done = transfer->response.observed.cancelled = true;
}

/*
** In a forked child the attempt is not freed: its easy handle uses the parent's connections.
*/
static void free_attempt(struct ck_attempt *attempt) {
  if (attempt->transfer == NULL) return; /* detached in a forked child */
  if (ck_transport_has_forked(attempt->transport)) {
    detach(attempt);
    return;
  }
  ck_transfer_cancel(attempt->transfer);
  curl_easy_cleanup(attempt->easy); /* before the headers that it refers to */
  detach(attempt);
  *attempt->reference = attempt->next;
  if (attempt->next != NULL) attempt->next->reference = attempt->reference;
  free(attempt);
}

void ck_transfers_detach(struct ck_transport *transport) {
  for (struct ck_attempt *attempt = transport->attempts, *next; attempt != NULL; attempt = next) {
    next = attempt->next;
    free_attempt(attempt);
  }
}

void ck_transfer_close(struct ck_transfer *transfer) {
  if (transfer->attempt != NULL) free_attempt(transfer->attempt);
  ck_buffer_free(&transfer->request.target);
  ck_buffer_free(&transfer->request.body);
  ck_buffer_free(&transfer->response.head);
  ck_buffer_free(&transfer->response.body);
  ck_headers_free(&transfer->request.headers);
}

/* ---- the transfer --------------------------------------------------------------------------- */

bool ck_transfer_open(struct ck_transfer *transfer, struct ck_transport *transport) {
  struct ck_attempt *attempt = calloc(1, sizeof(*attempt));
  if (attempt == NULL) return false;
  *attempt = (struct ck_attempt){ .transport = transport,
                                  .sockets = &transport->sockets,
                                  .transfer = transfer };
  ck_list_init(&attempt->link);
  attempt->next = transport->attempts;
  attempt->reference = &transport->attempts;
  if (attempt->next != NULL) attempt->next->reference = &attempt->next;
  transport->attempts = attempt;
  transfer->attempt = attempt;
  ck_transfer_reset(transfer);
  if (ck_attempt_open(attempt, transport->template, transport->url)) return true;
  free_attempt(attempt);
  return false;
}

void ck_transfer_reset(struct ck_transfer *transfer) {
  struct ck_request *request = &transfer->request;
  request->target.limit = request->body.limit = MAX_REQUEST;
  transfer->response.head.limit = MAX_HEAD;
  ck_buffer_reset(&request->target);
  ck_buffer_add_string(&request->target, transfer->attempt->transport->path);
  ck_buffer_reset(&request->body);
  ck_attempt_reset(transfer->attempt);
  ck_headers_free(&request->headers);
  ck_list_remove(&transfer->attempt->link);
  transfer->observer = NULL;
  transfer->blocks = false;
  transfer->done = true;
}
