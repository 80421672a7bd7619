/*
** What became of an attempt. The one place where a libcurl code, a status and what was
** seen on the wire turn into a kind of error and into what the server may have done.
*/
#ifndef CK_OUTCOME_H
#define CK_OUTCOME_H

#include <stdbool.h>

enum ck_kind {
  CK_OK,
  CK_CONFIG,
  CK_VALIDATION,
  CK_BUDGET,
  CK_AUTHENTICATION,
  CK_PERMISSION,
  CK_NOT_FOUND,
  CK_RATE_LIMITED,
  CK_BAD_REQUEST,
  CK_SERVER,
  CK_NETWORK,
  CK_TIMEOUT,
  CK_TLS,
  CK_RESPONSE,
  CK_CANCELLED,
  /* Of no attempt, but of what calls had started. */
  CK_FAILED,
  CK_NEEDS_PERSON
};

/* Whether the server acted on the request. */
enum ck_applied { CK_NO, CK_UNKNOWN, CK_YES };

/* Whether another attempt may fare better, and for whom it is harmless. */
enum ck_retriable {
  CK_RETRY_NEVER,
  CK_RETRY_IDEMPOTENT, /* the server may have acted: for an idempotent endpoint only */
  CK_RETRY_ALWAYS      /* the server did not act */
};

/* What was seen of one attempt. */
struct ck_attempt {
  int code;              /* libcurl's CURLcode */
  unsigned sendings;     /* how often the request began to leave this machine */
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
  enum ck_kind kind; /* CK_OK: a whole 2xx, its body still unread */
  enum ck_applied applied;
  enum ck_retriable retry;
};

struct ck_outcome ck_outcome_judge(const struct ck_attempt *attempt);

/* The words that a script sees: "rate_limited", "unknown". */
const char *ck_kind_name(enum ck_kind kind);
const char *ck_applied_name(enum ck_applied applied);

#endif
