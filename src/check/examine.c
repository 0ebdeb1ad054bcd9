#include "check/examine.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"

#include <inttypes.h>

const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_CLEAN: return "clean";
    case VERDICT_TORN: return "torn";
    case VERDICT_CORRUPT: return "corrupt";
    case VERDICT_UNREADABLE: return "unreadable";
    }
    CHECK(false);
    return "";
}

/* As the server has them without configuration: they shape memory, not data. */
static const struct stream_block_limits stream_block_default = {4096, 100};

static void show_effect(struct examination *x, lsn_t lsn, const struct effect *e)
{
    struct output *out = x->dump.out;
    x->line.size = 0;
    effect_describe(e, &x->line);
    if (out->json) {
        output_open(out, NULL, '{');
        output_number(out, "lsn", lsn);
        output_string(out, "effect", buf_slice(&x->line));
        output_close(out, '}');
        return;
    }
    output_text(out, "%" PRIu64 " ", lsn);
    buf_append(&out->text, buf_slice(&x->line));
    output_text(out, "\n");
}

static bool visit(void *context, lsn_t lsn, struct slice frame)
{
    struct examination *x = context;
    struct reader in = {frame};
    struct effect e;
    bool shown = x->dump.out != NULL && lsn >= x->dump.from && lsn <= x->dump.to;
    while (in.rest.size > 0) {
        if (!effect_decode(&e, &in, x->store, &x->scratch)) return false;
        const struct effect_ops *ops = effect_ops_find((uint8_t)e.kind);
        if (shown) show_effect(x, lsn, &e);
        x->effects++;
        x->effects_of[ops - effect_table]++;
    }
    return !x->applying || replay_frame(&x->replay, lsn, frame);
}

/* Without rebuilding the data only the hashes of a snapshot are looked at. */
static bool take_block(void *context, struct slice items)
{
    (void)context;
    (void)items;
    return true;
}

static bool take_end(void *context, lsn_t from_lsn, lsn_t last_lsn)
{
    (void)context;
    return from_lsn <= last_lsn + 1;
}

static void forget(void *context)
{
    (void)context;
}

static struct wal_loader make_loader(struct examination *x)
{
    if (x->applying) return replay_loader(&x->replay);
    return (struct wal_loader){
        .context = x, .block = take_block, .end = take_end, .forget = forget};
}

static void judge(struct examination *x, enum wal_open_status status)
{
    const struct recovery *r = &x->recovery;
    switch (status) {
    case WAL_OPEN_OK:
        x->verdict = x->report.torn_bytes > 0 ? VERDICT_TORN : VERDICT_CLEAN;
        if (!r->new_directory) return;
        x->verdict = VERDICT_UNREADABLE;
        snprintf(x->problem, sizeof(x->problem), "there is no log: no file '%s' and no segment",
                 MANIFEST_NAME);
        return;
    case WAL_OPEN_REFUSED:
    case WAL_OPEN_CORRUPT: x->verdict = VERDICT_CORRUPT; break;
    case WAL_OPEN_NEWER:
    case WAL_OPEN_CANCELLED: /* nobody watches */
    case WAL_OPEN_DISK: x->verdict = VERDICT_UNREADABLE; break;
    }
    CHECK(x->report.problem[0] != '\0');
    snprintf(x->problem, sizeof(x->problem), "%s", x->report.problem);
}

/* ---- every snapshot, also those that a start would not read ---- */

struct wanted_file {
    const char *name;
    uint64_t size;
};

static void note_size(void *context, struct slice name, uint64_t size)
{
    struct wanted_file *wanted = context;
    if (slice_equal(name, slice_of(wanted->name))) wanted->size = size;
}

static void examine_snapshot(const struct examination *x, struct snapshot_finding *f)
{
    struct disk *disk = x->options.disk;
    struct snapshot_name name = snapshot_name(f->said.number, true);
    struct wanted_file wanted = {.name = name.text};
    struct wal_loader loader = {.block = take_block, .end = take_end, .forget = forget};
    (void)disk->operations->list(disk->context, note_size, &wanted);
    f->file_size = wanted.size;
    struct snapshot_source source = {.disk = disk,
                                     .node_id = x->recovery.manifest.node_id,
                                     .file_size = f->file_size,
                                     .expected = &f->said};
    f->verdict = snapshot_read(&source, &loader, f->problem, sizeof f->problem);
}

static void examine_snapshots(struct examination *x)
{
    const struct manifest *m = &x->recovery.manifest;
    if (!examine_has_manifest(x)) return;
    CHECK(m->snapshots_count <= MANIFEST_SNAPSHOTS_MAX);
    for (; x->snapshots_count < m->snapshots_count; x->snapshots_count++) {
        struct snapshot_finding *f = &x->snapshots[x->snapshots_count];
        f->said = m->snapshots[x->snapshots_count];
        examine_snapshot(x, f);
    }
}

void examine(struct examination *x, const struct examine_options *options)
{
    CHECK(options->disk != NULL);
    CHECK(effect_table_count <= sizeof(x->effects_of) / sizeof(*x->effects_of));
    *x = (struct examination){
        .options = {.disk = options->disk, .segment_bytes = SEGMENT_BYTES},
        .dump = options->dump,
        .applying = options->applying,
        .store = store_create(value_types, TYPES_COUNT, 1),
    };
    x->recovery.report = &x->report;
    struct effect_target target = {x->store, stream_block_default};
    replay_init(&x->replay, &target);
    x->loader = make_loader(x);
    x->options.loader = &x->loader;
    judge(x, recovery_read(&x->recovery, &x->options, visit, x));
    examine_snapshots(x);
    for (unsigned database = 0; database < DATABASES_COUNT; database++)
        x->keys += store_count(x->store, database);
}

void examine_deinit(struct examination *x)
{
    recovery_deinit(&x->recovery);
    replay_deinit(&x->replay);
    store_destroy(x->store);
    buf_deinit(&x->scratch.bytes);
    buf_deinit(&x->line);
}

bool examine_has_manifest(const struct examination *x)
{
    return x->recovery.manifest.node_id != 0;
}

enum disk_status examine_cut(const struct examination *x)
{
    const struct recovery *r = &x->recovery;
    struct disk *disk = x->options.disk;
    CHECK(x->verdict == VERDICT_TORN);
    CHECK(r->end_offset % DISK_BLOCK_BYTES == 0 && r->end_offset > 0);
    CHECK(x->report.torn_bytes <= r->newest_size - r->end_offset);
    struct segment_name name = segment_name(SEGMENT_LOG, r->newest.number);
    struct disk_file *file;
    enum disk_status status =
        disk->operations->open(disk->context, name.text, DISK_OPEN_WRITE, &file);
    if (status != DISK_OK) return status;
    char *zeros = memory_allocate_aligned(DISK_BLOCK_BYTES, DISK_BLOCK_BYTES);
    memset(zeros, 0, DISK_BLOCK_BYTES);
    /* From the end: a crash in between leaves a shorter tail, not a gap. */
    for (uint64_t left = x->report.torn_bytes; left > 0 && status == DISK_OK;) {
        left -= DISK_BLOCK_BYTES;
        status = disk->operations->write(file, r->end_offset + left,
                                         (struct slice){zeros, DISK_BLOCK_BYTES});
    }
    if (status == DISK_OK) status = disk->operations->sync(file);
    memory_free_aligned(zeros, DISK_BLOCK_BYTES, DISK_BLOCK_BYTES);
    disk->operations->close(disk->context, file);
    return status;
}
