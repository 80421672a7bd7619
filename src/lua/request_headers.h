/*
** The headers of a request: ours, then those that the caller adds.
*/
#ifndef CK_REQUEST_HEADERS_H
#define CK_REQUEST_HEADERS_H

#include <lua.h>
#include <stdbool.h>

#include "../core/headers.h"
#include "problems.h"
#include "secret.h"

/* Checks a table of name = value that a caller wants to add. */
void ck_request_headers_check(int index, const struct ck_path *path, struct ck_problems *problems);

/*
** Writes all headers: the fixed ones, the key, those of the table at `client` and those of
** the table at `call` (0 = none), which win over the client's. The tables have been checked.
** Raises, or returns false, when there is no memory; `headers` is owned by the
** caller either way.
*/
bool ck_request_headers_write(lua_State *L, struct ck_headers *headers, const char *key, int client,
                              int call);

/* Pushes a table of the headers that are sent, but for the key; `call` may be 0. */
void ck_request_headers_push(lua_State *L, bool has_body, int client, int call,
                             const struct ck_secret *secret);

#endif
