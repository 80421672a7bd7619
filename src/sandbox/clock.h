/* Monotonic time: seconds since some moment in the past. */
#ifndef CK_SANDBOX_CLOCK_H
#define CK_SANDBOX_CLOCK_H

#include <time.h>

static inline double ck_clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock is there and `t` is ours */
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
