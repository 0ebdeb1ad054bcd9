/* refusals.h - for how long writes have been refused because the disk was full, by the clock of the
 * ticks: INFO's log_refused_seconds. */
#ifndef SERVER_REFUSALS_H
#define SERVER_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

struct refusals {
    bool refused;     /* now, since: */
    int64_t since_ms; /* unix time */
    int64_t past_ms;  /* in all, before that */
};

static inline int64_t refusals_ms(const struct refusals *r, int64_t now_ms)
{
    return r->past_ms + (r->refused ? now_ms - r->since_ms : 0);
}

/* Told each tick. */
static inline void refusals_note(struct refusals *r, bool refused, int64_t now_ms)
{
    r->past_ms = refusals_ms(r, now_ms);
    r->since_ms = now_ms;
    r->refused = refused;
}

/* CONFIG RESETSTAT: what is refused now counts from now on. */
static inline void refusals_reset(struct refusals *r, int64_t now_ms)
{
    r->past_ms = 0;
    r->since_ms = now_ms;
}

#endif
