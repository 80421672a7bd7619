/* The headers of a request, in the form that libcurl takes. One of them contains the key. */
#ifndef CK_HEADERS_H
#define CK_HEADERS_H

#include <stdbool.h>

/* The first header is the one that describes the body: see ck_headers_of. */
struct ck_headers {
  void *list; /* a curl_slist, owned; NULL = none */
};

/*
** Appends `name: value`, also with an empty value. The caller has checked both with
** ck_headers_is_name and ck_headers_is_value. Returns false without memory.
*/
bool ck_headers_add(struct ck_headers *headers, const char *name, const char *value);

/* Prevents libcurl from adding a header of this name. Returns false without memory. */
bool ck_headers_leave_out(struct ck_headers *headers, const char *name);

/*
** Returns whether the transfer codings gzip and deflate must be requested, or libcurl refuses them:
** from version 8 on. Older versions read them anyway.
*/
bool ck_headers_codings_are_requested(void);

/* Prevents libcurl from sending that request, if it is made. Returns false without memory. */
bool ck_headers_leave_out_codings(struct ck_headers *headers);

/* Returns the curl_slist of a request, borrowed; without a body the first header is left out. */
void *ck_headers_of(const struct ck_headers *headers, bool has_body);

/* Overwrites and frees the headers. */
void ck_headers_free(struct ck_headers *headers);

/* Return whether HTTP permits the name or the value (RFC 9110, 5.1 and 5.5). */
bool ck_headers_is_name(const char *name);
bool ck_headers_is_value(const char *value);

#endif
