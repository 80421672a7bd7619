/*
** One client's connections, and single attempts over them.
**
** A transport is libcurl's multi interface over one poller. A transfer is a slot for one
** attempt at a time: fill in `request`, start it, step the transport until it is done,
** read `answer`. A finished transfer can be used again. Nothing here calls back: whoever
** steps looks at what is done, or asks ck_transport_next_done.
**
** A transport and its transfers belong to one thread at a time, and to the process that
** opened them.
*/
#ifndef CK_TRANSPORT_H
#define CK_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "retry_quota.h"
#include "buffer.h"
#include "headers.h"
#include "outcome.h"

struct ck_transport;

/* All strings are copied. NULL leaves a choice to libcurl; of a proxy, it is none. */
struct ck_transport_options {
  const char *url; /* has passed ck_url_problem */
  const char *ca_file;
  const char *ca_path;
  const char *proxy; /* has passed ck_proxy_problem; not used for plain http */
};

/* What seldom differs from one request of a client to the next. */
struct ck_request_options {
  const char *method; /* a literal */
  bool has_body;
  bool fresh_connection;  /* do not take one that the server may have closed */
  bool compressed;        /* say that a compressed answer is welcome */
  double connect_timeout; /* seconds, to a ready connection */
};

struct ck_request {
  struct ck_request_options options;
  struct ck_buffer target;   /* path and query; begins with api_url's path: append to it */
  struct ck_buffer body;     /* JSON; sent if has_body */
  struct ck_headers headers; /* owned, for this request; none = the transport's */
  double timeout;            /* seconds, from the start to the end of the answer */
  size_t max_response_bytes; /* of the body, after decompression */
  bool may_be_empty; /* a successful answer without a body is whole, whatever its head says of it */
};

enum { CK_DETAIL_SIZE = 512 };

struct ck_response {
  struct ck_observation observed; /* what ck_outcome_judge wants to know */
  struct ck_buffer head;          /* the last block of header lines, as it arrived */
  struct ck_buffer body;
  char detail[CK_DETAIL_SIZE]; /* what libcurl said of the attempt; empty if nothing */
};

struct ck_transfer {
  struct ck_request request;
  struct ck_response response;
  bool done;                     /* `answer` stands; true as well before the first start */
  bool admitted;                 /* the turn to begin an attempt has come: see ck_transfer_queue */
  void *observer;                /* see ck_transfer_notify */
  struct ck_transfer_slot *slot; /* the transport's own; NULL once the transport is closed */
};

/* "libcurl/7.88.1" */
const char *ck_transport_version(void);

/* NULL with `*problem` set: out of memory or descriptors, or an option libcurl refuses. */
struct ck_transport *ck_transport_open(const struct ck_transport_options *options,
                                       const char **problem);

/*
** Ends every transfer, whose slots are gone then, and frees all. In a forked child only
** memory is given back: the connections are the parent's.
*/
void ck_transport_close(struct ck_transport *transport);

/* The headers of every request that has none of its own. */
struct ck_headers *ck_transport_headers(struct ck_transport *transport);

/* The full address of a request: what a person may be shown. False: out of memory. */
bool ck_transport_url(struct ck_transport *transport, const struct ck_request *request,
                      struct ck_buffer *url);

/* The proxy that its connections go through, without its password; NULL where there is none. */
const char *ck_transport_proxy(const struct ck_transport *transport);

/* Whether this process is a fork of the one that opened the transport. */
bool ck_transport_is_inherited(const struct ck_transport *transport);

/*
** After any code of the caller's, which may have forked: in the child all transfers are given up,
** without a word on the parent's connections. Returns whether this is the child.
*/
bool ck_transport_part(struct ck_transport *transport);

/*
** Waits for at most `wait` seconds, less when there is something to do, and does it. Returns
** whether there was.
*/
bool ck_transport_step(struct ck_transport *transport, double wait);

/*
** Whom ck_transport_next_done hands out once the transfer is done the next time; NULL: nobody.
** What has been done already is not told any more.
*/
void ck_transfer_notify(struct ck_transfer *transfer, void *observer);

/* The observer of a transfer that is done, each once; NULL when there is none any more. */
void *ck_transport_next_done(struct ck_transport *transport);

/*
** For a host's own loop: step the transport when the descriptor is readable, and at the
** latest after that many seconds. Negative: nothing will happen unless it is readable.
*/
int ck_transport_descriptor(const struct ck_transport *transport);
double ck_transport_timeout(const struct ck_transport *transport);

/* Gives up all that is going on, as ck_transfer_cancel does. */
void ck_transport_cancel(struct ck_transport *transport);

/* Why the attempt failed: a literal, or the answer's own `detail`. */
const char *ck_answer_reason(const struct ck_response *response);

/* What a person may do about it: a literal, or NULL. */
const char *ck_answer_advice(const struct ck_response *response);

/* False: out of memory. `transfer` is zeroed before; ck_transfer_close ends it. */
bool ck_transfer_open(struct ck_transfer *transfer, struct ck_transport *transport);

/* Empties the request and the answer for the next call: what was said of the last is forgotten. */
void ck_transfer_reset(struct ck_transfer *transfer);

/* Begins an attempt. It may be done on return, and failed. */
void ck_transfer_start(struct ck_transfer *transfer);

/* Does nothing for that long; it is done then, and the answer of the last attempt stands. */
void ck_transfer_sleep(struct ck_transfer *transfer, double seconds);

/*
** Waits for its turn to begin an attempt, for at most that long. Nearly always it has come on
** return. It is done then, and `admitted` says whether the turn has come; it lasts until the
** attempt has ended. Whoever has had more tries is ahead of those who have had less, so that
** none runs out of them because others take the room; but not the first after a pause, which
** may well be refused.
*/
void ck_transfer_queue(struct ck_transfer *transfer, double seconds, int tries);

/* Makes no use of its turn. */
void ck_transfer_pass(struct ck_transfer *transfer);

/* What an attempt was told: a 429, which keeps every other one from beginning for that long… */
void ck_transport_note_rate_limited(struct ck_transfer_slot *slot, double seconds);

/* Seconds that are left of it; 0 where there is none. */
double ck_transport_pause_left(const struct ck_transport *transport);
double ck_transfer_pause_left(const struct ck_transfer *transfer);

/* … or an answer that shows the server content with how much it is asked. */
void ck_transport_note_success(struct ck_transfer_slot *slot);

struct ck_retry_quota *ck_transport_retry_quota(struct ck_transfer_slot *slot);

/* Gives an attempt or a wait up; it is done then, and `attempt.cancelled` is set. */
void ck_transfer_cancel(struct ck_transfer *transfer);

/* Also after the transport was closed, and more than once. */
void ck_transfer_close(struct ck_transfer *transfer);

#endif
