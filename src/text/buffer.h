/*
** A growing run of bytes with an upper bound. An append fails at the bound, or without memory, and
** every later one fails, too: a writer appends everything and checks once, at the end.
*/
#ifndef CK_BUFFER_H
#define CK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct ck_buffer {
  char *data; /* owned; NULL until the first append */
  size_t length;
  size_t capacity;
  size_t limit; /* the most that `length` may become */
  bool failed;  /* an append has failed; the bytes before it are unchanged */
};

#define CK_BUFFER(most) ((struct ck_buffer){ .limit = (most) })

/* Makes room for `length` more bytes and a NUL. Returns false if an append has failed. */
bool ck_buffer_grow(struct ck_buffer *buffer, size_t length);

/* The same; nearly always there is room already. The analyzer of gcc needs the look at `data`. */
static inline bool ck_buffer_reserve(struct ck_buffer *buffer, size_t length) {
  bool fits = buffer->data != NULL && length <= buffer->limit - buffer->length &&
              length < buffer->capacity - buffer->length;
  return (fits && !buffer->failed) || (ck_buffer_grow(buffer, length) && buffer->data != NULL);
}

/* Append bytes, a string without its NUL, or one byte. Return false if one append has failed. */
static inline bool ck_buffer_add(struct ck_buffer *buffer, const void *bytes, size_t length) {
  if (!ck_buffer_reserve(buffer, length)) return false;
  if (length > 0) memcpy(buffer->data + buffer->length, bytes, length);
  buffer->length += length;
  return true;
}

static inline bool ck_buffer_add_string(struct ck_buffer *buffer, const char *string) {
  return ck_buffer_add(buffer, string, strlen(string));
}

static inline bool ck_buffer_add_char(struct ck_buffer *buffer, char c) {
  return ck_buffer_add(buffer, &c, 1);
}

/* Adds a NUL that `length` does not include. Returns false if an append has failed. */
static inline bool ck_buffer_terminate(struct ck_buffer *buffer) {
  if (!ck_buffer_reserve(buffer, 0)) return false;
  buffer->data[buffer->length] = '\0';
  return true;
}

/* Empties the buffer; frees the memory only if it is unusually large. */
void ck_buffer_reset(struct ck_buffer *buffer);

/* Frees the bytes, and empties the buffer, which can be used again. */
void ck_buffer_free(struct ck_buffer *buffer);

#endif
