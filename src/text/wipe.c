/* Overwrites secrets. */
#include "wipe.h"

#include <string.h>

enum { PIECE = 1024 }; /* for more bytes, memset uses an instruction that takes a step per byte */

/* Neither explicit_bzero nor memset_s exists on every system that has libcurl. */
void ck_wipe(void *memory, size_t length) {
  for (char *at = memory; length > 0;) {
    size_t piece = length < PIECE ? length : PIECE;
    memset(at, 0, piece);
    at += piece;
    length -= piece;
  }
  __asm__ volatile("" : : "r"(memory) : "memory"); /* as if the bytes were read */
}

void ck_wipe_stack(void) {
  char unused[32 * 1024];
  ck_wipe(unused, sizeof unused);
}
