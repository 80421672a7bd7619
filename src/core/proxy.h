/* The proxy that a client's connections go through. Its URL may hold a password: none is shown. */
#ifndef CK_PROXY_H
#define CK_PROXY_H

/* NULL, or what is wrong with the URL of a proxy, as the end of a sentence, without any of it. */
const char *ck_proxy_problem(const char *text);

/*
** The proxy that the environment names for `url`, which is https, as libcurl reads it; `*variable` is
** where. NULL: none, or no_proxy names the host. Both strings are the environment's, or literals.
*/
const char *ck_proxy_of_environment(const char *url, const char **variable);

/* The URL without user and password, for curl_free. NULL: out of memory. */
char *ck_proxy_name(const char *text);

#endif
