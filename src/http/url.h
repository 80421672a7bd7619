/* The base URL of the API: whether the key may be sent to it, and its normal form. */
#ifndef CK_URL_H
#define CK_URL_H

#include <stdbool.h>
#include <stddef.h>

/*
** Returns NULL if a client may send its key to the URL; else what is wrong with it, as the end of
** a sentence. It must be https, or http to a loopback host (with `allow_http`: to any host), and
** have no user info, query or fragment.
*/
const char *ck_url_problem(const char *text, bool allow_http);

/*
** Normalises the URL in place: scheme and host in lower case, no default port, no slash at the
** end. Returns its new length. A text without a scheme keeps its case.
*/
size_t ck_url_normalise(char *text, size_t length);

#endif
