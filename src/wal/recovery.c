#include "wal/recovery.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "wal/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRESS_NS UINT64_C(1000000000)

/* ---- the files of the directory ---- */

struct listed {
    enum segment_kind kind;
    uint64_t number;
    uint64_t size;
    bool needed; /* a segment of the log, or a spare */
};

struct listed_snapshot {
    uint64_t number;
    uint64_t size;
    bool whole; /* by its name */
};

struct inventory {
    struct listed *files; /* sorted by kind, then number */
    size_t count;
    size_t capacity;
    uint64_t number_max[SEGMENT_KINDS_COUNT];
    struct listed_snapshot *snapshots;
    size_t snapshots_count;
    size_t snapshots_capacity;
};

static bool visit_snapshot(struct inventory *v, struct slice name, uint64_t size)
{
    struct listed_snapshot f = {.size = size};
    if (!snapshot_parse_name(name, &f.number, &f.whole)) return false;
    if (v->snapshots_count == v->snapshots_capacity) {
        size_t capacity = v->snapshots_capacity == 0 ? 4 : v->snapshots_capacity * 2;
        v->snapshots =
            memory_resize(v->snapshots, v->snapshots_capacity * sizeof(f), capacity * sizeof(f));
        v->snapshots_capacity = capacity;
    }
    v->snapshots[v->snapshots_count++] = f;
    return true;
}

static void inventory_visit(void *context, struct slice name, uint64_t size)
{
    struct inventory *v = context;
    struct listed f = {.size = size};
    if (visit_snapshot(v, name, size)) return;
    if (!segment_parse_name(name, &f.kind, &f.number)) return;
    if (v->count == v->capacity) {
        size_t capacity = v->capacity == 0 ? 64 : v->capacity * 2;
        v->files = memory_resize(v->files, v->capacity * sizeof(f), capacity * sizeof(f));
        v->capacity = capacity;
    }
    v->files[v->count++] = f;
    if (f.number > v->number_max[f.kind]) v->number_max[f.kind] = f.number;
}

static int listed_compare(const void *a, const void *b)
{
    const struct listed *x = a;
    const struct listed *y = b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static struct listed *inventory_find(const struct inventory *v, uint64_t number)
{
    struct listed wanted = {.kind = SEGMENT_LOG, .number = number};
    if (v->count == 0) return NULL;
    return bsearch(&wanted, v->files, v->count, sizeof(wanted), listed_compare);
}

/* ---- saying what is wrong ---- */

static enum wal_open_status disk_failed(struct recovery *r, const char *what,
                                        enum disk_status status)
{
    snprintf(r->report->problem, sizeof(r->report->problem), "%s: %s", what,
             disk_status_text(status));
    return WAL_OPEN_DISK;
}

static enum wal_open_status corrupt(struct recovery *r, uint64_t number, const char *what)
{
    struct segment_name name = segment_name(SEGMENT_LOG, number);
    snprintf(r->report->problem, sizeof(r->report->problem),
             "the log is corrupt: %s %s; nothing was changed", name.text, what);
    return WAL_OPEN_CORRUPT;
}

static enum wal_open_status corrupt_at(struct recovery *r, const struct scan *s, lsn_t last,
                                       const char *proof)
{
    struct segment_name name = segment_name(SEGMENT_LOG, s->header.number);
    snprintf(r->report->problem, sizeof(r->report->problem),
             "the log is corrupt: %s holds no valid batch at offset %" PRIu64 ", but LSN %" PRIu64
             " to %" PRIu64 " had been on stable storage (%s); nothing was changed",
             name.text, s->offset, s->expected_lsn, last, proof);
    return WAL_OPEN_CORRUPT;
}

static enum wal_open_status newer(struct recovery *r, const char *name)
{
    snprintf(r->report->problem, sizeof(r->report->problem),
             "%s was written by a newer version; nothing was changed", name);
    return WAL_OPEN_NEWER;
}

/* ---- progress ---- */

/* 'offset' in the file that is being read. False: give up. */
static bool go_on(const struct recovery *r, uint64_t offset)
{
    const struct wal_observer *o = r->options->observer;
    return o == NULL || o->progress(o->context, r->bytes_done + offset, r->bytes_total);
}

static enum wal_open_status cancelled(struct recovery *r)
{
    snprintf(r->report->problem, sizeof(r->report->problem),
             "reading the data was given up; nothing was changed");
    return WAL_OPEN_CANCELLED;
}

/* Of the segments that are needed beside a snapshot. The end of the newest is not known before it
 * is read, so all of it counts. */
static uint64_t log_bytes_from(const struct recovery *r, lsn_t lsn)
{
    const struct generations *g = &r->generations;
    uint64_t bytes = 0;
    for (size_t i = 0; i < g->segments_count; i++)
        if (i + 1 == g->segments_count || g->segments[i + 1].first_lsn > lsn)
            bytes += g->segments[i].bytes;
    return bytes;
}

/* ---- step 1: which segments make the log ---- */

static enum wal_open_status read_manifest(struct recovery *r)
{
    enum manifest_verdict verdict = MANIFEST_OK;
    enum disk_status status = manifest_read(r->options->disk, &r->manifest, &verdict);
    if (status == DISK_ABSENT) {
        if (r->inventory->number_max[SEGMENT_LOG] != 0) {
            snprintf(r->report->problem, sizeof(r->report->problem),
                     "the log is corrupt: there are segments but no file '%s'; nothing was changed",
                     MANIFEST_NAME);
            return WAL_OPEN_CORRUPT;
        }
        r->manifest = (struct manifest){0};
        r->new_directory = true;
        return WAL_OPEN_OK;
    }
    if (status != DISK_OK) return disk_failed(r, "the file '" MANIFEST_NAME "'", status);
    switch (verdict) {
    case MANIFEST_OK: return WAL_OPEN_OK;
    case MANIFEST_NEWER: return newer(r, "the file '" MANIFEST_NAME "'");
    case MANIFEST_INVALID: break;
    }
    snprintf(r->report->problem, sizeof(r->report->problem),
             "the log is corrupt: the file '%s' is damaged; nothing was changed", MANIFEST_NAME);
    return WAL_OPEN_CORRUPT;
}

static enum wal_open_status open_segment(struct recovery *r, uint64_t number, struct scan *s)
{
    struct listed *f = inventory_find(r->inventory, number);
    if (f == NULL) return corrupt(r, number, "is missing");
    struct segment_name name = segment_name(SEGMENT_LOG, number);
    enum disk_status status;
    switch (scan_open(s, r->options->disk, number, f->size, &status)) {
    case SCAN_OPEN_OK: break;
    case SCAN_OPEN_INVALID: scan_close(s); return corrupt(r, number, "has no valid header");
    case SCAN_OPEN_NEWER: scan_close(s); return newer(r, name.text);
    case SCAN_OPEN_DISK: return disk_failed(r, name.text, status);
    }
    if (s->header.node_id != r->manifest.node_id) {
        scan_close(s);
        return corrupt(r, number, "belongs to another directory");
    }
    return WAL_OPEN_OK;
}

/* The headers of the log, newest first. */
struct chain {
    struct segment_header *headers;
    size_t count;
    size_t capacity;
};

static void chain_deinit(struct chain *c)
{
    memory_free(c->headers, c->capacity * sizeof(*c->headers));
}

static void chain_add(struct chain *c, const struct segment_header *h)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 16 : c->capacity * 2;
        c->headers = memory_resize(c->headers, c->capacity * sizeof(*h), capacity * sizeof(*h));
        c->capacity = capacity;
    }
    c->headers[c->count++] = *h;
}

/* What a segment's header must say, given that of its successor (NULL: it is the newest). */
static bool header_fits(const struct recovery *r, const struct segment_header *h,
                        const struct segment_header *next)
{
    if (next == NULL) return h->epoch == r->manifest.epoch;
    return h->epoch <= next->epoch && h->first_lsn <= next->first_lsn;
}

/* Ends: each number is smaller than the one before. */
static enum wal_open_status find_chain(struct recovery *r, struct chain *c)
{
    uint64_t number = r->manifest.newest;
    while (number != 0) {
        struct scan s;
        enum wal_open_status result = open_segment(r, number, &s);
        if (result != WAL_OPEN_OK) return result;
        struct segment_header h = s.header;
        scan_close(&s);
        const struct segment_header *next = c->count == 0 ? NULL : &c->headers[c->count - 1];
        if (!header_fits(r, &h, next))
            return corrupt(r, number, "does not fit to the segments around it");
        chain_add(c, &h);
        inventory_find(r->inventory, number)->needed = true;
        if (number == r->manifest.oldest) break;
        if (h.previous_number < r->manifest.oldest)
            return corrupt(r, number, "does not fit to the oldest segment in the manifest");
        number = h.previous_number;
    }
    if (c->count > 0) r->first_lsn = c->headers[c->count - 1].first_lsn;
    for (size_t left = c->count; left > 0; left--) {
        const struct segment_header *h = &c->headers[left - 1];
        generations_add_segment(&r->generations, h->number, h->first_lsn,
                                inventory_find(r->inventory, h->number)->size);
    }
    return WAL_OPEN_OK;
}

/* ---- the snapshots ---- */

static uint64_t snapshot_size(const struct recovery *r, uint64_t number)
{
    const struct inventory *v = r->inventory;
    for (size_t i = 0; i < v->snapshots_count; i++)
        if (v->snapshots[i].whole && v->snapshots[i].number == number) return v->snapshots[i].size;
    return 0;
}

static enum snapshot_verdict try_snapshot(struct recovery *r, const struct wal_snapshot *s)
{
    struct snapshot_source source = {
        .disk = r->options->disk,
        .trace = r->options->trace,
        .node_id = r->manifest.node_id,
        .file_size = snapshot_size(r, s->number),
        .expected = s,
        .observer = r->options->observer,
        .bytes_total = s->bytes + log_bytes_from(r, s->from_lsn),
    };
    char problem[256];
    enum snapshot_verdict verdict =
        snapshot_read(&source, r->options->loader, problem, sizeof(problem));
    if (verdict == SNAPSHOT_OK || verdict == SNAPSHOT_CANCELLED) return verdict;
    trace_write(r->options->trace, TRACE_WARNING, "%s", problem);
    snprintf(r->report->problem, sizeof(r->report->problem), "%s", problem);
    r->report->snapshots_refused++;
    return verdict;
}

/* Loads the newest one that is whole. Those behind it are believed until they are needed. */
static enum wal_open_status load_snapshot(struct recovery *r)
{
    const struct manifest *m = &r->manifest;
    struct generations *g = &r->generations;
    bool unreadable = false;
    r->from_lsn = 1;
    for (uint32_t i = 0; i < m->snapshots_count && r->options->loader != NULL; i++) {
        const struct wal_snapshot *s = &m->snapshots[i];
        enum snapshot_verdict verdict = try_snapshot(r, s);
        if (verdict == SNAPSHOT_NEWER) return WAL_OPEN_NEWER;
        if (verdict == SNAPSHOT_CANCELLED) return cancelled(r);
        unreadable = unreadable || verdict == SNAPSHOT_UNREADABLE;
        if (verdict != SNAPSHOT_OK) continue;
        r->from_lsn = s->from_lsn;
        r->bytes_done = s->bytes;
        r->report->snapshot = *s;
        for (uint32_t j = i; j < m->snapshots_count; j++)
            g->snapshots[g->snapshots_count++] = m->snapshots[j];
        break;
    }
    r->report->problem[0] = '\0';
    if (g->segments_count == 0 || g->segments[0].first_lsn <= r->from_lsn) return WAL_OPEN_OK;
    if (m->snapshots_count == 0)
        return corrupt(r, g->segments[0].number, "is not the beginning of the log");
    snprintf(r->report->problem, sizeof(r->report->problem),
             "no snapshot can be used, and the log begins at LSN %" PRIu64
             " only; nothing was changed",
             g->segments[0].first_lsn);
    return unreadable ? WAL_OPEN_DISK : WAL_OPEN_CORRUPT;
}

/* ---- step 2 and 3: the batches ---- */

/* The next frames of a batch, announced to those who want to know. Returns their number. */
static uint32_t take_frames(const struct recovery *r, struct reader *in, uint32_t left,
                            struct slice frames[WAL_AHEAD_MAX])
{
    const struct wal_loader *loader = r->options->loader;
    uint32_t count = left < WAL_AHEAD_MAX ? left : WAL_AHEAD_MAX;
    for (uint32_t i = 0; i < count; i++) {
        bool whole = batch_next_frame(in, &frames[i]);
        CHECK(whole);
    }
    if (loader != NULL && loader->ahead != NULL) loader->ahead(loader->context, frames, count);
    return count;
}

/* How many frames the batch begins with that the snapshot holds. */
static uint32_t frames_below(const struct recovery *r, const struct batch_header *h)
{
    if (h->first_lsn >= r->from_lsn) return 0;
    return batch_last_lsn(h) < r->from_lsn ? h->count : (uint32_t)(r->from_lsn - h->first_lsn);
}

static bool apply(struct recovery *r, const struct batch_header *h, struct slice batch,
                  wal_visit *visit, void *context)
{
    struct reader in = batch_frames(batch, h);
    struct slice frames[WAL_AHEAD_MAX];
    uint32_t below = frames_below(r, h), left = h->count - below;
    for (uint32_t i = 0; i < below; i++) (void)batch_next_frame(&in, &frames[0]);
    lsn_t lsn = h->first_lsn + below;
    while (left > 0) {
        uint32_t taken = take_frames(r, &in, left, frames);
        for (uint32_t i = 0; i < taken; i++, lsn++) {
            if (!visit(context, lsn, frames[i])) {
                snprintf(r->report->problem, sizeof(r->report->problem),
                         "the frame with LSN %" PRIu64 " cannot be applied", lsn);
                return false;
            }
            r->report->frames++;
        }
        left -= taken;
    }
    CHECK(in.rest.size == 0);
    r->report->batches++;
    r->report->bytes += batch.size;
    return true;
}

/* A line each second. */
static void say_progress(struct recovery *r, const struct scan *s)
{
    const struct disk *disk = r->options->disk;
    uint64_t now_ns = disk->operations->now_ns(disk->context);
    if (now_ns - r->said_ns < PROGRESS_NS) return;
    if (r->said_ns != 0)
        trace_write(r->options->trace, TRACE_NOTICE,
                    "log: %" PRIu64 " frames read, %" PRIu64 " MiB, up to LSN %" PRIu64
                    " in segment %" PRIu64 " of %" PRIu64 " (%" PRIu64 " %%)",
                    r->report->frames, r->report->bytes / MIB, s->expected_lsn - 1,
                    s->header.number, r->manifest.newest,
                    (r->bytes_done + s->offset) * 100 / r->bytes_total);
    r->said_ns = now_ns;
}

static bool ends_here(const struct scan *s, const struct segment_header *next)
{
    return next != NULL && s->expected_lsn == next->first_lsn &&
           s->chain_hash == next->previous_hash;
}

static enum wal_open_status judge_end(struct recovery *r, struct scan *s,
                                      const struct segment_header *next)
{
    if (next != NULL) return corrupt_at(r, s, next->first_lsn - 1, "the next segment says so");
    if (r->manifest.synced_lsn >= s->expected_lsn)
        return corrupt_at(r, s, r->manifest.synced_lsn, "the manifest says so");
    struct scan_proof proof;
    enum disk_status status = scan_prove(s, s->expected_lsn, &proof);
    if (status != DISK_OK) return disk_failed(r, "reading the end of the log", status);
    if (proof.found) {
        char text[96];
        snprintf(text, sizeof(text), "the batch at offset %" PRIu64 " says so", proof.offset);
        return corrupt_at(r, s, proof.synced_lsn, text);
    }
    if (proof.torn_end > s->offset) r->report->torn_bytes = proof.torn_end - s->offset;
    return WAL_OPEN_OK;
}

static enum wal_open_status read_batches(struct recovery *r, struct scan *s,
                                         const struct segment_header *next, wal_visit *visit,
                                         void *context)
{
    while (!ends_here(s, next)) {
        if (next != NULL && s->expected_lsn > next->first_lsn)
            return corrupt(r, s->header.number, "does not end where the next segment begins");
        struct batch_header h;
        struct slice batch;
        enum disk_status status;
        switch (scan_next(s, &h, &batch, &status)) {
        case SCAN_BATCH: break;
        case SCAN_END: return judge_end(r, s, next);
        case SCAN_DISK: return disk_failed(r, "reading the log", status);
        }
        /* Frames of a batch that reaches beyond the end are not the log's. */
        if (next != NULL && s->expected_lsn > next->first_lsn) continue;
        if (!apply(r, &h, batch, visit, context)) return WAL_OPEN_REFUSED;
        say_progress(r, s);
        if (!go_on(r, s->offset)) return cancelled(r);
    }
    return WAL_OPEN_OK;
}

/* How many segments hold what is needed: the last ones. */
static size_t segments_needed(const struct recovery *r, const struct chain *c)
{
    size_t count = 1;
    while (count < c->count && c->headers[count - 1].first_lsn > r->from_lsn) count++;
    return count < c->count ? count : c->count;
}

static enum wal_open_status read_segments(struct recovery *r, const struct chain *c,
                                          wal_visit *visit, void *context)
{
    r->bytes_total = r->bytes_done + log_bytes_from(r, r->from_lsn);
    for (size_t left = segments_needed(r, c); left > 0; left--) {
        const struct segment_header *next = left == 1 ? NULL : &c->headers[left - 2];
        struct scan s;
        enum wal_open_status result = open_segment(r, c->headers[left - 1].number, &s);
        if (result != WAL_OPEN_OK) return result;
        result = read_batches(r, &s, next, visit, context);
        if (next == NULL) {
            r->newest = s.header;
            r->newest_size = s.reader.size;
            r->end_offset = s.offset;
            r->last_lsn = s.expected_lsn - 1;
            r->proven_lsn = s.synced_lsn;
        }
        r->bytes_done += s.reader.size;
        scan_close(&s);
        if (result != WAL_OPEN_OK) return result;
        r->report->segments++;
    }
    if (r->manifest.synced_lsn > r->proven_lsn) r->proven_lsn = r->manifest.synced_lsn;
    CHECK(r->proven_lsn <= r->last_lsn);
    r->report->last_lsn = r->last_lsn;
    return WAL_OPEN_OK;
}

/* ---- step 4: nothing may stand beyond the newest segment ---- */

/* Batches that were copied on a start of the server stand in a segment before the manifest names
 * it; they prove nothing of the frames in it. One that does was written later. */
static enum wal_open_status check_beyond(struct recovery *r, const struct listed *f)
{
    struct scan s;
    enum disk_status status;
    enum scan_open_result opened = scan_open(&s, r->options->disk, f->number, f->size, &status);
    if (opened == SCAN_OPEN_DISK) return disk_failed(r, "reading the log", status);
    enum wal_open_status result = WAL_OPEN_OK;
    if (opened == SCAN_OPEN_OK && s.header.node_id == r->manifest.node_id) {
        struct scan_proof proof;
        lsn_t lsn =
            s.header.epoch == r->manifest.epoch ? s.header.first_lsn - 1 : s.header.first_lsn;
        status = scan_prove(&s, lsn == 0 ? 1 : lsn, &proof);
        if (status != DISK_OK) result = disk_failed(r, "reading the log", status);
        if (proof.found) result = corrupt(r, f->number, "is newer than the manifest knows");
    }
    scan_close(&s);
    return result;
}

static enum wal_open_status check_all_beyond(struct recovery *r)
{
    enum wal_open_status result = WAL_OPEN_OK;
    for (size_t i = 0; i < r->inventory->count && result == WAL_OPEN_OK; i++) {
        const struct listed *f = &r->inventory->files[i];
        if (f->kind == SEGMENT_LOG && f->number > r->manifest.newest) result = check_beyond(r, f);
    }
    return result;
}

static void adopt_spares(struct recovery *r)
{
    for (size_t i = 0; i < r->inventory->count; i++) {
        struct listed *f = &r->inventory->files[i];
        if (f->kind != SEGMENT_SPARE || f->size != r->options->segment_bytes) continue;
        if (f->number == 0 || r->spares.count == SPARES_MAX) continue;
        spares_add(&r->spares, f->number);
        f->needed = true;
    }
}

enum wal_open_status recovery_read(struct recovery *r, const struct wal_options *options,
                                   wal_visit *visit, void *context)
{
    CHECK(options->disk != NULL && visit != NULL);
    CHECK(options->segment_bytes % DISK_BLOCK_BYTES == 0);
    r->options = options;
    r->inventory = memory_allocate_zeroed(sizeof(*r->inventory));
    struct inventory *v = r->inventory;
    r->next_snapshot = 1;
    enum disk_status status =
        options->disk->operations->list(options->disk->context, inventory_visit, v);
    if (status != DISK_OK) return disk_failed(r, "listing the directory", status);
    if (v->count > 0) qsort(v->files, v->count, sizeof(*v->files), listed_compare);

    enum wal_open_status result = read_manifest(r);
    if (result != WAL_OPEN_OK) return result;
    struct chain c = {0};
    result = find_chain(r, &c);
    if (result == WAL_OPEN_OK) result = load_snapshot(r);
    if (result == WAL_OPEN_OK) result = read_segments(r, &c, visit, context);
    if (result == WAL_OPEN_OK) result = check_all_beyond(r);
    if (result == WAL_OPEN_OK && !go_on(r, 0)) result = cancelled(r);
    chain_deinit(&c);
    if (result != WAL_OPEN_OK) return result;
    uint64_t spare = v->number_max[SEGMENT_SPARE];
    uint64_t unfinished = v->number_max[SEGMENT_NEW];
    r->spares.next = (spare > unfinished ? spare : unfinished) + 1;
    adopt_spares(r);
    for (size_t i = 0; i < v->snapshots_count; i++)
        if (v->snapshots[i].number >= r->next_snapshot)
            r->next_snapshot = v->snapshots[i].number + 1;
    for (uint32_t i = 0; i < r->manifest.snapshots_count; i++)
        if (r->manifest.snapshots[i].number >= r->next_snapshot)
            r->next_snapshot = r->manifest.snapshots[i].number + 1;
    return WAL_OPEN_OK;
}

/* ---- step 5: a new segment ---- */

/* A new directory first gets a manifest without segments: a directory with segments but without a
 * manifest is then always corrupt, never half made. */
static enum disk_status make_directory(struct recovery *r, struct writer *w)
{
    r->manifest = (struct manifest){.node_id = random_next(&w->random)};
    enum disk_status status = manifest_prepare(w->disk, &r->manifest);
    if (status == DISK_OK) status = manifest_switch(w->disk);
    return status;
}

/* Where the new segment begins: s stands at the first batch that is copied, and the plan says what
 * comes before it. The whole newest segment when it is mostly empty. */
static enum disk_status find_start(struct recovery *r, struct scan *s, struct segment_plan *plan,
                                   bool *superseded)
{
    *superseded = r->end_offset <= r->options->segment_bytes / 2;
    plan->previous_number = *superseded ? r->newest.previous_number : r->newest.number;
    plan->previous_hash = *superseded ? r->newest.previous_hash : s->chain_hash;
    plan->first_lsn = r->newest.first_lsn;
    if (*superseded && plan->manifest.oldest == r->newest.number)
        plan->manifest.oldest = plan->manifest.newest;
    while (!*superseded && s->expected_lsn <= r->proven_lsn) {
        struct batch_header h;
        struct slice batch;
        enum disk_status status;
        enum scan_result result = scan_next(s, &h, &batch, &status);
        if (result == SCAN_DISK) return status;
        if (result == SCAN_END) return DISK_FAILED; /* it was good a moment ago */
        plan->previous_hash = s->chain_hash;
        plan->first_lsn = s->expected_lsn;
    }
    plan->batch_bytes = r->end_offset - s->offset;
    return DISK_OK;
}

/* Copies the batches from the scan's place to the end that recovery_read found. A copy says no
 * more than that everything before the segment was synced: a batch that says more was written
 * after the manifest was switched (see check_beyond). */
static enum disk_status copy_batches(struct recovery *r, struct scan *s, struct writer *w)
{
    struct buf copy = {0};
    enum disk_status status = DISK_OK;
    while (s->offset < r->end_offset && status == DISK_OK) {
        struct batch_header h;
        struct slice batch;
        enum scan_result result = scan_next(s, &h, &batch, &status);
        if (result == SCAN_END) status = DISK_FAILED;
        if (result != SCAN_BATCH) break;
        if (h.count == 0) continue;
        copy.size = 0;
        buf_append(&copy, (struct slice){batch.data, (size_t)h.size});
        h.synced_lsn = w->header.first_lsn - 1;
        status = writer_append(w, &copy, &h);
    }
    buf_deinit(&copy);
    return status;
}

static bool is_named(const struct manifest *m, uint64_t snapshot)
{
    for (uint32_t i = 0; i < m->snapshots_count; i++)
        if (m->snapshots[i].number == snapshot) return true;
    return false;
}

/* Whether a segment that the manifest on stable storage does not need becomes a spare: while too
 * few are there. */
static bool recycles(const struct recovery *r, const struct listed *f)
{
    return f->kind == SEGMENT_LOG && f->size == r->options->segment_bytes &&
           r->spares.count < SPARES_AHEAD;
}

static enum disk_status clear_file(struct recovery *r, const struct listed *f)
{
    struct disk *disk = r->options->disk;
    struct segment_name name = segment_name(f->kind, f->number);
    if (recycles(r, f)) {
        uint64_t number = r->spares.next++;
        enum disk_status status = segment_recycle(disk, name.text, number);
        if (status == DISK_OK) spares_add(&r->spares, number);
        if (status == DISK_OK || status == DISK_NAMES_LOST) return status;
    }
    (void)disk->operations->remove(disk->context, name.text);
    return DISK_OK;
}

/* Recycles or removes what no log needs: segments that were superseded or never activated, files
 * that were being made, spares of another size, snapshots that are not whole or not named. Failing
 * to costs space, nothing else, unless names are lost. */
static enum disk_status clear_leftovers(struct recovery *r)
{
    struct disk *disk = r->options->disk;
    enum disk_status status = DISK_OK;
    for (size_t i = 0; i < r->inventory->count && status == DISK_OK; i++)
        if (!r->inventory->files[i].needed) status = clear_file(r, &r->inventory->files[i]);
    for (size_t i = 0; i < r->inventory->snapshots_count; i++) {
        const struct listed_snapshot *f = &r->inventory->snapshots[i];
        if (f->whole && is_named(&r->manifest, f->number)) continue;
        struct snapshot_name name = snapshot_name(f->number, f->whole);
        (void)disk->operations->remove(disk->context, name.text);
    }
    return status;
}

static enum disk_status start_segment(struct recovery *r, struct writer *w, struct scan *s)
{
    struct segment_plan plan = {.manifest = r->manifest, .first_lsn = 1, .fresh = r->spares.next++};
    uint64_t listed = r->inventory->number_max[SEGMENT_LOG];
    plan.manifest.newest = (listed > r->manifest.newest ? listed : r->manifest.newest) + 1;
    plan.manifest.epoch = r->manifest.epoch + 1;
    plan.manifest.synced_lsn = r->last_lsn;
    if (plan.manifest.oldest == 0) plan.manifest.oldest = plan.manifest.newest;
    if (r->spares.count > 0) plan.spare = r->spares.numbers[r->spares.count - 1];
    plan.small = plan.spare == 0;

    bool superseded = false;
    bool full;
    enum disk_status status = DISK_OK;
    if (s != NULL) status = find_start(r, s, &plan, &superseded);
    if (status != DISK_OK) return status;
    bool lent = writer_takes_spare(w, &plan);
    status = writer_prepare(w, &plan, &full);
    if (status == DISK_OK && s != NULL) status = copy_batches(r, s, w);
    if (status == DISK_OK) status = writer_activate(w);
    if (status != DISK_OK) return status;
    if (lent) spares_take(&r->spares, plan.spare);
    if (superseded) {
        inventory_find(r->inventory, r->newest.number)->needed = false;
        generations_drop_newest(&r->generations);
    }
    generations_add_segment(&r->generations, w->header.number, w->header.first_lsn, w->size);
    return DISK_OK;
}

enum disk_status recovery_restart(struct recovery *r, struct writer *w)
{
    CHECK(w->file == NULL && w->disk == r->options->disk);
    CHECK(r->proven_lsn <= r->last_lsn);
    enum disk_status status = DISK_OK;
    if (r->new_directory) status = make_directory(r, w);
    if (status == DISK_OK && r->newest.number == 0) {
        status = start_segment(r, w, NULL);
    } else if (status == DISK_OK) {
        struct scan s;
        const struct listed *f = inventory_find(r->inventory, r->newest.number);
        enum scan_open_result opened = scan_open(&s, w->disk, r->newest.number, f->size, &status);
        if (opened == SCAN_OPEN_OK) status = start_segment(r, w, &s);
        else if (status == DISK_OK) status = DISK_FAILED;
        if (opened != SCAN_OPEN_DISK) scan_close(&s);
    }
    if (status == DISK_OK) status = clear_leftovers(r);
    if (status != DISK_OK) disk_failed(r, "opening a new segment", status);
    return status;
}

void recovery_deinit(struct recovery *r)
{
    if (r->inventory == NULL) return;
    generations_deinit(&r->generations);
    memory_free(r->inventory->files, r->inventory->capacity * sizeof(struct listed));
    memory_free(r->inventory->snapshots,
                r->inventory->snapshots_capacity * sizeof(struct listed_snapshot));
    memory_free(r->inventory, sizeof(*r->inventory));
    r->inventory = NULL;
}
