/*
** Many votes without this library: libcurl's multi interface as in its documentation. The program
** sends the same bytes, discards the responses and checks nothing.
**
**   plain_multi URL KEY COUNT USER-AGENT CONCURRENCY
*/
#include <stdlib.h>

#include "vote.h"

static void fail(const char *what) {
  (void)fprintf(stderr, "plain_multi: %s\n", what);
  exit(1);
}

static void begin(CURLM *multi, CURL *easy, const char *url) {
  vote_set(easy, url);
  if (curl_multi_add_handle(multi, easy) != CURLM_OK) fail("cannot add a transfer");
}

/* Replaces finished transfers by new ones. Returns the number of those left to start. */
static long begin_others(CURLM *multi, const char *url, long left) {
  int more;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &more)) != NULL;) {
    CURL *easy = message->easy_handle;
    if (message->data.result != CURLE_OK) fail(curl_easy_strerror(message->data.result));
    curl_multi_remove_handle(multi, easy);
    if (left-- > 0) begin(multi, easy, url);
    else curl_easy_cleanup(easy);
  }
  return left;
}

static void run(CURLM *multi, const char *url, long left) {
  int running = 1;
  while (running > 0 || left > 0) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) fail("curl_multi_perform failed");
    left = begin_others(multi, url, left);
    if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
}

int main(int argc, char **argv) {
  char url[1024];
  if (argc != 6) return 2;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return 1;
  CURLM *multi = curl_multi_init();
  struct curl_slist *headers = vote_headers(argv[2]);
  long count = strtol(argv[3], NULL, 10), concurrency = strtol(argv[5], NULL, 10);
  vote_url(url, sizeof(url), argv[1]);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, concurrency);
  for (long i = 0; i < concurrency && i < count; i++)
    begin(multi, vote_open(headers, argv[4]), url);
  run(multi, url, count - concurrency);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  return 0;
}
