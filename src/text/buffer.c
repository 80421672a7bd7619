/* The buffer: a growing run of bytes with an upper bound. */
#include "buffer.h"

#include <stdlib.h>

enum { SMALLEST = 256, MAX_KEPT = 64 * 1024 }; /* bytes */

static bool enlarge(struct ck_buffer *buffer, size_t wanted) {
  size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
  while (capacity < wanted) capacity *= 2;
  char *data = realloc(buffer->data, capacity);
  if (data == NULL) return false;
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

bool ck_buffer_grow(struct ck_buffer *buffer, size_t length) {
  if (buffer->failed) return false;
  size_t wanted = buffer->length + length + 1;
  if (length > buffer->limit - buffer->length ||
      (wanted > buffer->capacity && !enlarge(buffer, wanted)))
    buffer->failed = true;
  return !buffer->failed;
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
