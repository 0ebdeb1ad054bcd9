/* monitor.h - what is kept for those who ask why it is slow: figures of each command, the slow log,
 * latency events, kinds of errors; and what of it is wanted.
 *
 * The engine owns one and lends it to every command. The owner of the process sets what is wanted
 * (monitor_set) and reports what commands do not see: syncs, turns of the loop. For a command that
 * is not slow all of this costs one comparison and, unless latency-tracking is off, one addition to
 * a histogram. */
#ifndef COMMAND_MONITOR_H
#define COMMAND_MONITOR_H

#include "base/histogram.h"
#include "command/latency_events.h"
#include "command/slow_log.h"
#include "resp/error_counts.h"

struct command_context;

/* Per row of command_table: calls, failures, time. */
struct command_statistics {
    uint64_t calls;
    uint64_t nanoseconds;
    uint64_t rejected;         /* refused before it ran: arity, NOAUTH, OOM ... */
    uint64_t failed;           /* replied with an error */
    struct histogram *latency; /* nanoseconds; NULL: not called while latency-tracking is on */
};

struct monitor_options {
    bool tracks_latency;         /* latency-tracking */
    int64_t slow_log_us;         /* slowlog-log-slower-than; -1: nothing is noted */
    size_t slow_log_entries_max; /* slowlog-max-len */
    uint64_t event_threshold_ms; /* latency-monitor-threshold; 0: no events */
};

struct monitor {
    struct monitor_options options; /* set by monitor_set only */
    uint64_t slow_ns;               /* a command that takes so long is looked at more closely */
    struct command_statistics *statistics; /* command_table_count of them, by index of the row */
    struct slow_log slow_log;
    struct latency_events events;
    struct error_counts errors;
    int log_busy_percent; /* of the last second or two, the disk was at work for the log; -1: ? */
};

void monitor_init(struct monitor *m); /* as redis.conf's defaults */
void monitor_deinit(struct monitor *m);
void monitor_set(struct monitor *m, const struct monitor_options *options);
void monitor_reset_statistics(struct monitor *m); /* CONFIG RESETSTAT: neither log nor events */

/* A command has run for so long. */
void monitor_count_call(struct command_context *c, uint64_t nanoseconds);

/* Something else took so long: noted if that is above the threshold. */
void monitor_note(struct monitor *m, enum latency_event event, int64_t now_ms,
                  uint64_t nanoseconds);

#endif
