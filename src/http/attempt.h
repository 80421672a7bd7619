/*
** libcurl's half of a transfer: an easy handle, its options, and what it has reported. All attempts
** of a transfer use the same handle.
*/
#ifndef CK_ATTEMPT_H
#define CK_ATTEMPT_H

#include <curl/curl.h>

#include "policy/limiter.h"
#include "sockets.h"
#include "text/head.h"
#include "text/list.h"
#include "transfer.h"

#if LIBCURL_VERSION_NUM < 0x075000
#error "cekura needs libcurl 7.80 or newer: CURLOPT_PREREQFUNCTION counts what is sent"
#endif

struct ck_attempt {
  struct ck_link link;            /* the first member; in the queue, in `done`, or in neither */
  struct ck_transport *transport; /* borrowed; it owns the attempt */
  struct ck_sockets *sockets;     /* borrowed; the transport's */
  struct ck_transfer *transfer;   /* borrowed; NULL once detached in a forked child */
  struct ck_attempt *next,
      **reference;                /* in the transport's list; `reference` points to this one */
  CURL *easy;                     /* owned */
  struct ck_multi_handle *active; /* borrowed; has the easy handle; NULL = none has */
  double deadline_at;             /* on ck_clock_now's clock */
  bool asleep;                    /* until `deadline_at`, or until the queue admits it */

  /* For the queue. */
  struct ck_ticket ticket; /* of the last admission */
  int tries;               /* attempts that the call has made */

  /* The options that the easy handle has. */
  struct ck_request_options set;
  const void *set_headers;
  bool is_set; /* libcurl has accepted all of `set` */

  /* The easy handle has reported this since the attempt began. */
  enum ck_framing coding; /* the last transfer coding: chunked, CK_FRAMING_CODED, or none */
  long long length;       /* of the body, as the head states it; negative if it does not */
  size_t head_bytes;      /* of all heads and the trailer */
  int head_lines;         /* likewise */
  bool head_complete;     /* the blank line has arrived */
  bool malformed;         /* a line of the head is not a header, or not a status line */
  bool connects;          /* it has opened a socket: its connection is new */
  bool stale;             /* the idle connection was unusable, so the request was not sent */
  bool late;              /* the deadline passed before the request was sent, so it was not sent */
};

_Static_assert((int)CK_DETAIL_SIZE >= (int)CURL_ERROR_SIZE, "libcurl writes its messages there");

#define CK_SET(easy, option, value) (curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/*
** Sets the callbacks in the easy handle of which all others are duplicates. `sockets` is borrowed.
*/
bool ck_attempt_set_template(CURL *easy, struct ck_sockets *sockets);

/*
** Opens the easy handle; `url` is borrowed until the handle is cleaned up. Returns false without
** memory.
*/
bool ck_attempt_open(struct ck_attempt *attempt, CURL *template, CURLU *url);

/*
** Sets the transfer's request in the easy handle; `headers` are the transport's, for a request
** without headers of its own. The strings are borrowed until the attempt has ended. Returns false
** without memory.
*/
bool ck_attempt_prepare(struct ck_attempt *attempt, const struct ck_headers *headers);

/* Clears the response, and everything else that the last attempt has recorded. */
void ck_attempt_reset(struct ck_attempt *attempt);

/* Records the end of the attempt, with libcurl's code, in the transfer's response. */
void ck_attempt_conclude(struct ck_attempt *attempt, CURLcode code);

#endif
