/* Fuzzes api_url: requests go to the host that an accepted URL names, and to no other. */
#include "http/url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http/transport.h"

static const char added[] = "/test_framework/v1/x/";

static CURLU *parse(const char *text) {
  CURLU *url = curl_url();
  if (url == NULL || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
    fuzz_fail("an accepted address does not parse");
  return url;
}

static void check_absent(CURLU *url, CURLUPart part) {
  char *text = NULL;
  if (curl_url_get(url, part, &text, 0) == CURLUE_OK) fuzz_fail("has a part that it must not have");
}

static char *part_of(CURLU *url, CURLUPart part) {
  char *text = NULL;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
    fuzz_fail("has no such part");
  return text;
}

static void check_same(CURLU *one, CURLU *other, CURLUPart part) {
  char *text = part_of(one, part), *other_text = part_of(other, part);
  if (strcmp(text, other_text) != 0) fuzz_fail("a request would go elsewhere");
  curl_free(text);
  curl_free(other_text);
}

static bool is_loopback(const char *host) {
  return strncmp(host, "127.", 4) == 0 || strcasecmp(host, "localhost") == 0 ||
         strcmp(host, "[::1]") == 0;
}

/* libcurl normalises other forms of a loopback address, such as 0x7f000001. */
static void check_scheme(CURLU *url, bool allow_http) {
  char *scheme = part_of(url, CURLUPART_SCHEME), *host = part_of(url, CURLUPART_HOST);
  bool is_https = strcmp(scheme, "https") == 0, is_http = strcmp(scheme, "http") == 0;
  if (!is_https && !(is_http && (allow_http || is_loopback(host))))
    fuzz_fail("would send the key in the clear");
  curl_free(scheme);
  curl_free(host);
}

/* Checks the text itself, independently of libcurl's parser. */
static void check_text(const char *text) {
  const char *authority = strstr(text, "://");
  if (authority == NULL) fuzz_fail("no scheme was given");
  if (strpbrk(text, "?#") != NULL) fuzz_fail("accepted a query or a fragment");
  if (memchr(authority + 3, '@', strcspn(authority + 3, "/")) != NULL)
    fuzz_fail("accepted user info");
}

static void check_request(const char *text, const char *address) {
  CURLU *given = parse(text), *sent = parse(address);
  check_same(given, sent, CURLUPART_SCHEME);
  check_same(given, sent, CURLUPART_HOST);
  check_same(given, sent, CURLUPART_PORT);
  check_absent(sent, CURLUPART_USER);
  check_absent(sent, CURLUPART_PASSWORD);
  check_absent(sent, CURLUPART_QUERY);
  check_absent(sent, CURLUPART_FRAGMENT);
  size_t length = strlen(address), end = sizeof(added) - 1;
  if (length < end || strcmp(address + length - end, added) != 0) fuzz_fail("lost the path");
  curl_url_cleanup(given);
  curl_url_cleanup(sent);
}

static void check_transfer(const char *text, struct ck_transport *transport) {
  struct ck_transfer transfer = { 0 };
  struct ck_buffer address = CK_BUFFER(1 << 20);
  if (!ck_transfer_open(&transfer, transport)) fuzz_fail("out of memory");
  ck_transfer_reset(&transfer);
  ck_buffer_add_string(&transfer.request.target, added);
  if (!ck_transport_url(transport, &transfer.request, &address) || !ck_buffer_terminate(&address))
    fuzz_fail("has no address");
  check_request(text, address.data);
  ck_buffer_free(&address);
  ck_transfer_close(&transfer);
}

static void check(const char *text, bool allow_http) {
  struct ck_transport_options options = { .url = text };
  const char *problem;
  if (ck_url_problem(text, allow_http) != NULL) return;
  check_text(text);
  CURLU *url = parse(text);
  check_scheme(url, allow_http);
  curl_url_cleanup(url);
  struct ck_transport *transport = ck_transport_open(&options, &problem);
  if (transport == NULL) fuzz_fail(problem);
  check_transfer(text, transport);
  ck_transport_close(transport);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (text == NULL) return 0;
  if (size > 0) memcpy(text, data, size);
  text[size] = '\0';
  check(text, false);
  check(text, true);
  free(text);
  return 0;
}
