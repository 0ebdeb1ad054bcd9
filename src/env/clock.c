#include "env/clock.h"

#include "base/check.h"

#include <time.h>

static int64_t read_clock(clockid_t which, int64_t units_per_second)
{
    struct timespec t;
    CHECK(clock_gettime(which, &t) == 0);
    return (int64_t)t.tv_sec * units_per_second +
           (int64_t)t.tv_nsec / (1000000000 / units_per_second);
}

int64_t clock_unix_us(void)
{
    return read_clock(CLOCK_REALTIME, 1000000);
}

int64_t clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000000);
}

int64_t clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID, 1000000000);
}
