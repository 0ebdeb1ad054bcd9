#include "wal/manifest.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"

#define MANIFEST_MAGIC 0x6e614d6b616d7249u /* "IrmakMan" */

enum { MANIFEST_HASHED_FROM = 8, MANIFEST_VERSION_FIRST = 1 };

static uint64_t manifest_hash(const char *block)
{
    struct slice hashed = {block + MANIFEST_HASHED_FROM, MANIFEST_BYTES - MANIFEST_HASHED_FROM};
    return hash_bytes(hashed, 0);
}

static void append_snapshot(struct buf *fields, const struct wal_snapshot *s)
{
    buf_append_u64(fields, s->number);
    buf_append_u64(fields, s->from_lsn);
    buf_append_u64(fields, s->last_lsn);
    buf_append_u64(fields, s->bytes);
    buf_append_u64(fields, s->hash);
    buf_append_u64(fields, (uint64_t)s->created_ms);
}

static void take_snapshot(struct reader *r, struct wal_snapshot *s)
{
    s->number = take_u64(r);
    s->from_lsn = take_u64(r);
    s->last_lsn = take_u64(r);
    s->bytes = take_u64(r);
    s->hash = take_u64(r);
    s->created_ms = (int64_t)take_u64(r);
}

/* Newest first, and none beyond what is on stable storage. */
static bool snapshots_hold(const struct manifest *m)
{
    if (m->snapshots_count > MANIFEST_SNAPSHOTS_MAX) return false;
    for (uint32_t i = 0; i < m->snapshots_count; i++) {
        const struct wal_snapshot *s = &m->snapshots[i];
        if (s->number == 0 || s->from_lsn == 0 || s->from_lsn - 1 > s->last_lsn) return false;
        if (s->last_lsn > m->synced_lsn) return false;
        if (i > 0 && s->number >= m->snapshots[i - 1].number) return false;
    }
    return true;
}

void manifest_encode(const struct manifest *m, char block[MANIFEST_BYTES])
{
    CHECK(m->oldest <= m->newest);
    CHECK((m->oldest == 0) == (m->newest == 0));
    CHECK(snapshots_hold(m));
    memset(block, 0, MANIFEST_BYTES);
    struct buf fields = {.data = block, .size = MANIFEST_HASHED_FROM, .capacity = MANIFEST_BYTES};
    buf_append_u64(&fields, MANIFEST_MAGIC);
    buf_append_u32(&fields, MANIFEST_VERSION);
    buf_append_u32(&fields, 0);
    buf_append_u64(&fields, m->node_id);
    buf_append_u64(&fields, m->oldest);
    buf_append_u64(&fields, m->newest);
    buf_append_u64(&fields, m->epoch);
    buf_append_u64(&fields, m->synced_lsn);
    buf_append_u32(&fields, m->snapshots_count);
    buf_append_u32(&fields, 0);
    for (uint32_t i = 0; i < m->snapshots_count; i++) append_snapshot(&fields, &m->snapshots[i]);
    uint64_t hash = manifest_hash(block);
    fields.size = 0;
    buf_append_u64(&fields, hash);
    CHECK(fields.data == block);
}

enum manifest_verdict manifest_decode(struct slice bytes, struct manifest *m)
{
    if (bytes.size != MANIFEST_BYTES) return MANIFEST_INVALID;
    struct reader r = {bytes};
    uint64_t hash = take_u64(&r), magic = take_u64(&r);
    uint32_t version = take_u32(&r);
    (void)take_u32(&r); /* reserved */
    m->node_id = take_u64(&r);
    m->oldest = take_u64(&r);
    m->newest = take_u64(&r);
    m->epoch = take_u64(&r);
    m->synced_lsn = take_u64(&r);
    m->snapshots_count = take_u32(&r);
    (void)take_u32(&r);
    for (size_t i = 0; i < MANIFEST_SNAPSHOTS_MAX; i++) take_snapshot(&r, &m->snapshots[i]);
    if (magic != MANIFEST_MAGIC || hash != manifest_hash(bytes.data)) return MANIFEST_INVALID;
    if (version > MANIFEST_VERSION) return MANIFEST_NEWER;
    if (version < MANIFEST_VERSION_FIRST) return MANIFEST_INVALID;
    if (m->oldest > m->newest || (m->oldest == 0) != (m->newest == 0)) return MANIFEST_INVALID;
    if (m->newest == 0 && m->synced_lsn != 0) return MANIFEST_INVALID;
    return snapshots_hold(m) ? MANIFEST_OK : MANIFEST_INVALID;
}

enum disk_status manifest_read(struct disk *disk, struct manifest *m,
                               enum manifest_verdict *verdict)
{
    const struct disk_operations *o = disk->operations;
    struct disk_file *file;
    enum disk_status status = o->open(disk->context, MANIFEST_NAME, DISK_OPEN_READ, &file);
    if (status != DISK_OK) return status;
    char *block = memory_allocate_aligned(DISK_BLOCK_BYTES, MANIFEST_BYTES);
    size_t size = 0;
    status = o->read(file, 0, block, MANIFEST_BYTES, &size);
    if (status == DISK_OK) *verdict = manifest_decode((struct slice){block, size}, m);
    memory_free_aligned(block, DISK_BLOCK_BYTES, MANIFEST_BYTES);
    o->close(disk->context, file);
    return status;
}

enum disk_status manifest_prepare(struct disk *disk, const struct manifest *m)
{
    const struct disk_operations *o = disk->operations;
    struct disk_file *file;
    enum disk_status status = o->remove(disk->context, MANIFEST_NEW_NAME);
    if (status != DISK_OK && status != DISK_ABSENT) return status;
    status = o->open(disk->context, MANIFEST_NEW_NAME, DISK_OPEN_CREATE, &file);
    if (status != DISK_OK) return status;
    char *block = memory_allocate_aligned(DISK_BLOCK_BYTES, MANIFEST_BYTES);
    manifest_encode(m, block);
    status = o->write(file, 0, (struct slice){block, MANIFEST_BYTES});
    if (status == DISK_OK) status = o->sync(file);
    memory_free_aligned(block, DISK_BLOCK_BYTES, MANIFEST_BYTES);
    o->close(disk->context, file);
    return status;
}

enum disk_status manifest_switch(struct disk *disk)
{
    const struct disk_operations *o = disk->operations;
    enum disk_status status = o->rename(disk->context, MANIFEST_NEW_NAME, MANIFEST_NAME);
    if (status != DISK_OK) return status;
    return o->sync_names(disk->context);
}
