/*
** Of the module "cekura.internal":
**
**   monotime()        returns seconds since an arbitrary moment; the clock never goes back
**   terminal_width()  returns the columns of stderr's terminal; nil if it is not a terminal that
**                     can move its cursor
**   guard_output()    for programs: opens closed standard descriptors, so that no other file gets
**                     their numbers, with the wrong mode, so that using them still fails; and
**                     ignores SIGPIPE and SIGXFSZ, so that a write fails instead of killing
*/
#ifndef CK_SYSTEM_H
#define CK_SYSTEM_H

#include <lua.h>

/* Adds the functions to the table on the top of the stack. */
void ck_system_add(lua_State *L);

#endif
