/*
** Collects all that is wrong with a caller's table, so that it can be said at once.
*/
#ifndef CK_PROBLEMS_H
#define CK_PROBLEMS_H

#include <lua.h>
#include <stdbool.h>

#include "secret.h"

/* Where in the caller's tables a value stands: expected_value.a[3]. */
struct ck_path {
  const struct ck_path *up; /* NULL at the outermost */
  const char *name;         /* NULL for an item of a list */
  lua_Integer index;
};

struct ck_problems {
  lua_State *L;
  const struct ck_secret *secret; /* kept out of what is said: a caller may have given it */
  int slot; /* of the stack: nil, then a list of path, message, path, message … */
  int count;
};

/* Takes the stack slot that will hold them, which is set to nil, and borrows the key. */
struct ck_problems ck_problems_begin(lua_State *L, int slot, const struct ck_secret *secret);

/*
** The key at `index` of a caller's table as a C string; `otherwise` if it is no string, and a word that
** is no name of anything if it has a NUL byte, behind which it would not be compared.
*/
const char *ck_problems_name(lua_State *L, int index, const char *otherwise);

/* Adds one; the format is lua_pushfstring's. */
void ck_problems_add(struct ck_problems *problems, const struct ck_path *path, const char *format,
                     ...);

/* Adds that the path's last name is an unknown one of `what`, and the nearest known one, or NULL. */
void ck_problems_add_unknown(struct ck_problems *problems, const struct ck_path *path,
                             const char *what, const char *known);

/* Pushes a word for the value, short enough for a message: a number, "text", or its type. */
const char *ck_problems_describe(struct ck_problems *problems, int index);

/* Adds that the value on the top must be something else; it stays there. */
void ck_problems_refuse(struct ck_problems *problems, const struct ck_path *path,
                        const char *wanted);

/* Pushes a list of { path, message }, without the key. */
void ck_problems_push_list(const struct ck_problems *problems);

/* Pushes { path = { message, … } } and then all of it as one line of text, without the key. */
void ck_problems_push(struct ck_problems *problems);

#endif
