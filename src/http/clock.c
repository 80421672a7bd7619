/* The monotonic clock. */
#include "clock.h"

#include <limits.h>
#include <time.h>

double ck_clock_now(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0; /* cannot fail with this clock */
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int ck_clock_ms(double seconds) {
  if (!(seconds > 0)) return 0;
  if (seconds >= INT_MAX / 1000) return INT_MAX;
  int ms = (int)(seconds * 1000);
  return ms < seconds * 1000 ? ms + 1 : ms;
}
