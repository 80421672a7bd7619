/* Whether an address may be given the key. */
#ifndef CK_URL_H
#define CK_URL_H

#include <stdbool.h>
#include <stddef.h>

/*
** NULL if `text` is a URL that a client can send its key to; else what is wrong with it, as
** the end of a sentence. It has to be https, or http to a loopback host (anywhere with
** `allow_http`), with a host, and without user info, query or fragment.
*/
const char *ck_url_problem(const char *text, bool allow_http);

/*
** Changes the URL to the form in which those of one server are equal: scheme and host in lower case,
** no port if it is the scheme's own, no slash at the end. Returns its length then. Text without a scheme keeps its case.
*/
size_t ck_url_normalise(char *text, size_t length);

#endif
