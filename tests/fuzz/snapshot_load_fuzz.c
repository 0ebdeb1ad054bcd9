/* Fuzz target: any bytes as the items of a snapshot, as if every hash had been right: loaded whole
 * or refused and forgotten, after which nothing is left. The first byte cuts the items in two
 * blocks; the next two are the LSN as of which its first and its last section are.
 * Rooms: base env store string stream wal db */
#include "base/check.h"
#include "base/limits.h"
#include "db/replay.h"

enum { HEAD_BYTES = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < HEAD_BYTES) return 0;
    struct store *store = store_create(value_types, TYPES_COUNT, 1);
    struct effect_target target = {.store = store, .stream_block = {128, 4}};
    struct replay replay;
    replay_init(&replay, &target);
    struct wal_loader loader = replay_loader(&replay);
    struct slice items = {(const char *)bytes + HEAD_BYTES, size - HEAD_BYTES};
    size_t cut = items.size * bytes[0] / 255;
    struct slice first = {items.data, cut}, second = {items.data + cut, items.size - cut};
    bool whole = loader.block(loader.context, first) && loader.block(loader.context, second) &&
                 loader.end(loader.context, (lsn_t)bytes[1] + 1, bytes[2]);
    if (!whole) loader.forget(loader.context);
    uint64_t keys = 0;
    for (unsigned database = 0; database < DATABASES_COUNT; database++)
        keys += store_count(store, database);
    CHECK(whole || keys == 0);
    replay_deinit(&replay);
    store_destroy(store);
    return 0;
}
