#include "outcome.h"

#include <curl/curl.h>

static bool is_success(int status) { return status >= 200 && status < 300; }

/* Everything that can be wrong with TLS or its certificates; never a passing fault of TCP. */
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

/* An answer that libcurl read and could make no sense of. */
static bool is_garbled(int code) {
  return code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_WRITE_ERROR || code == CURLE_OK;
}

/* What can go wrong before anything is sent, and may go right the next time. */
static bool is_passing(int code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR: /* cut off in the handshake; a bad certificate is another */
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PROXY:
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
  if (status < 400) return CK_KIND_RESPONSE; /* a redirect, which is never followed */
  return status < 500 ? CK_KIND_BAD_REQUEST : CK_KIND_SERVER;
}

static enum ck_kind kind_of(const struct ck_observation *attempt) {
  if (attempt->cancelled) return CK_KIND_CANCELLED;
  if (attempt->status >= 300) return kind_of_status(attempt->status);
  if (attempt->code == CURLE_OPERATION_TIMEDOUT) return CK_KIND_TIMEOUT;
  if (is_success(attempt->status))
    return attempt->whole && !attempt->too_large ? CK_KIND_OK : CK_KIND_RESPONSE;
  if (attempt->times_sent == 0 && is_tls(attempt->code)) return CK_KIND_TLS;
  return is_garbled(attempt->code) ? CK_KIND_RESPONSE : CK_KIND_NETWORK;
}

/* ---- applied -------------------------------------------------------------------------------- */

/*
** A 307 or 308 says "ask there instead" of the very request (RFC 9110, 15.4.8), a 4xx
** refuses it. A 408 gave up on it at a point that nobody knows, and so may a gateway
** that answers with a 5xx. The other redirects may be the answer to what was done.
*/
static enum ck_applied applied_of_status(int status) {
  if (status == 307 || status == 308) return CK_APPLIED_NO;
  return status >= 400 && status < 500 && status != 408 ? CK_APPLIED_NO : CK_APPLIED_UNKNOWN;
}

static enum ck_applied applied_of(const struct ck_observation *attempt) {
  if (attempt->times_sent == 0) return CK_APPLIED_NO;
  if (is_success(attempt->status)) return CK_APPLIED_YES;
  return attempt->status == 0 ? CK_APPLIED_UNKNOWN : applied_of_status(attempt->status);
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

/* A 2xx that was cut off may come whole the next time; one that cannot be read will not. */
static enum ck_retriable retry_of_success(const struct ck_observation *attempt) {
  bool unreadable = attempt->whole || attempt->too_large || attempt->code == CURLE_WRITE_ERROR ||
                    attempt->code == CURLE_BAD_CONTENT_ENCODING;
  return unreadable ? CK_RETRY_NEVER : CK_RETRY_IDEMPOTENT;
}

static enum ck_retriable retry_of(const struct ck_observation *attempt) {
  if (attempt->cancelled) return CK_RETRY_NEVER;
  if (attempt->status >= 300) return retry_of_status(attempt->status);
  if (is_success(attempt->status)) return retry_of_success(attempt);
  if (attempt->times_sent > 0) return CK_RETRY_IDEMPOTENT;
  return is_passing(attempt->code) ? CK_RETRY_ALWAYS : CK_RETRY_NEVER;
}

struct ck_outcome ck_outcome_judge(const struct ck_observation *attempt) {
  return (struct ck_outcome){ kind_of(attempt), applied_of(attempt), retry_of(attempt) };
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
