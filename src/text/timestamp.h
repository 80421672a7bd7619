/*
** Dates and times as the API writes them: RFC 3339, for example "2025-01-01T00:00:00.5+02:00".
*/
#ifndef CK_TIMESTAMP_H
#define CK_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>

struct ck_timestamp {
  long long seconds;    /* since 1970-01-01T00:00:00Z; the fraction is not included */
  const char *fraction; /* the digits after the point, within the text; not terminated */
  size_t fraction_length;
};

/*
** Reads a time with an upper-case T, and with Z or an offset. Returns false, and leaves `timestamp`
** undefined, if the text is anything else. A second may be 60. The day may be up to 31 in every
** month: 30 February is 1 or 2 March.
*/
bool ck_timestamp_parse(const char *text, size_t length, struct ck_timestamp *timestamp);

/* Returns a negative number, 0 or a positive number if `a` is before, at or after `b`. */
int ck_timestamp_compare(const struct ck_timestamp *a, const struct ck_timestamp *b);

#endif
