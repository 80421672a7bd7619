/* Whether an address may be given the key. */
#ifndef CK_URL_H
#define CK_URL_H

#include <stdbool.h>

/*
** NULL if `text` is a URL that a client can send its key to; else what is wrong with it, as
** the end of a sentence. It has to be https, or http to a loopback host (anywhere with
** `allow_http`), with a host, and without user info, query or fragment.
*/
const char *ck_url_problem(const char *text, bool allow_http);

#endif
