#include "wal/writer.h"

#include "base/check.h"
#include "base/memory.h"

struct segment_plan writer_next_plan(const struct writer *w, lsn_t first_lsn, uint64_t batch_bytes)
{
    CHECK(w->file != NULL);
    CHECK(first_lsn >= w->header.first_lsn);
    struct segment_plan plan = {
        .manifest = w->manifest,
        .previous_number = w->header.number,
        .previous_hash = w->chain_hash,
        .first_lsn = first_lsn,
        .batch_bytes = batch_bytes,
    };
    plan.manifest.newest = w->header.number + 1;
    plan.manifest.synced_lsn = first_lsn - 1;
    return plan;
}

bool writer_fits(const struct writer *w, uint64_t batch_bytes)
{
    return w->file != NULL && batch_bytes <= w->size - w->offset;
}

/* A batch that no common segment can hold gets a segment of its own, sized for it. */
static uint64_t planned_size(const struct writer *w, const struct segment_plan *plan)
{
    uint64_t needed = SEGMENT_HEADER_BYTES + plan->batch_bytes;
    uint64_t common = w->segment_bytes;
    if (plan->small && common > SEGMENT_SMALL_BYTES) common = SEGMENT_SMALL_BYTES;
    return needed > common ? needed : common;
}

bool writer_takes_spare(const struct writer *w, const struct segment_plan *plan)
{
    return plan->spare != 0 && planned_size(w, plan) == w->segment_bytes;
}

static enum disk_status write_header(struct writer *w)
{
    char *block = memory_allocate_aligned(DISK_BLOCK_BYTES, SEGMENT_HEADER_BYTES);
    segment_write_header(block, &w->header);
    enum disk_status status =
        w->disk->operations->write(w->file, 0, (struct slice){block, SEGMENT_HEADER_BYTES});
    memory_free_aligned(block, DISK_BLOCK_BYTES, SEGMENT_HEADER_BYTES);
    return status;
}

/* Steps 1 and 2: all that may find the disk full. */
static enum disk_status prepare_space(struct writer *w, const struct segment_plan *plan,
                                      struct segment_name *spare, bool *full)
{
    bool made = !writer_takes_spare(w, plan);
    enum disk_status status = DISK_OK;
    *spare =
        made ? segment_name(SEGMENT_NEW, plan->fresh) : segment_name(SEGMENT_SPARE, plan->spare);
    if (made) status = segment_make(w->disk, spare->text, planned_size(w, plan));
    if (status == DISK_OK) {
        status = manifest_prepare(w->disk, &plan->manifest);
        if (status == DISK_FULL && made)
            (void)w->disk->operations->remove(w->disk->context, spare->text);
    }
    *full = status == DISK_FULL;
    return status;
}

enum disk_status writer_prepare(struct writer *w, const struct segment_plan *plan, bool *full)
{
    CHECK(!w->unsynced);
    CHECK(plan->manifest.newest > w->header.number);
    struct segment_name spare;
    enum disk_status status = prepare_space(w, plan, &spare, full);
    if (status != DISK_OK) return status;

    const struct disk_operations *o = w->disk->operations;
    struct disk_file *file;
    bool recycled = true;
    status = o->open(w->disk->context, spare.text, DISK_OPEN_WRITE, &file);
    if (status != DISK_OK) return status;
    status = segment_was_used(w->disk, file, &recycled);
    if (w->file != NULL) o->close(w->disk->context, w->file);
    w->file = file;
    w->size = planned_size(w, plan);
    w->manifest = plan->manifest;
    w->header = (struct segment_header){
        .node_id = plan->manifest.node_id,
        .number = plan->manifest.newest,
        .previous_number = plan->previous_number,
        .salt = random_next(&w->random),
        .first_lsn = plan->first_lsn,
        .epoch = plan->manifest.epoch,
        .previous_hash = plan->previous_hash,
        .recycled = recycled,
    };
    if (status == DISK_OK) status = write_header(w);
    if (status != DISK_OK) return status;
    w->spare_name = spare;
    w->offset = SEGMENT_HEADER_BYTES;
    w->chain_hash = w->header.hash;
    w->unsynced = true;
    return DISK_OK;
}

enum disk_status writer_activate(struct writer *w)
{
    CHECK(w->file != NULL && w->unsynced);
    const struct disk_operations *o = w->disk->operations;
    struct segment_name name = segment_name(SEGMENT_LOG, w->header.number);
    enum disk_status status = writer_sync(w);
    if (status == DISK_OK) status = o->rename(w->disk->context, w->spare_name.text, name.text);
    if (status == DISK_OK) status = o->sync_names(w->disk->context);
    if (status == DISK_OK) status = manifest_switch(w->disk);
    return status;
}

enum disk_status writer_append(struct writer *w, struct buf *batch, struct batch_header *h)
{
    CHECK(writer_fits(w, batch_padded_size(batch->size)));
    CHECK(h->first_lsn >= w->header.first_lsn);
    h->epoch = w->header.epoch;
    h->offset = w->offset;
    h->previous_hash = w->chain_hash;
    batch_seal(batch, h, w->header.salt);
    w->unsynced = true;
    enum disk_status status = w->disk->operations->write(w->file, w->offset, buf_slice(batch));
    if (status != DISK_OK) return status;
    w->offset += batch->size;
    w->chain_hash = h->hash;
    CHECK(w->offset <= w->size);
    return DISK_OK;
}

enum disk_status writer_sync(struct writer *w)
{
    CHECK(w->file != NULL);
    const struct disk_operations *o = w->disk->operations;
    uint64_t before = o->now_ns(w->disk->context);
    enum disk_status status = o->sync(w->file);
    w->sync_ns = o->now_ns(w->disk->context) - before;
    if (status == DISK_OK) w->unsynced = false;
    return status;
}

void writer_close(struct writer *w)
{
    if (w->file != NULL) w->disk->operations->close(w->disk->context, w->file);
    w->file = NULL;
}
