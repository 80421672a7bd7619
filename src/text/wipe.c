/* Overwrites secrets. */
#include "wipe.h"

/* Neither explicit_bzero nor memset_s exists on every system that has libcurl. */
void ck_wipe(void *memory, size_t length) {
  volatile unsigned char *bytes = memory;
  while (length-- > 0) *bytes++ = 0;
}
