/*
** A file that one run at a time holds, appends to, and forces to disk: Lua's own library has
** none. Of the module "cekura.internal":
**
**   open_file(path)      a file, made if there is none, and locked until it is closed
**   file:read()          all that stands in it; of a pipe or a device there is no "all"
**   file:append(text)    writes all of the text, in one write as a rule, or nothing of it
**   file:truncate(size)  cuts off what stands beyond so many bytes
**   file:sync()          returns once what was written is on disk, where it can be forced there
**   file:close()         also __gc and __close
**   sync_folder(path)    the same for the names of the files in a folder
**
** What fails returns nil and "PATH: what is wrong"; a file that has been closed raises.
*/
#ifndef CK_FILE_H
#define CK_FILE_H

#include <lua.h>

/* Adds the functions to the table on the top of the stack. */
void ck_file_add(lua_State *L);

#endif
