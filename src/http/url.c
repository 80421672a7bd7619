/* Checks the base URL of the API: the key is sent to it. */
#include "url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

#include "text/ascii.h"

/* Returns a part of a parsed URL, owned by the caller through curl_free; NULL if it has none. */
static char *part_of(CURLU *url, CURLUPart part) {
  char *text = NULL;
  return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static bool has(CURLU *url, CURLUPart part) {
  char *text = part_of(url, part);
  bool found = text != NULL;
  curl_free(text);
  return found;
}

static bool is_scheme(CURLU *url, const char *wanted) {
  char *scheme = part_of(url, CURLUPART_SCHEME);
  bool equal = scheme != NULL && ck_ascii_equal(scheme, wanted);
  curl_free(scheme);
  return equal;
}

/* localhost, ::1 and 127.0.0.0/8; "127.0.0.1.example.com" is a name, and not loopback. */
static bool is_loopback(CURLU *url) {
  struct in_addr address;
  char *host = part_of(url, CURLUPART_HOST);
  bool loopback =
      host != NULL &&
      (ck_ascii_equal(host, "localhost") || ck_ascii_equal(host, "[::1]") ||
       (inet_pton(AF_INET, host, &address) == 1 && (ntohl(address.s_addr) >> 24) == 127));
  curl_free(host);
  return loopback;
}

/*
** libcurl decodes %31 after it has checked whether the host is an address: parsed again, the URL
** may name another host. In brackets a percent sign begins a zone.
*/
static bool has_encoded_host(const char *text) {
  const char *slashes = text + strcspn(text, "/"), *host = slashes + strspn(slashes, "/");
  return host[0] != '[' && memchr(host, '%', strcspn(host, "/")) != NULL;
}

static const char *problem_of(CURLU *url, const char *text, bool allow_http) {
  char after_path = text[strcspn(text, "?#")]; /* libcurl does not report an empty query */
  if (has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD))
    return "must not hold a user name or password";
  if (after_path == '?') return "must not have a query";
  if (after_path == '#') return "must not have a fragment";
  if (has_encoded_host(text)) return "must not have a percent-encoded host";
  if (is_scheme(url, "https")) return NULL;
  if (!is_scheme(url, "http")) return "must begin with https://";
  if (allow_http || is_loopback(url)) return NULL;
  return "must begin with https://, or the key would cross the network in the clear "
         "(allow_http = true permits it)";
}

/* Returns the length of scheme, host and port; 0 if the text has no scheme. */
static size_t origin_length(const char *text, size_t length) {
  const char *slashes = memmem(text, length, "://", 3);
  if (slashes == NULL || memchr(text, '/', (size_t)(slashes - text)) != NULL) return 0;
  const char *host = slashes + 3, *end = text + length;
  const char *path = memchr(host, '/', (size_t)(end - host));
  return (size_t)((path != NULL ? path : end) - text);
}

/* Returns the length of a default port at the end of an origin; 0 if there is none. */
static size_t default_port_length(const char *origin, size_t length) {
  static const char *const defaults[][2] = { { "http://", ":80" }, { "https://", ":443" } };
  for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
    size_t scheme = strlen(defaults[i][0]), port = strlen(defaults[i][1]);
    if (length > scheme + port && memcmp(origin, defaults[i][0], scheme) == 0 &&
        memcmp(origin + length - port, defaults[i][1], port) == 0)
      return port;
  }
  return 0;
}

size_t ck_url_normalise(char *text, size_t length) {
  size_t origin = origin_length(text, length);
  const char *zone = memchr(text, '%', origin); /* of an IPv6 address; its case matters */
  size_t lowered = zone != NULL ? (size_t)(zone - text) : origin;
  for (size_t i = 0; i < lowered; i++) text[i] = ck_ascii_lower(text[i]);
  size_t port = default_port_length(text, origin);
  memmove(text + origin - port, text + origin, length - origin);
  origin -= port;
  length -= port;
  while (length > origin && text[length - 1] == '/') length--;
  return length;
}

/* libcurl also accepts one slash, or three, and then finds another host. */
static bool has_two_slashes(const char *text) {
  const char *colon = strchr(text, ':');
  return colon != NULL && strncmp(colon, "://", 3) == 0 && colon[3] != '/';
}

const char *ck_url_problem(const char *text, bool allow_http) {
  static const char no_url[] = "is not a URL like https://api.cekura.ai";
  CURLU *url = curl_url();
  if (url == NULL) return "could not be read: out of memory";
  CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
  const char *problem = code == CURLUE_OK ? problem_of(url, text, allow_http) : no_url;
  curl_url_cleanup(url);
  return problem == NULL && !has_two_slashes(text) ? no_url : problem;
}
