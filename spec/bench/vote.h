/* The vote of the plain programs: the same bytes that the client sends for votes.lua. */
#ifndef BENCH_VOTE_H
#define BENCH_VOTE_H

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static const char vote_body[] = "{\"metric_id\":55,\"thumbs_up\":false,\"expected_value\":2,"
                                "\"feedback\":\"Agent missed the reschedule step\"}";

static inline size_t vote_ignore(char *bytes, size_t size, size_t count, void *user) {
  (void)bytes, (void)user;
  return size * count;
}

static inline struct curl_slist *vote_headers(const char *key) {
  char line[256];
  (void)snprintf(line, sizeof(line), "X-CEKURA-API-KEY: %s", key);
  struct curl_slist *headers = curl_slist_append(NULL, line);
  headers = curl_slist_append(headers, "Content-Type: application/json");
  return curl_slist_append(headers, "Accept: application/json");
}

/* Returns an easy handle with the options that all its votes share. */
static inline CURL *vote_open(struct curl_slist *headers, const char *agent) {
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, vote_ignore);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
  return easy;
}

static inline void vote_url(char *url, size_t size, const char *server) {
  (void)snprintf(url, size, "%s/test_framework/v1/runs/5544/mark_metric_vote/", server);
}

/* Sets the options that differ between votes. */
static inline void vote_set(CURL *easy, const char *url) {
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, vote_body);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(vote_body));
}

#endif
