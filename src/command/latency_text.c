#include "command/latency_text.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    GRAPH_COLUMNS_MAX = 80,
    GRAPH_LEVELS = 3, /* in each row: '_', '-', '`' */
    GRAPH_ROWS = 4,
    AGE_TEXT_MAX = 24,
    BUSY_MUCH_PERCENT = 80,
    BUSY_SOME_PERCENT = 40,
};

/* ---- GRAPH ---- */

/* "12s", "3m", "7h", "2d". */
static void format_age(char text[AGE_TEXT_MAX], int64_t seconds)
{
    if (seconds < 0) seconds = 0;
    if (seconds < 60) snprintf(text, AGE_TEXT_MAX, "%" PRId64 "s", seconds);
    else if (seconds < 3600) snprintf(text, AGE_TEXT_MAX, "%" PRId64 "m", seconds / 60);
    else if (seconds < 86400) snprintf(text, AGE_TEXT_MAX, "%" PRId64 "h", seconds / 3600);
    else snprintf(text, AGE_TEXT_MAX, "%" PRId64 "d", seconds / 86400);
}

struct graph {
    const struct latency_series *series;
    size_t first; /* sample of the leftmost column */
    size_t columns;
    uint32_t low_ms;
    uint32_t high_ms;
};

static struct graph measure(const struct latency_series *s)
{
    struct graph g = {.series = s, .columns = s->count, .low_ms = UINT32_MAX};
    CHECK(s->count > 0);
    if (g.columns > GRAPH_COLUMNS_MAX) g.columns = GRAPH_COLUMNS_MAX;
    g.first = s->count - g.columns;
    for (size_t i = g.first; i < s->count; i++) {
        uint32_t ms = latency_sample_at(s, i).ms;
        if (ms < g.low_ms) g.low_ms = ms;
        if (ms > g.high_ms) g.high_ms = ms;
    }
    return g;
}

/* The height of a column, from 1: a level is a third of a row. */
static unsigned height_of(const struct graph *g, size_t column)
{
    uint32_t ms = latency_sample_at(g->series, g->first + column).ms;
    uint64_t span = g->high_ms - g->low_ms;
    if (span == 0) return 1;
    return 1 + (unsigned)((uint64_t)(ms - g->low_ms) * (GRAPH_ROWS * GRAPH_LEVELS - 1) / span);
}

static char mark_at(unsigned height, unsigned row_floor)
{
    static const char marks[GRAPH_LEVELS] = {'_', '-', '`'};
    if (height <= row_floor) return ' ';
    unsigned level = height - row_floor;
    return level > GRAPH_LEVELS ? '|' : marks[level - 1];
}

static void append_rows(const struct graph *g, struct buf *out)
{
    for (unsigned row = GRAPH_ROWS; row > 0; row--) {
        for (size_t column = 0; column < g->columns; column++)
            buf_append_byte(out, (uint8_t)mark_at(height_of(g, column), (row - 1) * GRAPH_LEVELS));
        buf_append_byte(out, '\n');
    }
}

/* Ages are written downwards, so that each stands below its column. */
static void append_ages(const struct graph *g, int64_t now_s, struct buf *out)
{
    char ages[GRAPH_COLUMNS_MAX][AGE_TEXT_MAX];
    size_t longest = 0;
    for (size_t i = 0; i < g->columns; i++) {
        format_age(ages[i], now_s - latency_sample_at(g->series, g->first + i).time_s);
        if (strlen(ages[i]) > longest) longest = strlen(ages[i]);
    }
    for (size_t line = 0; line < longest; line++) {
        for (size_t i = 0; i < g->columns; i++)
            buf_append_byte(out, line < strlen(ages[i]) ? (uint8_t)ages[i][line] : ' ');
        buf_append_byte(out, '\n');
    }
}

void latency_graph(enum latency_event event, const struct latency_series *s, int64_t now_s,
                   struct buf *out)
{
    struct graph g = measure(s);
    buf_append_format(out, "%s - high %u ms, low %u ms (all time high %u ms)\n",
                      latency_event_name(event), g.high_ms, g.low_ms, s->max_ms);
    for (int i = 0; i < GRAPH_COLUMNS_MAX; i++) buf_append_byte(out, '-');
    buf_append_byte(out, '\n');
    append_rows(&g, out);
    append_ages(&g, now_s, out);
}

/* ---- DOCTOR ---- */

static const char *meaning_of(enum latency_event event)
{
    switch (event) {
    case LATENCY_COMMAND:
        return "SLOWLOG GET names them; look for ranges without COUNT, KEYS, large values.";
    case LATENCY_FAST_COMMAND:
        return "no fast command should take so long: the machine had no CPU or memory for us.";
    case LATENCY_WRITE:
    case LATENCY_SYNC_ALWAYS: return "every write of that moment was acknowledged so much later.";
    case LATENCY_SYNC: return "nobody waited, but a power cut would have taken more.";
    case LATENCY_TURN: return "every client may have waited so long.";
    case LATENCY_EVENTS: break;
    }
    CHECK(false);
    return "";
}

static void append_events(const struct monitor *m, int64_t now_s, struct buf *out)
{
    size_t events = 0;
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) {
        const struct latency_series *s = &m->events.series[i];
        if (s->count == 0) continue;
        uint64_t sum = 0;
        for (size_t j = 0; j < s->count; j++) sum += latency_sample_at(s, j).ms;
        char age[AGE_TEXT_MAX];
        format_age(age, now_s - latency_sample_at(s, s->count - 1).time_s);
        buf_append_format(out,
                          "- %s: in %zu seconds, last %s ago, mean of their worst %" PRIu64
                          " ms, worst ever %u ms: %s\n",
                          latency_event_name((enum latency_event)i), s->count, age, sum / s->count,
                          s->max_ms, meaning_of((enum latency_event)i));
        events++;
    }
    if (events > 0) return;
    if (m->options.event_threshold_ms == 0)
        buf_append_text(out, "- Events are not watched: CONFIG SET latency-monitor-threshold "
                             "<milliseconds> begins it.\n");
    else
        buf_append_format(out, "- Nothing took %" PRIu64 " ms or longer.\n",
                          m->options.event_threshold_ms);
}

static void append_disk_figures(const struct db_figures *f, struct buf *out)
{
    const struct wal_figures *log = &f->log;
    buf_append_format(out,
                      "- %" PRIu64
                      " syncs since start. To write and sync a batch took up to %" PRIu64
                      " us for half of them, %" PRIu64 " us for 99%%, %" PRIu64 " us at most.\n",
                      log->syncs, log->commit_ns_p50 / 1000, log->commit_ns_p99 / 1000,
                      log->commit_ns_max / 1000);
    buf_append_format(out,
                      "- One batch carries %" PRIu64 " writes at the median, %" PRIu64
                      " at the 99th percentile, %" PRIu64 " at most.\n",
                      log->batch_frames_p50, log->batch_frames_p99, log->batch_frames_max);
}

/* Whoever waits for an acknowledgement waits until a batch is written and synced; so what counts is
 * how much of the time one is on its way. */
static void append_verdict(int busy, const struct db_figures *f, struct buf *out)
{
    uint64_t total_us = f->log.commit_ns_total / 1000;
    if (f->policy != WAL_SYNC_ALWAYS) {
        buf_append_text(out, "- The disk is not the bottleneck: with this appendfsync nobody waits "
                             "for it.\n");
    } else if (busy < 0) {
        buf_append_text(out, "- How busy the disk is is not known here.\n");
    } else if (busy < BUSY_SOME_PERCENT) {
        buf_append_format(
            out,
            "- The disk is not the bottleneck: it was at work for the log %d%% of the "
            "last seconds.\n",
            busy);
    } else if (busy < BUSY_MUCH_PERCENT) {
        buf_append_format(out,
                          "- The disk takes part: it was at work for the log %d%% of the last "
                          "seconds.\n",
                          busy);
    } else {
        buf_append_format(
            out,
            "- The disk is the bottleneck: it was at work for the log %d%% of the last "
            "seconds. One client that waits for each answer gets about %" PRIu64
            " writes a second; more clients, or pipelines, share syncs. A "
            "disk with a shorter flush helps, a faster CPU does not.\n",
            busy, total_us == 0 ? 0 : f->log.syncs * 1000000 / total_us);
    }
}

void latency_doctor(const struct monitor *m, const struct db_figures *figures, int64_t now_s,
                    struct buf *out)
{
    buf_append_text(out, "Events:\n");
    append_events(m, now_s, out);
    buf_append_text(out, "\nThe disk:\n");
    if (!figures->has_log) {
        buf_append_text(out, "- There is no log (appendonly no): nobody waits for the disk.\n");
        return;
    }
    append_disk_figures(figures, out);
    append_verdict(m->log_busy_percent, figures, out);
}
