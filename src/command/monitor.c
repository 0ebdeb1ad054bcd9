#include "command/monitor.h"

#include "base/memory.h"
#include "command/arguments.h"

#define NANOSECONDS_PER_MS UINT64_C(1000000)

void monitor_init(struct monitor *m)
{
    static const struct monitor_options defaults = {
        .tracks_latency = true, .slow_log_us = 10000, .slow_log_entries_max = 128};
    *m = (struct monitor){.log_busy_percent = -1};
    slow_log_init(&m->slow_log, defaults.slow_log_entries_max);
    monitor_set(m, &defaults);
    m->statistics = memory_allocate_zeroed(command_table_count * sizeof *m->statistics);
}

void monitor_deinit(struct monitor *m)
{
    monitor_reset_statistics(m);
    slow_log_reset(&m->slow_log);
    memory_free(m->statistics, command_table_count * sizeof *m->statistics);
}

void monitor_set(struct monitor *m, const struct monitor_options *options)
{
    CHECK(options->slow_log_us >= -1);
    m->options = *options;
    slow_log_set_max(&m->slow_log, options->slow_log_entries_max);
    m->slow_ns = UINT64_MAX;
    if (options->slow_log_us >= 0 && options->slow_log_us <= INT64_MAX / 1000)
        m->slow_ns = (uint64_t)options->slow_log_us * 1000;
    if (options->event_threshold_ms == 0) return;
    if (options->event_threshold_ms > UINT64_MAX / NANOSECONDS_PER_MS) return;
    uint64_t event_ns = options->event_threshold_ms * NANOSECONDS_PER_MS;
    if (event_ns < m->slow_ns) m->slow_ns = event_ns;
}

void monitor_reset_statistics(struct monitor *m)
{
    for (size_t i = 0; i < command_table_count; i++) {
        struct histogram *latency = m->statistics[i].latency;
        if (latency != NULL) memory_free(latency, sizeof *latency);
        m->statistics[i] = (struct command_statistics){0};
    }
    m->errors = (struct error_counts){0};
}

void monitor_note(struct monitor *m, enum latency_event event, int64_t now_ms, uint64_t nanoseconds)
{
    uint64_t ms = nanoseconds / NANOSECONDS_PER_MS;
    if (m->options.event_threshold_ms == 0 || ms < m->options.event_threshold_ms) return;
    latency_events_add(&m->events, event, now_ms / 1000, ms);
}

/* ---- slow commands ---- */

static bool is_called(const struct command_context *c, const char *full_name)
{
    return strcmp(c->command->full_name, full_name) == 0;
}

/* Passwords: they are not for those who may read the slow log. */
static uint32_t secrets_of(const struct command_context *c)
{
    size_t count = c->arguments_count;
    uint32_t secrets = 0;
    if (count > SLOW_LOG_ARGUMENTS_MAX) count = SLOW_LOG_ARGUMENTS_MAX;
    for (size_t i = 1; i < count; i++) {
        uint32_t bit = (uint32_t)1 << i;
        if (is_called(c, "auth")) secrets |= bit;
        if (is_called(c, "hello") && argument_is(c, i, "AUTH")) secrets |= bit << 1 | bit << 2;
        if (is_called(c, "config|set") && i % 2 == 0 && argument_is(c, i, "requirepass"))
            secrets |= bit << 1;
    }
    return secrets;
}

static void note_slow(struct command_context *c, uint64_t nanoseconds)
{
    struct monitor *m = c->monitor;
    int64_t microseconds = (int64_t)(nanoseconds / 1000);
    bool fast = (c->command->flags & COMMAND_FAST) != 0;
    monitor_note(m, fast ? LATENCY_FAST_COMMAND : LATENCY_COMMAND, c->now_ms, nanoseconds);
    if (m->options.slow_log_us < 0 || microseconds < m->options.slow_log_us) return;
    if ((c->command->flags & COMMAND_SKIP_SLOWLOG) != 0) return; /* EXEC: its parts are noted */
    struct slow_request request = {.arguments = c->arguments,
                                   .arguments_count = c->arguments_count,
                                   .secrets = secrets_of(c),
                                   .address = slice_of(c->client->address),
                                   .name = buf_slice(&c->client->name),
                                   .time_s = c->now_us / 1000000,
                                   .duration_us = microseconds};
    slow_log_add(&m->slow_log, &request);
}

void monitor_count_call(struct command_context *c, uint64_t nanoseconds)
{
    struct monitor *m = c->monitor;
    struct command_statistics *statistics = &m->statistics[c->command->index];
    statistics->calls++;
    statistics->nanoseconds += nanoseconds;
    if (c->reply->failed) statistics->failed++;
    if (m->options.tracks_latency) {
        if (statistics->latency == NULL)
            statistics->latency = memory_allocate_zeroed(sizeof *statistics->latency);
        histogram_add(statistics->latency, nanoseconds);
    }
    if (nanoseconds >= m->slow_ns) note_slow(c, nanoseconds);
}
