/*
** Collects every problem of a caller's tables, so that one error reports all of them.
*/
#ifndef CK_PROBLEMS_H
#define CK_PROBLEMS_H

#include <lua.h>
#include <stdbool.h>

#include "lua/system/secret.h"

/* The place of a value in the caller's tables: expected_value.a[3]. */
struct ck_path {
  const struct ck_path *up; /* NULL at the outermost */
  const char *name;         /* NULL for an item of a list */
  lua_Integer index;        /* of an item */
};

struct ck_problems {
  lua_State *L;
  const struct ck_secret *secret; /* borrowed; redacted, because a caller's value may contain it */
  int index; /* of the stack: nil, or a list of path, message, path, message … */
  int count;
};

/* Begins a collection at the stack index, which is set to nil. Borrows the key. */
struct ck_problems ck_problems_begin(lua_State *L, int index, const struct ck_secret *secret);

/*
** Returns the table key at `index` as a C string; `otherwise` if it is not a string. A string with
** a NUL byte gives a text that no field or option has as its name.
*/
const char *ck_problems_name(lua_State *L, int index, const char *otherwise);

/* Adds a problem; the format is lua_pushfstring's. */
void ck_problems_add(struct ck_problems *problems, const struct ck_path *path, const char *format,
                     ...);

/* Adds the problem of an unknown `what`; `known` is the nearest known name, or NULL. */
void ck_problems_add_unknown(struct ck_problems *problems, const struct ck_path *path,
                             const char *what, const char *known);

/* Pushes a short text for the value at `index`: a number, a quoted string, or the type. */
const char *ck_problems_describe(struct ck_problems *problems, int index);

/*
** Adds the problem that the value on the top of the stack must be `wanted`, and leaves the value
** there.
*/
void ck_problems_refuse(struct ck_problems *problems, const struct ck_path *path,
                        const char *wanted);

/* Pushes a list of { path, message }, redacted. */
void ck_problems_push_list(const struct ck_problems *problems);

/* Pushes { path = { message, … } } and the problems as one line of text, both redacted. */
void ck_problems_push(const struct ck_problems *problems);

#endif
