/*
** Calls without this library: libcurl's easy interface. The program sends the same bytes, discards the
** response and checks nothing.
**
**   plain URL KEY USER-AGENT BODY reuse|fresh COUNT
*/
#include <stdlib.h>

#include "request.h"

static void call(CURL *easy, const struct request *request) {
  request_set(easy, request);
  CURLcode code = curl_easy_perform(easy);
  if (code == CURLE_OK) return;
  (void)fprintf(stderr, "plain: %s\n", curl_easy_strerror(code));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return 1;
  struct request request = { argv[1], argv[2], argv[3], argv[4], argv[5] };
  struct curl_slist *headers = request_headers(&request);
  CURL *easy = request_open(&request, headers);
  for (long i = strtol(argv[6], NULL, 10); i > 0; i--) call(easy, &request);
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
  return 0;
}
