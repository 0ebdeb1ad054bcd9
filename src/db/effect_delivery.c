/* effect_delivery.c - what consumer groups do all day: deliver, acknowledge, claim. One effect
 * for n entries. Bodies in the log, after the group's name (varint size, bytes):
 *
 *   group_deliver       consumer | last_id (two varints) | count (varint) | now_ms (zigzag)
 *                       | no_ack (1 byte)
 *   group_acknowledge   ids (count, then deltas; effect.h)
 *   group_claim         consumer | delivery_ms (zigzag) | deliveries (1 byte; 0x80: unowned)
 *                       | deliveries_count (varint) | active_ms (zigzag) | ids
 *
 * A delivery names only where the group stops: the entries between its position and last_id are
 * the same on every replay, because everything that could change them is an effect before it. */
#include "db/effect_functions.h"

/* In the byte of 'deliveries': the entries get no owner. */
enum { CLAIM_UNOWNED = 0x80 };

void group_deliver_encode(const struct effect *e, struct buf *out)
{
    const struct stream_delivery *delivery = &e->group_deliver.delivery;
    buf_append_bytes(out, delivery->group);
    buf_append_bytes(out, delivery->consumer);
    effect_encode_id(out, delivery->last_id);
    buf_append_varint(out, delivery->count);
    buf_append_zigzag(out, delivery->now_ms);
    buf_append_byte(out, delivery->no_ack ? 1 : 0);
}

bool group_deliver_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    struct stream_delivery *delivery = &e->group_deliver.delivery;
    uint8_t no_ack;
    (void)scratch;
    if (!read_bytes(in, &delivery->group) || !read_bytes(in, &delivery->consumer)) return false;
    if (!effect_decode_id(in, &delivery->last_id) || !read_varint(in, &delivery->count))
        return false;
    if (!read_zigzag(in, &delivery->now_ms) || !read_byte(in, &no_ack) || no_ack > 1) return false;
    delivery->no_ack = no_ack == 1;
    return true;
}

bool group_deliver_apply(const struct effect *e, const struct effect_target *target)
{
    const struct stream_delivery *delivery = &e->group_deliver.delivery;
    const struct stream_group *group;
    struct stream *stream = effect_find_group(e, target, delivery->group, &group);
    if (stream == NULL || stream_consumer_find(group, delivery->consumer) == NULL) return false;
    return stream_group_deliver(stream, delivery);
}

void group_deliver_describe(const struct effect *e, struct buf *out)
{
    const struct stream_delivery *delivery = &e->group_deliver.delivery;
    effect_describe_group(out, delivery->group, &delivery->consumer);
    buf_append_format(out, " %llu entries up to ", (unsigned long long)delivery->count);
    effect_describe_id(out, delivery->last_id);
    buf_append_format(out, " now_ms=%lld%s", (long long)delivery->now_ms,
                      delivery->no_ack ? " no_ack" : "");
}

void group_deliver_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    (void)scratch;
    e->group_deliver.delivery = (struct stream_delivery){.group = SLICE("workers"),
                                                         .consumer = SLICE("alice"),
                                                         .last_id = {seed + 5, seed},
                                                         .count = seed + 1,
                                                         .now_ms = (int64_t)seed * 77,
                                                         .no_ack = seed % 2 == 0};
}

void group_acknowledge_encode(const struct effect *e, struct buf *out)
{
    buf_append_bytes(out, e->group_acknowledge.group);
    effect_encode_ids(out, e->group_acknowledge.ids, e->group_acknowledge.count);
}

bool group_acknowledge_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    return read_bytes(in, &e->group_acknowledge.group) &&
           effect_decode_ids(in, &e->group_acknowledge.ids, &e->group_acknowledge.count, scratch);
}

bool group_acknowledge_apply(const struct effect *e, const struct effect_target *target)
{
    const struct stream_group *group;
    struct stream *stream = effect_find_group(e, target, e->group_acknowledge.group, &group);
    if (stream == NULL) return false;
    stream_group_acknowledge(stream, e->group_acknowledge.group, e->group_acknowledge.ids,
                             e->group_acknowledge.count);
    return true;
}

void group_acknowledge_describe(const struct effect *e, struct buf *out)
{
    effect_describe_group(out, e->group_acknowledge.group, NULL);
    buf_append_byte(out, ' ');
    effect_describe_ids(out, e->group_acknowledge.ids, e->group_acknowledge.count);
}

void group_acknowledge_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    e->group_acknowledge.group = SLICE("workers");
    e->group_acknowledge.count = effect_sample_ids(&e->group_acknowledge.ids, seed, scratch);
}

void group_claim_encode(const struct effect *e, struct buf *out)
{
    const struct stream_claim *claim = &e->group_claim.claim;
    buf_append_bytes(out, claim->group);
    buf_append_bytes(out, claim->consumer);
    buf_append_zigzag(out, claim->delivery_ms);
    buf_append_byte(out, (uint8_t)claim->deliveries | (claim->unowned ? CLAIM_UNOWNED : 0));
    buf_append_varint(out, claim->deliveries_count);
    buf_append_zigzag(out, claim->active_ms);
    effect_encode_ids(out, claim->ids, claim->count);
}

bool group_claim_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch)
{
    struct stream_claim *claim = &e->group_claim.claim;
    uint8_t deliveries;
    if (!read_bytes(in, &claim->group) || !read_bytes(in, &claim->consumer)) return false;
    if (!read_zigzag(in, &claim->delivery_ms) || !read_byte(in, &deliveries)) return false;
    claim->unowned = (deliveries & CLAIM_UNOWNED) != 0;
    deliveries &= (uint8_t)~CLAIM_UNOWNED;
    if (deliveries > STREAM_DELIVERIES_DECREMENT || !read_varint(in, &claim->deliveries_count))
        return false;
    claim->deliveries = (enum stream_deliveries)deliveries;
    return read_zigzag(in, &claim->active_ms) &&
           effect_decode_ids(in, &claim->ids, &claim->count, scratch);
}

bool group_claim_apply(const struct effect *e, const struct effect_target *target)
{
    const struct stream_claim *claim = &e->group_claim.claim;
    const struct stream_group *group;
    struct stream *stream = effect_find_group(e, target, claim->group, &group);
    if (stream == NULL) return false;
    if (!claim->unowned && stream_consumer_find(group, claim->consumer) == NULL) return false;
    stream_group_claim(stream, claim);
    return true;
}

void group_claim_describe(const struct effect *e, struct buf *out)
{
    static const char *const modes[] = {"keep", "increment", "set", "decrement"};
    const struct stream_claim *claim = &e->group_claim.claim;
    effect_describe_group(out, claim->group, &claim->consumer);
    buf_append_format(out, " delivery_ms=%lld deliveries=%s %llu active_ms=%lld ",
                      (long long)claim->delivery_ms, modes[claim->deliveries],
                      (unsigned long long)claim->deliveries_count, (long long)claim->active_ms);
    effect_describe_ids(out, claim->ids, claim->count);
}

void group_claim_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch)
{
    struct stream_claim *claim = &e->group_claim.claim;
    *claim = (struct stream_claim){.group = SLICE("workers"),
                                   .consumer = SLICE("bob"),
                                   .unowned = seed % 4 == 0,
                                   .delivery_ms = (int64_t)seed - 3,
                                   .deliveries = (enum stream_deliveries)(seed % 4),
                                   .deliveries_count = seed * seed,
                                   .active_ms = (int64_t)seed - 1};
    claim->count = effect_sample_ids(&claim->ids, seed, scratch);
}
