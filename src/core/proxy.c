#include "proxy.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ascii.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Reads it as libcurl does. NULL: it cannot be read, or there is no memory. */
static CURLU *parse(const char *text) {
  CURLU *url = curl_url();
  unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME;
  if (url != NULL && curl_url_set(url, CURLUPART_URL, text, flags) == CURLUE_OK) return url;
  curl_url_cleanup(url);
  return NULL;
}

/* ---- what is wrong with it ------------------------------------------------------------- */

static bool has_scheme(CURLU *url, const char *const *schemes, size_t count) {
  char *scheme = NULL;
  bool found = false;
  if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) return false;
  for (size_t i = 0; i < count; i++) found = found || ck_ascii_equal(scheme, schemes[i]);
  curl_free(scheme);
  return found;
}

static bool is_unreachable(CURLU *url) {
  static const char *const https[] = { "https" };
  bool can = (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTPS_PROXY) != 0;
  return !can && has_scheme(url, https, COUNT(https));
}

/* A part that there is none of is well. */
static bool is_decodable(CURLU *url, CURLUPart part, CURLUcode absent) {
  char *text = NULL;
  CURLUcode code = curl_url_get(url, part, &text, CURLU_URLDECODE);
  curl_free(text);
  return code == CURLUE_OK || code == absent;
}

static bool has_login(CURLU *url) {
  return is_decodable(url, CURLUPART_USER, CURLUE_NO_USER) &&
         is_decodable(url, CURLUPART_PASSWORD, CURLUE_NO_PASSWORD);
}

/* A slash in a password ends the host's part: what is taken for the host is not. */
static bool has_login_behind_host(const char *text) {
  const char *slashes = strstr(text, "://"), *host = slashes != NULL ? slashes + 3 : text;
  return strchr(host + strcspn(host, "/?#"), '@') != NULL;
}

static const char *problem_of(CURLU *url, const char *text) {
  static const char *const schemes[] = { "http",    "https",  "socks",  "socks4",
                                         "socks4a", "socks5", "socks5h" };
  if (!has_scheme(url, schemes, COUNT(schemes)))
    return "must begin with http://, https:// or a kind of socks://";
  if (is_unreachable(url)) return "must not begin with https://: libcurl was built without that";
  if (has_login_behind_host(text) || !has_login(url))
    return "has a character in its user name or password that must be percent-encoded";
  return NULL;
}

const char *ck_proxy_problem(const char *text) {
  CURLU *url = parse(text);
  if (url == NULL)
    return "is not a URL like http://user:password@proxy.example:3128, "
           "its user name and password percent-encoded";
  const char *problem = problem_of(url, text);
  curl_url_cleanup(url);
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

/* The first of the variables that is set and not empty. */
static const char *first_set(const char *const *names, size_t count, const char **name) {
  for (size_t i = 0; i < count; i++) {
    const char *value = getenv(names[i]);
    *name = names[i];
    if (value != NULL && value[0] != '\0') return value;
  }
  return NULL;
}

/* Whether the host is that one, or one within that domain. */
static bool is_within(const char *host, const char *domain, size_t length) {
  size_t host_length = strlen(host);
  while (length > 0 && domain[0] == '.') domain++, length--;
  if (length == 0 || host_length < length) return false;
  const char *end = host + host_length - length;
  for (size_t i = 0; i < length; i++)
    if (ck_ascii_lower(end[i]) != ck_ascii_lower(domain[i])) return false;
  return end == host || end[-1] == '.';
}

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
