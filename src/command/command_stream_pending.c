/* command_stream_pending.c - XPENDING: what was delivered and not acknowledged, in all and one by
 * one. A list that is longer than a portion (portions.h) is answered from a copy of the group. */
#include "base/limits.h"
#include "base/memory.h"
#include "command/commands.h"
#include "command/stream_arguments.h"
#include "stream/stream_copy.h"

enum {
    DROP_STEPS = 2000,     /* chunks of the copy that are freed in one go */
    COPIED_PER_LISTED = 8, /* pending entries are copied in the time that one takes to be listed */
};
#define LISTED_BYTES_MAX MIB /* more than a portion, where a copy would cost more */

/* XPENDING key group: how many, from where to where, and whose. */
static void answer_pending_summary(struct command_context *c, const struct stream_group *group)
{
    struct stream_id first = STREAM_ID_MIN, last = STREAM_ID_MIN;
    size_t consumers = 0;
    reply_array(c->reply, 4);
    reply_integer(c->reply, (int64_t)stream_group_pending_count(group));
    if (stream_group_pending_count(group) == 0) {
        reply_null(c->reply);
        reply_null(c->reply);
        reply_null_array(c->reply);
        return;
    }
    CHECK(stream_pending_bounds(group, &first, &last));
    answer_stream_id(c->reply, first);
    answer_stream_id(c->reply, last);
    const struct stream_consumer *consumer = NULL;
    while ((consumer = stream_consumer_next(group, consumer)) != NULL)
        if (stream_consumer_pending_count(consumer) > 0) consumers++;
    reply_array(c->reply, consumers);
    while ((consumer = stream_consumer_next(group, consumer)) != NULL) {
        if (stream_consumer_pending_count(consumer) == 0) continue;
        reply_array(c->reply, 2);
        reply_bulk(c->reply, stream_consumer_name(consumer));
        reply_bulk_integer(c->reply, (int64_t)stream_consumer_pending_count(consumer));
    }
}

struct pending_query {
    int64_t idle_min_ms;
    struct stream_range range;
    int64_t count;
    bool of_consumer;
    struct slice consumer;
};

/* [IDLE ms] start end count [consumer] from argument 3. Words behind the consumer are not looked
 * at, as in Redis. */
static bool read_pending_query(struct command_context *c, struct pending_query *query)
{
    size_t at = 3;
    *query = (struct pending_query){0};
    if (argument_is(c, 3, "idle")) {
        if (!argument_integer(c, 4, &query->idle_min_ms)) return false;
        at = 5;
    }
    if (c->arguments_count < at + 3) return deny(c, REPLY_ERROR_SYNTAX);
    if (!argument_integer(c, at + 2, &query->count)) return false;
    if (!argument_range_first(c, at, &query->range.first)) return false;
    if (!argument_range_last(c, at + 1, &query->range.last)) return false;
    if (query->count < 0) query->count = 0;
    query->of_consumer = c->arguments_count > at + 3;
    if (query->of_consumer) query->consumer = c->arguments[at + 3];
    return true;
}

/* Entries that are not idle enough are not looked at; what nobody owns is free and belongs. */
static void begin_pending(struct stream_pending_walk *walk, const struct command_context *c,
                          const struct stream_group *group, const struct pending_query *query)
{
    const struct stream_consumer *consumer = NULL;
    if (query->of_consumer) consumer = stream_consumer_find(group, query->consumer);
    stream_pending_walk_begin(walk, group, consumer, query->range);
    if (query->idle_min_ms > 0) stream_pending_walk_idle(walk, c->now_ms - query->idle_min_ms);
}

/* ---- XPENDING with a range: entry by entry, of the group and later of a copy ---- */

struct listing {
    struct stream_pending_walk walk;
    int64_t left;
    int64_t now_ms;
};

struct listing_rest {
    struct reply_rest rest; /* first: the engine has its address */
    struct stream *copy;
    struct listing listing;
};

/* An entry that XNACK gave back is nobody's, and not idle but free: -1. */
static void answer_pending(struct reply *r, const struct stream_pending *pending, int64_t now_ms)
{
    int64_t idle_ms = now_ms - pending->delivery_ms;
    if (idle_ms < 0) idle_ms = 0;
    if (pending->consumer == NULL) idle_ms = -1;
    reply_array(r, 4);
    answer_stream_id(r, pending->id);
    reply_bulk(r, pending_owner_name(pending));
    reply_integer(r, idle_ms);
    reply_integer(r, (int64_t)pending->deliveries);
}

/* False: 'end' was reached before all was written. */
static bool answer_until(struct reply *r, struct listing *l, uint64_t end)
{
    for (; l->left > 0 && r->out->appended < end; l->left--) {
        CHECK(stream_pending_walk_next(&l->walk));
        answer_pending(r, &l->walk.entry, l->now_ms);
    }
    return l->left == 0;
}

static bool rest_next(struct reply_rest *rest, struct reply *r, uint64_t end)
{
    struct listing_rest *x = (struct listing_rest *)(void *)rest;
    size_t steps = DROP_STEPS;
    if (!answer_until(r, &x->listing, end)) return true;
    if (!stream_dismantle(x->copy, &steps)) return true;
    x->copy = NULL;
    return false;
}

static void rest_destroy(struct reply_rest *rest)
{
    struct listing_rest *x = (struct listing_rest *)(void *)rest;
    if (x->copy != NULL) stream_destroy(x->copy);
    memory_free(x, sizeof *x);
}

static struct reply_rest *make_rest(const struct listing *l)
{
    struct listing_rest *x = memory_allocate(sizeof *x);
    x->copy = stream_copy_group(l->walk.group);
    x->listing = *l;
    x->rest = (struct reply_rest){rest_next, rest_destroy,
                                  sizeof *x + stream_groups_memory_bytes(x->copy)};
    stream_pending_walk_move(&x->listing.walk, stream_group_next(x->copy, NULL));
    return &x->rest;
}

/* Where the listing is cut. Some thousands out of millions are better listed at once. */
static uint64_t listing_cut(const struct command_context *c, const struct stream_group *group,
                            uint64_t listed)
{
    uint64_t cut = reply_cut(c->portions, c->reply);
    bool few = listed < stream_group_pending_count(group) / COPIED_PER_LISTED;
    return few && cut != UINT64_MAX ? cut + LISTED_BYTES_MAX : cut;
}

/* The count comes first, so the entries are looked at twice. */
static void answer_listing(struct command_context *c, const struct stream_group *group,
                           const struct pending_query *query)
{
    struct listing l = {.now_ms = c->now_ms};
    begin_pending(&l.walk, c, group, query);
    while (l.left < query->count && stream_pending_walk_next(&l.walk)) l.left++;
    uint64_t cut = listing_cut(c, group, (uint64_t)l.left);
    reply_array(c->reply, (size_t)l.left);
    begin_pending(&l.walk, c, group, query);
    if (answer_until(c->reply, &l, cut)) return;
    CHECK(c->portions->rest == NULL);
    c->portions->rest = make_rest(&l);
}

enum outcome command_xpending(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    struct pending_query query;
    bool summary = c->arguments_count == 3;
    if (!summary && (c->arguments_count < 6 || c->arguments_count > 9))
        return refuse(c, REPLY_ERROR_SYNTAX);
    if (!summary && !read_pending_query(c, &query)) return OUTCOME_REPLIED;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    const struct stream_group *group = argument_group(c, 2, stream);
    if (group == NULL) return refuse_no_group(c, c->arguments[1], c->arguments[2]);
    if (summary) {
        answer_pending_summary(c, group);
        return OUTCOME_REPLIED;
    }
    if (query.of_consumer && stream_consumer_find(group, query.consumer) == NULL) query.count = 0;
    answer_listing(c, group, &query);
    return OUTCOME_REPLIED;
}
