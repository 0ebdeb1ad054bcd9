/* effect_key.c - changes of keys of any type. Bodies in the log:
 *
 *   key_delete       (nothing)
 *   key_expire       expiry_ms (8 bytes, little-endian; STORE_NO_EXPIRY persists)
 *   key_rename       to (varint size, bytes)
 *   database_flush   all (1 byte: 0 or 1)
 *   key_move         the other database (1 byte)
 *   key_copy         its database (1 byte) | to (varint size, bytes)
 *   database_swap    two numbers (1 byte each), which differ
 *
 * The database of an effect is a place (store.h), so what SWAPDB does changes the meaning of no
 * other effect; only database_swap speaks of numbers. */
#include "base/check.h"
#include "base/limits.h"
#include "db/effect_functions.h"
#include "stream/stream_copy.h"

void key_delete_encode(const struct effect *e, struct buf *out)
{
    (void)e;
    (void)out;
}

bool key_delete_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)in;
    (void)scratch;
    e->key_delete.none = 0;
    return true;
}

bool key_delete_apply(const struct effect *e, const struct effect_target *target)
{
    return store_remove(target->store, &e->key);
}

void key_delete_describe(const struct effect *e, struct buf *out)
{
    (void)e;
    (void)out;
}

void key_delete_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)seed;
    (void)scratch;
    e->key_delete.none = 0;
}

void key_expire_encode(const struct effect *e, struct buf *out)
{
    buf_append_u64(out, (uint64_t)e->key_expire.expiry_ms);
}

bool key_expire_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    uint64_t expiry_ms;
    (void)scratch;
    if (!read_u64(in, &expiry_ms)) return false;
    e->key_expire.expiry_ms = (int64_t)expiry_ms;
    return true;
}

bool key_expire_apply(const struct effect *e, const struct effect_target *target)
{
    struct value value;
    if (!store_get(target->store, &e->key, &value, NULL)) return false;
    store_set_expiry(target->store, &e->key, e->key_expire.expiry_ms);
    return true;
}

void key_expire_describe(const struct effect *e, struct buf *out)
{
    if (e->key_expire.expiry_ms == STORE_NO_EXPIRY) buf_append_text(out, "never");
    else buf_append_format(out, "at_ms=%lld", (long long)e->key_expire.expiry_ms);
}

void key_expire_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->key_expire.expiry_ms = seed % 3 == 0 ? STORE_NO_EXPIRY : (int64_t)(seed * 1000003);
}

void key_rename_encode(const struct effect *e, struct buf *out)
{
    buf_append_bytes(out, e->key_rename.to);
}

bool key_rename_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_bytes(in, &e->key_rename.to);
}

bool key_rename_apply(const struct effect *e, const struct effect_target *target)
{
    struct value value;
    if (!store_get(target->store, &e->key, &value, NULL)) return false;
    struct store_key to = store_key_make(target->store, e->key.database, e->key_rename.to);
    if (slice_equal(e->key.name, to.name)) return true;
    store_rename(target->store, &e->key, &to);
    return true;
}

void key_rename_describe(const struct effect *e, struct buf *out)
{
    buf_append_text(out, "to=");
    effect_describe_bytes(out, e->key_rename.to);
}

void key_rename_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->key_rename.to = seed % 2 == 0 ? SLICE("other") : SLICE("{tag}\r\n\0key");
}

void database_flush_encode(const struct effect *e, struct buf *out)
{
    CHECK(e->key.name.size == 0);
    buf_append_byte(out, e->database_flush.all ? 1 : 0);
}

bool database_flush_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    uint8_t all;
    (void)scratch;
    if (!read_byte(in, &all) || all > 1 || e->key.name.size != 0) return false;
    e->database_flush.all = all == 1;
    return true;
}

bool database_flush_apply(const struct effect *e, const struct effect_target *target)
{
    for (unsigned database = 0; database < DATABASES_COUNT; database++)
        if (e->database_flush.all || database == e->key.database)
            store_flush(target->store, database);
    return true;
}

void database_flush_describe(const struct effect *e, struct buf *out)
{
    buf_append_text(out, e->database_flush.all ? "all" : "one");
}

void database_flush_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->key.name = (struct slice){0};
    e->database_flush.all = seed % 2 == 0;
}

static bool read_database(struct reader *in, uint8_t *database)
{
    return read_byte(in, database) && *database < DATABASES_COUNT;
}

void key_move_encode(const struct effect *e, struct buf *out)
{
    buf_append_byte(out, e->key_move.database);
}

bool key_move_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_database(in, &e->key_move.database);
}

bool key_move_apply(const struct effect *e, const struct effect_target *target)
{
    struct value value;
    struct store_key to;
    if (e->key_move.database == e->key.database) return false;
    if (!store_get(target->store, &e->key, &value, NULL)) return false;
    CHECK(effect_second_key(e, target->store, &to));
    store_rename(target->store, &e->key, &to);
    return true;
}

void key_move_describe(const struct effect *e, struct buf *out)
{
    buf_append_format(out, "to_database=%u", e->key_move.database);
}

void key_move_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->key_move.database = (uint8_t)((e->key.database + 1 + seed % 15) % DATABASES_COUNT);
}

void key_copy_encode(const struct effect *e, struct buf *out)
{
    buf_append_byte(out, e->key_copy.database);
    buf_append_bytes(out, e->key_copy.to);
}

bool key_copy_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_database(in, &e->key_copy.database) && read_bytes(in, &e->key_copy.to);
}

bool key_copy_apply(const struct effect *e, const struct effect_target *target)
{
    struct value value;
    struct store_key to;
    int64_t expiry_ms;
    CHECK(effect_second_key(e, target->store, &to));
    if (to.database == e->key.database && slice_equal(to.name, e->key.name)) return false;
    if (!store_get(target->store, &e->key, &value, &expiry_ms)) return false;
    switch (value.form) {
    case FORM_BYTES: /* an entry stays where it is while others come and go */
    case FORM_INTEGER: break;
    case FORM_SHARED: value.shared = shared_acquire(value.shared); break;
    case FORM_BODY:
        CHECK(value.type == TYPE_STREAM);
        value.body = stream_copy(value.body);
        break;
    }
    store_put(target->store, &to, &value, expiry_ms);
    return true;
}

void key_copy_describe(const struct effect *e, struct buf *out)
{
    buf_append_format(out, "to_database=%u to=", e->key_copy.database);
    effect_describe_bytes(out, e->key_copy.to);
}

void key_copy_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->key_copy.database = (uint8_t)(seed % DATABASES_COUNT);
    e->key_copy.to = seed % 2 == 0 ? SLICE("other") : SLICE("{tag}\r\n\0key");
}

void database_swap_encode(const struct effect *e, struct buf *out)
{
    CHECK(e->key.name.size == 0);
    CHECK(e->database_swap.number != e->database_swap.other);
    buf_append_byte(out, e->database_swap.number);
    buf_append_byte(out, e->database_swap.other);
}

bool database_swap_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    if (!read_database(in, &e->database_swap.number)) return false;
    if (!read_database(in, &e->database_swap.other)) return false;
    return e->database_swap.number != e->database_swap.other && e->key.name.size == 0;
}

bool database_swap_apply(const struct effect *e, const struct effect_target *target)
{
    store_swap(target->store, e->database_swap.number, e->database_swap.other);
    return true;
}

void database_swap_describe(const struct effect *e, struct buf *out)
{
    buf_append_format(out, "%u with %u", e->database_swap.number, e->database_swap.other);
}

void database_swap_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->key.name = (struct slice){0};
    e->database_swap.number = (uint8_t)(seed % DATABASES_COUNT);
    e->database_swap.other = (uint8_t)((seed + 1 + seed % 15) % DATABASES_COUNT);
}
