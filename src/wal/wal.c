/* wal.h - the event loop's side of the log, and the flush that carries a batch to the disk.
 *
 *   event loop                       any one thread                event loop
 *   wal_frame_begin/end ...          wal_flush_run                 wal_flush_end
 *   pending --begin: swapped--> flush.batch --written, synced--> figures, LSNs
 *
 * Two buffers take turns: frames go to 'pending' while the other one is written. Between begin and
 * end the flush and the writer belong to the thread that runs it; everything else belongs to the
 * event loop, always.
 *
 * A flush writes at most one batch and so takes at most one step to a new segment. If that step
 * finds the disk full, nothing has been written yet: the flush is parked and tried again once a
 * second, its replies wait, and wal_has_room keeps further writes out. A snapshot of what is on
 * stable storage already is named meanwhile by a flush of its own: the log that it makes needless
 * is the room that is missing. Everything else that fails is final. */
#include "wal/wal.h"

#include "base/check.h"
#include "base/histogram.h"
#include "base/limits.h"
#include "base/memory.h"
#include "wal/recovery.h"
#include "wal/spares.h"
#include "wal/writer.h"

#include <inttypes.h>

enum {
    IDLE_MS = 10,
    EVERYSEC_MS = 1000,
    FULL_RETRY_MS = 1000,
    BATCH_BYTES_KEPT = 8 * 1024 * 1024, /* a larger buffer is freed after its batch */
};

struct wal_flush {
    struct writer *writer;
    struct buf batch; /* room for the header, frames */
    struct batch_header header;
    struct segment_plan plan; /* when 'rolling' */
    bool appending;           /* there is a batch to write */
    bool rolling;             /* it goes to a new segment */
    bool syncing;
    bool publishing;           /* a snapshot gets into the manifest */
    struct manifest published; /* its snapshots and its oldest segment; the rest is the writer's */

    /* What the run found: */
    enum disk_status publish_status; /* DISK_FULL: nothing happened, and the log goes on */
    struct manifest replaced;
    enum disk_status status;
    bool parked; /* the disk is full; nothing happened */
    uint64_t sync_ns;
    uint64_t commit_ns; /* of all of it */
};

struct wal {
    struct disk *disk;
    const struct trace *trace;
    uint64_t segment_bytes;
    enum wal_policy policy;
    enum disk_status status; /* the first failure; sticky */

    struct buf pending;
    uint32_t pending_count;
    bool frame_open;
    size_t frame_start;

    lsn_t appended_lsn;
    lsn_t written_lsn;
    lsn_t synced_lsn;
    lsn_t durable_lsn;
    lsn_t wanted_lsn;  /* somebody waits until it is synced, whatever the policy */
    lsn_t carried_lsn; /* the synced_lsn in the last batch: the marker is due while it is less */
    int64_t begin_ms;  /* of the last wal_flush_begin that lent a flush */
    int64_t batch_ms;  /* of the last one with a batch */
    int64_t sync_ms;   /* of the last one with a sync */

    struct writer writer;
    struct wal_flush flush;
    struct wal_flush naming; /* names a snapshot, nothing else, while the other one is parked */
    bool flushing;           /* one of them is lent */
    bool parked;
    int64_t retry_ms; /* when a parked flush is tried again */

    struct spares spares;
    uint64_t segments_begun; /* since the manifest last named a snapshot */
    struct wal_spare spare;
    bool spare_making;
    bool spare_failed; /* the last attempt */
    int64_t spare_retry_ms;

    struct generations generations;
    uint64_t node_id;
    uint64_t next_snapshot;
    struct random snapshot_salts;
    struct wal_snapshot snapshot; /* that is being published */
    bool publish_asked;
    bool publish_ended; /* and the owner has not been told */
    enum disk_status publish_status;

    struct wal_figures figures;
    struct histogram sync_ns;
    struct histogram commit_ns;
    struct histogram batch_frames;
    struct histogram batch_bytes;
};

/* ---- opening and closing ---- */

static void say_recovered(const struct trace *trace, const struct wal_recovery *report)
{
    if (report->snapshot.number != 0)
        trace_write(trace, TRACE_NOTICE,
                    "snapshot %" PRIu64 ": %" PRIu64 " bytes loaded, the log from LSN %" PRIu64
                    " on is needed beside it",
                    report->snapshot.number, report->snapshot.bytes, report->snapshot.from_lsn);
    trace_write(trace, TRACE_NOTICE,
                "log: %" PRIu64 " frames in %" PRIu64 " batches and %" PRIu64
                " segments read, last LSN %" PRIu64,
                report->frames, report->batches, report->segments, report->last_lsn);
    if (report->torn_bytes > 0) {
        trace_write(trace, TRACE_WARNING,
                    "log: a torn tail of %" PRIu64 " bytes after LSN %" PRIu64
                    " was cut; it was never acknowledged as being on stable storage",
                    report->torn_bytes, report->last_lsn);
    }
}

static struct wal *create(const struct wal_options *options)
{
    struct wal *w = memory_allocate_zeroed(sizeof(*w));
    w->disk = options->disk;
    w->trace = options->trace;
    w->segment_bytes = options->segment_bytes;
    w->policy = options->policy;
    w->writer = (struct writer){
        .disk = options->disk,
        .random = {.state = options->random_seed},
        .segment_bytes = options->segment_bytes,
    };
    w->flush.writer = &w->writer;
    w->naming.writer = &w->writer;
    return w;
}

static void take_recovered(struct wal *w, struct recovery *r)
{
    w->appended_lsn = r->last_lsn;
    w->written_lsn = r->last_lsn;
    w->synced_lsn = r->last_lsn;
    w->durable_lsn = r->last_lsn;
    w->carried_lsn = r->last_lsn; /* the manifest says so */
    w->spares = r->spares;
    spares_expect(&w->spares, w->spares.count); /* until the first snapshot tells */
    w->generations = r->generations;
    r->generations = (struct generations){0};
    w->next_snapshot = r->next_snapshot;
    w->node_id = w->writer.manifest.node_id;
    w->snapshot_salts.state = random_next(&w->writer.random);
    w->figures.batch_bytes = r->report->bytes;
    w->figures.segment_number = w->writer.header.number;
    w->figures.epoch = w->writer.header.epoch;
    w->figures.segments_recycled = w->writer.header.recycled;
}

struct wal *wal_open(const struct wal_options *options, wal_visit *visit, void *context,
                     struct wal_recovery *recovery, enum wal_open_status *status)
{
    CHECK(options->segment_bytes >= 2 * DISK_BLOCK_BYTES);
    CHECK(options->segment_bytes % DISK_BLOCK_BYTES == 0);
    *recovery = (struct wal_recovery){0};
    struct recovery r = {.report = recovery};
    struct wal *w = create(options);
    *status = recovery_read(&r, options, visit, context);
    if (*status == WAL_OPEN_OK && recovery_restart(&r, &w->writer) != DISK_OK)
        *status = WAL_OPEN_DISK;
    if (*status == WAL_OPEN_OK) {
        take_recovered(w, &r);
        say_recovered(options->trace, recovery);
    } else {
        CHECK(recovery->problem[0] != '\0');
        writer_close(&w->writer);
        memory_free(w, sizeof(*w));
        w = NULL;
    }
    recovery_deinit(&r);
    return w;
}

/* What was written gets synced, and the manifest says how far, so that the next start can tell a
 * lost end from a log that was closed here. Nobody waits for it: a failure changes nothing. */
static void close_cleanly(struct wal *w)
{
    enum disk_status status = DISK_OK;
    if (w->writer.unsynced) status = writer_sync(&w->writer);
    if (status == DISK_OK && w->writer.manifest.synced_lsn < w->written_lsn) {
        w->writer.manifest.synced_lsn = w->written_lsn;
        status = manifest_prepare(w->disk, &w->writer.manifest);
        if (status == DISK_OK) status = manifest_switch(w->disk);
    }
    if (status != DISK_OK)
        trace_write(w->trace, TRACE_WARNING, "log: closing it: %s", disk_status_text(status));
}

void wal_close(struct wal *w)
{
    CHECK(!w->flushing);
    CHECK(!w->spare_making);
    if (w->status == DISK_OK) close_cleanly(w);
    writer_close(&w->writer);
    buf_deinit(&w->pending);
    buf_deinit(&w->flush.batch);
    generations_deinit(&w->generations);
    memory_free(w, sizeof(*w));
}

/* ---- appending ---- */

struct buf *wal_frame_begin(struct wal *w)
{
    CHECK(!w->frame_open);
    if (w->pending.size == 0) {
        buf_reserve(&w->pending, BATCH_HEADER_BYTES);
        buf_advance(&w->pending, BATCH_HEADER_BYTES);
    }
    CHECK(w->pending.size >= BATCH_HEADER_BYTES);
    w->frame_open = true;
    w->frame_start = w->pending.size;
    buf_append_u32(&w->pending, 0);
    return &w->pending;
}

size_t wal_frame_size(const struct wal *w)
{
    CHECK(w->frame_open);
    CHECK(w->pending.size >= w->frame_start + BATCH_FRAME_HEADER_BYTES);
    return w->pending.size - w->frame_start - BATCH_FRAME_HEADER_BYTES;
}

lsn_t wal_frame_end(struct wal *w)
{
    size_t size = wal_frame_size(w);
    CHECK(size <= FRAME_BYTES_MAX);
    CHECK(w->pending_count < UINT32_MAX);
    struct buf header = {.data = w->pending.data + w->frame_start,
                         .capacity = BATCH_FRAME_HEADER_BYTES};
    buf_append_u32(&header, (uint32_t)size);
    w->frame_open = false;
    w->pending_count++;
    w->appended_lsn++;
    if (w->policy != WAL_SYNC_ALWAYS && w->status == DISK_OK) w->durable_lsn = w->appended_lsn;
    return w->appended_lsn;
}

void wal_frame_cancel(struct wal *w)
{
    CHECK(w->frame_open);
    CHECK(w->frame_start >= BATCH_HEADER_BYTES);
    w->pending.size = w->frame_start;
    w->frame_open = false;
}

lsn_t wal_appended_lsn(const struct wal *w)
{
    return w->appended_lsn;
}

lsn_t wal_durable_lsn(const struct wal *w)
{
    return w->durable_lsn;
}

lsn_t wal_synced_lsn(const struct wal *w)
{
    return w->synced_lsn;
}

size_t wal_pending_bytes(const struct wal *w)
{
    return w->pending.size == 0 ? 0 : w->pending.size - BATCH_HEADER_BYTES;
}

/* ---- group commit: begin ---- */

static bool marker_wanted(const struct wal *w)
{
    return w->pending_count == 0 && w->carried_lsn < w->synced_lsn;
}

static bool sync_wanted(const struct wal *w, bool appending, int64_t now_ms)
{
    bool dirty = appending || w->written_lsn > w->synced_lsn;
    if (w->publish_asked || w->wanted_lsn > w->synced_lsn) return dirty;
    switch (w->policy) {
    case WAL_SYNC_ALWAYS: return dirty;
    case WAL_SYNC_EVERYSEC: return dirty && now_ms - w->sync_ms >= EVERYSEC_MS;
    case WAL_SYNC_NO: break;
    }
    return false;
}

/* Lends a spare to the flush; it counts as taken when the flush ends well. */
static void plan_segment(struct wal *w, struct wal_flush *f)
{
    uint64_t padded = batch_padded_size(f->batch.size);
    f->rolling = !writer_fits(&w->writer, padded);
    if (!f->rolling) return;
    f->plan = writer_next_plan(&w->writer, f->header.first_lsn, padded);
    if (w->spares.count > 0) f->plan.spare = w->spares.numbers[w->spares.count - 1];
    f->plan.small = f->plan.spare == 0; /* 64 MiB of zeros would be a stall */
    f->plan.fresh = w->spares.next++;
}

static void take_batch(struct wal *w, struct wal_flush *f)
{
    CHECK(f->batch.size == 0);
    struct buf empty = f->batch;
    f->batch = w->pending;
    w->pending = empty;
    if (f->batch.size == 0) {
        buf_reserve(&f->batch, BATCH_HEADER_BYTES);
        buf_advance(&f->batch, BATCH_HEADER_BYTES);
    }
    f->header = (struct batch_header){
        .count = w->pending_count,
        .first_lsn = w->written_lsn + 1,
        .synced_lsn = w->synced_lsn,
    };
    w->pending_count = 0;
    CHECK(batch_last_lsn(&f->header) == w->appended_lsn);
}

/* All that was appended is on stable storage when this flush has synced. */
static void plan_publishing(struct wal *w, struct wal_flush *f)
{
    f->publishing = w->publish_asked;
    if (!f->publishing) return;
    CHECK(w->snapshot.last_lsn <= w->appended_lsn);
    CHECK(IMPLIES(w->synced_lsn < w->appended_lsn, f->syncing));
    f->published = (struct manifest){.synced_lsn = w->appended_lsn};
    generations_plan(&w->generations, &w->snapshot, &f->published);
}

static struct wal_flush *lend_flush(struct wal *w, int64_t now_ms)
{
    struct wal_flush *f = &w->flush;
    if (f->appending) plan_segment(w, f);
    f->status = DISK_OK;
    f->publish_status = DISK_OK;
    f->parked = false;
    f->sync_ns = 0;
    f->commit_ns = 0;
    w->flushing = true;
    w->begin_ms = now_ms;
    return f;
}

/* Whether the snapshot can be named without a further sync. */
static bool nameable(const struct wal *w)
{
    return w->publish_asked && w->snapshot.last_lsn <= w->synced_lsn;
}

static struct wal_flush *lend_naming(struct wal *w)
{
    struct wal_flush *f = &w->naming;
    CHECK(w->parked && !w->flush.publishing);
    f->status = DISK_OK;
    f->publishing = true;
    f->published = (struct manifest){.synced_lsn = w->synced_lsn};
    generations_plan(&w->generations, &w->snapshot, &f->published);
    w->flushing = true;
    return f;
}

struct wal_flush *wal_flush_begin(struct wal *w, int64_t now_ms)
{
    CHECK(!w->frame_open);
    if (w->status != DISK_OK || w->flushing) return NULL;
    if (w->parked && nameable(w)) return lend_naming(w);
    if (w->parked) return now_ms >= w->retry_ms ? lend_flush(w, now_ms) : NULL;
    bool marker = marker_wanted(w) && now_ms - w->batch_ms >= IDLE_MS;
    bool appending = w->pending_count > 0 || marker;
    bool syncing = sync_wanted(w, w->pending_count > 0, now_ms);
    if (marker && w->policy == WAL_SYNC_ALWAYS) syncing = true;
    if (!appending && !syncing && !w->publish_asked) return NULL;

    struct wal_flush *f = &w->flush;
    f->appending = appending;
    f->rolling = false;
    f->syncing = syncing;
    if (appending) {
        take_batch(w, f);
        w->batch_ms = now_ms;
    }
    if (syncing) w->sync_ms = now_ms;
    plan_publishing(w, f);
    return lend_flush(w, now_ms);
}

/* ---- group commit: run, on another thread ---- */

/* The old segment is synced whatever the policy: the new one's header says that it was. */
static enum disk_status roll(struct wal_flush *f)
{
    enum disk_status status = DISK_OK;
    if (f->writer->unsynced) status = writer_sync(f->writer);
    if (status == DISK_OK) status = writer_prepare(f->writer, &f->plan, &f->parked);
    if (status == DISK_OK) status = writer_activate(f->writer);
    return status;
}

/* The log is on stable storage up to the snapshot's last LSN. A full disk has changed nothing. */
static enum disk_status publish(struct wal_flush *f)
{
    struct writer *w = f->writer;
    struct manifest m = w->manifest;
    CHECK(!f->syncing || !w->unsynced);
    m.snapshots_count = f->published.snapshots_count;
    memcpy(m.snapshots, f->published.snapshots, sizeof(m.snapshots));
    if (f->published.oldest != 0) m.oldest = f->published.oldest;
    if (m.synced_lsn < f->published.synced_lsn) m.synced_lsn = f->published.synced_lsn;
    f->replaced = w->manifest;
    f->publish_status = manifest_prepare(w->disk, &m);
    if (f->publish_status == DISK_FULL) return DISK_OK;
    if (f->publish_status == DISK_OK) f->publish_status = manifest_switch(w->disk);
    if (f->publish_status == DISK_OK) w->manifest = m;
    f->published = m;
    return f->publish_status;
}

void wal_flush_run(struct wal_flush *f)
{
    CHECK(f->status == DISK_OK);
    CHECK(f->appending || f->syncing || f->publishing);
    struct disk *disk = f->writer->disk;
    uint64_t before_ns = disk->operations->now_ns(disk->context);
    enum disk_status status = DISK_OK;
    if (f->rolling) status = roll(f);
    if (status == DISK_OK && f->appending) status = writer_append(f->writer, &f->batch, &f->header);
    if (status == DISK_OK && f->syncing) {
        status = writer_sync(f->writer);
        f->sync_ns = f->writer->sync_ns;
    }
    if (status == DISK_OK && f->publishing) status = publish(f);
    f->commit_ns = disk->operations->now_ns(disk->context) - before_ns;
    f->status = status;
}

struct wal_flush_times wal_flush_times(const struct wal_flush *f)
{
    CHECK(f->commit_ns >= f->sync_ns);
    return (struct wal_flush_times){f->commit_ns - f->sync_ns, f->sync_ns};
}

/* ---- group commit: end ---- */

static void count_segment(struct wal *w, const struct wal_flush *f)
{
    struct wal_figures *s = &w->figures;
    if (writer_takes_spare(&w->writer, &f->plan)) spares_take(&w->spares, f->plan.spare);
    if (w->writer.header.recycled) s->segments_recycled++;
    w->segments_begun++;
    generations_add_segment(&w->generations, w->writer.header.number, w->writer.header.first_lsn,
                            w->writer.size);
    s->segment_number = w->writer.header.number;
    if (w->synced_lsn < f->header.first_lsn - 1) w->synced_lsn = f->header.first_lsn - 1;
}

static void count_batch(struct wal *w, struct wal_flush *f)
{
    w->figures.batches++;
    if (f->header.count > 0) {
        histogram_add(&w->batch_frames, f->header.count);
        histogram_add(&w->batch_bytes, f->batch.size);
    }
    w->figures.frames += f->header.count;
    w->figures.batch_bytes += f->batch.size;
    w->written_lsn = batch_last_lsn(&f->header);
    w->carried_lsn = f->header.synced_lsn;
    f->batch.size = 0;
    if (f->batch.capacity > BATCH_BYTES_KEPT) buf_deinit(&f->batch);
}

static void count_sync(struct wal *w, const struct wal_flush *f)
{
    struct wal_figures *s = &w->figures;
    w->synced_lsn = w->written_lsn;
    s->syncs++;
    histogram_add(&w->sync_ns, f->sync_ns);
    s->sync_ns_last = f->sync_ns;
    s->sync_ns_total += f->sync_ns;
    if (f->sync_ns > s->sync_ns_max) s->sync_ns_max = f->sync_ns;
}

/* Spares beyond those that are wanted go, but not the one that a flush may be using. */
static void doom_surplus(struct wal *w)
{
    const struct wal_flush *f = &w->flush;
    uint64_t lent = w->flushing && f->rolling ? f->plan.spare : 0;
    for (size_t i = w->spares.count; i > 0 && w->spares.count > w->spares.wanted; i--) {
        uint64_t number = w->spares.numbers[i - 1];
        if (number == lent) continue;
        spares_take(&w->spares, number);
        generations_doom_spare(&w->generations, number);
    }
}

static void give_space_back(struct wal *w)
{
    spares_expect(&w->spares, 0);
    doom_surplus(w);
}

static void count_publishing(struct wal *w, const struct wal_flush *f)
{
    CHECK(w->publish_asked && !w->publish_ended);
    w->publish_asked = false;
    w->publish_ended = true;
    w->publish_status = f->publish_status;
    if (f->publish_status != DISK_OK) {
        generations_doom_snapshot(&w->generations, w->snapshot.number);
        give_space_back(w);
        return;
    }
    generations_switched(&w->generations, &f->replaced, &f->published);
    spares_expect(&w->spares, w->segments_begun);
    w->segments_begun = 0;
    doom_surplus(w);
}

/* The disk is full and nothing of the batch was written: it is tried again later. What was written
 * before it has been synced (roll), whatever the policy: a snapshot of that can be named. */
static void park(struct wal *w)
{
    CHECK(w->flush.rolling && !w->writer.unsynced);
    w->synced_lsn = w->written_lsn;
    if (w->synced_lsn > w->durable_lsn) w->durable_lsn = w->synced_lsn;
    if (!w->parked)
        trace_write(w->trace, TRACE_WARNING,
                    "log: no space for a new segment; writes wait until there is");
    w->parked = true;
    w->flush.publishing = false; /* asked for again when it can be done */
    w->retry_ms = w->begin_ms + FULL_RETRY_MS;
}

/* The end: nothing is acknowledged from here on. */
static void fail(struct wal *w, enum disk_status status)
{
    CHECK(status != DISK_OK);
    if (w->status != DISK_OK) return;
    w->status = status;
    trace_write(w->trace, TRACE_WARNING, "log: writing it failed (%s); nothing more is kept",
                disk_status_text(status));
}

enum disk_status wal_status(const struct wal *w)
{
    return w->status;
}

enum disk_status wal_flush_end(struct wal *w, struct wal_flush *f)
{
    CHECK(w->flushing && (f == &w->flush || f == &w->naming));
    w->flushing = false;
    if (f->status != DISK_OK && !f->parked) fail(w, f->status);
    if (w->status != DISK_OK) return w->status;
    if (f->parked) {
        CHECK(f->status == DISK_FULL);
        park(w);
        return DISK_OK;
    }
    if (f == &w->naming) {
        count_publishing(w, f);
        return DISK_OK;
    }
    if (w->parked) trace_write(w->trace, TRACE_NOTICE, "log: there is space again");
    w->parked = false;
    if (f->rolling) count_segment(w, f);
    histogram_add(&w->commit_ns, f->commit_ns);
    w->figures.commit_ns_total += f->commit_ns;
    if (f->appending) count_batch(w, f);
    if (f->syncing) count_sync(w, f);
    if (f->publishing) count_publishing(w, f);
    /* Never back: what a weaker policy let through before the policy changed has left. */
    if (w->synced_lsn > w->durable_lsn) w->durable_lsn = w->synced_lsn;
    CHECK(w->synced_lsn <= w->written_lsn && w->written_lsn <= w->appended_lsn);
    return DISK_OK;
}

int64_t wal_flush_due_ms(const struct wal *w)
{
    if (w->status != DISK_OK || w->flushing) return INT64_MAX;
    if (w->parked) return nameable(w) ? 0 : w->retry_ms;
    if (w->publish_asked) return 0;
    int64_t due = INT64_MAX;
    if (marker_wanted(w)) due = w->batch_ms + IDLE_MS;
    if (w->written_lsn > w->synced_lsn) {
        int64_t sync_due = INT64_MAX;
        if (w->policy == WAL_SYNC_ALWAYS || w->wanted_lsn > w->synced_lsn) sync_due = 0;
        if (w->policy == WAL_SYNC_EVERYSEC) sync_due = w->sync_ms + EVERYSEC_MS;
        if (sync_due < due) due = sync_due;
    }
    return due;
}

/* ---- spares ---- */

/* A file that nobody needs any more becomes a spare if it can be one and one is wanted. */
static void plan_leftover(const struct wal *w, struct wal_spare *s)
{
    bool fits = s->leftover.segment_bytes == w->segment_bytes;
    s->work = fits && w->spares.count < w->spares.wanted ? SPARE_RECYCLE : SPARE_REMOVE;
}

struct wal_spare *wal_spare_begin(struct wal *w, int64_t now_ms)
{
    CHECK(w->spares.count <= SPARES_MAX && w->spares.wanted >= SPARES_AHEAD);
    if (w->status != DISK_OK || w->spare_making) return NULL;
    struct wal_spare *s = &w->spare;
    *s = (struct wal_spare){.disk = w->disk, .size = w->segment_bytes};
    if (generations_take_doomed(&w->generations, &s->leftover)) plan_leftover(w, s);
    else if (w->spares.count >= SPARES_AHEAD) return NULL;
    else if (w->spare_failed && now_ms < w->spare_retry_ms) return NULL;
    if (s->work != SPARE_REMOVE) s->number = w->spares.next++;
    w->spare_making = true;
    return s;
}

/* What a leftover that stays where it is costs: space until the next start, nothing else. */
static void say_left(const struct wal *w, const struct wal_spare *s)
{
    if (s->status != DISK_OK)
        trace_write(w->trace, TRACE_WARNING, "%s is not needed, but cannot be %s: %s",
                    s->leftover.name.text, s->work == SPARE_RECYCLE ? "recycled" : "removed",
                    disk_status_text(s->status));
}

enum disk_status wal_spare_end(struct wal *w, struct wal_spare *s, int64_t now_ms)
{
    CHECK(w->spare_making && s == &w->spare);
    w->spare_making = false;
    if (s->status == DISK_NAMES_LOST) fail(w, s->status);
    if (s->work != SPARE_MAKE) say_left(w, s);
    if (s->work != SPARE_REMOVE && s->status == DISK_OK) {
        spares_add(&w->spares, s->number);
        w->spare_failed = false;
        if (w->parked) w->retry_ms = now_ms; /* it waits for nothing else */
    }
    if (s->work != SPARE_MAKE || s->status == DISK_OK) return s->status;
    if (!w->spare_failed)
        trace_write(w->trace, TRACE_WARNING, "log: no segment could be made ahead of need: %s",
                    disk_status_text(s->status));
    w->spare_failed = true;
    w->spare_retry_ms = now_ms + FULL_RETRY_MS;
    return s->status;
}

bool wal_has_room(const struct wal *w)
{
    if (w->status != DISK_OK || w->parked) return false;
    return w->spares.count > 0 || !w->spare_failed;
}

void wal_request_sync(struct wal *w, lsn_t lsn)
{
    CHECK(lsn <= w->appended_lsn);
    CHECK(w->wanted_lsn <= w->appended_lsn);
    if (lsn > w->wanted_lsn) w->wanted_lsn = lsn;
}

void wal_set_policy(struct wal *w, enum wal_policy policy)
{
    CHECK(w->durable_lsn >= w->synced_lsn);
    CHECK(w->durable_lsn <= w->appended_lsn);
    w->policy = policy;
    if (policy != WAL_SYNC_ALWAYS && w->status == DISK_OK) w->durable_lsn = w->appended_lsn;
}

/* ---- snapshots ---- */

struct snapshot_writer *wal_snapshot_create(struct wal *w, int64_t now_ms)
{
    struct snapshot_header h = {.node_id = w->node_id,
                                .number = w->next_snapshot++,
                                .salt = random_next(&w->snapshot_salts),
                                .created_ms = now_ms};
    CHECK(h.number > 0);
    return snapshot_writer_create(w->disk, &h);
}

void wal_snapshot_failed(struct wal *w, enum disk_status status)
{
    CHECK(status != DISK_OK);
    CHECK(!w->publish_asked);
    if (status == DISK_FULL) give_space_back(w);
    if (status == DISK_NAMES_LOST) fail(w, status);
}

void wal_snapshot_publish(struct wal *w, const struct wal_snapshot *s)
{
    CHECK(!w->publish_asked && !w->publish_ended);
    CHECK(s->last_lsn <= w->appended_lsn);
    w->snapshot = *s;
    w->publish_asked = true;
}

bool wal_snapshot_published(struct wal *w, enum disk_status *status)
{
    if (!w->publish_ended) return false;
    w->publish_ended = false;
    *status = w->publish_status;
    return true;
}

const struct wal_snapshot *wal_snapshot_newest(const struct wal *w)
{
    return w->generations.snapshots_count == 0 ? NULL : &w->generations.snapshots[0];
}

void wal_measure(const struct wal *w, struct wal_figures *figures)
{
    CHECK(figures != NULL);
    *figures = w->figures;
    figures->sync_ns_p50 = histogram_percentile(&w->sync_ns, 500);
    figures->sync_ns_p99 = histogram_percentile(&w->sync_ns, 990);
    figures->commit_ns_p50 = histogram_percentile(&w->commit_ns, 500);
    figures->commit_ns_p99 = histogram_percentile(&w->commit_ns, 990);
    figures->commit_ns_max = w->commit_ns.max;
    figures->batch_frames_p50 = histogram_percentile(&w->batch_frames, 500);
    figures->batch_frames_p99 = histogram_percentile(&w->batch_frames, 990);
    figures->batch_frames_max = w->batch_frames.max;
    figures->batch_bytes_p50 = histogram_percentile(&w->batch_bytes, 500);
    figures->batch_bytes_p99 = histogram_percentile(&w->batch_bytes, 990);
    figures->batch_bytes_max = w->batch_bytes.max;
    figures->segments = w->generations.segments_count;
    figures->spares = w->spares.count;
    figures->spare_bytes = w->spares.count * w->segment_bytes;
    figures->bytes = generations_log_bytes(&w->generations);
    figures->first_lsn = w->generations.segments[0].first_lsn;
    figures->snapshots = w->generations.snapshots_count;
    figures->snapshot_bytes = generations_snapshot_bytes(&w->generations);
    figures->last_status = w->status;
}
