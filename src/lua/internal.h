/*
** The module "cekura.internal": functions in C for the Lua files of the library only.
*/
#ifndef CK_INTERNAL_H
#define CK_INTERNAL_H

#include <lua.h>

/* Makes the module available to require. "cekura.core" is open already. */
void ck_internal_open(lua_State *L);

#endif
