/*
** Resources: client.runs, cekura.runs and the like, whose methods are the endpoints.
*/
#ifndef CK_RESOURCE_H
#define CK_RESOURCE_H

#include <lua.h>
#include <stdbool.h>

#include "contract/contract.h"

/*
** Makes the metatables of resources, with every endpoint as a method. Upvalue 1 of `method` is the
** endpoint's row (light userdata), upvalue 2 the metatable of its resource.
*/
void ck_resource_open(lua_State *L, lua_CFunction method);

/* Pushes { name = resource } of the client at `client`; 0 = of the default client. */
void ck_resource_push_all(lua_State *L, int client);

/* Pushes the client of the resource at stack index 1, or nil if that is the default client. */
void ck_resource_push_client(lua_State *L);

/* Pushes a new table { name = table of methods } of all resources. */
void ck_resource_push_methods(lua_State *L);

/* Returns whether the value at `index` is a resource with the metatable at `metatable`. */
bool ck_resource_is(lua_State *L, int index, int metatable);

/* Raises unless the value at stack index 1 is the resource; `method` is the one that was called. */
void ck_resource_check(lua_State *L, const char *resource, const char *method);

#endif
