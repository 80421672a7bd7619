/*
** Parses the Retry-After header in every form that servers use.
*/
#ifndef CK_RETRY_AFTER_H
#define CK_RETRY_AFTER_H

#include <stddef.h>
#include <time.h>

/* The longest wait that is honoured, in seconds. A header that asks for more is ignored. */
#define CK_RETRY_AFTER_MOST 3600.0

/*
** Returns the seconds to wait that the head of a response asks for, from 0 to CK_RETRY_AFTER_MOST;
** a negative number if it has no valid Retry-After. Of several headers the longest counts. A date
** is relative to the response's own Date, so that a wrong local clock does no harm; without one, it
** is relative to `now`.
*/
double ck_retry_after(const char *head, size_t length, time_t now);

#endif
