#include "check/listing.h"

#include "base/memory.h"
#include "wal/scan.h"

#include <inttypes.h>
#include <stdlib.h>

struct file {
    char name[DISK_NAME_MAX + 1];
    uint64_t size;
    bool is_log;
    bool is_spare;
    uint64_t number;
};

struct files {
    struct file *items; /* sorted: segments by number, then the others by name */
    size_t count;
    size_t capacity;
};

static void visit_file(void *context, struct slice name, uint64_t size)
{
    struct files *files = context;
    struct file f = {.size = size};
    enum segment_kind kind;
    if (name.size > DISK_NAME_MAX) return; /* none of ours */
    memcpy(f.name, name.data, name.size);
    bool ours = segment_parse_name(name, &kind, &f.number);
    f.is_log = ours && kind == SEGMENT_LOG;
    f.is_spare = ours && kind == SEGMENT_SPARE;
    if (files->count == files->capacity) {
        size_t capacity = files->capacity == 0 ? 64 : files->capacity * 2;
        files->items =
            memory_resize(files->items, files->capacity * sizeof(f), capacity * sizeof(f));
        files->capacity = capacity;
    }
    files->items[files->count++] = f;
}

static int compare_files(const void *a, const void *b)
{
    const struct file *x = a;
    const struct file *y = b;
    if (x->is_log != y->is_log) return x->is_log ? -1 : 1;
    if (x->is_log) return x->number < y->number ? -1 : x->number > y->number;
    return strcmp(x->name, y->name);
}

static void show_batch(struct output *out, const struct batch_header *h)
{
    if (out->json) {
        output_open(out, NULL, '{');
        output_number(out, "offset", h->offset);
        output_number(out, "bytes", h->size);
        output_number(out, "frames", h->count);
        output_number(out, "first_lsn", h->first_lsn);
        output_number(out, "last_lsn", batch_last_lsn(h));
        output_number(out, "synced_lsn", h->synced_lsn);
        output_close(out, '}');
        return;
    }
    output_text(out, "  offset %-10" PRIu64 " bytes %-9" PRIu64, h->offset, h->size);
    if (h->count == 0) output_text(out, " marker");
    else
        output_text(out, " LSN %" PRIu64 " to %" PRIu64 " (%" PRIu32 " frames)", h->first_lsn,
                    batch_last_lsn(h), h->count);
    output_text(out, ", synced up to %" PRIu64 "\n", h->synced_lsn);
}

/* The role that the manifest gives a segment. */
static const char *role_of(const struct examination *x, const struct segment_header *h)
{
    const struct manifest *m = &x->recovery.manifest;
    if (!examine_has_manifest(x)) return "no manifest";
    if (h->node_id != m->node_id) return "of another directory";
    if (h->number < m->oldest) return "before the log";
    if (h->number > m->newest) return "never in use";
    return h->number == m->newest ? "newest" : "log";
}

static void show_header(struct output *out, const struct segment_header *h, const char *role)
{
    if (out->json) {
        output_string(out, "role", slice_of(role));
        output_number(out, "number", h->number);
        output_number(out, "previous_number", h->previous_number);
        output_number(out, "epoch", h->epoch);
        output_number(out, "first_lsn", h->first_lsn);
        output_open(out, "batches", '[');
        return;
    }
    output_text(out, ", %s: epoch %" PRIu64 ", after segment %" PRIu64 ", first LSN %" PRIu64 "\n",
                role, h->epoch, h->previous_number, h->first_lsn);
}

static void show_end(struct output *out, const struct scan *s, enum disk_status status)
{
    if (out->json) {
        output_close(out, ']');
        output_number(out, "end_offset", s->offset);
        output_string(out, "status", slice_of(disk_status_text(status)));
        return;
    }
    if (status != DISK_OK) output_text(out, "  cannot be read on: %s\n", disk_status_text(status));
    output_text(out, "  no further batch at offset %" PRIu64 "\n", s->offset);
}

static void show_batches(const struct examination *x, struct scan *s, struct output *out)
{
    struct batch_header h;
    struct slice batch;
    enum disk_status status = DISK_OK;
    show_header(out, &s->header, role_of(x, &s->header));
    while (scan_next(s, &h, &batch, &status) == SCAN_BATCH) show_batch(out, &h);
    show_end(out, s, status);
}

static void show_problem(struct output *out, const char *problem)
{
    if (out->json) output_string(out, "problem", slice_of(problem));
    else output_text(out, ", %s\n", problem);
}

static void show_segment(const struct examination *x, const struct file *f, struct output *out)
{
    struct scan s;
    enum disk_status status;
    switch (scan_open(&s, x->options.disk, f->number, f->size, &status)) {
    case SCAN_OPEN_OK: show_batches(x, &s, out); break;
    case SCAN_OPEN_INVALID: show_problem(out, "no valid header"); break;
    case SCAN_OPEN_NEWER: show_problem(out, "written by a newer version"); break;
    case SCAN_OPEN_DISK: show_problem(out, disk_status_text(status)); return;
    }
    scan_close(&s);
}

static void show_role(struct output *out, const char *role)
{
    if (out->json) output_string(out, "role", slice_of(role));
    else output_text(out, ", %s\n", role);
}

/* What a file held before it began to wait. */
static void show_spare(const struct examination *x, const struct file *f, struct output *out)
{
    struct segment_reader r;
    struct segment_header h;
    enum segment_verdict verdict = SEGMENT_INVALID;
    bool used = false;
    enum disk_status status = segment_reader_open(&r, x->options.disk, f->name, f->size);
    if (status == DISK_OK) status = segment_reader_header(&r, &h, &verdict);
    if (status == DISK_OK) status = segment_was_used(x->options.disk, r.file, &used);
    segment_reader_close(&r);
    if (status != DISK_OK) {
        show_problem(out, disk_status_text(status));
        return;
    }
    show_role(out, used ? "spare, recycled" : "spare, never used");
    if (verdict != SEGMENT_OK) return;
    if (out->json) output_number(out, "was_segment", h.number);
    else
        output_text(out, "  was segment %" PRIu64 ": epoch %" PRIu64 ", first LSN %" PRIu64 "\n",
                    h.number, h.epoch, h.first_lsn);
}

/* Files of another kind, and snapshots. */
static void show_other(const struct examination *x, const struct file *f, struct output *out)
{
    uint64_t number;
    bool whole;
    if (!snapshot_parse_name(slice_of(f->name), &number, &whole)) {
        if (!out->json) output_text(out, "\n");
        return;
    }
    const char *role = whole ? "snapshot, not named: a start removes it" : "snapshot, unfinished";
    for (size_t i = 0; whole && i < x->snapshots_count; i++)
        if (x->snapshots[i].said.number == number)
            role = i == 0 ? "snapshot, newest" : "snapshot, the one before it";
    show_role(out, role);
}

static void show_file(const struct examination *x, const struct file *f, struct output *out)
{
    if (out->json) {
        output_open(out, NULL, '{');
        output_string(out, "file", slice_of(f->name));
        output_number(out, "size", f->size);
    } else {
        output_text(out, "%s: %" PRIu64 " bytes", f->name, f->size);
    }
    if (f->is_log) show_segment(x, f, out);
    else if (f->is_spare) show_spare(x, f, out);
    else show_other(x, f, out);
    if (out->json) output_close(out, '}');
}

enum disk_status listing_show(const struct examination *x, struct output *out)
{
    struct files files = {0};
    struct disk *disk = x->options.disk;
    enum disk_status status = disk->operations->list(disk->context, visit_file, &files);
    if (files.count > 0) qsort(files.items, files.count, sizeof(*files.items), compare_files);
    if (out->json) output_open(out, "files", '[');
    for (size_t i = 0; i < files.count; i++) show_file(x, &files.items[i], out);
    if (out->json) output_close(out, ']');
    memory_free(files.items, files.capacity * sizeof(*files.items));
    return status;
}
