/*
** Writes JSON. lua-cjson is not used for this: it prints 14 digits of a number, cannot mark an
** empty array in every version, and does not report the path of an invalid value.
*/
#ifndef CK_JSON_H
#define CK_JSON_H

#include <lua.h>
#include <stdbool.h>

#include "problems.h"
#include "text/buffer.h"

enum { CK_MAX_DEPTH = 128 }; /* of tables within tables, written or read */

/* Appends the text in quotes. Returns false, and appends nothing, if it is not valid UTF-8. */
bool ck_json_add_string(struct ck_buffer *buffer, const char *text, size_t length);

/* Appends the decimal digits of the integer. */
void ck_json_add_integer(struct ck_buffer *buffer, lua_Integer value);

/*
** Appends the value at `index`. A table is an array if it is marked as one or its keys are 1 to n,
** and an object if its keys are strings or it is empty. Adds a problem for each value that JSON
** cannot express; the buffer's content is undefined then.
*/
void ck_json_add_value(struct ck_buffer *buffer, int index, const struct ck_path *path,
                       struct ck_problems *problems);

/*
** Returns whether the table at `index` is a list without holes, and sets `length`; adds a problem
** if it is not.
*/
bool ck_json_check_list(int index, lua_Integer *length, const struct ck_path *path,
                        struct ck_problems *problems);

/*
** internal.json(value, name): returns a JSON text that is the same for equal values: names are
** sorted, and whole floats are written as integers. Returns nil and a message about the values that
** JSON cannot express, with their paths below `name` ("value" by default).
*/
int ck_json_encode(lua_State *L);

/*
** Pushes a list of the string keys of the table at `index`, sorted by their bytes. Returns its
** index.
*/
int ck_json_push_names(lua_State *L, int index);

/* cekura.array(t): marks the table t as an array, even if it is empty, and returns it. */
int ck_json_array(lua_State *L);

/*
** Makes the mark of arrays, or uses that of the lua-cjson on the top of the stack, if it has one.
*/
void ck_json_open(lua_State *L);

#endif
