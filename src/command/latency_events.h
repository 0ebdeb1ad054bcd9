/* latency_events.h - what took longer than latency-monitor-threshold, by kind of event (LATENCY).
 *
 * Of each event the last LATENCY_SAMPLES_MAX seconds in which it happened are kept, with the worst
 * of that second, and the worst ever. Fixed memory. It never knows who measured. */
#ifndef COMMAND_LATENCY_EVENTS_H
#define COMMAND_LATENCY_EVENTS_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum { LATENCY_SAMPLES_MAX = 160 };

/* Names are Redis' where it has the event. */
enum latency_event {
    LATENCY_COMMAND,      /* a command without the flag fast */
    LATENCY_FAST_COMMAND, /* a command with it */
    LATENCY_WRITE,        /* writing a batch to the log, or opening its next segment */
    LATENCY_SYNC_ALWAYS,  /* a sync of the log while replies wait for it (appendfsync always) */
    LATENCY_SYNC,         /* a sync that nobody waits for (everysec, no) */
    LATENCY_TURN,         /* one turn of the event loop: what every client may have waited */
    LATENCY_EVENTS
};

struct latency_sample {
    int64_t time_s;
    uint32_t ms;
};

struct latency_series {
    struct latency_sample samples[LATENCY_SAMPLES_MAX]; /* a ring */
    size_t next;                                        /* where the next one goes */
    size_t count;
    uint32_t max_ms;
};

struct latency_events {
    struct latency_series series[LATENCY_EVENTS];
};

const char *latency_event_name(enum latency_event event);
enum latency_event latency_event_find(struct slice name); /* LATENCY_EVENTS: there is none */

void latency_events_add(struct latency_events *l, enum latency_event event, int64_t time_s,
                        uint64_t ms);
size_t latency_events_reset(struct latency_events *l, enum latency_event event); /* 1: it had any */

/* The sample number 'index' of 'count', oldest first. */
struct latency_sample latency_sample_at(const struct latency_series *s, size_t index);

#endif
