/* Overwrites secrets. */
#ifndef CK_WIPE_H
#define CK_WIPE_H

#include <stddef.h>

/*
** Overwrites memory with zeros. The compiler cannot remove the writes, even if the memory is not
** read again.
*/
void ck_wipe(void *memory, size_t length);

/* Overwrites the unused part of the stack, in which functions that have returned left copies. */
void ck_wipe_stack(void);

#endif
