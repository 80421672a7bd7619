/* The libcurl of this process. */
#ifndef CK_LIBCURL_H
#define CK_LIBCURL_H

#include <curl/curl.h>
#include <stdbool.h>

/* Returns whether the version is 8.0 or newer. */
bool ck_libcurl_is_8(void);

/*
** Initialises libcurl for the process, with functions of memory that leave no copy of the key. If
** other code has initialised it before, libcurl keeps the functions of memory that it has.
*/
CURLcode ck_libcurl_init(void);

#endif
