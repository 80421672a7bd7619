/*
** A growing run of bytes with an upper bound. A failed append (bound or memory) is
** remembered: a writer appends all it has and asks once, at the end, whether all went in.
*/
#ifndef CK_BUFFER_H
#define CK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct ck_buffer {
  char *data; /* owned; NULL until the first append */
  size_t length;
  size_t capacity;
  size_t limit; /* the most that `length` may become */
  bool failed;  /* an append did not fit or found no memory; the rest is as before it */
};

#define CK_BUFFER(most) ((struct ck_buffer){ .limit = (most) })

/* Appends; false if this or an earlier append failed. */
bool ck_buffer_add(struct ck_buffer *buffer, const void *bytes, size_t length);
bool ck_buffer_add_string(struct ck_buffer *buffer, const char *string);
bool ck_buffer_add_char(struct ck_buffer *buffer, char c);

/* Ends the bytes with a NUL that does not count, for callers that want a C string. */
bool ck_buffer_terminate(struct ck_buffer *buffer);

/* Empties; keeps the memory unless an unusual call made it large. */
void ck_buffer_reset(struct ck_buffer *buffer);

void ck_buffer_free(struct ck_buffer *buffer);

#endif
