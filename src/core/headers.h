/* The headers of a request, in the form that libcurl takes. One of them is the key. */
#ifndef CK_HEADERS_H
#define CK_HEADERS_H

#include <stdbool.h>

struct ck_headers {
  void *list; /* a curl_slist, owned; NULL = none. First the one that describes the body */
};

/*
** Appends `name: value`; an empty value is sent as an empty one. The caller has checked
** both with ck_headers_is_name and ck_headers_is_value. False: out of memory.
*/
bool ck_headers_add(struct ck_headers *headers, const char *name, const char *value);

/* Keeps libcurl from adding a header of this name on its own. False: out of memory. */
bool ck_headers_leave_out(struct ck_headers *headers, const char *name);

/* What libcurl is given for a request that has a body, or has none: then without the first. */
void *ck_headers_of(const struct ck_headers *headers, bool has_body);

/* Overwrites what stands in them before the memory goes back: one of them is the key. */
void ck_headers_free(struct ck_headers *headers);

/* Whether HTTP permits it (RFC 9110, 5.1 and 5.5). */
bool ck_headers_is_name(const char *name);
bool ck_headers_is_value(const char *value);

#endif
