#include "wal/snapshot_format.h"

#include "base/check.h"
#include "base/hash.h"

#define SNAPSHOT_MAGIC 0x616e536b616d7249u /* "IrmakSna" */
#define BLOCK_MAGIC    0x42537249u         /* "IrSB" */
#define FOOTER_MAGIC   0x46537249u         /* "IrSF" */

enum { HASHED_FROM = 8, FOOTER_BYTES = 24, FIELDS_AT = 8, SEALED_AT = 16 };

static uint64_t hash_of(const char *block, size_t size, uint64_t seed)
{
    return hash_bytes((struct slice){block + HASHED_FROM, size - HASHED_FROM}, seed);
}

static struct buf fields_at(char *block, size_t offset, size_t end)
{
    return (struct buf){.data = block, .size = offset, .capacity = end};
}

void snapshot_write_header(char block[SNAPSHOT_HEADER_BYTES], struct snapshot_header *h)
{
    CHECK(h->number > 0);
    memset(block, 0, SNAPSHOT_HEADER_BYTES);
    struct buf fields = fields_at(block, HASHED_FROM, SNAPSHOT_HEADER_BYTES);
    buf_append_u64(&fields, SNAPSHOT_MAGIC);
    buf_append_u32(&fields, SNAPSHOT_VERSION);
    buf_append_u32(&fields, SNAPSHOT_BLOCK_BYTES);
    buf_append_u64(&fields, h->node_id);
    buf_append_u64(&fields, h->number);
    buf_append_u64(&fields, h->salt);
    buf_append_u64(&fields, (uint64_t)h->created_ms);
    h->hash = hash_of(block, SNAPSHOT_HEADER_BYTES, 0);
    fields.size = 0;
    buf_append_u64(&fields, h->hash);
    CHECK(fields.data == block);
}

enum snapshot_verdict snapshot_read_header(const char block[SNAPSHOT_HEADER_BYTES],
                                           struct snapshot_header *h)
{
    struct reader r = {{block, SNAPSHOT_HEADER_BYTES}};
    h->hash = take_u64(&r);
    uint64_t magic = take_u64(&r);
    uint32_t version = take_u32(&r), block_bytes = take_u32(&r);
    h->node_id = take_u64(&r);
    h->number = take_u64(&r);
    h->salt = take_u64(&r);
    h->created_ms = (int64_t)take_u64(&r);
    if (magic != SNAPSHOT_MAGIC || h->hash != hash_of(block, SNAPSHOT_HEADER_BYTES, 0))
        return SNAPSHOT_INVALID;
    if (version > SNAPSHOT_VERSION) return SNAPSHOT_NEWER;
    if (version != SNAPSHOT_VERSION || block_bytes != SNAPSHOT_BLOCK_BYTES) return SNAPSHOT_INVALID;
    return SNAPSHOT_OK;
}

static void set_kind(char *block, uint32_t magic, uint32_t used)
{
    CHECK(used <= SNAPSHOT_PAYLOAD_BYTES);
    struct buf fields = fields_at(block, FIELDS_AT, SEALED_AT);
    buf_append_u32(&fields, magic);
    buf_append_u32(&fields, used);
    CHECK(fields.data == block);
}

void snapshot_set_used(char block[SNAPSHOT_BLOCK_BYTES], uint32_t used)
{
    set_kind(block, BLOCK_MAGIC, used);
}

void snapshot_write_footer(char block[SNAPSHOT_BLOCK_BYTES], const struct snapshot_footer *f)
{
    memset(block, 0, SNAPSHOT_BLOCK_BYTES);
    set_kind(block, FOOTER_MAGIC, FOOTER_BYTES);
    struct buf fields = fields_at(block, SNAPSHOT_BLOCK_HEADER_BYTES, SNAPSHOT_BLOCK_BYTES);
    buf_append_u64(&fields, f->blocks);
    buf_append_u64(&fields, f->from_lsn);
    buf_append_u64(&fields, f->last_lsn);
    CHECK(fields.data == block);
}

static bool is_of_kind(const char *block, uint32_t magic, uint32_t *used)
{
    struct reader r = {{block + FIELDS_AT, SEALED_AT - FIELDS_AT}};
    uint32_t stated = take_u32(&r);
    *used = take_u32(&r);
    return stated == magic && *used <= SNAPSHOT_PAYLOAD_BYTES;
}

bool snapshot_read_footer(const char block[SNAPSHOT_BLOCK_BYTES], struct snapshot_footer *f)
{
    uint32_t used;
    if (!is_of_kind(block, FOOTER_MAGIC, &used) || used != FOOTER_BYTES) return false;
    struct reader r = {{block + SNAPSHOT_BLOCK_HEADER_BYTES, FOOTER_BYTES}};
    f->blocks = take_u64(&r);
    f->from_lsn = take_u64(&r);
    f->last_lsn = take_u64(&r);
    return true;
}

uint64_t snapshot_seal_block(char block[SNAPSHOT_BLOCK_BYTES], uint64_t salt, uint64_t number,
                             uint64_t previous_hash)
{
    struct buf fields = fields_at(block, SEALED_AT, SNAPSHOT_BLOCK_HEADER_BYTES);
    buf_append_u64(&fields, number);
    buf_append_u64(&fields, previous_hash);
    uint64_t hash = hash_of(block, SNAPSHOT_BLOCK_BYTES, salt);
    fields.size = 0;
    buf_append_u64(&fields, hash);
    CHECK(fields.data == block);
    return hash;
}

bool snapshot_read_block(const char block[SNAPSHOT_BLOCK_BYTES], uint64_t salt, uint64_t number,
                         uint64_t *chain_hash)
{
    struct reader r = {{block, SNAPSHOT_BLOCK_HEADER_BYTES}};
    uint64_t hash = take_u64(&r);
    (void)take_u64(&r); /* its kind */
    uint64_t stated = take_u64(&r), previous_hash = take_u64(&r);
    if (hash != hash_of(block, SNAPSHOT_BLOCK_BYTES, salt)) return false;
    if (stated != number || previous_hash != *chain_hash) return false;
    *chain_hash = hash;
    return true;
}

bool snapshot_block_items(const char block[SNAPSHOT_BLOCK_BYTES], struct slice *items)
{
    uint32_t used;
    if (!is_of_kind(block, BLOCK_MAGIC, &used)) return false;
    *items = (struct slice){block + SNAPSHOT_BLOCK_HEADER_BYTES, used};
    return true;
}
