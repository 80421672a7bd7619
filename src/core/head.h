/* Reads the head of an answer: the header lines as they arrived. */
#ifndef CK_HEAD_H
#define CK_HEAD_H

#include <stdbool.h>
#include <stddef.h>

struct ck_header {
  const char *name, *value; /* into the head, not ended with a NUL */
  size_t name_length, value_length;
};

/*
** Steps through a head of `length` bytes: `*at` is 0 before the first call. False: there
** are no more. A line without a colon is passed over.
*/
bool ck_head_next(const char *head, size_t length, size_t *at, struct ck_header *header);

/* Whether it has that name, in any case of letters. */
bool ck_head_is_named(const struct ck_header *header, const char *name);

/* The first header of that name, in any case of letters. */
bool ck_head_find(const char *head, size_t length, const char *name, struct ck_header *header);

/* The status of a status line, 0 if it is none. */
int ck_head_status(const char *line, size_t length);

/*
** Whether this line of a head tells where the body ends: by a length, or by chunks. Where no line
** does, the body ends with the connection, and one that was cut off looks like a whole one.
*/
bool ck_head_delimits(const char *line, size_t length);

/* Whether these bytes can be all of a JSON document: every bracket and string is closed. */
bool ck_head_is_closed_json(const char *body, size_t length);

#endif
