/* The monotonic clock of the sandbox, which is linked without the client's. */
#ifndef CK_SANDBOX_CLOCK_H
#define CK_SANDBOX_CLOCK_H

#include <time.h>

/* Returns the seconds since an arbitrary moment in the past. */
static inline double ck_clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists and `t` is valid */
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
