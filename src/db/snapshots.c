#include "db/snapshots.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"

#include <inttypes.h>

enum {
    STEP_BYTES_MAX = 192 * 1024,    /* encoded in one tick: well below a millisecond */
    STAGED_BYTES_MAX = 1024 * 1024, /* in memory while the disk is slower */
    STEP_MS = 1,
};

enum phase { PHASE_IDLE, PHASE_WALKING, PHASE_WRITING, PHASE_PUBLISHING };

struct snapshots {
    struct snapshots_options options;
    enum phase phase;
    struct snapshot_writer *writer; /* unless IDLE or PUBLISHING */
    struct save *save;              /* while WALKING */
    bool job;                       /* one is under way */
    bool failed;                    /* the file: the phase ends with its job */
    enum disk_status status;
    uint64_t bytes_per_second;
    int64_t step_ms; /* of the last step: what may be encoded grows from there */
    int64_t now_ms;  /* of the last step */
    uint64_t bytes;  /* written, when the writer is gone */
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
    x->save = save_create(x->options.store, x->options.seed, x->writer);
    x->phase = PHASE_WALKING;
    x->failed = false;
    x->status = DISK_OK;
    x->step_ms = x->now_ms = now_ms;
    x->bytes = 0;
    x->log_bytes_began = batch_bytes(x);
    x->figures.started_ms = now_ms;
    trace_write(x->options.trace, TRACE_NOTICE, "snapshot: begins");
    return true;
}

void snapshots_set_pace(struct snapshots *x, uint64_t bytes_per_second)
{
    x->bytes_per_second = bytes_per_second;
}

/* ---- the steps ---- */

static size_t allowance(const struct snapshots *x, int64_t now_ms)
{
    size_t staged = snapshot_staged_bytes(x->writer);
    size_t room = staged < STAGED_BYTES_MAX ? STAGED_BYTES_MAX - staged : 0;
    size_t step = room < STEP_BYTES_MAX ? room : STEP_BYTES_MAX;
    if (x->bytes_per_second == 0) return step;
    int64_t waited_ms = now_ms - x->step_ms;
    if (waited_ms <= 0) return 0;
    if (waited_ms > 1000) waited_ms = 1000;
    uint64_t paced = x->bytes_per_second * (uint64_t)waited_ms / 1000;
    return paced < step ? (size_t)paced : step;
}

static void walk(struct snapshots *x, int64_t now_ms)
{
    size_t bytes = allowance(x, now_ms);
    if (bytes == 0) return;
    x->step_ms = now_ms;
    if (!save_step(x->save, wal_appended_lsn(x->options.wal), bytes)) return;
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
        /* Woken by the end of the job. */
        if (x->job && snapshot_staged_bytes(x->writer) >= STAGED_BYTES_MAX) return INT64_MAX;
        return x->bytes_per_second == 0 ? x->step_ms : x->step_ms + STEP_MS;
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
    figures->running = x->phase != PHASE_IDLE;
    figures->keys = walked.keys;
    figures->keys_total = walked.keys_total;
    figures->moved = walked.moved;
    figures->bytes = x->writer == NULL ? x->bytes : snapshot_written_bytes(x->writer);
    figures->log_bytes = batch_bytes(x) - x->log_bytes_last;
}
