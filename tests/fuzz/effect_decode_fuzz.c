/* Fuzz target: any bytes as effects. What is decoded can be described, encodes to something that
 * decodes to the same, and is applied or refused by the store that the effects before it made.
 * Rooms: base env store string stream wal db */
#include "base/check.h"
#include "db/effect.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect_same_again(const struct effect *e, const struct store *store)
{
    struct buf encoded = {0}, first = {0}, second = {0};
    struct effect_scratch scratch = {0};
    struct effect again;
    effect_encode(e, &encoded);
    struct reader in = {buf_slice(&encoded)};
    CHECK(effect_decode(&again, &in, store, &scratch));
    CHECK(in.rest.size == 0);
    effect_describe(e, &first);
    effect_describe(&again, &second);
    CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
    buf_deinit(&encoded);
    buf_deinit(&first);
    buf_deinit(&second);
    buf_deinit(&scratch.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct store *store = store_create(value_types, TYPES_COUNT, 1);
    struct effect_target target = {.store = store, .stream_block = {128, 4}};
    struct effect_scratch scratch = {0};
    struct reader in = {{(const char *)bytes, size}};
    struct effect e;
    while (in.rest.size > 0 && effect_decode(&e, &in, store, &scratch)) {
        expect_same_again(&e, store);
        if (e.kind == EFFECT_STRING_SET_RANGE && e.string_set_range.offset > 65536) break;
        if (!effect_ops_find((uint8_t)e.kind)->apply(&e, &target)) break;
    }
    buf_deinit(&scratch.bytes);
    store_destroy(store);
    return 0;
}
