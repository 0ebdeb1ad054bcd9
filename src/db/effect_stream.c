/* effect_stream.c - changes of the entries of streams. Bodies in the log:
 *
 *   stream_create   (nothing)
 *   stream_append   id (two varints) | count (varint) | count times: item (varint size, bytes)
 *   stream_trim     first_kept (two varints): all entries before it go
 *   stream_delete   ids (count, then deltas; effect.h)
 *   stream_set_id   last_id | entries_added (varint) | max_deleted_id */
#include "base/check.h"
#include "db/effect_functions.h"

struct stream *effect_find_stream(const struct effect *e, const struct effect_target *target)
{
    struct value value;
    if (!store_get(target->store, &e->key, &value, NULL) || value.type != TYPE_STREAM) return NULL;
    CHECK(value.form == FORM_BODY);
    return value.body;
}

static struct stream *create_stream(const struct effect *e, const struct effect_target *target)
{
    struct stream *stream = stream_create();
    struct value value = {.type = TYPE_STREAM, .form = FORM_BODY, .body = stream};
    store_put(target->store, &e->key, &value, STORE_NO_EXPIRY);
    return stream;
}

static bool key_is_absent(const struct effect *e, const struct effect_target *target)
{
    struct value value;
    return !store_get(target->store, &e->key, &value, NULL);
}

void stream_create_encode(const struct effect *e, struct buf *out)
{
    (void)e;
    (void)out;
}

bool stream_create_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)in;
    (void)scratch;
    e->stream_create.none = 0;
    return true;
}

bool stream_create_apply(const struct effect *e, const struct effect_target *target)
{
    if (!key_is_absent(e, target)) return false;
    create_stream(e, target);
    return true;
}

void stream_create_describe(const struct effect *e, struct buf *out)
{
    (void)e;
    (void)out;
}

void stream_create_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)seed;
    (void)scratch;
    e->stream_create.none = 0;
}

void effect_encode_append(struct buf *out, const struct effect_stream_append *append)
{
    CHECK(append->count >= 2);
    CHECK(append->count % 2 == 0);
    effect_encode_id(out, append->id);
    buf_append_varint(out, append->count);
    for (size_t i = 0; i < append->count; i++) buf_append_bytes(out, append->items[i]);
}

bool effect_decode_append(struct reader *in, struct effect_stream_append *append,
                          struct effect_scratch *scratch)
{
    uint64_t count;
    if (!effect_decode_id(in, &append->id) || !read_varint(in, &count)) return false;
    /* Each item takes at least one byte, so what is there bounds the memory that is asked for. */
    if (count < 2 || count % 2 != 0 || count > STREAM_FIELDS_MAX || count > in->rest.size)
        return false;
    scratch->bytes.size = 0;
    struct slice *items =
        (void *)buf_reserve(&scratch->bytes, (size_t)count * sizeof(struct slice));
    for (size_t i = 0; i < count; i++)
        if (!read_bytes(in, &items[i])) return false;
    append->items = items;
    append->count = (size_t)count;
    return true;
}

struct stream *effect_apply_append(const struct effect *e, const struct effect_target *target,
                                   const struct effect_stream_append *append)
{
    struct stream *stream = effect_find_stream(e, target);
    if (stream == NULL && !key_is_absent(e, target)) return NULL;
    struct stream_id last = stream == NULL ? STREAM_ID_MIN : stream_last_id(stream);
    if (stream_id_compare(append->id, last) <= 0) return NULL;
    if (stream == NULL) stream = create_stream(e, target);
    stream_append(stream, append->id, append->items, append->count, &target->stream_block);
    return stream;
}

void effect_describe_append(struct buf *out, const struct effect_stream_append *append)
{
    effect_describe_id(out, append->id);
    for (size_t i = 0; i < append->count; i++) {
        buf_append_byte(out, i % 2 == 0 ? ' ' : '=');
        effect_describe_bytes(out, append->items[i]);
    }
}

void effect_sample_append(struct effect_stream_append *append, uint64_t seed,
                          struct effect_scratch *scratch)
{
    size_t count = 2 + 2 * (seed % 3);
    scratch->bytes.size = 0;
    struct slice *items = (void *)buf_reserve(&scratch->bytes, count * sizeof(struct slice));
    for (size_t i = 0; i < count; i++) items[i] = i % 2 == 0 ? SLICE("field") : SLICE("\0value\n");
    *append = (struct effect_stream_append){{seed + 1, seed % 7}, items, count};
}

void stream_append_encode(const struct effect *e, struct buf *out)
{
    effect_encode_append(out, &e->stream_append);
}

bool stream_append_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    return effect_decode_append(in, &e->stream_append, scratch);
}

bool stream_append_apply(const struct effect *e, const struct effect_target *target)
{
    return effect_apply_append(e, target, &e->stream_append) != NULL;
}

void stream_append_describe(const struct effect *e, struct buf *out)
{
    effect_describe_append(out, &e->stream_append);
}

void stream_append_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    effect_sample_append(&e->stream_append, seed, scratch);
}

void stream_trim_encode(const struct effect *e, struct buf *out)
{
    effect_encode_id(out, e->stream_trim.first_kept);
}

bool stream_trim_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return effect_decode_id(in, &e->stream_trim.first_kept);
}

bool stream_trim_apply(const struct effect *e, const struct effect_target *target)
{
    struct stream *stream = effect_find_stream(e, target);
    if (stream == NULL) return false;
    struct stream *cut = stream_cut_before(stream, e->stream_trim.first_kept);
    if (cut != NULL) store_destroy_body(target->store, TYPE_STREAM, cut);
    stream_trim_before(stream, e->stream_trim.first_kept);
    return true;
}

void stream_trim_describe(const struct effect *e, struct buf *out)
{
    buf_append_text(out, "first_kept=");
    effect_describe_id(out, e->stream_trim.first_kept);
}

void stream_trim_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->stream_trim.first_kept = (struct stream_id){seed * 1000, seed};
}

void stream_delete_encode(const struct effect *e, struct buf *out)
{
    effect_encode_ids(out, e->stream_delete.ids, e->stream_delete.count);
}

bool stream_delete_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    return effect_decode_ids(in, &e->stream_delete.ids, &e->stream_delete.count, scratch);
}

bool stream_delete_apply(const struct effect *e, const struct effect_target *target)
{
    struct stream *stream = effect_find_stream(e, target);
    if (stream == NULL) return false;
    for (size_t i = 0; i < e->stream_delete.count; i++)
        stream_delete(stream, e->stream_delete.ids[i]);
    return true;
}

void stream_delete_describe(const struct effect *e, struct buf *out)
{
    effect_describe_ids(out, e->stream_delete.ids, e->stream_delete.count);
}

void stream_delete_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    e->stream_delete.count = effect_sample_ids(&e->stream_delete.ids, seed, scratch);
}

void stream_set_id_encode(const struct effect *e, struct buf *out)
{
    effect_encode_id(out, e->stream_set_id.last_id);
    buf_append_varint(out, e->stream_set_id.entries_added);
    effect_encode_id(out, e->stream_set_id.max_deleted_id);
}

bool stream_set_id_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return effect_decode_id(in, &e->stream_set_id.last_id) &&
           read_varint(in, &e->stream_set_id.entries_added) &&
           effect_decode_id(in, &e->stream_set_id.max_deleted_id);
}

bool stream_set_id_apply(const struct effect *e, const struct effect_target *target)
{
    const struct effect_stream_set_id *set = &e->stream_set_id;
    struct stream *stream = effect_find_stream(e, target);
    struct stream_id newest;
    if (stream == NULL) return false;
    if (stream_last_live_id(stream, &newest) && stream_id_compare(set->last_id, newest) < 0)
        return false;
    if (set->entries_added < stream_length(stream)) return false;
    stream_set_last_id(stream, set->last_id);
    stream_set_counters(stream, set->entries_added, set->max_deleted_id);
    return true;
}

void stream_set_id_describe(const struct effect *e, struct buf *out)
{
    buf_append_text(out, "last=");
    effect_describe_id(out, e->stream_set_id.last_id);
    buf_append_format(
        out, " added=%llu max_deleted=", (unsigned long long)e->stream_set_id.entries_added);
    effect_describe_id(out, e->stream_set_id.max_deleted_id);
}

void stream_set_id_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->stream_set_id.last_id = (struct stream_id){UINT64_MAX - seed, seed};
    e->stream_set_id.entries_added = seed * 31;
    e->stream_set_id.max_deleted_id = (struct stream_id){seed, seed};
}
