/* The headers of a request as a curl_slist, whose memory is overwritten before it is freed. */
#include "headers.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcurl.h"
#include "text/wipe.h"

static void wipe(char *text) { ck_wipe(text, strlen(text)); }

static bool append(struct ck_headers *headers, const char *name, const char *between,
                   const char *value) {
  size_t size = strlen(name) + strlen(between) + strlen(value) + 1;
  char *line = malloc(size);
  if (line == NULL) return false;
  (void)snprintf(line, size, "%s%s%s", name, between, value);
  struct curl_slist *longer = curl_slist_append(headers->list, line);
  wipe(line);
  free(line);
  if (longer != NULL) headers->list = longer; /* else the list is unchanged */
  return longer != NULL;
}

/* libcurl sends an empty value only if a semicolon follows the name. */
bool ck_headers_add(struct ck_headers *headers, const char *name, const char *value) {
  bool empty = value[strspn(value, " \t")] == '\0';
  return append(headers, name, empty ? ";" : ": ", empty ? "" : value);
}

bool ck_headers_leave_out(struct ck_headers *headers, const char *name) {
  return append(headers, name, ":", "");
}

bool ck_headers_codings_are_requested(void) { return ck_libcurl_is_8(); }

bool ck_headers_leave_out_codings(struct ck_headers *headers) {
  return !ck_headers_codings_are_requested() || ck_headers_leave_out(headers, "TE");
}

void *ck_headers_of(const struct ck_headers *headers, bool has_body) {
  struct curl_slist *list = headers->list;
  return has_body || list == NULL ? list : list->next;
}

void ck_headers_free(struct ck_headers *headers) {
  struct curl_slist *list = headers->list;
  headers->list = NULL;
  for (struct curl_slist *node = list; node != NULL; node = node->next) wipe(node->data);
  curl_slist_free_all(list);
}

bool ck_headers_is_name(const char *name) {
  static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return name[0] != '\0' && name[strspn(name, token)] == '\0';
}

bool ck_headers_is_value(const char *value) {
  for (; *value != '\0'; value++) {
    unsigned char c = (unsigned char)*value;
    if (c != '\t' && (c < ' ' || c == 0x7f)) return false;
  }
  return true;
}
