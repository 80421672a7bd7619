/*
** What became of an attempt. The one place where a libcurl code, a status and what was
** seen on the wire turn into a kind of error and into what the server may have done.
*/
#ifndef CK_OUTCOME_H
#define CK_OUTCOME_H

#include <stdbool.h>

enum ck_kind {
  CK_KIND_OK,
  CK_KIND_CONFIG,
  CK_KIND_VALIDATION,
  CK_KIND_BUDGET,
  CK_KIND_AUTHENTICATION,
  CK_KIND_PERMISSION,
  CK_KIND_NOT_FOUND,
  CK_KIND_RATE_LIMITED,
  CK_KIND_BAD_REQUEST,
  CK_KIND_SERVER,
  CK_KIND_NETWORK,
  CK_KIND_TIMEOUT,
  CK_KIND_TLS,
  CK_KIND_RESPONSE,
  CK_KIND_CANCELLED,
  /* Of no attempt, but of what calls had started. */
  CK_KIND_FAILED,
  CK_KIND_NEEDS_PERSON
};

/* Whether the server acted on the request. */
enum ck_applied { CK_APPLIED_NO, CK_APPLIED_UNKNOWN, CK_APPLIED_YES };

/* Whether another attempt may fare better, and for whom it is harmless. */
enum ck_retriable {
  CK_RETRY_NEVER,
  CK_RETRY_IDEMPOTENT, /* the server may have acted: for an idempotent endpoint only */
  CK_RETRY_ALWAYS      /* the server did not act */
};

/* What was seen of one attempt. */
struct ck_observation {
  int code;              /* libcurl's CURLcode */
  unsigned times_sent;   /* how often the request began to leave this machine */
  int status;            /* of the last status line that arrived whole; 0 = none */
  bool whole;            /* the whole answer arrived, as far as HTTP can tell */
  bool resend_refused;   /* libcurl wanted to send it once more on its own, and was not let */
  bool too_large;        /* it was cut off here, at max_response_bytes */
  bool cancelled;        /* it was given up here, on the caller's word */
  bool lacks_memory;     /* it was given up here */
  bool lacks_descriptor; /* of the process, for the socket that was asked for last */
  bool paused;           /* none was made: the pause after a 429 is longer than the call may take */
};

struct ck_outcome {
  enum ck_kind kind; /* CK_KIND_OK: a whole 2xx, its body still unread */
  enum ck_applied applied;
  enum ck_retriable retry;
};

struct ck_outcome ck_outcome_judge(const struct ck_observation *attempt);

/* The words that a script sees: "rate_limited", "unknown". */
const char *ck_kind_name(enum ck_kind kind);
const char *ck_applied_name(enum ck_applied applied);

#endif
