#include "wipe.h"

/* explicit_bzero and memset_s are each missing on some system that has libcurl. */
void ck_wipe(void *memory, size_t length) {
  volatile unsigned char *bytes = memory;
  while (length-- > 0) *bytes++ = 0;
}
