/*
** What a vote costs without this library: libcurl's easy interface over one kept-alive
** connection, the same bytes out, the answer thrown away, nothing checked.
**
**   plain URL KEY COUNT USER-AGENT
*/
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char body[] = "{\"metric_id\":55,\"thumbs_up\":false,\"expected_value\":2,"
                           "\"feedback\":\"Agent missed the reschedule step\"}";

static size_t ignore(char *bytes, size_t size, size_t count, void *user) {
  (void)bytes, (void)user;
  return size * count;
}

static struct curl_slist *new_headers(const char *key) {
  char line[256];
  (void)snprintf(line, sizeof(line), "X-CEKURA-API-KEY: %s", key);
  struct curl_slist *headers = curl_slist_append(NULL, line);
  headers = curl_slist_append(headers, "Content-Type: application/json");
  return curl_slist_append(headers, "Accept: application/json");
}

static void vote(CURL *easy, const char *url) {
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
  CURLcode code = curl_easy_perform(easy);
  if (code == CURLE_OK) return;
  (void)fprintf(stderr, "plain: %s\n", curl_easy_strerror(code));
  exit(1);
}

int main(int argc, char **argv) {
  char url[1024];
  if (argc != 5) return 2;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return 1;
  (void)snprintf(url, sizeof(url), "%s/test_framework/v1/runs/5544/mark_metric_vote/", argv[1]);
  CURL *easy = curl_easy_init();
  struct curl_slist *headers = new_headers(argv[2]);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, argv[4]);
  for (long i = strtol(argv[3], NULL, 10); i > 0; i--) vote(easy, url);
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
  return 0;
}
