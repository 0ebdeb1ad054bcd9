/* effect.c - the table of effects, and the parts of their encoding that all of them share. */
#include "db/effect.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/word.h"
#include "db/effect_functions.h"

const struct effect_ops effect_table[] = {
#define EFFECT(code, NAME, name)                                   \
    {EFFECT_##NAME, #name,           name##_encode, name##_decode, \
     name##_apply,  name##_describe, name##_sample},
#include "db/effects.def"
#undef EFFECT
};
const size_t effect_table_count = sizeof effect_table / sizeof *effect_table;

/* Row of each code, so that finding one is an index and not a search. */
enum { EFFECT_CODES = 0x40 };
enum effect_row {
#define EFFECT(code, NAME, name) ROW_##NAME,
#include "db/effects.def"
#undef EFFECT
    ROWS_COUNT
};
static_assert(ROWS_COUNT < UINT8_MAX, "a row number fits in a byte");

static const uint8_t row_of_code[EFFECT_CODES] = {
#define EFFECT(code, NAME, name) [code] = ROW_##NAME + 1,
#include "db/effects.def"
#undef EFFECT
};

const struct effect_ops *effect_ops_find(uint8_t code)
{
    if (code >= EFFECT_CODES || row_of_code[code] == 0) return NULL;
    const struct effect_ops *ops = &effect_table[row_of_code[code] - 1];
    CHECK((uint8_t)ops->kind == code);
    return ops;
}

bool effect_second_key(const struct effect *e, const struct store *s, struct store_key *to)
{
    struct slice name = e->key.name;
    unsigned database = e->key.database;
    if (e->kind == EFFECT_KEY_RENAME) {
        name = e->key_rename.to;
    } else if (e->kind == EFFECT_KEY_MOVE) {
        database = e->key_move.database;
    } else if (e->kind == EFFECT_KEY_COPY) {
        database = e->key_copy.database;
        name = e->key_copy.to;
    } else {
        return false;
    }
    *to = store_key_make(s, database, name);
    return true;
}

void effect_encode(const struct effect *e, struct buf *out)
{
    const struct effect_ops *ops = effect_ops_find((uint8_t)e->kind);
    CHECK(ops != NULL);
    CHECK(e->key.database < DATABASES_COUNT);
    buf_append_byte(out, (uint8_t)e->kind);
    buf_append_byte(out, e->key.database);
    buf_append_bytes(out, e->key.name);
    ops->encode(e, out);
}

bool effect_read_key(struct reader *in, const struct store *store, uint8_t *code,
                     struct store_key *key)
{
    uint8_t database;
    struct slice name;
    if (!read_byte(in, code) || !read_byte(in, &database) || !read_bytes(in, &name)) return false;
    if (database >= DATABASES_COUNT || name.size > KEY_BYTES_MAX) return false;
    *key = store_key_make(store, database, name);
    return true;
}

bool effect_decode(struct effect *e, struct reader *in, const struct store *store,
                   struct effect_scratch *scratch)
{
    uint8_t code;
    if (!effect_read_key(in, store, &code, &e->key)) return false;
    const struct effect_ops *ops = effect_ops_find(code);
    if (ops == NULL) return false;
    e->kind = ops->kind;
    e->event = EVENT_OF_KIND;
    return ops->decode(e, in, scratch);
}

void effect_encode_ids(struct buf *out, const struct stream_id *ids, size_t count)
{
    struct stream_id previous = STREAM_ID_MIN;
    buf_append_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        buf_append_zigzag(out, (int64_t)(ids[i].ms - previous.ms));
        buf_append_zigzag(out, (int64_t)(ids[i].seq - previous.seq));
        previous = ids[i];
    }
}

bool effect_decode_ids(struct reader *in, const struct stream_id **ids, size_t *count,
                       struct effect_scratch *scratch)
{
    uint64_t stated;
    struct stream_id previous = STREAM_ID_MIN;
    /* Each ID takes at least two bytes, so what is there bounds the memory that is asked for. */
    if (!read_varint(in, &stated) || stated > in->rest.size / 2) return false;
    scratch->bytes.size = 0;
    struct stream_id *decoded =
        (void *)buf_reserve(&scratch->bytes, (size_t)stated * sizeof(struct stream_id));
    for (size_t i = 0; i < stated; i++) {
        int64_t ms, seq;
        if (!read_zigzag(in, &ms) || !read_zigzag(in, &seq)) return false;
        previous = (struct stream_id){previous.ms + (uint64_t)ms, previous.seq + (uint64_t)seq};
        decoded[i] = previous;
    }
    *ids = decoded;
    *count = (size_t)stated;
    return true;
}

size_t effect_sample_ids(const struct stream_id **ids, uint64_t seed,
                         struct effect_scratch *scratch)
{
    size_t count = (size_t)(seed % 5);
    scratch->bytes.size = 0;
    struct stream_id *sample =
        (void *)buf_reserve(&scratch->bytes, (count + 1) * sizeof(struct stream_id));
    for (size_t i = 0; i < count; i++)
        sample[i] = (struct stream_id){i % 2 == 0 ? seed : UINT64_MAX - seed, i * seed};
    *ids = sample;
    return count;
}

void effect_encode_id(struct buf *out, struct stream_id id)
{
    buf_append_varint(out, id.ms);
    buf_append_varint(out, id.seq);
}

bool effect_decode_id(struct reader *in, struct stream_id *id)
{
    return read_varint(in, &id->ms) && read_varint(in, &id->seq);
}

void effect_describe_bytes(struct buf *out, struct slice bytes)
{
    enum { SHOWN_BYTES_MAX = 64 };
    struct slice shown = bytes;
    if (shown.size > SHOWN_BYTES_MAX) shown.size = SHOWN_BYTES_MAX;
    word_append_quoted(out, shown);
    if (bytes.size > shown.size) buf_append_format(out, "... (%zu bytes)", bytes.size);
}

void effect_describe_id(struct buf *out, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];
    buf_append(out, (struct slice){text, stream_id_format(id, text)});
}

void effect_describe_ids(struct buf *out, const struct stream_id *ids, size_t count)
{
    buf_append_format(out, "%zu ids", count);
    for (size_t i = 0; i < count; i++) {
        buf_append_byte(out, ' ');
        effect_describe_id(out, ids[i]);
    }
}

void effect_describe(const struct effect *e, struct buf *out)
{
    const struct effect_ops *ops = effect_ops_find((uint8_t)e->kind);
    CHECK(ops != NULL);
    buf_append_format(out, "%s db=%u key=", ops->name, (unsigned)e->key.database);
    effect_describe_bytes(out, e->key.name);
    buf_append_byte(out, ' ');
    ops->describe(e, out);
}
