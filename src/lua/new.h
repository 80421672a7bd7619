/*
** cekura.new, and the default client, which is made by the first call that needs one.
*/
#ifndef CK_NEW_H
#define CK_NEW_H

#include <lua.h>
#include <stddef.h>

#include "client.h"

/* cekura.new(options): returns a client; nil and an error of kind `config` if an option is wrong */
int ck_new(lua_State *L);

/*
** Pushes the default client, which is made on first use. Returns false, with nil and an error
** pushed, if it cannot be made.
*/
bool ck_new_push_default(lua_State *L);

/*
** Pushes and returns the client of the resource at stack index 1. Returns NULL, with nil and an
** error pushed, if there is none that can be used.
*/
struct ck_client *ck_new_client_of_resource(lua_State *L);

/* Pushes the URL in the form that client.api_url has: see ck_url_normalise. */
void ck_new_push_normal_url(lua_State *L, const char *url, size_t length);

#endif
