/* The monotonic clock. */
#ifndef CK_CLOCK_H
#define CK_CLOCK_H

/* Returns the seconds since an arbitrary time, unaffected by changes of the wall clock. */
double ck_clock_now(void);

/* Converts seconds to milliseconds, at most INT_MAX; rounds up, so that no wait is too short. */
int ck_clock_ms(double seconds);

#endif
