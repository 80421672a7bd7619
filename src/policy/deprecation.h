/* Reads the headers Deprecation (RFC 9745) and Sunset (RFC 8594). */
#ifndef CK_DEPRECATION_H
#define CK_DEPRECATION_H

#include <stddef.h>

/*
** Returns the earliest date of the headers of that name in the head of a response, in seconds since
** 1970; -1 if none of them is readable. A value is "@" and seconds, which is RFC 9745's form, or an
** HTTP date, which is RFC 8594's, and that of the drafts of RFC 9745.
*/
long long ck_deprecation_date(const char *head, size_t length, const char *name);

#endif
