/* tick_clock.h - the time of the ticks: unix time that never goes back.
 *
 * When the machine's clock is set back, ticks run at half speed until it has caught up: deadlines
 * still pass, and no two ticks see time in the wrong order. */
#ifndef SERVER_TICK_CLOCK_H
#define SERVER_TICK_CLOCK_H

#include <stdint.h>

struct tick_clock {
    int64_t now_us;       /* the last result */
    int64_t monotonic_ns; /* when it was given */
};

/* The time of a tick, from both clocks of env/clock.h. */
static inline int64_t tick_clock_advance(struct tick_clock *c, int64_t unix_us,
                                         int64_t monotonic_ns)
{
    int64_t passed_us = (monotonic_ns - c->monotonic_ns) / 1000;
    if (unix_us >= c->now_us) c->now_us = unix_us;
    else c->now_us += passed_us / 2;
    c->monotonic_ns = monotonic_ns;
    return c->now_us;
}

#endif
