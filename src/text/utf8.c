/*
** Checks UTF-8, in blocks and words while it is ASCII: most text is.
*/
#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WORD = 8, BLOCK = 8 * WORD };

static uint64_t word(const unsigned char *at) {
  uint64_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

static uint64_t any_of_four(const unsigned char *at) {
  return word(at) | word(at + WORD) | word(at + 2 * WORD) | word(at + 3 * WORD);
}

static bool is_ascii(uint64_t bytes) { return (bytes & UINT64_C(0x8080808080808080)) == 0; }

static bool is_ascii_block(const unsigned char *at) {
  return is_ascii(any_of_four(at) | any_of_four(at + BLOCK / 2));
}

static bool is_tail(unsigned char c) { return (c & 0xC0) == 0x80; }

/* Only the second byte has bounds that depend on the first one (RFC 3629, 4). */
static bool is_second(unsigned char lead, unsigned char c) {
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return c >= low && c <= high;
}

/* Returns the length of the character at `at`, 0 if it is not valid. */
static size_t character_length(const unsigned char *at, size_t left) {
  unsigned char lead = at[0];
  size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (length == 1) return 1;
  if (lead < 0xC2 || lead > 0xF4 || left < length || !is_second(lead, at[1])) return 0;
  for (size_t i = 2; i < length; i++)
    if (!is_tail(at[i])) return 0;
  return length;
}

size_t ck_utf8_broken(const char *text, size_t length) {
  const unsigned char *at = (const unsigned char *)text;
  size_t wanted = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4, found = 2;
  bool begins = at[0] >= 0xC2 && at[0] <= 0xF4 && length > 1 && is_second(at[0], at[1]);
  if (!begins) return 1;
  while (found < wanted && found < length && is_tail(at[found])) found++;
  return found;
}

size_t ck_utf8_valid(const char *text, size_t length) {
  const unsigned char *bytes = (const unsigned char *)text;
  size_t at = 0;
  for (;;) {
    while (length - at >= BLOCK && is_ascii_block(bytes + at)) at += BLOCK;
    while (length - at >= WORD && is_ascii(word(bytes + at))) at += WORD;
    size_t step = at < length ? character_length(bytes + at, length - at) : 0;
    if (step == 0) return at;
    at += step;
  }
}

size_t ck_utf8_cut(const char *text, size_t length, size_t most) {
  if (length <= most) return length;
  while (most > 0 && is_tail((unsigned char)text[most])) most--;
  return most;
}
