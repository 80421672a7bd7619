/* Reads the head of a response: the header lines as they arrived. */
#ifndef CK_HEAD_H
#define CK_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "ascii.h"

struct ck_header {
  const char *name, *value; /* borrowed from the head; not terminated */
  size_t name_length, value_length;
};

/*
** Steps through a head of `length` bytes; `*at` is 0 before the first call. Lines without a colon
** are skipped. Returns false at the end.
*/
bool ck_head_next(const char *head, size_t length, size_t *at, struct ck_header *header);

/* Returns whether the header has that name; the case of letters does not matter. */
bool ck_head_is_named(const struct ck_header *header, const char *name);

/* Returns whether the line is a header of that name. Most lines differ at the place of the colon. */
static inline bool ck_head_line_is(const char *line, size_t length, const char *name) {
  size_t end = strlen(name);
  return length > end && line[end] == ':' && ck_ascii_is(line, end, name);
}

/* Finds the first header of that name. Returns false if there is none. */
bool ck_head_find(const char *head, size_t length, const char *name, struct ck_header *header);

/* Returns the status of a status line; 0 if it is not one. */
int ck_head_status(const char *line, size_t length);

/* The end of the body, as a line of a head states it. */
enum ck_framing {
  CK_FRAMING_NONE,      /* nothing: the body ends with the connection unless another line does */
  CK_FRAMING_LENGTH,    /* Content-Length */
  CK_FRAMING_CHUNKED,   /* Transfer-Encoding, whose last coding is "chunked" */
  CK_FRAMING_CODED,     /* Transfer-Encoding without "chunked": as for CK_FRAMING_NONE */
  CK_FRAMING_MALFORMED, /* Content-Length that is not one number */
  CK_FRAMING_UNREADABLE /* Transfer-Encoding with another coding after "chunked" */
};

/* Returns what the line states, and sets `*body_length` if that is a length. */
enum ck_framing ck_head_framing(const char *line, size_t length, long long *body_length);

/*
** Returns whether the bytes may be a complete JSON document: all brackets and strings are closed.
*/
bool ck_head_is_closed_json(const char *body, size_t length);

#endif
