/* Reads the Retry-After header, which servers write in every way there is. */
#ifndef CK_RETRY_AFTER_H
#define CK_RETRY_AFTER_H

#include <stddef.h>
#include <time.h>

/* The longest wait that is believed, in seconds; what asks for more is as good as no header. */
#define CK_RETRY_AFTER_MOST 3600.0

/*
** The seconds to wait that the head of an answer asks for, from 0 to CK_RETRY_AFTER_MOST;
** negative if it asks for none that can be believed. Of several the longest counts. A
** date counts from the answer's own Date, so that a wrong clock here does no harm; `now`
** serves where there is none.
*/
double ck_retry_after(const char *head, size_t length, time_t now);

#endif
