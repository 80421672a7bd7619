/*
** Many calls without this library: libcurl's multi interface as in its documentation. The program
** sends the same bytes, discards the responses and checks nothing.
**
**   plain_multi URL KEY USER-AGENT BODY reuse|fresh CONCURRENCY COUNT
*/
#include <stdlib.h>

#include "request.h"

static void fail(const char *what) {
  (void)fprintf(stderr, "plain_multi: %s\n", what);
  exit(1);
}

static void begin(CURLM *multi, CURL *easy, const struct request *request) {
  request_set(easy, request);
  if (curl_multi_add_handle(multi, easy) != CURLM_OK) fail("cannot add a transfer");
}

/* Replaces finished transfers by new ones. Returns the number of those left to start. */
static long begin_others(CURLM *multi, const struct request *request, long left) {
  int more;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &more)) != NULL;) {
    CURL *easy = message->easy_handle;
    if (message->data.result != CURLE_OK) fail(curl_easy_strerror(message->data.result));
    curl_multi_remove_handle(multi, easy);
    if (left-- > 0) begin(multi, easy, request);
    else curl_easy_cleanup(easy);
  }
  return left;
}

static void run(CURLM *multi, const struct request *request, long left) {
  int running = 1;
  while (running > 0 || left > 0) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) fail("curl_multi_perform failed");
    left = begin_others(multi, request, left);
    if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return 1;
  struct request request = { argv[1], argv[2], argv[3], argv[4], argv[5] };
  long concurrency = strtol(argv[6], NULL, 10), count = strtol(argv[7], NULL, 10);
  CURLM *multi = curl_multi_init();
  struct curl_slist *headers = request_headers(&request);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, concurrency);
  for (long i = 0; i < concurrency && i < count; i++)
    begin(multi, request_open(&request, headers), &request);
  run(multi, &request, count - concurrency);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  return 0;
}
