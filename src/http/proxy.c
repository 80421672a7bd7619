/* Checks the URL of a proxy, hides its password, and finds the proxy of the environment. */
#include "proxy.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text/ascii.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/*
** Parses a URL by libcurl's rules for proxies. Returns NULL if it is invalid, or without memory.
*/
static CURLU *parse(const char *text) {
  CURLU *url = curl_url();
  unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME;
  if (url != NULL && curl_url_set(url, CURLUPART_URL, text, flags) == CURLUE_OK) return url;
  curl_url_cleanup(url);
  return NULL;
}

/* ---- problems ------------------------------------------------------------------------------- */

static const char *problem_of_scheme(CURLU *url) {
  static const char *const known[] = { "http",    "https",  "socks",  "socks4",
                                       "socks4a", "socks5", "socks5h" };
  bool can_https = (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTPS_PROXY) != 0;
  char *scheme = NULL;
  bool is_known = false;
  if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK)
    for (size_t i = 0; i < COUNT(known); i++) is_known |= ck_ascii_equal(scheme, known[i]);
  bool is_https = is_known && ck_ascii_equal(scheme, "https");
  curl_free(scheme);
  if (!is_known) return "must begin with http://, https:// or a kind of socks://";
  if (!can_https && is_https) return "must not begin with https://: libcurl was built without it";
  return NULL;
}

/* Returns whether libcurl can decode the part; true if the URL does not have it. */
static bool is_decodable(CURLU *url, CURLUPart part, CURLUcode absent) {
  char *text = NULL;
  CURLUcode code = curl_url_get(url, part, &text, CURLU_URLDECODE);
  curl_free(text);
  return code == CURLUE_OK || code == absent;
}

/* A slash in a password ends what libcurl takes for the host, and the "@" follows it. */
static bool has_login_after_host(const char *text) {
  const char *slashes = strstr(text, "://"), *host = slashes != NULL ? slashes + 3 : text;
  return strchr(host + strcspn(host, "/?#"), '@') != NULL;
}

const char *ck_proxy_problem(const char *text) {
  CURLU *url = parse(text);
  if (url == NULL)
    return "is not a URL like http://user:password@proxy.example:3128, "
           "its user name and password percent-encoded";
  const char *problem = problem_of_scheme(url);
  bool is_login_decodable = is_decodable(url, CURLUPART_USER, CURLUE_NO_USER) &&
                            is_decodable(url, CURLUPART_PASSWORD, CURLUE_NO_PASSWORD);
  curl_url_cleanup(url);
  if (problem == NULL && (has_login_after_host(text) || !is_login_decodable))
    return "has a character in its user name or password that must be percent-encoded";
  return problem;
}

char *ck_proxy_name(const char *text) {
  static const CURLUPart hidden[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                      CURLUPART_QUERY, CURLUPART_FRAGMENT };
  CURLU *url = parse(text);
  char *name = NULL;
  bool ok = url != NULL && curl_url_set(url, CURLUPART_PATH, "/", 0) == CURLUE_OK;
  for (size_t i = 0; i < COUNT(hidden); i++)
    ok = ok && curl_url_set(url, hidden[i], NULL, 0) == CURLUE_OK;
  ok = ok && curl_url_get(url, CURLUPART_URL, &name, 0) == CURLUE_OK;
  curl_url_cleanup(url);
  if (ok) name[strlen(name) - 1] = '\0'; /* the slash */
  return ok ? name : NULL;
}

/* ---- the environment --------------------------------------------------------------------- */

/* Returns the first of the variables that is set and not empty. */
static const char *first_set(const char *const *names, size_t count, const char **name) {
  for (size_t i = 0; i < count; i++) {
    const char *value = getenv(names[i]);
    *name = names[i];
    if (value != NULL && value[0] != '\0') return value;
  }
  return NULL;
}

/* Returns whether the host is the domain, or is within it. */
static bool is_within(const char *host, const char *domain, size_t length) {
  size_t host_length = strlen(host);
  while (length > 0 && domain[0] == '.') domain++, length--;
  if (length == 0 || host_length < length) return false;
  const char *end = host + host_length - length;
  for (size_t i = 0; i < length; i++)
    if (ck_ascii_lower(end[i]) != ck_ascii_lower(domain[i])) return false;
  return end == host || end[-1] == '.';
}

/* Returns whether a list of domains, or "*", has the host. */
static bool lists(const char *list, const char *host) {
  static const char separators[] = ", \t";
  if (strcmp(list, "*") == 0) return true;
  while (list[0] != '\0') {
    size_t length = strcspn(list, separators);
    if (is_within(host, list, length)) return true;
    list += length;
    list += strspn(list, separators);
  }
  return false;
}

static bool is_exempt(const char *url) {
  static const char *const names[] = { "no_proxy", "NO_PROXY" };
  const char *name, *list = first_set(names, COUNT(names), &name);
  char *host = NULL;
  CURLU *parts = list != NULL ? parse(url) : NULL;
  bool exempt = parts != NULL && curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                lists(list, host);
  curl_free(host);
  curl_url_cleanup(parts);
  return exempt;
}

const char *ck_proxy_of_environment(const char *url, const char **variable) {
  static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
  const char *proxy = first_set(names, COUNT(names), variable);
  return proxy != NULL && !is_exempt(url) ? proxy : NULL;
}
