/*
** Files that one run at a time locks, appends to and forces to disk. Of the module
** "cekura.internal":
**
**   open_file(path)           opens the file, which is made if it is missing, and locks it
**   file:read()               returns the content of a regular file
**   file:append(text)         writes all of the text or nothing, with one write as a rule
**   file:truncate(size)       cuts off everything beyond `size` bytes
**   file:sync()               returns when the content is on disk, if it can be forced there
**   file:close()              closes and unlocks; also __gc and __close
**   sync_folder(path)         returns when the names of the files in a folder are on disk
**   replace_file(path, text)  replaces the content: a crash leaves the old or the new one. The path
**                             must not be a symbolic link, which would be replaced
**   real_path(path)           returns the absolute path without symbolic links
**   read_link(path)           returns the target of a symbolic link, or nil
**   file_id(path)             returns a text that is the same for all names of one file, or nil
**
** Functions that fail return nil and "PATH: reason". Methods of a closed file raise.
*/
#ifndef CK_FILE_H
#define CK_FILE_H

#include <lua.h>

/* Adds the functions to the table on the top of the stack. */
void ck_file_add(lua_State *L);

#endif
