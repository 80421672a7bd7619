/* The initialisation of libcurl, with functions of memory that leave no copy of the key. */
#ifndef CK_MEMORY_H
#define CK_MEMORY_H

#include <curl/curl.h>

/*
** Initialises libcurl for the process. If other code has initialised it before, libcurl keeps the
** functions of memory that it has.
*/
CURLcode ck_memory_init_curl(void);

#endif
