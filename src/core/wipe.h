#ifndef CK_WIPE_H
#define CK_WIPE_H

#include <stddef.h>

/* Overwrites with zeros, also where a compiler sees that nobody will look. */
void ck_wipe(void *memory, size_t length);

#endif
