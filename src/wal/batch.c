#include "wal/batch.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

enum {
    BATCH_MAGIC = 0x61427249, /* "IrBa" */
    BATCH_HASHED_FROM = 8,
    BATCH_HEADER_HASHED_FROM = 16,
};

static_assert(FRAME_BYTES_MAX <= UINT32_MAX, "a frame's size fits in its four bytes");

uint64_t batch_padded_size(uint64_t size)
{
    CHECK(size <= UINT64_MAX - DISK_BLOCK_BYTES);
    return (size + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES * DISK_BLOCK_BYTES;
}

static uint64_t header_hash(const char *bytes, uint64_t salt)
{
    struct slice hashed = {bytes + BATCH_HEADER_HASHED_FROM,
                           BATCH_HEADER_BYTES - BATCH_HEADER_HASHED_FROM};
    return hash_bytes(hashed, salt);
}

static uint64_t batch_hash(struct slice batch, uint64_t salt)
{
    struct slice hashed = {batch.data + BATCH_HASHED_FROM, batch.size - BATCH_HASHED_FROM};
    return hash_bytes(hashed, salt);
}

/* A buffer of fixed size over memory that somebody else owns: appending within it never moves. */
static struct buf window(char *bytes, size_t size)
{
    return (struct buf){.data = bytes, .size = 0, .capacity = size};
}

void batch_seal(struct buf *b, struct batch_header *h, uint64_t salt)
{
    CHECK(b->size >= BATCH_HEADER_BYTES);
    CHECK(h->offset % DISK_BLOCK_BYTES == 0);
    CHECK(h->first_lsn > 0 && h->synced_lsn < h->first_lsn);
    h->size = b->size;
    size_t padding = (size_t)(batch_padded_size(b->size) - b->size);
    memset(buf_reserve(b, padding), 0, padding);
    buf_advance(b, padding);

    struct buf fields =
        window(b->data + BATCH_HEADER_HASHED_FROM, BATCH_HEADER_BYTES - BATCH_HEADER_HASHED_FROM);
    buf_append_u32(&fields, BATCH_MAGIC);
    buf_append_u32(&fields, h->count);
    buf_append_u64(&fields, h->size);
    buf_append_u64(&fields, h->first_lsn);
    buf_append_u64(&fields, h->synced_lsn);
    buf_append_u64(&fields, h->epoch);
    buf_append_u64(&fields, h->offset);
    buf_append_u64(&fields, h->previous_hash);
    CHECK(fields.size == fields.capacity);

    struct buf hashes = window(b->data, BATCH_HEADER_HASHED_FROM);
    hashes.size = BATCH_HASHED_FROM;
    buf_append_u64(&hashes, header_hash(b->data, salt));
    h->hash = batch_hash(buf_slice(b), salt);
    hashes.size = 0;
    buf_append_u64(&hashes, h->hash);
    CHECK(hashes.data == b->data);
}

bool batch_read_header(struct slice block, uint64_t salt, struct batch_header *h)
{
    if (block.size < BATCH_HEADER_BYTES) return false;
    struct reader r = {{block.data, BATCH_HEADER_BYTES}};
    h->hash = take_u64(&r);
    uint64_t hash_of_header = take_u64(&r);
    uint32_t magic = take_u32(&r);
    h->count = take_u32(&r);
    h->size = take_u64(&r);
    h->first_lsn = take_u64(&r);
    h->synced_lsn = take_u64(&r);
    h->epoch = take_u64(&r);
    h->offset = take_u64(&r);
    h->previous_hash = take_u64(&r);
    CHECK(r.rest.size == 0);
    return magic == BATCH_MAGIC && hash_of_header == header_hash(block.data, salt);
}

bool batch_whole(struct slice batch, const struct batch_header *h, uint64_t salt)
{
    CHECK(batch.size >= BATCH_HEADER_BYTES);
    CHECK(batch.size == batch_padded_size(h->size));
    return batch_hash(batch, salt) == h->hash;
}

struct reader batch_frames(struct slice batch, const struct batch_header *h)
{
    CHECK(h->size >= BATCH_HEADER_BYTES && h->size <= batch.size);
    return (struct reader){{batch.data + BATCH_HEADER_BYTES, (size_t)h->size - BATCH_HEADER_BYTES}};
}

bool batch_next_frame(struct reader *frames, struct slice *frame)
{
    struct reader before = *frames;
    uint32_t size;
    if (!read_u32(frames, &size)) return false;
    if (size > frames->rest.size) {
        *frames = before;
        return false;
    }
    *frame = (struct slice){frames->rest.data, size};
    frames->rest.data += size;
    frames->rest.size -= size;
    return true;
}

bool batch_frames_ok(struct slice batch, const struct batch_header *h)
{
    struct reader frames = batch_frames(batch, h);
    struct slice frame;
    for (uint32_t i = 0; i < h->count; i++)
        if (!batch_next_frame(&frames, &frame)) return false;
    return frames.rest.size == 0;
}
