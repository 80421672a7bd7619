/*
** The headers of a request: those of every request, the client's and the call's.
*/
#ifndef CK_REQUEST_HEADERS_H
#define CK_REQUEST_HEADERS_H

#include <lua.h>
#include <stdbool.h>

#include "http/headers.h"
#include "lua/system/secret.h"
#include "problems.h"

/* Checks the value at `index`, which must be a table of name = value; adds its problems. */
void ck_request_headers_check(int index, const struct ck_path *path, struct ck_problems *problems);

/*
** Appends all headers: the fixed ones, the key, those of the table at `client`, and those of the
** table at `call` (0 = none), which replace the client's. Both tables have been checked. Returns
** false if there is no memory, and may raise; the caller owns `headers` in any case.
*/
bool ck_request_headers_write(lua_State *L, struct ck_headers *headers, const char *key, int client,
                              int call);

/* Pushes a table of the headers that would be sent, without X-CEKURA-API-KEY; `call` may be 0. */
void ck_request_headers_push(lua_State *L, bool has_body, int client, int call,
                             const struct ck_secret *secret);

#endif
