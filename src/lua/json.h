/*
** Writes JSON. Our own, because the contract says what is a list and what is text, because
** integers must be exact, and because a value that JSON cannot say needs a path to it.
*/
#ifndef CK_JSON_H
#define CK_JSON_H

#include <lua.h>
#include <stdbool.h>

#include "../core/buffer.h"
#include "problems.h"

enum { CK_MAX_DEPTH = 128 }; /* of tables within tables, written or read */

/* Appends the text in quotes; false, and nothing appended, if it is not valid UTF-8. */
bool ck_json_add_string(struct ck_buffer *buffer, const char *text, size_t length);

void ck_json_add_integer(struct ck_buffer *buffer, lua_Integer value);

/*
** Appends the value at `index`, whatever it is. A table is an array if it is marked as one
** or its keys are 1 to n; an object if its keys are strings, or if it is empty. What JSON
** cannot say is added to `problems`, and what was appended is of no use then.
*/
void ck_json_add_value(struct ck_buffer *buffer, int index, const struct ck_path *path,
                       struct ck_problems *problems);

/* Reads `at` as a list without holes. False, with a problem added, if it is none. */
bool ck_json_check_list(int index, lua_Integer *length, const struct ck_path *path,
                        struct ck_problems *problems);

/*
** internal.json(value, name): the value as JSON text that is the same each time: names are sorted,
** and floats that are whole are written as integers. Or nil and what JSON cannot say, with the path
** to it below `name` ("value" unless it is given).
*/
int ck_json_encode(lua_State *L);

/* Pushes a list of the table's string keys, sorted by their bytes; returns its index. */
int ck_json_push_names(lua_State *L, int index);

/* cekura.array(t): marks t, so that it is an array also when empty, and returns it. */
int ck_json_array(lua_State *L);

/* Makes the mark, or takes lua-cjson's (the module is on the top) where it has one. */
void ck_json_open(lua_State *L);

#endif
