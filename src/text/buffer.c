/* The buffer: a growing run of bytes with an upper bound. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256, MAX_KEPT = 64 * 1024 }; /* bytes */

static bool grow(struct ck_buffer *buffer, size_t wanted) {
  size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
  while (capacity < wanted) capacity *= 2;
  char *data = realloc(buffer->data, capacity);
  if (data == NULL) return false;
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

/* Makes room for `length` more bytes and a NUL. */
static bool reserve(struct ck_buffer *buffer, size_t length) {
  if (buffer->failed) return false;
  size_t wanted = buffer->length + length + 1;
  if (length > buffer->limit - buffer->length ||
      (wanted > buffer->capacity && !grow(buffer, wanted)))
    buffer->failed = true;
  return !buffer->failed;
}

bool ck_buffer_add(struct ck_buffer *buffer, const void *bytes, size_t length) {
  if (!reserve(buffer, length)) return false;
  if (length > 0) memcpy(buffer->data + buffer->length, bytes, length);
  buffer->length += length;
  return true;
}

bool ck_buffer_add_string(struct ck_buffer *buffer, const char *string) {
  return ck_buffer_add(buffer, string, strlen(string));
}

bool ck_buffer_add_char(struct ck_buffer *buffer, char c) {
  if (!reserve(buffer, 1)) return false;
  buffer->data[buffer->length++] = c;
  return true;
}

bool ck_buffer_terminate(struct ck_buffer *buffer) {
  if (!reserve(buffer, 0)) return false;
  buffer->data[buffer->length] = '\0';
  return true;
}

void ck_buffer_reset(struct ck_buffer *buffer) {
  if (buffer->capacity > MAX_KEPT) ck_buffer_free(buffer);
  buffer->length = 0;
  buffer->failed = false;
}

void ck_buffer_free(struct ck_buffer *buffer) {
  free(buffer->data);
  *buffer = CK_BUFFER(buffer->limit);
}
