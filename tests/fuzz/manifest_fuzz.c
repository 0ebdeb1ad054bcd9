/* Fuzz target: any manifest is taken or refused, and what is taken survives encode and decode; a
 * recovery over it ends. The input is the block behind the hash, which is made right unless the
 * first byte is odd.
 * Rooms: base env wal */
#include "base/hash.h"
#include "memory_disk.h"
#include "wal/recovery.h"

enum { HASH_BYTES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool visit(void *context, lsn_t lsn, struct slice frame)
{
    (void)context;
    return lsn > 0 && frame.size > 0;
}

/* There is no segment: nothing but a manifest that names none can be recovered. */
static void recover(struct slice block)
{
    struct memory_disk d;
    memory_disk_init(&d);
    buf_append(&memory_create(&d, MANIFEST_NAME)->bytes, block);
    struct wal_options options = {.disk = &d.disk, .segment_bytes = 65536, .random_seed = 1};
    struct wal_recovery report = {0};
    struct recovery r = {.report = &report};
    enum wal_open_status status = recovery_read(&r, &options, visit, NULL);
    CHECK(status != WAL_OPEN_OK || r.manifest.newest == 0);
    CHECK((status == WAL_OPEN_OK) == (report.problem[0] == '\0'));
    recovery_deinit(&r);
    memory_disk_deinit(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char block[MANIFEST_BYTES], again[MANIFEST_BYTES];
    if (size == 0) return 0;
    bool forging = (bytes[0] & 1) == 0;
    memset(block, 0, sizeof block);
    size_t taken = size - 1 < MANIFEST_BYTES - HASH_BYTES ? size - 1 : MANIFEST_BYTES - HASH_BYTES;
    memcpy(block + HASH_BYTES, bytes + 1, taken);
    uint64_t hash = hash_bytes((struct slice){block + HASH_BYTES, MANIFEST_BYTES - HASH_BYTES}, 0);
    if (forging) memcpy(block, &hash, sizeof hash);
    struct manifest m;
    if (manifest_decode((struct slice){block, MANIFEST_BYTES}, &m) == MANIFEST_OK) {
        struct manifest copy;
        manifest_encode(&m, again);
        CHECK(manifest_decode((struct slice){again, MANIFEST_BYTES}, &copy) == MANIFEST_OK);
        CHECK(copy.node_id == m.node_id && copy.oldest == m.oldest && copy.newest == m.newest);
        CHECK(copy.epoch == m.epoch && copy.synced_lsn == m.synced_lsn);
    }
    recover((struct slice){block, MANIFEST_BYTES});
    return 0;
}
