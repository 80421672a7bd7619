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

static enum ck_kind kind_of_code(const struct ck_attempt *attempt) {
  if (attempt->cancelled) return CK_CANCELLED;
  if (attempt->code == CURLE_OPERATION_TIMEDOUT) return CK_TIMEOUT;
  if (is_tls(attempt->code)) return CK_TLS;
  return is_garbled(attempt->code) ? CK_RESPONSE : CK_NETWORK;
}

/* Of a 2xx that did not arrive whole. */
static enum ck_kind kind_of_cut(const struct ck_attempt *attempt) {
  enum ck_kind kind = kind_of_code(attempt);
  return kind == CK_TIMEOUT || kind == CK_CANCELLED ? kind : CK_RESPONSE;
}

static enum ck_kind kind_of_status(int status) {
  switch (status) {
    case 401: return CK_AUTHENTICATION;
    case 403: return CK_PERMISSION;
    case 404: return CK_NOT_FOUND;
    case 429: return CK_RATE_LIMITED;
    default: break;
  }
  if (status < 400) return CK_RESPONSE; /* a redirect, which is never followed */
  return status < 500 ? CK_BAD_REQUEST : CK_SERVER;
}

/*
** A 307 or 308 says "ask there instead" of the very request (RFC 9110, 15.4.8), a 4xx
** refuses it. A 408 gave up on it at a point that nobody knows, and so may a gateway
** that answers with a 5xx. The other redirects may be the answer to what was done.
*/
static enum ck_applied applied_of_status(int status) {
  if (status == 307 || status == 308) return CK_NO;
  return status >= 400 && status < 500 && status != 408 ? CK_NO : CK_UNKNOWN;
}

struct ck_outcome ck_outcome_judge(const struct ck_attempt *attempt) {
  int status = attempt->status;
  if (attempt->sendings == 0) return (struct ck_outcome){ kind_of_code(attempt), CK_NO };
  if (status >= 300)
    return (struct ck_outcome){ kind_of_status(status), applied_of_status(status) };
  if (!is_success(status)) return (struct ck_outcome){ kind_of_code(attempt), CK_UNKNOWN };
  if (attempt->whole && !attempt->too_large) return (struct ck_outcome){ CK_OK, CK_YES };
  return (struct ck_outcome){ kind_of_cut(attempt), CK_YES };
}

const char *ck_kind_name(enum ck_kind kind) {
  static const char *const names[] = {
    [CK_OK] = "ok",
    [CK_CONFIG] = "config",
    [CK_VALIDATION] = "validation",
    [CK_BUDGET] = "budget",
    [CK_AUTHENTICATION] = "authentication",
    [CK_PERMISSION] = "permission",
    [CK_NOT_FOUND] = "not_found",
    [CK_RATE_LIMITED] = "rate_limited",
    [CK_BAD_REQUEST] = "bad_request",
    [CK_SERVER] = "server",
    [CK_NETWORK] = "network",
    [CK_TIMEOUT] = "timeout",
    [CK_TLS] = "tls",
    [CK_RESPONSE] = "response",
    [CK_CANCELLED] = "cancelled",
  };
  return names[kind];
}

const char *ck_applied_name(enum ck_applied applied) {
  static const char *const names[] = { "no", "unknown", "yes" };
  return names[applied];
}
