/* clock.h - what time it is. The server reads it once per tick and passes it down. */
#ifndef ENV_CLOCK_H
#define ENV_CLOCK_H

#include <stdint.h>

int64_t clock_unix_us(void);      /* microseconds since 1970; may step when the clock is set */
int64_t clock_monotonic_ns(void); /* never goes back; for durations only */

/* What the calling thread has used of a processor; costs a system call. */
int64_t clock_thread_cpu_ns(void);

#endif
