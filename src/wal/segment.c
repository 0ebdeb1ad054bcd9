#include "wal/segment.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>

#define SEGMENT_MAGIC 0x676f4c6b616d7249u /* "IrmakLog" */

enum {
    SEGMENT_HASHED_FROM = 8,
    SEGMENT_NUMBER_DIGITS = 16,
    WINDOW_BYTES = 4 * 1024 * 1024,
    FILL_BYTES = 1024 * 1024,
};

static const struct slice prefixes[SEGMENT_KINDS_COUNT] = {
    [SEGMENT_LOG] = {"log-", 4},
    [SEGMENT_SPARE] = {"spare-", 6},
    [SEGMENT_NEW] = {"new-", 4},
};

/* ---- names ---- */

struct segment_name segment_name(enum segment_kind kind, uint64_t number)
{
    CHECK(kind < SEGMENT_KINDS_COUNT);
    struct segment_name name;
    int size = snprintf(name.text, sizeof(name.text), "%s%0*" PRIu64, prefixes[kind].data,
                        SEGMENT_NUMBER_DIGITS, number);
    CHECK(size > 0 && (size_t)size < sizeof(name.text));
    return name;
}

bool segment_parse_name(struct slice name, enum segment_kind *kind, uint64_t *number)
{
    for (int i = 0; i < SEGMENT_KINDS_COUNT; i++) {
        struct slice prefix = prefixes[i];
        if (name.size != prefix.size + SEGMENT_NUMBER_DIGITS) continue;
        if (memcmp(name.data, prefix.data, prefix.size) != 0) continue;
        uint64_t value = 0;
        for (size_t j = prefix.size; j < name.size; j++) {
            if (name.data[j] < '0' || name.data[j] > '9') return false;
            value = value * 10 + (uint64_t)(name.data[j] - '0');
        }
        *kind = (enum segment_kind)i;
        *number = value;
        return true;
    }
    return false;
}

/* ---- header ---- */

static uint64_t header_hash(const char *block)
{
    struct slice hashed = {block + SEGMENT_HASHED_FROM, SEGMENT_HEADER_BYTES - SEGMENT_HASHED_FROM};
    return hash_bytes(hashed, 0);
}

void segment_write_header(char block[SEGMENT_HEADER_BYTES], struct segment_header *h)
{
    CHECK(h->number > h->previous_number);
    CHECK(h->first_lsn > 0);
    memset(block, 0, SEGMENT_HEADER_BYTES);
    struct buf fields = {
        .data = block, .size = SEGMENT_HASHED_FROM, .capacity = SEGMENT_HEADER_BYTES};
    buf_append_u64(&fields, SEGMENT_MAGIC);
    buf_append_u32(&fields, SEGMENT_VERSION);
    buf_append_u32(&fields, DISK_BLOCK_BYTES);
    buf_append_u64(&fields, h->node_id);
    buf_append_u64(&fields, h->number);
    buf_append_u64(&fields, h->previous_number);
    buf_append_u64(&fields, h->salt);
    buf_append_u64(&fields, h->first_lsn);
    buf_append_u64(&fields, h->epoch);
    buf_append_u64(&fields, h->previous_hash);
    buf_append_u64(&fields, h->recycled ? 1 : 0);
    h->hash = header_hash(block);
    fields.size = 0;
    buf_append_u64(&fields, h->hash);
    CHECK(fields.data == block);
}

enum segment_verdict segment_read_header(const char block[SEGMENT_HEADER_BYTES],
                                         struct segment_header *h)
{
    struct reader r = {{block, SEGMENT_HEADER_BYTES}};
    h->hash = take_u64(&r);
    uint64_t magic = take_u64(&r);
    uint32_t version = take_u32(&r), block_size = take_u32(&r);
    h->node_id = take_u64(&r);
    h->number = take_u64(&r);
    h->previous_number = take_u64(&r);
    h->salt = take_u64(&r);
    h->first_lsn = take_u64(&r);
    h->epoch = take_u64(&r);
    h->previous_hash = take_u64(&r);
    uint64_t recycled = take_u64(&r);
    h->recycled = recycled != 0;
    if (magic != SEGMENT_MAGIC || h->hash != header_hash(block)) return SEGMENT_INVALID;
    if (version > SEGMENT_VERSION) return SEGMENT_NEWER;
    if (version != SEGMENT_VERSION || block_size != DISK_BLOCK_BYTES) return SEGMENT_INVALID;
    if (h->previous_number >= h->number || h->first_lsn == 0) return SEGMENT_INVALID;
    if (h->previous_number == 0 && h->first_lsn != 1) return SEGMENT_INVALID;
    if (recycled > 1) return SEGMENT_INVALID;
    return SEGMENT_OK;
}

/* ---- making ---- */

static enum disk_status fill(struct disk_file *file, const struct disk *disk, uint64_t size)
{
    size_t piece = size < FILL_BYTES ? (size_t)size : FILL_BYTES;
    char *zeros = memory_allocate_aligned(DISK_BLOCK_BYTES, piece);
    memset(zeros, 0, piece);
    enum disk_status status = DISK_OK;
    for (uint64_t offset = 0; offset < size && status == DISK_OK; offset += piece) {
        uint64_t left = size - offset;
        struct slice bytes = {zeros, left < piece ? (size_t)left : piece};
        status = disk->operations->write(file, offset, bytes);
    }
    memory_free_aligned(zeros, DISK_BLOCK_BYTES, piece);
    return status;
}

enum disk_status segment_make(struct disk *disk, const char *name, uint64_t size)
{
    CHECK(size > SEGMENT_HEADER_BYTES && size % DISK_BLOCK_BYTES == 0);
    const struct disk_operations *o = disk->operations;
    struct disk_file *file;
    enum disk_status status = o->open(disk->context, name, DISK_OPEN_CREATE, &file);
    if (status != DISK_OK) return status;
    status = fill(file, disk, size);
    if (status == DISK_OK) status = o->sync(file);
    o->close(disk->context, file);
    if (status != DISK_OK) (void)o->remove(disk->context, name);
    return status;
}

enum disk_status segment_make_spare(struct disk *disk, uint64_t number, uint64_t size)
{
    const struct disk_operations *o = disk->operations;
    struct segment_name unfinished = segment_name(SEGMENT_NEW, number);
    struct segment_name finished = segment_name(SEGMENT_SPARE, number);
    enum disk_status status = segment_make(disk, unfinished.text, size);
    if (status != DISK_OK) return status;
    const char *name = unfinished.text;
    status = o->rename(disk->context, name, finished.text);
    if (status == DISK_OK) {
        name = finished.text;
        status = o->sync_names(disk->context);
    }
    if (status != DISK_OK) (void)o->remove(disk->context, name);
    return status;
}

/* The new name is on stable storage before anybody may overwrite the header under it. */
enum disk_status segment_recycle(struct disk *disk, const char *name, uint64_t number)
{
    const struct disk_operations *o = disk->operations;
    struct segment_name spare = segment_name(SEGMENT_SPARE, number);
    CHECK(number > 0);
    enum disk_status status = o->rename(disk->context, name, spare.text);
    if (status == DISK_OK) status = o->sync_names(disk->context);
    return status;
}

enum disk_status segment_was_used(struct disk *disk, struct disk_file *file, bool *used)
{
    char *block = memory_allocate_aligned(DISK_BLOCK_BYTES, SEGMENT_HEADER_BYTES);
    size_t size = 0;
    enum disk_status status = disk->operations->read(file, 0, block, SEGMENT_HEADER_BYTES, &size);
    *used = size < SEGMENT_HEADER_BYTES || block[0] != 0 ||
            memcmp(block, block + 1, SEGMENT_HEADER_BYTES - 1) != 0;
    memory_free_aligned(block, DISK_BLOCK_BYTES, SEGMENT_HEADER_BYTES);
    return status;
}

/* ---- reading ---- */

enum disk_status segment_reader_open(struct segment_reader *r, struct disk *disk, const char *name,
                                     uint64_t file_size)
{
    *r = (struct segment_reader){.disk = disk};
    enum disk_status status = disk->operations->open(disk->context, name, DISK_OPEN_READ, &r->file);
    if (status != DISK_OK) return status;
    r->size = file_size / DISK_BLOCK_BYTES * DISK_BLOCK_BYTES;
    return DISK_OK;
}

void segment_reader_close(struct segment_reader *r)
{
    if (r->file != NULL) r->disk->operations->close(r->disk->context, r->file);
    if (r->window != NULL) memory_free_aligned(r->window, DISK_BLOCK_BYTES, r->window_capacity);
    *r = (struct segment_reader){0};
}

enum disk_status segment_reader_header(struct segment_reader *r, struct segment_header *h,
                                       enum segment_verdict *verdict)
{
    CHECK(r->file != NULL);
    char *block = memory_allocate_aligned(DISK_BLOCK_BYTES, SEGMENT_HEADER_BYTES);
    size_t size = 0;
    enum disk_status status =
        r->disk->operations->read(r->file, 0, block, SEGMENT_HEADER_BYTES, &size);
    *verdict = SEGMENT_INVALID;
    if (status == DISK_OK && size == SEGMENT_HEADER_BYTES) *verdict = segment_read_header(block, h);
    memory_free_aligned(block, DISK_BLOCK_BYTES, SEGMENT_HEADER_BYTES);
    return status;
}

/* A window that holds at least 'size' bytes, and no more than the file has. */
static void widen(struct segment_reader *r, uint64_t size)
{
    uint64_t wanted = size > WINDOW_BYTES ? size : WINDOW_BYTES;
    if (wanted > r->size) wanted = r->size;
    CHECK(wanted % DISK_BLOCK_BYTES == 0);
    if (wanted <= r->window_capacity) return;
    if (r->window != NULL) memory_free_aligned(r->window, DISK_BLOCK_BYTES, r->window_capacity);
    r->window = memory_allocate_aligned(DISK_BLOCK_BYTES, (size_t)wanted);
    r->window_capacity = (size_t)wanted;
    r->window_size = 0;
}

enum disk_status segment_reader_at(struct segment_reader *r, uint64_t offset, uint64_t size,
                                   struct slice *bytes)
{
    CHECK(offset % DISK_BLOCK_BYTES == 0);
    CHECK(size % DISK_BLOCK_BYTES == 0);
    *bytes = (struct slice){NULL, 0};
    if (offset >= r->size || size == 0) return DISK_OK;
    if (size > r->size - offset) size = r->size - offset;
    uint64_t end = r->window_offset + r->window_size;
    if (r->window_size == 0 || offset < r->window_offset || offset + size > end) {
        widen(r, size);
        uint64_t left = r->size - offset;
        size_t wanted = left < r->window_capacity ? (size_t)left : r->window_capacity;
        size_t got = 0;
        r->window_size = 0;
        enum disk_status status =
            r->disk->operations->read(r->file, offset, r->window, wanted, &got);
        if (status != DISK_OK) return status;
        CHECK(got <= wanted);
        r->window_offset = offset;
        r->window_size = got;
        end = offset + got;
    }
    uint64_t available = end - offset;
    *bytes = (struct slice){r->window + (offset - r->window_offset),
                            (size_t)(available < size ? available : size)};
    return DISK_OK;
}
