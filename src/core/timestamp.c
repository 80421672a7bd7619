#include "timestamp.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The length of `shape` if the text begins like it, a 0 being any digit; else 0. */
static size_t match(const char *text, size_t length, const char *shape) {
  size_t i = 0;
  for (; shape[i] != '\0'; i++) {
    if (i >= length) return 0;
    if (shape[i] == '0' ? !is_digit(text[i]) : text[i] != shape[i]) return 0;
  }
  return i;
}

/* Whether the two digits at `text` are a number from `least` to `most`. */
static bool is_within(const char *text, int least, int most) {
  int number = (text[0] - '0') * 10 + text[1] - '0';
  return number >= least && number <= most;
}

/* Also a leap second. */
static bool has_fields_in_range(const char *text) {
  return is_within(text + 5, 1, 12) && is_within(text + 8, 1, 31) && is_within(text + 11, 0, 23) &&
         is_within(text + 14, 0, 59) && is_within(text + 17, 0, 60);
}

static size_t fraction_length(const char *text, size_t length) {
  size_t i = match(text, length, ".0");
  while (i > 0 && i < length && is_digit(text[i])) i++;
  return i;
}

static bool is_zone(const char *text, size_t length) {
  if (length == 1) return text[0] == 'Z';
  return length == 6 && (match(text, 6, "+00:00") > 0 || match(text, 6, "-00:00") > 0) &&
         is_within(text + 1, 0, 23) && is_within(text + 4, 0, 59);
}

bool ck_timestamp_is_valid(const char *text, size_t length) {
  size_t at = match(text, length, "0000-00-00T00:00:00");
  if (at == 0 || !has_fields_in_range(text)) return false;
  at += fraction_length(text + at, length - at);
  return is_zone(text + at, length - at);
}
