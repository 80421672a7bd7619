/* The process that runs this code. */
#ifndef CK_PROCESS_H
#define CK_PROCESS_H

#include <sys/types.h>

/* Prepares ck_process_id, once for the process. */
void ck_process_init(void);

/* Returns what getpid returns. A system call is needed only once in each process. */
pid_t ck_process_id(void);

#endif
