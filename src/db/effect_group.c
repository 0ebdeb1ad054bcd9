/* effect_group.c - which consumer groups and consumers there are. Every body begins with the name
 * of the group (varint size, bytes); names of consumers are written likewise. What follows:
 *
 *   group_create, group_set_id   last_delivered (two varints) | entries_read (zigzag; -1: exact)
 *   group_destroy                (nothing)
 *   consumer_create              consumer | now_ms (zigzag)
 *   consumer_destroy             consumer
 *
 * Deliveries, acknowledgements and claims stand in effect_delivery.c. */
#include "db/effect_functions.h"

struct stream *effect_find_group(const struct effect *e, const struct effect_target *target,
                                 struct slice name, const struct stream_group **group)
{
    struct stream *stream = effect_find_stream(e, target);
    if (stream == NULL) return NULL;
    *group = stream_group_find(stream, name);
    return *group == NULL ? NULL : stream;
}

void effect_describe_group(struct buf *out, struct slice group, const struct slice *consumer)
{
    buf_append_text(out, "group=");
    effect_describe_bytes(out, group);
    if (consumer == NULL) return;
    buf_append_text(out, " consumer=");
    effect_describe_bytes(out, *consumer);
}

static void encode_position(struct buf *out, struct slice group, struct stream_id last_delivered,
                            int64_t entries_read)
{
    buf_append_bytes(out, group);
    effect_encode_id(out, last_delivered);
    buf_append_zigzag(out, entries_read);
}

static bool decode_position(struct reader *in, struct slice *group,
                            struct stream_id *last_delivered, int64_t *entries_read)
{
    return read_bytes(in, group) && effect_decode_id(in, last_delivered) &&
           read_zigzag(in, entries_read) && *entries_read >= STREAM_ENTRIES_READ_EXACT;
}

void group_create_encode(const struct effect *e, struct buf *out)
{
    encode_position(out, e->group_create.group, e->group_create.last_delivered,
                    e->group_create.entries_read);
}

bool group_create_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return decode_position(in, &e->group_create.group, &e->group_create.last_delivered,
                           &e->group_create.entries_read);
}

bool group_create_apply(const struct effect *e, const struct effect_target *target)
{
    struct stream *stream = effect_find_stream(e, target);
    if (stream == NULL || stream_group_find(stream, e->group_create.group) != NULL) return false;
    stream_group_create(stream, e->group_create.group, e->group_create.last_delivered,
                        e->group_create.entries_read);
    return true;
}

static void describe_position(struct buf *out, struct slice group, struct stream_id last_delivered,
                              int64_t entries_read)
{
    effect_describe_group(out, group, NULL);
    buf_append_text(out, " last_delivered=");
    effect_describe_id(out, last_delivered);
    buf_append_format(out, " entries_read=%lld", (long long)entries_read);
}

void group_create_describe(const struct effect *e, struct buf *out)
{
    describe_position(out, e->group_create.group, e->group_create.last_delivered,
                      e->group_create.entries_read);
}

void group_create_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->group_create.group = SLICE("workers");
    e->group_create.last_delivered = (struct stream_id){seed << 33, seed};
    e->group_create.entries_read = seed % 2 == 0 ? STREAM_ENTRIES_READ_EXACT : (int64_t)seed;
}

void group_set_id_encode(const struct effect *e, struct buf *out)
{
    encode_position(out, e->group_set_id.group, e->group_set_id.last_delivered,
                    e->group_set_id.entries_read);
}

bool group_set_id_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return decode_position(in, &e->group_set_id.group, &e->group_set_id.last_delivered,
                           &e->group_set_id.entries_read);
}

bool group_set_id_apply(const struct effect *e, const struct effect_target *target)
{
    const struct stream_group *group;
    struct stream *stream = effect_find_group(e, target, e->group_set_id.group, &group);
    if (stream == NULL) return false;
    stream_group_set_id(stream, e->group_set_id.group, e->group_set_id.last_delivered,
                        e->group_set_id.entries_read);
    return true;
}

void group_set_id_describe(const struct effect *e, struct buf *out)
{
    describe_position(out, e->group_set_id.group, e->group_set_id.last_delivered,
                      e->group_set_id.entries_read);
}

void group_set_id_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->group_set_id.group = SLICE("g");
    e->group_set_id.last_delivered = (struct stream_id){seed, UINT64_MAX - seed};
    e->group_set_id.entries_read = (int64_t)seed - 1;
}

void group_destroy_encode(const struct effect *e, struct buf *out)
{
    buf_append_bytes(out, e->group_destroy.group);
}

bool group_destroy_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_bytes(in, &e->group_destroy.group);
}

bool group_destroy_apply(const struct effect *e, const struct effect_target *target)
{
    const struct stream_group *group;
    struct stream *stream = effect_find_group(e, target, e->group_destroy.group, &group);
    if (stream == NULL) return false;
    struct stream *cut = stream_cut_group(stream, e->group_destroy.group);
    if (cut != NULL) store_destroy_body(target->store, TYPE_STREAM, cut);
    return true;
}

void group_destroy_describe(const struct effect *e, struct buf *out)
{
    effect_describe_group(out, e->group_destroy.group, NULL);
}

void group_destroy_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->group_destroy.group = seed % 2 == 0 ? SLICE("") : SLICE("gone");
}

void consumer_create_encode(const struct effect *e, struct buf *out)
{
    buf_append_bytes(out, e->consumer_create.group);
    buf_append_bytes(out, e->consumer_create.consumer);
    buf_append_zigzag(out, e->consumer_create.now_ms);
}

bool consumer_create_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_bytes(in, &e->consumer_create.group) &&
           read_bytes(in, &e->consumer_create.consumer) &&
           read_zigzag(in, &e->consumer_create.now_ms);
}

bool consumer_create_apply(const struct effect *e, const struct effect_target *target)
{
    const struct effect_consumer_create *create = &e->consumer_create;
    const struct stream_group *group;
    struct stream *stream = effect_find_group(e, target, create->group, &group);
    if (stream == NULL || stream_consumer_find(group, create->consumer) != NULL) return false;
    stream_consumer_create(stream, create->group, create->consumer, create->now_ms);
    return true;
}

void consumer_create_describe(const struct effect *e, struct buf *out)
{
    effect_describe_group(out, e->consumer_create.group, &e->consumer_create.consumer);
    buf_append_format(out, " now_ms=%lld", (long long)e->consumer_create.now_ms);
}

void consumer_create_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->consumer_create.group = SLICE("workers");
    e->consumer_create.consumer = SLICE("STREAMS");
    e->consumer_create.now_ms = (int64_t)seed * 1000 - 1;
}

void consumer_destroy_encode(const struct effect *e, struct buf *out)
{
    buf_append_bytes(out, e->consumer_destroy.group);
    buf_append_bytes(out, e->consumer_destroy.consumer);
}

bool consumer_destroy_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    (void)scratch;
    return read_bytes(in, &e->consumer_destroy.group) &&
           read_bytes(in, &e->consumer_destroy.consumer);
}

bool consumer_destroy_apply(const struct effect *e, const struct effect_target *target)
{
    const struct effect_consumer_destroy *destroy = &e->consumer_destroy;
    const struct stream_group *group;
    struct stream *stream = effect_find_group(e, target, destroy->group, &group);
    if (stream == NULL || stream_consumer_find(group, destroy->consumer) == NULL) return false;
    stream_consumer_destroy(stream, destroy->group, destroy->consumer);
    return true;
}

void consumer_destroy_describe(const struct effect *e, struct buf *out)
{
    effect_describe_group(out, e->consumer_destroy.group, &e->consumer_destroy.consumer);
}

void consumer_destroy_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->consumer_destroy.group = SLICE("workers");
    e->consumer_destroy.consumer = seed % 2 == 0 ? SLICE("") : SLICE("alice");
}
