/*
** The outcome of an attempt: three functions, from an observation to kind, applied and retry.
*/
#include "outcome.h"

#include <curl/curl.h>

static bool is_success(int status) { return status >= 200 && status < 300; }

/* Failures of TLS or of a certificate, never transient failures of TCP. */
static bool is_tls(int code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT: return true;
    default: return false;
  }
}

/* The bytes that arrived are not a response; before the request was sent, they are a proxy's. */
static bool is_garbled(int code) {
  return code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_WRITE_ERROR || code == CURLE_OK;
}

/* Transient failures before anything is sent. */
static bool is_transient(int code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR: /* the handshake was cut off; a bad certificate has other codes */
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PROXY:
    case CURLE_WEIRD_SERVER_REPLY: /* of a proxy */
    case CURLE_ABORTED_BY_CALLBACK: /* the multi handle failed */ return true;
    default: return false;
  }
}

/* ---- kind --------------------------------------------------------------------------------- */

static enum ck_kind kind_of_status(int status) {
  switch (status) {
    case 401: return CK_KIND_AUTHENTICATION;
    case 403: return CK_KIND_PERMISSION;
    case 404: return CK_KIND_NOT_FOUND;
    case 429: return CK_KIND_RATE_LIMITED;
    default: break;
  }
  if (status < 400) return CK_KIND_RESPONSE; /* redirects are never followed */
  return status < 500 ? CK_KIND_BAD_REQUEST : CK_KIND_SERVER;
}

static enum ck_kind kind_of(const struct ck_observation *observed) {
  if (observed->cancelled) return CK_KIND_CANCELLED;
  if (observed->status >= 300) return kind_of_status(observed->status);
  if (observed->code == CURLE_OPERATION_TIMEDOUT) return CK_KIND_TIMEOUT;
  if (is_success(observed->status))
    return observed->whole && !observed->too_large ? CK_KIND_OK : CK_KIND_RESPONSE;
  if (observed->times_sent == 0) return is_tls(observed->code) ? CK_KIND_TLS : CK_KIND_NETWORK;
  return is_garbled(observed->code) ? CK_KIND_RESPONSE : CK_KIND_NETWORK;
}

/* ---- applied -------------------------------------------------------------------------------- */

/*
** A 4xx refuses the request, and a 307 or 308 redirects it unchanged (RFC 9110, 15.4.8). After a
** 408, a 5xx of a gateway or another redirect, or without a status, the server may have acted on
** it.
*/
static enum ck_applied applied_of(const struct ck_observation *observed) {
  int status = observed->status;
  if (observed->times_sent == 0) return CK_APPLIED_NO;
  if (is_success(status)) return CK_APPLIED_YES;
  if (status == 307 || status == 308) return CK_APPLIED_NO;
  return status >= 400 && status < 500 && status != 408 ? CK_APPLIED_NO : CK_APPLIED_UNKNOWN;
}

/* ---- retry ----------------------------------------------------------------------------------- */

static enum ck_retriable retry_of_status(int status) {
  switch (status) {
    case 429: return CK_RETRY_ALWAYS;
    case 408:
    case 500:
    case 502:
    case 503:
    case 504: return CK_RETRY_IDEMPOTENT;
    default: return CK_RETRY_NEVER;
  }
}

/* A 2xx that was cut off may be complete the next time. An unreadable one remains unreadable. */
static enum ck_retriable retry_of_success(const struct ck_observation *observed) {
  bool unreadable = observed->whole || observed->too_large || observed->code == CURLE_WRITE_ERROR ||
                    observed->code == CURLE_BAD_CONTENT_ENCODING;
  return unreadable ? CK_RETRY_NEVER : CK_RETRY_IDEMPOTENT;
}

static enum ck_retriable retry_of(const struct ck_observation *observed) {
  if (observed->cancelled) return CK_RETRY_NEVER;
  if (observed->status >= 300) return retry_of_status(observed->status);
  if (is_success(observed->status)) return retry_of_success(observed);
  if (observed->times_sent > 0) return CK_RETRY_IDEMPOTENT;
  return is_transient(observed->code) ? CK_RETRY_ALWAYS : CK_RETRY_NEVER;
}

struct ck_outcome ck_outcome_judge(const struct ck_observation *observed) {
  return (struct ck_outcome){ kind_of(observed), applied_of(observed), retry_of(observed) };
}

const char *ck_kind_name(enum ck_kind kind) {
  static const char *const names[] = {
    [CK_KIND_OK] = "ok",
    [CK_KIND_CONFIG] = "config",
    [CK_KIND_VALIDATION] = "validation",
    [CK_KIND_BUDGET] = "budget",
    [CK_KIND_AUTHENTICATION] = "authentication",
    [CK_KIND_PERMISSION] = "permission",
    [CK_KIND_NOT_FOUND] = "not_found",
    [CK_KIND_RATE_LIMITED] = "rate_limited",
    [CK_KIND_BAD_REQUEST] = "bad_request",
    [CK_KIND_SERVER] = "server",
    [CK_KIND_NETWORK] = "network",
    [CK_KIND_TIMEOUT] = "timeout",
    [CK_KIND_TLS] = "tls",
    [CK_KIND_RESPONSE] = "response",
    [CK_KIND_CANCELLED] = "cancelled",
    [CK_KIND_FAILED] = "failed",
    [CK_KIND_NEEDS_PERSON] = "needs_person",
  };
  return names[kind];
}

const char *ck_applied_name(enum ck_applied applied) {
  static const char *const names[] = { "no", "unknown", "yes" };
  return names[applied];
}
