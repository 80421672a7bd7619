/*
** Reads the dates of HTTP headers with libcurl's parser, which also accepts other forms.
*/
#include "http_date.h"

#include <curl/curl.h>
#include <string.h>

enum { LONGEST = 63 };

time_t ck_http_date(const char *text, size_t length) {
  char copy[LONGEST + 1];
  if (length == 0 || length > LONGEST) return -1;
  char first = text[0];
  if (first == '-' || first == '+') return -1; /* curl_getdate takes it for a time zone */
  memcpy(copy, text, length);
  copy[length] = '\0';
  time_t date = curl_getdate(copy, NULL);
  return date < 0 ? -1 : date;
}
