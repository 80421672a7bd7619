/*
** What the parts of the library that are written in Lua need from those in C, and nobody
** else: the module "cekura.internal", to be had once "cekura.core" is loaded.
*/
#ifndef CK_INTERNAL_H
#define CK_INTERNAL_H

#include <lua.h>

void ck_internal_open(lua_State *L);

#endif
