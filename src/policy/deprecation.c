/* Reads the dates of Deprecation and Sunset. */
#include "deprecation.h"

#include "http_date.h"
#include "text/head.h"

enum { MOST_DIGITS = 15 }; /* of an integer of a structured field (RFC 9651, 3.3.1) */

/* Returns the seconds after "@", which parameters may follow; -1 if there are none. */
static long long seconds_of(const char *text, size_t length) {
  long long seconds = 0;
  size_t i = 0;
  for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
    if (i == MOST_DIGITS) return -1;
    seconds = 10 * seconds + (text[i] - '0');
  }
  return i > 0 && (i == length || text[i] == ';') ? seconds : -1;
}

static long long date_of(const struct ck_header *header) {
  const char *text = header->value;
  size_t length = header->value_length;
  if (length > 0 && text[0] == '@') return seconds_of(text + 1, length - 1);
  return (long long)ck_http_date(text, length);
}

long long ck_deprecation_date(const char *head, size_t length, const char *name) {
  struct ck_header header;
  long long earliest = -1;
  for (size_t at = 0; ck_head_next(head, length, &at, &header);) {
    long long date = ck_head_is_named(&header, name) ? date_of(&header) : -1;
    if (date >= 0 && (earliest < 0 || date < earliest)) earliest = date;
  }
  return earliest;
}
