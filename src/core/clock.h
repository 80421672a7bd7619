/* Time that only goes forward. */
#ifndef CK_CLOCK_H
#define CK_CLOCK_H

/* Seconds since an arbitrary moment, whatever happens to the wall clock. */
double ck_clock_now(void);

/* Whole milliseconds, rounded up so that a wait is never cut short; at most INT_MAX. */
int ck_clock_ms(double seconds);

#endif
