/* effect_idempotence.c - what streams remember of idempotent producers. Bodies in the log:
 *
 *   stream_append_once      as stream_append (effect_stream.c) | producer (varint size, bytes) |
 *                           iid (varint size, bytes) | duration_s (varint) | count_max (varint)
 *   stream_idmp_record      producer (varint size, bytes) | iid (varint size, bytes) |
 *                           id (two varints) | duration_s (varint) | count_max (varint)
 *   stream_idmp_configure   duration_s (varint) | count_max (varint) | clear (1 byte, 0 or 1)
 *
 * A message that is appended and its record are one effect: half the bytes in the log and half the
 * work of two (docs/decisions/0024; logs written before have two). A record says what is forgotten
 * on the occasion, so that a configuration that changes later does not change what a log means. */
#include "base/check.h"
#include "db/effect_functions.h"
#include "stream/idempotence.h"

static void encode_limits(struct buf *out, struct stream_idmp_limits limits)
{
    buf_append_varint(out, limits.duration_s);
    buf_append_varint(out, limits.count_max);
}

static bool decode_limits(struct reader *in, struct stream_idmp_limits *limits)
{
    uint64_t duration_s, count_max;
    if (!read_varint(in, &duration_s) || !read_varint(in, &count_max)) return false;
    if (duration_s > STREAM_IDMP_DURATION_S_MAX || count_max > STREAM_IDMP_COUNT_MAX) return false;
    *limits = (struct stream_idmp_limits){(uint32_t)duration_s, (uint32_t)count_max};
    return true;
}

static void describe_limits(struct buf *out, struct stream_idmp_limits limits)
{
    buf_append_format(out, " duration_s=%u count_max=%u", (unsigned)limits.duration_s,
                      (unsigned)limits.count_max);
}

/* ---- the append and its record in one ---- */

void stream_append_once_encode(const struct effect *e, struct buf *out)
{
    const struct stream_idmp_record *record = &e->stream_append_once.record;
    CHECK(stream_id_compare(record->id, e->stream_append_once.append.id) == 0);
    CHECK(record->limits.duration_s > 0 && record->limits.count_max > 0);
    effect_encode_append(out, &e->stream_append_once.append);
    buf_append_bytes(out, record->producer);
    buf_append_bytes(out, record->iid);
    encode_limits(out, record->limits);
}

bool stream_append_once_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    struct stream_idmp_record *record = &e->stream_append_once.record;
    if (!effect_decode_append(in, &e->stream_append_once.append, scratch)) return false;
    record->id = e->stream_append_once.append.id;
    return read_bytes(in, &record->producer) && record->producer.size > 0 &&
           read_bytes(in, &record->iid) && record->iid.size > 0 &&
           decode_limits(in, &record->limits) && record->limits.duration_s > 0 &&
           record->limits.count_max > 0;
}

bool stream_append_once_apply(const struct effect *e, const struct effect_target *target)
{
    struct stream *stream = effect_apply_append(e, target, &e->stream_append_once.append);
    if (stream == NULL) return false;
    stream_idmp_record(stream, &e->stream_append_once.record);
    return true;
}

static void describe_message(struct buf *out, const struct stream_idmp_record *record)
{
    buf_append_text(out, "producer=");
    effect_describe_bytes(out, record->producer);
    buf_append_text(out, " iid=");
    effect_describe_bytes(out, record->iid);
}

void stream_append_once_describe(const struct effect *e, struct buf *out)
{
    effect_describe_append(out, &e->stream_append_once.append);
    buf_append_byte(out, ' ');
    describe_message(out, &e->stream_append_once.record);
    describe_limits(out, e->stream_append_once.record.limits);
}

static struct stream_idmp_record sample_record(uint64_t seed, struct stream_id id)
{
    return (struct stream_idmp_record){.producer = SLICE("shop-7"),
                                       .iid = seed % 2 == 0 ? SLICE("order\0 1") : SLICE("o"),
                                       .id = id,
                                       .limits = {1 + (uint32_t)(seed % STREAM_IDMP_DURATION_S_MAX),
                                                  1 + (uint32_t)(seed % STREAM_IDMP_COUNT_MAX)}};
}

void stream_append_once_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    effect_sample_append(&e->stream_append_once.append, seed, scratch);
    e->stream_append_once.record = sample_record(seed, e->stream_append_once.append.id);
}

/* ---- a record of its own ---- */

void stream_idmp_record_encode(const struct effect *e, struct buf *out)
{
    const struct stream_idmp_record *record = &e->stream_idmp_record.record;
    CHECK(record->limits.duration_s > 0);
    CHECK(record->limits.count_max > 0);
    buf_append_bytes(out, record->producer);
    buf_append_bytes(out, record->iid);
    effect_encode_id(out, record->id);
    encode_limits(out, record->limits);
}

bool stream_idmp_record_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    struct stream_idmp_record *record = &e->stream_idmp_record.record;
    (void)scratch;
    return read_bytes(in, &record->producer) && record->producer.size > 0 &&
           read_bytes(in, &record->iid) && record->iid.size > 0 &&
           effect_decode_id(in, &record->id) && decode_limits(in, &record->limits) &&
           record->limits.duration_s > 0 && record->limits.count_max > 0;
}

bool stream_idmp_record_apply(const struct effect *e, const struct effect_target *target)
{
    struct stream *stream = effect_find_stream(e, target);
    if (stream == NULL) return false;
    stream_idmp_record(stream, &e->stream_idmp_record.record);
    return true;
}

void stream_idmp_record_describe(const struct effect *e, struct buf *out)
{
    describe_message(out, &e->stream_idmp_record.record);
    buf_append_text(out, " id=");
    effect_describe_id(out, e->stream_idmp_record.record.id);
    describe_limits(out, e->stream_idmp_record.record.limits);
}

void stream_idmp_record_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->stream_idmp_record.record =
        sample_record(seed, (struct stream_id){seed * 7, UINT64_MAX - seed});
}

/* ---- settings ---- */

void stream_idmp_configure_encode(const struct effect *e, struct buf *out)
{
    encode_limits(out, e->stream_idmp_configure.limits);
    buf_append_byte(out, e->stream_idmp_configure.clear ? 1 : 0);
}

bool stream_idmp_configure_decode(struct effect *e, struct reader *in,
                                  struct effect_scratch *scratch)
{
    uint8_t clear;
    (void)scratch;
    if (!decode_limits(in, &e->stream_idmp_configure.limits) || !read_byte(in, &clear))
        return false;
    e->stream_idmp_configure.clear = clear == 1;
    return clear <= 1;
}

bool stream_idmp_configure_apply(const struct effect *e, const struct effect_target *target)
{
    struct stream *stream = effect_find_stream(e, target);
    if (stream == NULL) return false;
    stream_idmp_configure(stream, e->stream_idmp_configure.limits, e->stream_idmp_configure.clear);
    return true;
}

void stream_idmp_configure_describe(const struct effect *e, struct buf *out)
{
    buf_append_text(out, e->stream_idmp_configure.clear ? "clear" : "keep");
    describe_limits(out, e->stream_idmp_configure.limits);
}

void stream_idmp_configure_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->stream_idmp_configure = (struct effect_stream_idmp_configure){
        .limits = {(uint32_t)(seed % STREAM_IDMP_DURATION_S_MAX),
                   (uint32_t)(seed % STREAM_IDMP_COUNT_MAX)},
        .clear = seed % 2 == 0};
}
