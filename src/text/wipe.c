/* Overwrites secrets. */
#include "wipe.h"

#include <string.h>

/* Neither explicit_bzero nor memset_s exists on every system that has libcurl. */
void ck_wipe(void *memory, size_t length) {
  if (length > 0) memset(memory, 0, length);
  __asm__ volatile("" : : "r"(memory) : "memory"); /* as if the bytes were read */
}

void ck_wipe_stack(void) {
  char unused[32 * 1024];
  ck_wipe(unused, sizeof unused);
}
