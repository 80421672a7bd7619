/* cekura.endpoints: the contract as Lua data that cannot be changed. */
#ifndef CK_ENDPOINTS_H
#define CK_ENDPOINTS_H

#include <lua.h>

/* Pushes the list of endpoints, which can also be indexed by name. */
void ck_endpoints_push(lua_State *L);

#endif
