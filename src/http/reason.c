/* Puts the failure of an attempt into words. libcurl's own differ between its versions. */
#include "reason.h"

#include <curl/curl.h>

#include "text/head.h"

#define NO_ROOM "the response's head is too large, or there is no memory for it"

/* The codes of libcurl if nothing was sent. */
static const char *reason_unsent(int code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY: return "the name of the proxy cannot be resolved";
    case CURLE_COULDNT_RESOLVE_HOST: return "the name of the server cannot be resolved";
    case CURLE_SSL_CONNECT_ERROR: return "the TLS handshake failed";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR: return "the certificate of the server is not accepted";
    case CURLE_SSL_CACERT_BADFILE: return "the trusted certificates cannot be read";
    case CURLE_OUT_OF_MEMORY: return "out of memory";
    default: return "the connection failed";
  }
}

/* Those without a status, although the request was sent. */
static const char *reason_unanswered(int code) {
  switch (code) {
    case CURLE_OUT_OF_MEMORY: return NO_ROOM;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return "the response is not HTTP/1.1";
    default: return "the connection was closed before a response came";
  }
}

/* Those after the status of a success. */
static const char *reason_unfinished(const struct ck_response *response) {
  struct ck_header coding;
  switch (response->observed.code) {
    case CURLE_WRITE_ERROR:
    case CURLE_BAD_CONTENT_ENCODING:
      return "the response's encoding is broken, or other bytes follow it";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return "the response's head is malformed";
    default: break;
  }
  if (ck_head_find(response->head.data, response->head.length, "transfer-encoding", &coding))
    return "the response was cut off, or its chunks are malformed";
  return "the response was cut off";
}

const char *ck_reason_of(const struct ck_response *response) {
  const struct ck_observation *observed = &response->observed;
  if (observed->cancelled) return "cancelled";
  if (observed->paused)
    return "the server's rate limit would keep the call waiting beyond its deadline";
  if (observed->too_large) return "the response is larger than max_response_bytes";
  if (observed->lacks_memory) return "out of memory";
  if (observed->lacks_descriptor) return "no descriptor is left for a connection";
  if (observed->code == CURLE_OPERATION_TIMEDOUT) return "timed out";
  if (response->head.failed) return NO_ROOM;
  if (observed->times_sent == 0) return reason_unsent(observed->code);
  return observed->status == 0 ? reason_unanswered(observed->code) : reason_unfinished(response);
}

const char *ck_reason_detail(const struct ck_response *response) {
  const struct ck_observation *observed = &response->observed;
  bool is_known = observed->times_sent > 0 || observed->cancelled || observed->paused ||
                  observed->lacks_memory || observed->lacks_descriptor;
  if (is_known || observed->code == CURLE_OPERATION_TIMEDOUT || response->detail[0] == '\0')
    return NULL;
  return response->detail;
}

const char *ck_reason_advice(const struct ck_response *response) {
  const struct ck_observation *observed = &response->observed;
  if (observed->status != 0) return NULL;
  switch (observed->code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return "check ca_file or CEKURA_CA_FILE";
    case CURLE_SSL_CONNECT_ERROR:
      return "does the server speak TLS? For plain http, api_url begins with http://";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      if (observed->times_sent == 0) return NULL; /* it was a proxy's response */
      return "does the server speak http? For TLS, api_url begins with https://";
    default: return NULL;
  }
}
