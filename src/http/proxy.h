/* The proxy of a client's connections. Its URL may contain a password, which is never shown. */
#ifndef CK_PROXY_H
#define CK_PROXY_H

/*
** Returns NULL if the URL of a proxy is valid; otherwise what is wrong with it, as the end of a
** sentence, which does not quote it.
*/
const char *ck_proxy_problem(const char *text);

/*
** Returns the proxy that the environment specifies for `url`, an https URL, by libcurl's rules,
** and sets `*variable` to the name of the variable. NULL: none, or no_proxy names the host. The
** environment owns the string.
*/
const char *ck_proxy_of_environment(const char *url, const char **variable);

/*
** Returns the URL without user and password, owned by the caller through curl_free; NULL: no
** memory.
*/
char *ck_proxy_name(const char *text);

#endif
