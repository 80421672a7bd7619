/* Reads the dates of HTTP headers. */
#ifndef CK_HTTP_DATE_H
#define CK_HTTP_DATE_H

#include <stddef.h>
#include <time.h>

/*
** Returns the seconds since 1970 of a date in one of the forms of RFC 9110, 5.6.7; -1 if the text
** is not a date, or is one before 1970.
*/
time_t ck_http_date(const char *text, size_t length);

#endif
