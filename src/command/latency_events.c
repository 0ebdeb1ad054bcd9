#include "command/latency_events.h"

#include "base/check.h"

static const char *const names[LATENCY_EVENTS] = {
    [LATENCY_COMMAND] = "command", [LATENCY_FAST_COMMAND] = "fast-command",
    [LATENCY_WRITE] = "aof-write", [LATENCY_SYNC_ALWAYS] = "aof-fsync-always",
    [LATENCY_SYNC] = "aof-fsync",  [LATENCY_TURN] = "event-loop",
};

const char *latency_event_name(enum latency_event event)
{
    CHECK(event < LATENCY_EVENTS);
    return names[event];
}

enum latency_event latency_event_find(struct slice name)
{
    unsigned event = 0;
    while (event < LATENCY_EVENTS && !slice_equal_ignoring_case(name, slice_of(names[event])))
        event++;
    return (enum latency_event)event;
}

struct latency_sample latency_sample_at(const struct latency_series *s, size_t index)
{
    CHECK(index < s->count);
    CHECK(s->count <= LATENCY_SAMPLES_MAX);
    size_t first = s->next + LATENCY_SAMPLES_MAX - s->count;
    return s->samples[(first + index) % LATENCY_SAMPLES_MAX];
}

void latency_events_add(struct latency_events *l, enum latency_event event, int64_t time_s,
                        uint64_t ms)
{
    CHECK(event < LATENCY_EVENTS);
    struct latency_series *s = &l->series[event];
    uint32_t value = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
    if (value > s->max_ms) s->max_ms = value;
    struct latency_sample *last =
        &s->samples[(s->next + LATENCY_SAMPLES_MAX - 1) % LATENCY_SAMPLES_MAX];
    if (s->count > 0 && last->time_s == time_s) {
        if (value > last->ms) last->ms = value;
        return;
    }
    s->samples[s->next] = (struct latency_sample){time_s, value};
    s->next = (s->next + 1) % LATENCY_SAMPLES_MAX;
    if (s->count < LATENCY_SAMPLES_MAX) s->count++;
}

size_t latency_events_reset(struct latency_events *l, enum latency_event event)
{
    CHECK(event < LATENCY_EVENTS);
    size_t had = l->series[event].count > 0;
    l->series[event] = (struct latency_series){0};
    return had;
}
