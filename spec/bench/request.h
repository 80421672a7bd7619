/* The request of the plain programs, with the same bytes that the client sends. */
#ifndef BENCH_REQUEST_H
#define BENCH_REQUEST_H

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

/* `mode` is "reuse", or "fresh": a connection for each request, as for a call that spends credits. */
struct request {
  const char *url, *key, *agent, *body, *mode;
};

static inline size_t request_ignore(char *bytes, size_t size, size_t count, void *user) {
  (void)bytes, (void)user;
  return size * count;
}

/* Returns a list that the caller frees. */
static inline struct curl_slist *request_headers(const struct request *request) {
  char line[256];
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  (void)snprintf(line, sizeof(line), "X-CEKURA-API-KEY: %s", request->key);
  headers = curl_slist_append(headers, line);
  return curl_slist_append(headers, "Accept: application/json");
}

/* Without a CApath libcurl parses the system's authorities once instead of for each connection. */
static inline void request_use_fresh(CURL *easy) {
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

/* Returns an easy handle with the options that all its requests share. */
static inline CURL *request_open(const struct request *request, struct curl_slist *headers) {
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, request_ignore);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, request->agent);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (strcmp(request->mode, "fresh") == 0) request_use_fresh(easy);
  return easy;
}

/* Sets the options that differ between requests. */
static inline void request_set(CURL *easy, const struct request *request) {
  curl_easy_setopt(easy, CURLOPT_URL, request->url);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body));
}

#endif
