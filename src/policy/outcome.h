/*
** The outcome of an attempt: its kind of error, whether the server acted, whether a retry is
** harmless. Only this file decides on them, from libcurl's code, the status and what was observed
** on the wire.
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
  /* of background work that a call has started, not of an attempt: */
  CK_KIND_FAILED,
  CK_KIND_NEEDS_PERSON
};

/* Whether the server acted on the request. */
enum ck_applied { CK_APPLIED_NO, CK_APPLIED_UNKNOWN, CK_APPLIED_YES };

/* Whether another attempt may succeed, and which calls may make it. */
enum ck_retriable {
  CK_RETRY_NEVER,
  CK_RETRY_IDEMPOTENT, /* the server may have acted: idempotent calls, or with retry_unknown */
  CK_RETRY_ALWAYS      /* the server did not act: every call */
};

/* The observations of src/http about one attempt. */
struct ck_observation {
  int code;              /* a CURLcode of libcurl 7.88 */
  unsigned times_sent;   /* how often sending the request has begun */
  int status;            /* of the last complete status line; 0 = none arrived */
  bool whole;            /* the whole response arrived, as far as HTTP can tell */
  bool resend_refused;   /* libcurl was stopped before it sent the request again */
  bool too_large;        /* the client stopped reading at max_response_bytes */
  bool cancelled;        /* the caller cancelled it */
  bool lacks_memory;     /* the client had no memory left for it */
  bool lacks_descriptor; /* the process had no descriptor left for its socket */
  bool deprecated;       /* has a Deprecation or Sunset header, which does not change the outcome */
  bool paused;           /* not started: the pause after a 429 ends after the call's deadline */
};

struct ck_outcome {
  enum ck_kind kind; /* CK_KIND_OK: a whole 2xx, its body not decoded yet */
  enum ck_applied applied;
  enum ck_retriable retry;
};

/* Returns the outcome of an attempt that has ended. */
struct ck_outcome ck_outcome_judge(const struct ck_observation *observed);

/* Return the words of the public interface: "rate_limited", "unknown". */
const char *ck_kind_name(enum ck_kind kind);
const char *ck_applied_name(enum ck_applied applied);

#endif
