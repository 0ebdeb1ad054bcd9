#include "db/snapshots.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"

#include <inttypes.h>

enum {
    STEP_BYTES = 32 * 1024,         /* encoded in one tick: a fraction of a millisecond */
    STAGED_BYTES_MAX = 1024 * 1024, /* in memory while the disk is slower */
    STEP_MS = 1,
    CREDIT_MS_MAX = 20,
    BYTE = 1000, /* in the parts that credit is counted in: a byte a second earns one in 1 ms */
};
#define PACE_MAX (UINT64_C(1) << 40) /* bytes a second: faster than any disk */

enum phase { PHASE_IDLE, PHASE_WALKING, PHASE_WRITING, PHASE_PUBLISHING };

struct snapshots {
    struct snapshots_options options;
    enum phase phase;
    struct snapshot_writer *writer; /* unless IDLE or PUBLISHING */
    struct save *save;              /* while WALKING */
    uint32_t images;                /* see save_create */
    bool job;                       /* one is under way */
    bool failed;                    /* the file: the phase ends with its job */
    enum disk_status status;
    uint64_t bytes_per_second;
    int64_t credit;    /* may be encoded now; below 0: the last step put more than it was to */
    int64_t earned_ms; /* until when it was earned */
    int64_t now_ms;    /* of the last step */
    uint64_t bytes;    /* written, when the writer is gone */
    struct save_figures walked;
    uint64_t log_bytes_began; /* wal_figures.batch_bytes when it began */
    uint64_t log_bytes_last;  /* ... when the newest began */
    struct snapshot_figures figures;
};

static uint64_t batch_bytes(const struct snapshots *x)
{
    struct wal_figures log;
    wal_measure(x->options.wal, &log);
    return log.batch_bytes;
}

struct snapshots *snapshots_create(const struct snapshots_options *options)
{
    CHECK(options->wal != NULL);
    struct snapshots *x = memory_allocate_zeroed(sizeof *x);
    x->options = *options;
    x->figures.last_took_ms = -1;
    const struct wal_snapshot *newest = wal_snapshot_newest(options->wal);
    if (newest != NULL) {
        x->figures.last_ms = newest->created_ms;
        x->figures.last_bytes = newest->bytes;
    }
    return x;
}

static void drop_walk(struct snapshots *x)
{
    if (x->save != NULL) {
        save_measure(x->save, &x->walked);
        save_destroy(x->save);
    }
    x->save = NULL;
}

static void drop_writer(struct snapshots *x)
{
    if (x->writer != NULL) {
        x->bytes = snapshot_written_bytes(x->writer);
        snapshot_writer_destroy(x->writer);
    }
    x->writer = NULL;
}

void snapshots_destroy(struct snapshots *x)
{
    CHECK(!x->job);
    drop_walk(x);
    drop_writer(x);
    memory_free(x, sizeof *x);
}

bool snapshots_start(struct snapshots *x, int64_t now_ms)
{
    if (x->phase != PHASE_IDLE) return false;
    CHECK(x->save == NULL && x->writer == NULL);
    x->writer = wal_snapshot_create(x->options.wal, now_ms);
    x->save = save_create(x->options.store, x->options.seed, x->writer, &x->images);
    x->phase = PHASE_WALKING;
    x->failed = false;
    x->status = DISK_OK;
    x->earned_ms = x->now_ms = now_ms;
    x->credit = 0;
    x->bytes = 0;
    x->log_bytes_began = batch_bytes(x);
    x->figures.started_ms = now_ms;
    trace_write(x->options.trace, TRACE_NOTICE, "snapshot: begins");
    return true;
}

bool snapshots_running(const struct snapshots *x)
{
    return x->phase != PHASE_IDLE;
}

void snapshots_set_pace(struct snapshots *x, uint64_t bytes_per_second)
{
    x->bytes_per_second = bytes_per_second < PACE_MAX ? bytes_per_second : PACE_MAX;
}

/* ---- the steps ---- */

/* What the pace allows to be encoded by now, and has not been. It is not saved up for long, or a
 * stall of anything else would be followed by a burst. */
static void earn(struct snapshots *x, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms > x->earned_ms ? now_ms - x->earned_ms : 0;
    if (elapsed_ms > CREDIT_MS_MAX) elapsed_ms = CREDIT_MS_MAX;
    int64_t each_ms = (int64_t)x->bytes_per_second;
    x->credit += each_ms * elapsed_ms;
    if (x->credit > each_ms * CREDIT_MS_MAX) x->credit = each_ms * CREDIT_MS_MAX;
    x->earned_ms = now_ms;
}

static bool may_walk(const struct snapshots *x)
{
    if (snapshot_staged_bytes(x->writer) >= STAGED_BYTES_MAX) return false;
    return x->bytes_per_second == 0 || x->credit > 0;
}

static void walk(struct snapshots *x, int64_t now_ms)
{
    earn(x, now_ms);
    if (!may_walk(x)) return;
    bool paced = x->bytes_per_second > 0;
    size_t bytes = STEP_BYTES, before = snapshot_staged_bytes(x->writer);
    if (paced && x->credit / BYTE < STEP_BYTES) bytes = 1 + (size_t)(x->credit / BYTE);
    bool walked = save_step(x->save, wal_appended_lsn(x->options.wal), bytes);
    size_t put = snapshot_staged_bytes(x->writer) - before;
    x->credit = paced ? x->credit - (int64_t)put * BYTE : 0;
    if (!walked) return;
    drop_walk(x);
    x->phase = PHASE_WRITING;
}

static bool end(struct snapshots *x, int64_t now_ms)
{
    bool good = x->status == DISK_OK;
    drop_walk(x);
    drop_writer(x);
    x->phase = PHASE_IDLE;
    x->figures.last_failed = !good;
    if (!good) {
        trace_write(x->options.trace, TRACE_WARNING,
                    "snapshot: it could not be written (%s); the one before it and the log stay",
                    disk_status_text(x->status));
        return true;
    }
    const struct wal_snapshot *newest = wal_snapshot_newest(x->options.wal);
    CHECK(newest != NULL);
    x->figures.done++;
    x->figures.last_ms = newest->created_ms;
    x->figures.last_bytes = newest->bytes;
    x->figures.last_took_ms = now_ms - x->figures.started_ms;
    x->log_bytes_last = x->log_bytes_began;
    trace_write(x->options.trace, TRACE_NOTICE,
                "snapshot %" PRIu64 ": done, %" PRIu64 " keys, %" PRIu64 " bytes in %lld ms",
                newest->number, x->walked.keys, newest->bytes, (long long)x->figures.last_took_ms);
    return true;
}

bool snapshots_step(struct snapshots *x, int64_t now_ms)
{
    x->now_ms = now_ms;
    if (x->phase == PHASE_PUBLISHING)
        return wal_snapshot_published(x->options.wal, &x->status) && end(x, now_ms);
    if (x->failed) return !x->job && end(x, now_ms);
    if (x->phase == PHASE_WALKING) walk(x, now_ms);
    return false;
}

int64_t snapshots_due_ms(const struct snapshots *x)
{
    switch (x->phase) {
    case PHASE_IDLE: return INT64_MAX;
    case PHASE_WALKING:
        if (x->failed) return x->now_ms;
        /* A writer that is behind wakes us with the end of its job. */
        if (x->job && snapshot_staged_bytes(x->writer) >= STAGED_BYTES_MAX) return INT64_MAX;
        return may_walk(x) ? x->now_ms : x->now_ms + STEP_MS;
    case PHASE_WRITING: return x->job ? INT64_MAX : x->now_ms;
    case PHASE_PUBLISHING: return x->now_ms + STEP_MS;
    }
    CHECK(false);
    return INT64_MAX;
}

struct snapshot_job *snapshots_begin(struct snapshots *x)
{
    if (x->writer == NULL || x->job || x->failed) return NULL;
    struct snapshot_job *job = snapshot_begin(x->writer);
    x->job = job != NULL;
    return job;
}

void snapshots_end(struct snapshots *x, struct snapshot_job *job)
{
    CHECK(x->job);
    bool whole;
    struct wal_snapshot s;
    x->job = false;
    x->status = snapshot_end(x->writer, job, &whole, &s);
    x->failed = x->status != DISK_OK;
    if (x->failed) wal_snapshot_failed(x->options.wal, x->status);
    if (!whole) return;
    CHECK(x->phase == PHASE_WRITING);
    drop_writer(x);
    wal_snapshot_publish(x->options.wal, &s);
    x->phase = PHASE_PUBLISHING;
}

struct save *snapshots_walk(const struct snapshots *x)
{
    return x->save;
}

void snapshots_measure(const struct snapshots *x, struct snapshot_figures *figures)
{
    struct save_figures walked = x->walked;
    if (x->save != NULL) save_measure(x->save, &walked);
    *figures = x->figures;
    figures->running = snapshots_running(x);
    figures->keys = walked.keys;
    figures->keys_total = walked.keys_total;
    figures->moved = walked.moved;
    figures->bytes = x->writer == NULL ? x->bytes : snapshot_written_bytes(x->writer);
    const struct wal_snapshot *newest = wal_snapshot_newest(x->options.wal);
    lsn_t before = newest == NULL ? 0 : newest->from_lsn - 1;
    figures->changes = wal_appended_lsn(x->options.wal) - before;
    figures->log_bytes = batch_bytes(x) - x->log_bytes_last;
}
