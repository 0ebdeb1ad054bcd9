/* snapshot_write.c - items into blocks on the event loop; blocks into the file on another thread.
 *
 *   event loop                              any one thread              event loop
 *   snapshot_put ... -> fill  --begin: whole blocks swapped--> job.blocks --written--> end
 *
 * The last block of 'fill' is open; only finishing takes it along. */
#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "wal/snapshot_format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    JOB_BYTES_MIN = 4 * SNAPSHOT_BLOCK_BYTES, /* worth a write */
    SYNC_BYTES = 16 * 1024 * 1024,            /* so that the last sync is a short one */
    NUMBER_DIGITS = 16,
};

static_assert(SNAPSHOT_ITEM_BYTES_MAX + 1 + VARINT_BYTES_MAX <= SNAPSHOT_PAYLOAD_BYTES,
              "an item fits in a block");

struct snapshot_job {
    struct snapshot_writer *writer;
    struct buf blocks;
    bool finishing;
    enum disk_status status;
};

struct snapshot_writer {
    struct disk *disk;
    struct snapshot_header header;

    /* The event loop's: */
    struct buf fill;
    size_t block_start; /* of the open block in 'fill' */
    lsn_t from_lsn;
    lsn_t last_lsn;
    bool finished; /* nothing more is put */
    bool running;  /* a job is under way */
    bool ended;    /* whole, or failed */
    uint64_t written_bytes;
    struct snapshot_job job;

    /* Of whoever runs the job: */
    struct disk_file *file;
    uint64_t offset;
    uint64_t synced_offset;
    uint64_t blocks;
    uint64_t chain_hash;
};

/* ---- names ---- */

struct snapshot_name snapshot_name(uint64_t number, bool whole)
{
    struct snapshot_name name;
    int size = snprintf(name.text, sizeof name.text, "%ssnapshot-%0*" PRIu64, whole ? "" : "new-",
                        NUMBER_DIGITS, number);
    CHECK(size > 0 && (size_t)size < sizeof name.text);
    return name;
}

bool snapshot_parse_name(struct slice name, uint64_t *number, bool *whole)
{
    static const struct slice prefixes[] = {{"snapshot-", 9}, {"new-snapshot-", 13}};
    for (size_t i = 0; i < 2; i++) {
        struct slice prefix = prefixes[i];
        if (name.size != prefix.size + NUMBER_DIGITS) continue;
        if (memcmp(name.data, prefix.data, prefix.size) != 0) continue;
        *number = 0;
        for (size_t j = prefix.size; j < name.size; j++) {
            if (name.data[j] < '0' || name.data[j] > '9') return false;
            *number = *number * 10 + (uint64_t)(name.data[j] - '0');
        }
        *whole = i == 0;
        return true;
    }
    return false;
}

/* ---- the event loop's side ---- */

static void open_block(struct snapshot_writer *w)
{
    w->block_start = w->fill.size;
    CHECK(w->block_start % SNAPSHOT_BLOCK_BYTES == 0);
    memset(buf_reserve(&w->fill, SNAPSHOT_BLOCK_BYTES), 0, SNAPSHOT_BLOCK_HEADER_BYTES);
    buf_advance(&w->fill, SNAPSHOT_BLOCK_HEADER_BYTES);
}

/* Writes how much of it is used; the rest is zeros. */
static void close_block(struct snapshot_writer *w)
{
    size_t used = w->fill.size - w->block_start - SNAPSHOT_BLOCK_HEADER_BYTES;
    size_t unused = SNAPSHOT_PAYLOAD_BYTES - used;
    CHECK(used <= SNAPSHOT_PAYLOAD_BYTES);
    snapshot_set_used(w->fill.data + w->block_start, (uint32_t)used);
    memset(buf_reserve(&w->fill, unused), 0, unused);
    buf_advance(&w->fill, unused);
}

struct snapshot_writer *snapshot_writer_create(struct disk *disk, const struct snapshot_header *h)
{
    struct snapshot_writer *w = memory_allocate_zeroed(sizeof *w);
    w->disk = disk;
    w->header = *h;
    w->job.writer = w;
    open_block(w);
    return w;
}

static void drop_file(struct snapshot_writer *w)
{
    struct snapshot_name name = snapshot_name(w->header.number, false);
    CHECK(w->file != NULL);
    w->disk->operations->close(w->disk->context, w->file);
    w->file = NULL;
    (void)w->disk->operations->remove(w->disk->context, name.text);
}

void snapshot_writer_destroy(struct snapshot_writer *w)
{
    CHECK(!w->running);
    if (w->file != NULL) drop_file(w);
    buf_deinit(&w->fill);
    buf_deinit(&w->job.blocks);
    memory_free(w, sizeof *w);
}

void snapshot_put(struct snapshot_writer *w, uint8_t kind, struct slice head, struct slice body)
{
    size_t size = head.size + body.size;
    CHECK(!w->finished);
    CHECK(size <= SNAPSHOT_ITEM_BYTES_MAX);
    size_t end = w->block_start + SNAPSHOT_BLOCK_BYTES;
    if (end - w->fill.size < size + 1 + VARINT_BYTES_MAX) {
        close_block(w);
        open_block(w);
    }
    buf_append_byte(&w->fill, kind);
    buf_append_varint(&w->fill, size);
    buf_append(&w->fill, head);
    buf_append(&w->fill, body);
    CHECK(w->fill.size <= w->block_start + SNAPSHOT_BLOCK_BYTES);
}

size_t snapshot_staged_bytes(const struct snapshot_writer *w)
{
    return w->fill.size;
}

uint64_t snapshot_written_bytes(const struct snapshot_writer *w)
{
    return w->written_bytes;
}

void snapshot_finish(struct snapshot_writer *w, lsn_t from_lsn, lsn_t last_lsn)
{
    CHECK(!w->finished);
    CHECK(from_lsn > 0 && from_lsn <= last_lsn + 1);
    close_block(w);
    w->from_lsn = from_lsn;
    w->last_lsn = last_lsn;
    w->finished = true;
}

struct snapshot_job *snapshot_begin(struct snapshot_writer *w)
{
    struct snapshot_job *job = &w->job;
    if (w->running || w->ended) return NULL;
    size_t whole = w->finished ? w->fill.size : w->block_start;
    if (!w->finished && whole < JOB_BYTES_MIN) return NULL;
    struct buf empty = job->blocks;
    empty.size = 0;
    job->blocks = w->fill;
    w->fill = empty;
    buf_append(&w->fill, (struct slice){job->blocks.data + whole, job->blocks.size - whole});
    w->block_start = 0;
    job->blocks.size = whole;
    job->finishing = w->finished;
    job->status = DISK_OK;
    w->running = true;
    return job;
}

enum disk_status snapshot_end(struct snapshot_writer *w, struct snapshot_job *job, bool *whole,
                              struct wal_snapshot *s)
{
    CHECK(w->running && job == &w->job);
    w->running = false;
    w->written_bytes = w->offset;
    *whole = job->finishing && job->status == DISK_OK;
    w->ended = *whole || job->status != DISK_OK;
    if (*whole)
        *s = (struct wal_snapshot){.number = w->header.number,
                                   .from_lsn = w->from_lsn,
                                   .last_lsn = w->last_lsn,
                                   .bytes = w->offset,
                                   .hash = w->chain_hash,
                                   .created_ms = w->header.created_ms};
    return job->status;
}

/* ---- the job, on any one thread ---- */

static enum disk_status create_file(struct snapshot_writer *w)
{
    struct snapshot_name name = snapshot_name(w->header.number, false);
    enum disk_status status =
        w->disk->operations->open(w->disk->context, name.text, DISK_OPEN_CREATE, &w->file);
    if (status != DISK_OK) return status;
    char *block = memory_allocate_aligned(DISK_BLOCK_BYTES, SNAPSHOT_HEADER_BYTES);
    snapshot_write_header(block, &w->header);
    status = w->disk->operations->write(w->file, 0, (struct slice){block, SNAPSHOT_HEADER_BYTES});
    memory_free_aligned(block, DISK_BLOCK_BYTES, SNAPSHOT_HEADER_BYTES);
    w->offset = SNAPSHOT_HEADER_BYTES;
    w->chain_hash = w->header.hash;
    return status;
}

static enum disk_status write_blocks(struct snapshot_writer *w, struct buf *blocks)
{
    CHECK(blocks->size % SNAPSHOT_BLOCK_BYTES == 0);
    for (size_t at = 0; at < blocks->size; at += SNAPSHOT_BLOCK_BYTES)
        w->chain_hash =
            snapshot_seal_block(blocks->data + at, w->header.salt, w->blocks++, w->chain_hash);
    enum disk_status status = w->disk->operations->write(w->file, w->offset, buf_slice(blocks));
    if (status != DISK_OK) return status;
    w->offset += blocks->size;
    if (w->offset - w->synced_offset < SYNC_BYTES) return DISK_OK;
    w->synced_offset = w->offset;
    return w->disk->operations->sync(w->file);
}

static void append_footer(const struct snapshot_writer *w, struct buf *blocks)
{
    char *block = buf_reserve(blocks, SNAPSHOT_BLOCK_BYTES);
    struct snapshot_footer footer = {.blocks = w->blocks + blocks->size / SNAPSHOT_BLOCK_BYTES,
                                     .from_lsn = w->from_lsn,
                                     .last_lsn = w->last_lsn};
    snapshot_write_footer(block, &footer);
    buf_advance(blocks, SNAPSHOT_BLOCK_BYTES);
}

static enum disk_status name_file(struct snapshot_writer *w)
{
    const struct disk_operations *o = w->disk->operations;
    struct snapshot_name unfinished = snapshot_name(w->header.number, false);
    struct snapshot_name whole = snapshot_name(w->header.number, true);
    enum disk_status status = o->sync(w->file);
    o->close(w->disk->context, w->file);
    w->file = NULL;
    const char *name = unfinished.text;
    if (status == DISK_OK) status = o->rename(w->disk->context, name, whole.text);
    if (status == DISK_OK) {
        name = whole.text;
        status = o->sync_names(w->disk->context);
    }
    /* If it cannot be removed, the next start does. */
    if (status != DISK_OK) (void)o->remove(w->disk->context, name);
    return status;
}

void snapshot_run(struct snapshot_job *job)
{
    struct snapshot_writer *w = job->writer;
    CHECK(w->running && job->status == DISK_OK);
    if (w->file == NULL) job->status = create_file(w);
    if (job->finishing) append_footer(w, &job->blocks);
    if (job->status == DISK_OK) job->status = write_blocks(w, &job->blocks);
    if (job->status == DISK_OK && job->finishing) job->status = name_file(w);
    if (job->status != DISK_OK && w->file != NULL) drop_file(w);
}
