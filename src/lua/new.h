/* cekura.new: checks the options and makes a client. */
#ifndef CK_NEW_H
#define CK_NEW_H

#include <lua.h>
#include <stddef.h>

#include "client.h"

/* cekura.new(options): returns a client; nil and an error of kind `config` if an option is wrong */
int ck_new(lua_State *L);

/* Pushes the URL in the form that client.api_url has: see ck_url_normalise. */
void ck_new_push_normal_url(lua_State *L, const char *url, size_t length);

#endif
