/* effect_key.c - changes of keys of any type. Bodies in the log:
 *
 *   key_delete       (nothing)
 *   key_expire       expiry_ms (8 bytes, little-endian; STORE_NO_EXPIRY persists)
 *   key_rename       to (varint size, bytes)
 *   database_flush   all (1 byte: 0 or 1) */
#include "base/check.h"
#include "base/limits.h"
#include "db/effect_functions.h"

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
