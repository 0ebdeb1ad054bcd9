/* stream_read.c - what a read finds, key after key, and what consumer groups deliver for it.
 *
 * The entries of all keys share one budget (MAXCOUNT, MAXSIZE). It is asked before an entry is
 * delivered, so what does not fit was not delivered. */
#include "command/stream_read.h"

#include "base/memory.h"

/* Entries that one request delivers, new or again, or weighs for MAXSIZE, over all its keys:
 * neither a backlog of years nor a key that is named a thousand times must hold the event loop. For
 * more one asks again. */
enum { READ_DELIVERED_MAX = 1 << 20 };

struct reading {
    struct command_context *c;
    const struct read_plan *plan;
    uint64_t entries_left;
    uint64_t bytes_left;
    uint64_t delivered_left;
    bool any;    /* something was taken: from now on MAXSIZE counts */
    bool claims; /* CLAIM holds for this key and those after it */
};

static uint64_t limit_of(const struct reading *r)
{
    return r->plan->count_max < r->entries_left ? r->plan->count_max : r->entries_left;
}

/* The same for what a group delivers. */
static uint64_t delivery_limit(const struct reading *r)
{
    return limit_of(r) < r->delivered_left ? limit_of(r) : r->delivered_left;
}

/* May an entry of this size be taken? Then it is. */
static bool take(struct reading *r, uint64_t bytes)
{
    if (r->entries_left == 0 || (r->any && bytes > r->bytes_left)) return false;
    r->any = true;
    r->entries_left--;
    r->bytes_left -= bytes < r->bytes_left ? bytes : r->bytes_left;
    return true;
}

static struct slice group_name(const struct reading *r)
{
    return r->c->arguments[r->plan->group];
}

static struct slice consumer_name(const struct reading *r)
{
    return r->c->arguments[r->plan->consumer];
}

/* ---- entries after an ID ---- */

/* What comes after an ID, up to 'limit' entries: a walk, because what a group delivers is read by
 * walks over the same entries, and its bookmark makes this one begin at its place. */
static void look_through(struct reading *r, const struct stream *stream, struct stream_id after,
                         uint64_t limit, struct stream_part *part)
{
    struct stream_walk walk;
    part->range = (struct stream_range){after, STREAM_ID_MAX};
    if (!stream_id_increment(&part->range.first)) return;
    stream_walk_begin(&walk, stream, part->range, false);
    if (limit > r->delivered_left) limit = r->delivered_left;
    while (part->count < limit && stream_walk_next(&walk) && take(r, walk.data_bytes)) {
        part->count++;
        part->range.last = walk.id;
    }
    r->delivered_left -= part->count;
}

/* XREAD: without MAXSIZE nothing has to be walked through twice. */
static void look_after(struct reading *r, const struct stream *stream, struct stream_id after,
                       struct stream_part *part)
{
    if (r->plan->bytes_max != UINT64_MAX) {
        look_through(r, stream, after, limit_of(r), part);
        return;
    }
    part->range = (struct stream_range){after, STREAM_ID_MAX};
    if (!stream_id_increment(&part->range.first)) return;
    part->count = stream_count(stream, part->range, limit_of(r));
    r->entries_left -= part->count;
}

static void deliver_new(struct reading *r, const struct store_key *key, struct stream_part *part)
{
    const struct stream *stream;
    CHECK(db_stream(r->c->db, key, &stream) == LOOKUP_FOUND);
    const struct stream_group *group = argument_group(r->c, r->plan->group, stream);
    uint64_t limit = r->plan->count_max - part->items_count;
    look_through(r, stream, stream_group_last_delivered(group), limit, part);
    if (part->count == 0) return;
    struct effect e = {.kind = EFFECT_GROUP_DELIVER, .key = *key};
    e.group_deliver.delivery = (struct stream_delivery){.group = group_name(r),
                                                        .consumer = consumer_name(r),
                                                        .last_id = part->range.last,
                                                        .count = part->count,
                                                        .now_ms = r->c->now_ms,
                                                        .no_ack = r->plan->no_ack};
    db_change(r->c->db, &e);
}

/* ---- named entries ---- */

/* A walk that finds named entries. */
static void begin_seeking(struct stream_walk *entries, const struct stream *stream)
{
    stream_walk_begin(entries, stream, (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}, false);
}

/* Entries are delivered once more, to this consumer. */
static void deliver_ids(const struct reading *r, const struct store_key *key,
                        const struct stream_ids *ids, int64_t active_ms)
{
    struct effect e = {.kind = EFFECT_GROUP_CLAIM, .key = *key};
    if (ids->count == 0) return;
    e.group_claim.claim = (struct stream_claim){.group = group_name(r),
                                                .consumer = consumer_name(r),
                                                .delivery_ms = r->c->now_ms,
                                                .deliveries = STREAM_DELIVERIES_INCREMENT,
                                                .active_ms = active_ms,
                                                .ids = ids->items,
                                                .count = ids->count};
    db_change(r->c->db, &e);
}

/* The consumer's pending entries after an ID; those that still exist count as delivered again. */
static void deliver_history(struct reading *r, const struct store_key *key, struct stream_id after,
                            struct stream_part *part)
{
    const struct stream *stream;
    struct stream_ids all, present;
    struct stream_walk entries;
    struct stream_pending_walk walk;
    struct stream_range range = {after, STREAM_ID_MAX};
    uint64_t limit = delivery_limit(r);
    /* At least one, because an empty answer means that there is no more. */
    if (r->delivered_left == 0 && limit_of(r) > 0) limit = 1;
    part->served = true;
    if (!stream_id_increment(&range.first)) return;
    CHECK(db_stream(r->c->db, key, &stream) == LOOKUP_FOUND);
    const struct stream_group *group = argument_group(r->c, r->plan->group, stream);
    stream_ids_init(&all);
    stream_ids_init(&present);
    begin_seeking(&entries, stream);
    stream_pending_walk_begin(&walk, group, stream_consumer_find(group, consumer_name(r)), range);
    while (all.count < limit && stream_pending_walk_next(&walk)) {
        bool is_present = stream_walk_seek(&entries, walk.entry.id);
        if (!take(r, is_present ? entries.data_bytes : 0)) break;
        stream_ids_add(&all, walk.entry.id);
        if (is_present) stream_ids_add(&present, walk.entry.id);
    }
    deliver_ids(r, key, &present, -1);
    r->delivered_left -= all.count < r->delivered_left ? all.count : r->delivered_left;
    stream_part_list(part, &all);
    stream_ids_deinit(&all);
    stream_ids_deinit(&present);
}

/* ---- CLAIM ---- */

static bool is_idle_enough(const struct reading *r, const struct stream_pending *pending)
{
    return pending->consumer == NULL ||
           r->c->now_ms - pending->delivery_ms >= r->plan->claim_idle_ms;
}

/* How many pending entries may be claimed at most: an upper bound for the lists. */
static size_t claim_limit(const struct reading *r, const struct stream_group *group)
{
    struct stream_pending oldest;
    uint64_t limit = delivery_limit(r), pending = stream_group_pending_count(group);
    if (limit > STREAM_CLAIMED_MAX) limit = STREAM_CLAIMED_MAX;
    if (!stream_pending_oldest(group, &oldest) || !is_idle_enough(r, &oldest)) return 0;
    return (size_t)(limit < pending ? limit : pending);
}

/* What is claimed of one key. */
struct claim_attempt {
    const struct stream *stream;
    const struct stream_group *group;
    size_t claimed_max;
    struct stream_pending *listed; /* oldest first; what is claimed moves to the front */
    size_t listed_max;
    struct stream_ids claimed;
    struct stream_ids gone; /* from the stream: they are not pending any longer */
};

/* Returns true when the list was full, and all of it is gone: a longer one may hold something. */
static bool decide_claims(struct reading *r, struct claim_attempt *a)
{
    int64_t delivered_max_ms = r->c->now_ms - r->plan->claim_idle_ms;
    size_t listed =
        stream_pending_list_oldest(a->group, delivered_max_ms, a->listed, a->listed_max);
    struct stream_walk entries;
    a->gone.count = 0;
    begin_seeking(&entries, a->stream);
    for (size_t i = 0; i < listed && a->claimed.count < a->claimed_max; i++) {
        struct stream_id id = a->listed[i].id;
        if (!stream_walk_seek(&entries, id)) {
            stream_ids_add(&a->gone, id);
            continue;
        }
        if (!take(r, entries.data_bytes)) break;
        a->listed[a->claimed.count] = a->listed[i];
        stream_ids_add(&a->claimed, id);
    }
    return a->gone.count == a->listed_max;
}

/* Lists as many as may be claimed, and more only while all that are listed are gone; what is gone
 * beyond STREAM_CLAIMED_MAX is left for the next request. */
static void list_claims(struct reading *r, struct claim_attempt *a)
{
    enum { LONGER = 4 };
    size_t most = stream_group_pending_count(a->group), size = a->claimed_max;
    if (most > STREAM_CLAIMED_MAX) most = STREAM_CLAIMED_MAX;
    do {
        memory_free(a->listed, a->listed_max * sizeof *a->listed);
        a->listed_max = size < most ? size : most;
        a->listed = memory_allocate(a->listed_max * sizeof *a->listed);
        size *= LONGER;
    } while (decide_claims(r, a) && a->listed_max < most);
}

static void note_claims(const struct reading *r, const struct claim_attempt *a,
                        struct stream_part *part)
{
    part->items_count = a->claimed.count;
    if (a->claimed.count == 0) return;
    part->items = memory_allocate(a->claimed.count * sizeof *part->items);
    for (size_t i = 0; i < a->claimed.count; i++) {
        const struct stream_pending *p = &a->listed[i];
        int64_t idle_ms = r->c->now_ms - p->delivery_ms;
        if (idle_ms < 0) idle_ms = 0;
        if (p->consumer == NULL) idle_ms = -1;
        part->items[i] = (struct stream_item){p->id, idle_ms, p->deliveries};
    }
}

static void claim_idle(struct reading *r, const struct store_key *key, struct stream_part *part)
{
    struct claim_attempt a = {0};
    CHECK(db_stream(r->c->db, key, &a.stream) == LOOKUP_FOUND);
    a.group = argument_group(r->c, r->plan->group, a.stream);
    a.claimed_max = claim_limit(r, a.group);
    if (a.claimed_max == 0) return;
    stream_ids_init(&a.claimed);
    stream_ids_init(&a.gone);
    list_claims(r, &a);
    note_claims(r, &a, part); /* before the effects: they free what names the consumers */
    if (a.gone.count > 0)
        db_change(r->c->db, &(struct effect){
                                .kind = EFFECT_GROUP_ACKNOWLEDGE,
                                .key = *key,
                                .group_acknowledge = {group_name(r), a.gone.items, a.gone.count}});
    deliver_ids(r, key, &a.claimed, r->c->now_ms);
    r->delivered_left -= a.claimed.count;
    stream_ids_deinit(&a.claimed);
    stream_ids_deinit(&a.gone);
    memory_free(a.listed, a.listed_max * sizeof *a.listed);
}

int64_t read_wake_ms(struct command_context *c, const struct read_plan *plan)
{
    int64_t wake_ms = 0;
    for (size_t i = 0; plan->claim_idle_ms >= 0 && i < plan->keys_count; i++) {
        struct store_key key = argument_key(c, plan->keys_first + i);
        const struct stream *stream;
        struct stream_pending oldest;
        if (db_stream(c->db, &key, &stream) != LOOKUP_FOUND) continue;
        const struct stream_group *group = argument_group(c, plan->group, stream);
        if (group == NULL || !stream_pending_oldest(group, &oldest)) continue;
        int64_t at_ms;
        if (!number_add_i64(oldest.delivery_ms, plan->claim_idle_ms, &at_ms)) continue;
        if (at_ms <= c->now_ms) at_ms = c->now_ms + 1;
        if (wake_ms == 0 || at_ms < wake_ms) wake_ms = at_ms;
    }
    return wake_ms;
}

/* ---- all keys ---- */

static void look_at_group(struct reading *r, const struct store_key *key, struct stream_id after,
                          struct stream_part *part)
{
    ensure_consumer(r->c, key, group_name(r), consumer_name(r));
    if (stream_id_compare(after, READ_NEW) != 0) {
        r->claims = false; /* as in Redis: history ends CLAIM for the keys behind it, too */
        deliver_history(r, key, after, part);
        return;
    }
    part->claims = r->claims;
    if (r->claims) claim_idle(r, key, part);
    deliver_new(r, key, part);
    part->served = part->items_count + part->count > 0;
}

size_t read_look_at_keys(struct command_context *c, const struct read_plan *plan,
                         struct stream_part *parts)
{
    struct reading r = {.c = c,
                        .plan = plan,
                        .entries_left = plan->entries_max,
                        .bytes_left = plan->bytes_max,
                        .delivered_left = READ_DELIVERED_MAX,
                        .claims = plan->claim_idle_ms >= 0};
    size_t served = 0;
    for (size_t i = 0; i < plan->keys_count; i++) {
        struct store_key key = argument_key(c, plan->keys_first + i);
        const struct stream *stream;
        parts[i] = (struct stream_part){.keyed = true, .key = key.name};
        if (plan->grouped) {
            look_at_group(&r, &key, plan->after[i], &parts[i]);
        } else if (db_stream(c->db, &key, &stream) == LOOKUP_FOUND) {
            look_after(&r, stream, plan->after[i], &parts[i]);
            parts[i].served = parts[i].count > 0;
        }
        if (!parts[i].served) continue;
        served++;
        CHECK(db_stream(c->db, &key, &parts[i].stream) == LOOKUP_FOUND);
    }
    return served;
}
