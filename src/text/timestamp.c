/*
** Parses RFC 3339 timestamps, field by field, without the C library's time zones and locales.
*/
#include "timestamp.h"

/*
** The rest of the text. After a failure, `failed` stays set: the caller checks it once, at the end.
*/
struct reader {
  const char *at, *end;
  bool failed;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void expect(struct reader *reader, char c) {
  if (reader->at < reader->end && *reader->at == c) reader->at++;
  else reader->failed = true;
}

/* Reads a number of exactly `digits` digits, from `least` to `most`. */
static int number(struct reader *reader, int digits, int least, int most) {
  int value = 0;
  for (; digits > 0 && reader->at < reader->end && is_digit(*reader->at); digits--)
    value = value * 10 + (*reader->at++ - '0');
  if (digits > 0 || value < least || value > most) reader->failed = true;
  return value;
}

/* Reads Z or an offset. Returns the seconds by which the local time is ahead of UTC. */
static int offset(struct reader *reader) {
  char sign = '\0';
  if (reader->at < reader->end) sign = *reader->at++;
  if (sign == 'Z') return 0;
  if (sign != '+' && sign != '-') reader->failed = true;
  int seconds = number(reader, 2, 0, 23) * 3600;
  expect(reader, ':');
  seconds += number(reader, 2, 0, 59) * 60;
  return sign == '-' ? -seconds : seconds;
}

/*
** Returns the days since 1 January 1970. The year is counted from 1 March, so that 29 February is
** its last day, and from 400 years earlier, so that no division is of a negative number.
*/
static long long days_since_epoch(int year, int month, int day) {
  int months = (month + 9) % 12; /* since March */
  year += month <= 2 ? 399 : 400;
  return 365LL * year + year / 4 - year / 100 + year / 400 + (153 * months + 2) / 5 + day - 1 -
         (719468 + 146097);
}

bool ck_timestamp_parse(const char *text, size_t length, struct ck_timestamp *timestamp) {
  struct reader reader = { text, text + length, false };
  int year = number(&reader, 4, 0, 9999);
  expect(&reader, '-');
  int month = number(&reader, 2, 1, 12);
  expect(&reader, '-');
  int day = number(&reader, 2, 1, 31);
  expect(&reader, 'T');
  int hour = number(&reader, 2, 0, 23);
  expect(&reader, ':');
  int minute = number(&reader, 2, 0, 59);
  expect(&reader, ':');
  int second = number(&reader, 2, 0, 60);
  bool has_fraction = reader.at < reader.end && *reader.at == '.';
  if (has_fraction) reader.at++;
  timestamp->fraction = reader.at;
  while (has_fraction && reader.at < reader.end && is_digit(*reader.at)) reader.at++;
  timestamp->fraction_length = (size_t)(reader.at - timestamp->fraction);
  if (has_fraction && timestamp->fraction_length == 0) reader.failed = true;
  timestamp->seconds = days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 +
                       second - offset(&reader);
  return !reader.failed && reader.at == reader.end;
}

int ck_timestamp_compare(const struct ck_timestamp *a, const struct ck_timestamp *b) {
  if (a->seconds != b->seconds) return a->seconds < b->seconds ? -1 : 1;
  for (size_t i = 0; i < a->fraction_length || i < b->fraction_length; i++) {
    int one = i < a->fraction_length ? a->fraction[i] : '0';
    int other = i < b->fraction_length ? b->fraction[i] : '0';
    if (one != other) return one - other;
  }
  return 0;
}
