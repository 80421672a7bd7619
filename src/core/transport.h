/*
** One client's connections, and single attempts over them.
**
** A transport is libcurl's multi interface over one poller. A transfer is a slot for one
** attempt at a time: fill in `request`, start it, step the transport until it is done,
** read `answer`. A finished transfer can be used again. Nothing here calls back: whoever
** steps looks at what is done.
**
** A transport and its transfers belong to one thread at a time, and to the process that
** opened them.
*/
#ifndef CK_TRANSPORT_H
#define CK_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "headers.h"
#include "outcome.h"

struct ck_transport;

/* All strings are copied. NULL leaves a choice to libcurl. */
struct ck_transport_options {
  const char *url; /* has passed ck_url_problem */
  const char *ca_file;
  const char *ca_path;
  const char *proxy;
};

/* What seldom differs from one request of a client to the next. */
struct ck_request_options {
  const char *method; /* a literal */
  bool has_body;
  bool fresh_connection;  /* do not take one that the server may have closed */
  bool http1;             /* HTTP/1.1, where HTTP/2 was refused */
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
};

struct ck_answer {
  struct ck_attempt attempt; /* what ck_outcome_judge wants to know */
  struct ck_buffer head;     /* the last block of header lines, as it arrived */
  struct ck_buffer body;
  const char *error; /* why the attempt failed, in libcurl's words or ours */
};

struct ck_transfer {
  struct ck_request request;
  struct ck_answer answer;
  bool done;                     /* `answer` stands; true as well before the first start */
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

/* Whether this process is a fork of the one that opened the transport. */
bool ck_transport_is_inherited(const struct ck_transport *transport);

/* Waits for at most `wait` seconds, less when there is something to do, and does it. */
void ck_transport_step(struct ck_transport *transport, double wait);

/* False: out of memory. `transfer` is zeroed before; ck_transfer_close ends it. */
bool ck_transfer_open(struct ck_transfer *transfer, struct ck_transport *transport);

/* Empties the request and the answer for the next call. */
void ck_transfer_reset(struct ck_transfer *transfer);

/* Begins an attempt. It may be done on return, and failed. */
void ck_transfer_start(struct ck_transfer *transfer);

/* Does nothing for that long; it is done then, and the answer of the last attempt stands. */
void ck_transfer_sleep(struct ck_transfer *transfer, double seconds);

/* Keeps every call of the transport from beginning an attempt for at least that long. */
void ck_transport_pause(struct ck_transfer_slot *slot, double seconds);
double ck_transport_pause_left(const struct ck_transfer_slot *slot);

/* Gives an attempt or a sleep up; it is done then, and `attempt.cancelled` is set. */
void ck_transfer_cancel(struct ck_transfer *transfer);

/* Also after the transport was closed, and more than once. */
void ck_transfer_close(struct ck_transfer *transfer);

#endif
