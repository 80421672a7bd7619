/* The default client, and the client of any resource. */
#ifndef CK_DEFAULT_H
#define CK_DEFAULT_H

#include "client.h"

/*
** Pushes the default client, which is made on first use. Returns false, with nil and an error
** pushed, if it cannot be made.
*/
bool ck_default_push(lua_State *L);

/*
** Pushes and returns the client of the resource at stack index 1. Returns NULL, with nil and an
** error pushed, if there is none that can be used.
*/
struct ck_client *ck_default_client_of_resource(lua_State *L);

#endif
