/* effect_string.c - changes of strings. Bodies in the log:
 *
 *   string_set           expiry (see below) | value (varint size, bytes)
 *   string_set_integer   value (zigzag varint)
 *   string_append        value
 *   string_set_range     offset (varint) | value
 *
 *   expiry: 0 = none, 1 = keep what the key has, 2 = 8 bytes of Unix milliseconds follow */
#include "base/check.h"
#include "base/limits.h"
#include "base/number.h"
#include "db/effect_functions.h"

enum expiry_code { EXPIRY_CODE_NONE = 0, EXPIRY_CODE_KEEP = 1, EXPIRY_CODE_AT = 2 };

static void encode_expiry(struct buf *out, int64_t expiry_ms)
{
    if (expiry_ms == EFFECT_EXPIRY_NONE) {
        buf_append_byte(out, EXPIRY_CODE_NONE);
    } else if (expiry_ms == EFFECT_EXPIRY_KEEP) {
        buf_append_byte(out, EXPIRY_CODE_KEEP);
    } else {
        buf_append_byte(out, EXPIRY_CODE_AT);
        buf_append_u64(out, (uint64_t)expiry_ms);
    }
}

static bool decode_expiry(struct reader *in, int64_t *expiry_ms)
{
    uint8_t code;
    uint64_t at;
    if (!read_byte(in, &code) || code > EXPIRY_CODE_AT) return false;
    *expiry_ms = code == EXPIRY_CODE_NONE ? EFFECT_EXPIRY_NONE : EFFECT_EXPIRY_KEEP;
    if (code != EXPIRY_CODE_AT) return true;
    if (!read_u64(in, &at)) return false;
    *expiry_ms = (int64_t)at;
    return *expiry_ms != EFFECT_EXPIRY_NONE && *expiry_ms != EFFECT_EXPIRY_KEEP;
}

/* The form in which the store keeps these bytes. */
static struct value value_of(struct slice bytes)
{
    struct value value = {.type = TYPE_STRING, .form = FORM_BYTES, .bytes = bytes};
    if (number_parse_i64(bytes, &value.integer)) {
        value.form = FORM_INTEGER;
    } else if (bytes.size > STORE_INLINE_BYTES_MAX) {
        value.form = FORM_SHARED;
        value.shared = shared_create(bytes);
    } else {
        value.bytes = bytes; /* a failed parse may have written over the union */
    }
    return value;
}

void string_set_encode(const struct effect *e, struct buf *out)
{
    encode_expiry(out, e->string_set.expiry_ms);
    buf_append_bytes(out, e->string_set.value);
}

bool string_set_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return decode_expiry(in, &e->string_set.expiry_ms) && read_bytes(in, &e->string_set.value);
}

bool string_set_apply(const struct effect *e, const struct effect_target *target)
{
    int64_t expiry_ms = e->string_set.expiry_ms;
    if (expiry_ms == EFFECT_EXPIRY_KEEP) {
        struct value old;
        expiry_ms = STORE_NO_EXPIRY;
        store_get(target->store, &e->key, &old, &expiry_ms);
    }
    struct value value = value_of(e->string_set.value);
    store_put(target->store, &e->key, &value, expiry_ms);
    return true;
}

void string_set_describe(const struct effect *e, struct buf *out)
{
    buf_append_text(out, "value=");
    effect_describe_bytes(out, e->string_set.value);
    if (e->string_set.expiry_ms == EFFECT_EXPIRY_KEEP) buf_append_text(out, " keeps its deadline");
    else if (e->string_set.expiry_ms != EFFECT_EXPIRY_NONE)
        buf_append_format(out, " until_ms=%lld", (long long)e->string_set.expiry_ms);
}

void string_set_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    static const int64_t expiries[] = {EFFECT_EXPIRY_NONE, EFFECT_EXPIRY_KEEP, 0, 1767225600123};
    (void)scratch;
    e->string_set.value = seed % 2 == 0 ? SLICE("-42") : SLICE("some \r\n\0 bytes");
    e->string_set.expiry_ms = expiries[seed % 4];
}

void string_set_integer_encode(const struct effect *e, struct buf *out)
{
    buf_append_zigzag(out, e->string_set_integer.value);
}

bool string_set_integer_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_zigzag(in, &e->string_set_integer.value);
}

bool string_set_integer_apply(const struct effect *e, const struct effect_target *target)
{
    struct value old;
    struct value value = {
        .type = TYPE_STRING, .form = FORM_INTEGER, .integer = e->string_set_integer.value};
    if (!store_get(target->store, &e->key, &old, NULL)) {
        store_put(target->store, &e->key, &value, STORE_NO_EXPIRY);
        return true;
    }
    if (old.type != TYPE_STRING) return false;
    store_replace(target->store, &e->key, &value);
    return true;
}

void string_set_integer_describe(const struct effect *e, struct buf *out)
{
    buf_append_format(out, "value=%lld", (long long)e->string_set_integer.value);
}

void string_set_integer_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    static const int64_t values[] = {0, -1, INT64_MIN, INT64_MAX, 123456789};
    (void)scratch;
    e->string_set_integer.value = values[seed % 5];
}

/* The present string, grown or cut to 'size' bytes in a form that can be written to: shared bytes,
 * owned by the caller until string_give_back. Up to the old size they hold the old content. */
static struct shared *string_take(const struct effect_target *target, const struct store_key *key,
                                  const struct value *old, size_t size)
{
    char text[NUMBER_INTEGER_TEXT_MAX];
    CHECK(old->type == TYPE_STRING);
    if (old->form == FORM_SHARED)
        return shared_reserve(store_take_shared(target->store, key), size);
    struct slice bytes = old->form == FORM_BYTES
                             ? old->bytes
                             : (struct slice){text, number_format_i64(old->integer, text)};
    struct shared *writable = shared_create_sized(size, size);
    size_t kept = bytes.size < size ? bytes.size : size;
    if (kept > 0) memcpy(writable->data, bytes.data, kept);
    return writable;
}

static void string_give_back(const struct effect_target *target, const struct store_key *key,
                             struct shared *bytes)
{
    struct value value = {.type = TYPE_STRING, .form = FORM_SHARED, .shared = bytes};
    if (bytes->size > STORE_INLINE_BYTES_MAX) {
        store_replace(target->store, key, &value);
        return;
    }
    value = value_of(shared_slice(bytes));
    CHECK(value.form != FORM_SHARED);
    store_replace(target->store, key, &value);
    shared_release(bytes);
}

static size_t value_size(const struct value *value)
{
    char text[NUMBER_INTEGER_TEXT_MAX];
    CHECK(value->type == TYPE_STRING);
    switch (value->form) {
    case FORM_BYTES: return value->bytes.size;
    case FORM_SHARED: return value->shared->size;
    case FORM_INTEGER: return number_format_i64(value->integer, text);
    case FORM_BODY: break;
    }
    CHECK(false);
    return 0;
}

void string_append_encode(const struct effect *e, struct buf *out)
{
    buf_append_bytes(out, e->string_append.value);
}

bool string_append_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_bytes(in, &e->string_append.value);
}

bool string_append_apply(const struct effect *e, const struct effect_target *target)
{
    struct value old;
    if (!store_get(target->store, &e->key, &old, NULL) || old.type != TYPE_STRING) return false;
    size_t old_size = value_size(&old);
    struct slice added = e->string_append.value;
    if (added.size > STRING_BYTES_MAX || old_size + added.size > STRING_BYTES_MAX) return false;
    struct shared *bytes = string_take(target, &e->key, &old, old_size + added.size);
    if (added.size > 0) memcpy(bytes->data + old_size, added.data, added.size);
    string_give_back(target, &e->key, bytes);
    return true;
}

void string_append_describe(const struct effect *e, struct buf *out)
{
    buf_append_text(out, "value=");
    effect_describe_bytes(out, e->string_append.value);
}

void string_append_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->string_append.value = seed % 2 == 0 ? SLICE("") : SLICE("tail");
}

void string_set_range_encode(const struct effect *e, struct buf *out)
{
    buf_append_varint(out, e->string_set_range.offset);
    buf_append_bytes(out, e->string_set_range.value);
}

bool string_set_range_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_varint(in, &e->string_set_range.offset) &&
           read_bytes(in, &e->string_set_range.value);
}

bool string_set_range_apply(const struct effect *e, const struct effect_target *target)
{
    static const struct value empty = {.type = TYPE_STRING, .form = FORM_BYTES};
    struct value old = empty;
    struct slice value = e->string_set_range.value;
    uint64_t offset = e->string_set_range.offset;
    if (offset > STRING_BYTES_MAX || value.size > STRING_BYTES_MAX - offset) return false;
    if (!store_get(target->store, &e->key, &old, NULL)) {
        store_put(target->store, &e->key, &empty, STORE_NO_EXPIRY);
        old = empty;
    }
    if (old.type != TYPE_STRING) return false;
    size_t old_size = value_size(&old), end = (size_t)offset + value.size;
    size_t size = end > old_size ? end : old_size;
    struct shared *bytes = string_take(target, &e->key, &old, size);
    if (offset > old_size) memset(bytes->data + old_size, 0, (size_t)offset - old_size);
    if (value.size > 0) memcpy(bytes->data + offset, value.data, value.size);
    string_give_back(target, &e->key, bytes);
    return true;
}

void string_set_range_describe(const struct effect *e, struct buf *out)
{
    buf_append_format(out, "offset=%llu value=", (unsigned long long)e->string_set_range.offset);
    effect_describe_bytes(out, e->string_set_range.value);
}

void string_set_range_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->string_set_range.offset = seed * 7;
    e->string_set_range.value = SLICE("patch");
}
