/*
** Of the module "cekura.internal":
**
**   monotime()        returns the seconds since an arbitrary moment; the clock never goes back
**   terminal_width(is_stdout)
**                     returns the columns of the terminal of stderr, or of stdout if the argument
**                     is true; nil if it is not a terminal that can move its cursor
**   guard_output()    for programs: opens each closed standard descriptor, so that no other file
**                     gets its number, but in the wrong mode, so that its use still fails. Ignores
**                     SIGPIPE and SIGXFSZ, so that a write fails instead of ending the process
*/
#ifndef CK_SYSTEM_H
#define CK_SYSTEM_H

#include <lua.h>

/* Adds the functions to the table on the top of the stack. */
void ck_system_add(lua_State *L);

#endif
