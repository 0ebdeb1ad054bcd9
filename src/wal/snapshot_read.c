/* snapshot_read.c - the blocks of a snapshot, each given on only after its hash held. */
#include "base/check.h"
#include "base/limits.h"
#include "wal/segment.h"
#include "wal/snapshot_format.h"

#include <inttypes.h>
#include <stdio.h>

#define PROGRESS_NS UINT64_C(1000000000)

struct reading {
    const struct snapshot_source *source;
    const struct wal_loader *loader;
    struct segment_reader file;
    struct snapshot_header header;
    uint64_t chain_hash;
    uint64_t began_ns;
    uint64_t said_ns;
};

static void say_progress(struct reading *r, uint64_t offset)
{
    const struct disk *disk = r->source->disk;
    uint64_t now_ns = disk->operations->now_ns(disk->context);
    if (now_ns - r->said_ns < PROGRESS_NS) return;
    r->said_ns = now_ns;
    uint64_t speed = offset * 1000 / ((now_ns - r->began_ns) / 1000000);
    trace_write(r->source->trace, TRACE_NOTICE,
                "snapshot %" PRIu64 ": %" PRIu64 " of %" PRIu64 " MiB read (%" PRIu64
                " %%), %" PRIu64 " MiB/s, about %" PRIu64 " s left",
                r->header.number, offset / MIB, r->file.size / MIB, offset * 100 / r->file.size,
                speed / MIB, speed == 0 ? 0 : (r->file.size - offset) / speed);
}

/* Each returns what is wrong, NULL if nothing is. */
static const char *read_header(struct reading *r, enum snapshot_verdict *verdict)
{
    const struct wal_snapshot *expected = r->source->expected;
    struct slice block;
    if (segment_reader_at(&r->file, 0, SNAPSHOT_HEADER_BYTES, &block) != DISK_OK) {
        *verdict = SNAPSHOT_UNREADABLE;
        return "it cannot be read";
    }
    if (block.size < SNAPSHOT_HEADER_BYTES) return "it is cut";
    *verdict = snapshot_read_header(block.data, &r->header);
    if (*verdict == SNAPSHOT_NEWER) return "it was written by a newer version";
    if (*verdict != SNAPSHOT_OK) return "its header is damaged";
    if (r->header.node_id != r->source->node_id) return "it belongs to another directory";
    if (r->header.number != expected->number) return "it has another number";
    r->chain_hash = r->header.hash;
    return NULL;
}

static const char *read_footer(struct reading *r, const char *block, uint64_t number)
{
    const struct wal_snapshot *expected = r->source->expected;
    struct snapshot_footer footer;
    if (!snapshot_read_footer(block, &footer)) return "its footer is damaged";
    if (footer.blocks != number || footer.from_lsn != expected->from_lsn ||
        footer.last_lsn != expected->last_lsn || r->chain_hash != expected->hash)
        return "it is not the one that the manifest names";
    if (!r->loader->end(r->loader->context, footer.from_lsn, footer.last_lsn))
        return "it contradicts itself at its end";
    return NULL;
}

static bool go_on(const struct reading *r, uint64_t offset)
{
    const struct wal_observer *o = r->source->observer;
    return o == NULL || o->progress(o->context, offset, r->source->bytes_total);
}

static const char *read_blocks(struct reading *r, enum snapshot_verdict *verdict)
{
    *verdict = SNAPSHOT_INVALID;
    uint64_t offset = SNAPSHOT_HEADER_BYTES;
    for (uint64_t number = 0;; number++) { /* each step moves on in the file */
        struct slice block, items;
        if (segment_reader_at(&r->file, offset, SNAPSHOT_BLOCK_BYTES, &block) != DISK_OK) {
            *verdict = SNAPSHOT_UNREADABLE;
            return "it cannot be read";
        }
        if (block.size < SNAPSHOT_BLOCK_BYTES) return "it is cut";
        if (!snapshot_read_block(block.data, r->header.salt, number, &r->chain_hash))
            return "a block of it is damaged";
        offset += SNAPSHOT_BLOCK_BYTES;
        if (offset == r->file.size) return read_footer(r, block.data, number);
        if (!snapshot_block_items(block.data, &items)) return "it ends before its end";
        if (!r->loader->block(r->loader->context, items)) return "it contradicts itself";
        say_progress(r, offset);
        if (go_on(r, offset)) continue;
        *verdict = SNAPSHOT_CANCELLED;
        return "reading it was given up";
    }
}

enum snapshot_verdict snapshot_read(const struct snapshot_source *source,
                                    const struct wal_loader *loader, char *problem,
                                    size_t problem_size)
{
    struct snapshot_name name = snapshot_name(source->expected->number, true);
    struct reading r = {.source = source, .loader = loader};
    enum snapshot_verdict verdict = SNAPSHOT_INVALID;
    const char *wrong = NULL;
    CHECK(loader != NULL && source->expected->number > 0);
    r.began_ns = r.said_ns = source->disk->operations->now_ns(source->disk->context);
    if (source->file_size != source->expected->bytes) wrong = "it is missing or has another size";
    if (wrong == NULL &&
        segment_reader_open(&r.file, source->disk, name.text, source->file_size) != DISK_OK) {
        verdict = SNAPSHOT_UNREADABLE;
        wrong = "it cannot be opened";
    }
    if (wrong == NULL) wrong = read_header(&r, &verdict);
    if (wrong == NULL) wrong = read_blocks(&r, &verdict);
    segment_reader_close(&r.file);
    if (wrong == NULL) return SNAPSHOT_OK;
    loader->forget(loader->context);
    snprintf(problem, problem_size, "%s cannot be used: %s", name.text, wrong);
    return verdict == SNAPSHOT_OK ? SNAPSHOT_INVALID : verdict;
}
