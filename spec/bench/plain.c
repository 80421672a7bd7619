/*
** A vote without this library: libcurl's easy interface over one kept-alive connection. The program
** sends the same bytes, discards the response and checks nothing.
**
**   plain URL KEY COUNT USER-AGENT
*/
#include <stdlib.h>

#include "vote.h"

static void vote(CURL *easy, const char *url) {
  vote_set(easy, url);
  CURLcode code = curl_easy_perform(easy);
  if (code == CURLE_OK) return;
  (void)fprintf(stderr, "plain: %s\n", curl_easy_strerror(code));
  exit(1);
}

int main(int argc, char **argv) {
  char url[1024];
  if (argc != 5) return 2;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return 1;
  struct curl_slist *headers = vote_headers(argv[2]);
  CURL *easy = vote_open(headers, argv[4]);
  vote_url(url, sizeof(url), argv[1]);
  for (long i = strtol(argv[3], NULL, 10); i > 0; i--) vote(easy, url);
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
  return 0;
}
