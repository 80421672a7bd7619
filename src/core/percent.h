/* Percent-encoding: text as a value in the query of an address. */
#ifndef CK_PERCENT_H
#define CK_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/*
** Appends the text with every byte encoded that RFC 3986 (2.3) does not call unreserved; false,
** and nothing appended, if it is not valid UTF-8.
*/
bool ck_percent_add(struct ck_buffer *buffer, const char *text, size_t length);

/* What two hexadecimal digits say; -1 if they are none. */
int ck_percent_code(const char *digits);

#endif
