/*
** Parses Retry-After: seconds, several of them, or a date.
*/
#include "retry_after.h"

#include <stdbool.h>
#include <string.h>

#include "http_date.h"
#include "text/head.h"

/* Returns the wait, or -1 if it is too long to be one: an epoch time, or milliseconds. */
static double plausible(double seconds) {
  if (!(seconds > 0)) return 0;
  return seconds <= CK_RETRY_AFTER_MOST ? seconds : -1;
}

/* Returns the value of digits with an optional fraction, or -1. */
static double seconds_of(const char *text, size_t length) {
  double value = 0, unit = 1;
  bool fraction = false;
  if (length == 0 || text[0] == '.') return -1;
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return -1;
    if (fraction) unit /= 10;
    value = fraction ? value + unit * (text[i] - '0') : value * 10 + (text[i] - '0');
  }
  return plausible(value);
}

/* Returns the largest number of a list, to which proxies join several headers; -1 if none. */
static double longest_of(const char *text, size_t length) {
  double longest = -1;
  for (size_t at = 0; at <= length;) {
    const char *comma = memchr(text + at, ',', length - at);
    size_t end = comma == NULL ? length : (size_t)(comma - text);
    while (at < end && text[at] == ' ') at++;
    double seconds = seconds_of(text + at, end - at);
    if (seconds > longest) longest = seconds;
    at = end + 1;
  }
  return longest;
}

static double wait_of(const struct ck_header *header, time_t now) {
  if (header->value_length == 0) return -1;
  char first = header->value[0];
  if (first >= '0' && first <= '9') return longest_of(header->value, header->value_length);
  time_t date = ck_http_date(header->value, header->value_length);
  return date < 0 ? -1 : plausible(difftime(date, now));
}

double ck_retry_after(const char *head, size_t length, time_t now) {
  struct ck_header header;
  double longest = -1;
  if (!ck_head_find(head, length, "retry-after", &header)) return -1; /* fast path */
  time_t sent = ck_head_find(head, length, "date", &header)
                    ? ck_http_date(header.value, header.value_length)
                    : -1;
  if (sent >= 0) now = sent;
  for (size_t at = 0; ck_head_next(head, length, &at, &header);) {
    double wait = ck_head_is_named(&header, "retry-after") ? wait_of(&header, now) : -1;
    if (wait > longest) longest = wait;
  }
  return longest;
}
