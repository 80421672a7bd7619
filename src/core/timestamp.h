/* Dates and times as they stand in requests. */
#ifndef CK_TIMESTAMP_H
#define CK_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>

/*
** Whether the text is a date-time of RFC 3339: "2025-01-01T00:00:00Z", perhaps with a fraction
** of a second, perhaps with an offset for the Z. Whether the month has that day is not looked at.
*/
bool ck_timestamp_is_valid(const char *text, size_t length);

#endif
