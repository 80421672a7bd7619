/*
** Misuse of a method raises: a dot instead of the colon, or an argument that is not a table.
*/
#ifndef CK_USAGE_H
#define CK_USAGE_H

#include <lua.h>

#include "contract/contract.h"

/*
** Raises unless the stack has the resource, a table of arguments, and nil or a table of options.
** `metatable` is the index of the resource's metatable.
*/
void ck_usage_check(lua_State *L, const struct ck_endpoint *endpoint, int metatable);

/* Raises unless stack index 2 is a table of arguments, and 3 is nil or a table of options. */
void ck_usage_check_tables(lua_State *L, const char *name);

#endif
