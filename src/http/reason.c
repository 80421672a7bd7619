/* Puts the failure of an attempt into words. */
#include "reason.h"

#include <curl/curl.h>

const char *ck_reason_of(const struct ck_response *response) {
  const struct ck_observation *observed = &response->observed;
  if (observed->cancelled) return "cancelled";
  if (observed->paused)
    return "the server's rate limit would keep the call waiting beyond its deadline";
  if (observed->too_large) return "the response is larger than max_response_bytes";
  if (observed->lacks_memory) return "out of memory";
  if (observed->lacks_descriptor) return "no descriptor is left for a connection";
  if (observed->code == CURLE_OPERATION_TIMEDOUT) return "timed out";
  if (response->head.failed) return "the response's head is larger than 256 KiB";
  if (observed->code == CURLE_WRITE_ERROR || observed->code == CURLE_BAD_CONTENT_ENCODING)
    return "the response's encoding is broken, or other bytes follow it";
  if (observed->resend_refused) return "the connection was closed before a response came";
  if (response->detail[0] != '\0') return response->detail;
  if (observed->code != CURLE_OK) return curl_easy_strerror((CURLcode)observed->code);
  return "the response was cut off";
}

const char *ck_reason_advice(const struct ck_response *response) {
  if (response->observed.status != 0) return NULL;
  switch (response->observed.code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return "check ca_file or CEKURA_CA_FILE";
    case CURLE_SSL_CONNECT_ERROR:
      return "does the server speak TLS? For plain http, api_url begins with http://";
    case CURLE_UNSUPPORTED_PROTOCOL:
      return "does the server speak http? For TLS, api_url begins with https://";
    default: return NULL;
  }
}
