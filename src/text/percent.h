/* Percent-encoding, the form of text in the query of an address. */
#ifndef CK_PERCENT_H
#define CK_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/*
** Appends the text; every byte is encoded except RFC 3986's unreserved ones (2.3). Returns false,
** and appends nothing, if the text is not valid UTF-8.
*/
bool ck_percent_add(struct ck_buffer *buffer, const char *text, size_t length);

/* Returns the value of the two hexadecimal digits, -1 if there are not two. */
int ck_percent_code(const char *digits);

#endif
