/* cekura.endpoints: the rows of the contract as Lua tables. */
#ifndef CK_ENDPOINTS_H
#define CK_ENDPOINTS_H

#include <lua.h>

/*
** Pushes a new list of the endpoints, which can also be indexed by name. It is filled when it is
** first used, by an index, # or pairs. The tables can be changed; lua/cekura/init.lua makes them
** read-only. Nothing in C reads them.
*/
void ck_endpoints_push(lua_State *L);

#endif
