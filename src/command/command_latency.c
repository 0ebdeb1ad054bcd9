/* command_latency.c - LATENCY: events that took too long, and how long each command takes.
 *
 * What it says in words (GRAPH, DOCTOR) is made by latency_text.c. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/latency_text.h"

/* ---- events ---- */

static const struct latency_series *series_of(const struct command_context *c, unsigned event)
{
    CHECK(event < LATENCY_EVENTS);
    return &c->monitor->events.series[event];
}

enum outcome command_latency_latest(struct command_context *c)
{
    size_t count = 0;
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) count += series_of(c, i)->count > 0;
    reply_array(c->reply, count);
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) {
        const struct latency_series *s = series_of(c, i);
        if (s->count == 0) continue;
        struct latency_sample last = latency_sample_at(s, s->count - 1);
        reply_array(c->reply, 4);
        reply_bulk_text(c->reply, latency_event_name((enum latency_event)i));
        reply_integer(c->reply, last.time_s);
        reply_integer(c->reply, last.ms);
        reply_integer(c->reply, s->max_ms);
    }
    return OUTCOME_REPLIED;
}

enum outcome command_latency_history(struct command_context *c)
{
    enum latency_event event = latency_event_find(c->arguments[2]);
    size_t count = event == LATENCY_EVENTS ? 0 : series_of(c, event)->count;
    reply_array(c->reply, count);
    for (size_t i = 0; i < count; i++) {
        struct latency_sample sample = latency_sample_at(series_of(c, event), i);
        reply_array(c->reply, 2);
        reply_integer(c->reply, sample.time_s);
        reply_integer(c->reply, sample.ms);
    }
    return OUTCOME_REPLIED;
}

enum outcome command_latency_reset(struct command_context *c)
{
    struct latency_events *events = &c->monitor->events;
    size_t had = 0;
    if (c->arguments_count == 2)
        for (unsigned i = 0; i < LATENCY_EVENTS; i++)
            had += latency_events_reset(events, (enum latency_event)i);
    for (size_t i = 2; i < c->arguments_count; i++) {
        enum latency_event event = latency_event_find(c->arguments[i]);
        if (event != LATENCY_EVENTS) had += latency_events_reset(events, event);
    }
    reply_integer(c->reply, (int64_t)had);
    return OUTCOME_REPLIED;
}

enum outcome command_latency_graph(struct command_context *c)
{
    enum latency_event event = latency_event_find(c->arguments[2]);
    if (event == LATENCY_EVENTS || series_of(c, event)->count == 0)
        return refuse_quoting(c, REPLY_ERROR_LATENCY_NO_SAMPLES, 2);
    struct buf text = {0};
    latency_graph(event, series_of(c, event), c->now_ms / 1000, &text);
    reply_verbatim(c->reply, buf_slice(&text));
    buf_deinit(&text);
    return OUTCOME_REPLIED;
}

enum outcome command_latency_doctor(struct command_context *c)
{
    struct db_figures figures;
    struct buf text = {0};
    db_measure(c->db, &figures);
    latency_doctor(c->monitor, &figures, c->now_ms / 1000, &text);
    reply_verbatim(c->reply, buf_slice(&text));
    buf_deinit(&text);
    return OUTCOME_REPLIED;
}

/* ---- HISTOGRAM ---- */

/* Bounds that double, from 1024 ns: those of Redis, whose histogram rounds each up by 1/128. */
enum { BOUND_FIRST_NS = 1024, BOUNDS_COUNT = 21 };

static uint64_t bound_us(unsigned bound)
{
    uint64_t ns = (uint64_t)BOUND_FIRST_NS << bound;
    return (ns + ns / 128) / 1000;
}

/* How many calls were below each bound; the last has all of them, as in Redis. */
static void count_below(const struct histogram *h, uint64_t below[BOUNDS_COUNT])
{
    uint64_t seen = 0;
    size_t bucket = 0;
    for (unsigned bound = 0; bound < BOUNDS_COUNT; bound++) {
        uint64_t ns = (uint64_t)BOUND_FIRST_NS << bound;
        for (; bucket < HISTOGRAM_BUCKETS && histogram_bucket_max(bucket) < ns; bucket++)
            seen += h->buckets[bucket];
        below[bound] = bound + 1 == BOUNDS_COUNT ? h->count : seen;
    }
}

static void answer_histogram(struct reply *r, const struct histogram *h)
{
    uint64_t below[BOUNDS_COUNT];
    size_t count = 0;
    count_below(h, below);
    for (unsigned i = 0; i < BOUNDS_COUNT; i++) count += below[i] > (i == 0 ? 0 : below[i - 1]);
    reply_map(r, 2);
    reply_bulk_text(r, "calls");
    reply_integer(r, (int64_t)h->count);
    reply_bulk_text(r, "histogram_usec");
    reply_map(r, count);
    for (unsigned i = 0; i < BOUNDS_COUNT; i++) {
        if (below[i] == (i == 0 ? 0 : below[i - 1])) continue;
        reply_integer(r, (int64_t)bound_us(i));
        reply_integer(r, (int64_t)below[i]);
    }
}

/* Is the row asked for: by nobody's name, its own, or its container's? */
static bool is_wanted(const struct command_context *c, const struct command *row)
{
    if (c->arguments_count == 2) return true;
    for (size_t i = 2; i < c->arguments_count; i++) {
        if (argument_is(c, i, row->full_name)) return true;
        if (row->parent != NULL && argument_is(c, i, row->parent)) return true;
    }
    return false;
}

enum outcome command_latency_histogram(struct command_context *c)
{
    const struct command_statistics *statistics = c->monitor->statistics;
    size_t count = 0;
    for (size_t i = 0; i < command_table_count; i++)
        count += statistics[i].latency != NULL && is_wanted(c, &command_table[i]);
    reply_map(c->reply, count);
    for (size_t i = 0; i < command_table_count; i++) {
        if (statistics[i].latency == NULL || !is_wanted(c, &command_table[i])) continue;
        reply_bulk_text(c->reply, command_table[i].full_name);
        answer_histogram(c->reply, statistics[i].latency);
    }
    return OUTCOME_REPLIED;
}
