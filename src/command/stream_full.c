/* stream_full.c - the description is made step by step: a step is an entry, a pending entry, or
 * what stands before the next of them. It can be left after any, and taken up over a copy. */
#include "command/stream_full.h"

#include "base/memory.h"
#include "stream/stream_copy.h"

enum { DROP_STEPS = 2000 }; /* parts of the copy that are freed in one go */

static const struct stream_range ALL = {{0, 0}, {UINT64_MAX, UINT64_MAX}};

/* Where the description stands: what comes next. */
struct full {
    enum {
        FULL_ENTRY,
        FULL_GROUP,
        FULL_GROUP_PENDING,
        FULL_CONSUMER,
        FULL_CONSUMER_PENDING,
    } next;
    const struct stream *stream;
    uint64_t limit;
    const struct stream_group *group;       /* the one that was begun last, or NULL */
    const struct stream_consumer *consumer; /* of the group, the same */
    uint64_t left;                          /* entries, or pending entries of the list */
    struct stream_walk entries;
    struct stream_pending_walk pending;
};

struct full_rest {
    struct reply_rest rest; /* first: the engine has its address */
    struct stream *copy;
    struct full full;
};

void answer_stream_field(struct reply *r, const char *name, uint64_t value)
{
    reply_bulk_text(r, name);
    reply_integer(r, (int64_t)value);
}

void answer_stream_field_id(struct reply *r, const char *name, struct stream_id id)
{
    reply_bulk_text(r, name);
    answer_stream_id(r, id);
}

/* ---- steps ---- */

/* Some of 'count' are described. */
static void begin_list(struct reply *r, struct full *f, const char *name, uint64_t count)
{
    f->left = f->limit != 0 && count > f->limit ? f->limit : count;
    reply_bulk_text(r, name);
    reply_array(r, (size_t)f->left);
}

static void begin_group(struct reply *r, struct full *f)
{
    const struct stream_group *g = f->group;
    reply_map(r, 8);
    reply_bulk_text(r, "name");
    reply_bulk(r, stream_group_name(g));
    answer_stream_field_id(r, "last-delivered-id", stream_group_last_delivered(g));
    answer_stream_field(r, "entries-read", stream_group_entries_read(g));
    answer_stream_field(r, "lag", stream_group_lag(f->stream, g));
    answer_stream_field(r, "pel-count", stream_group_pending_count(g));
    answer_stream_field(r, "nacked-count", stream_group_unowned_count(g));
    begin_list(r, f, "pending", stream_group_pending_count(g));
    stream_pending_walk_begin(&f->pending, g, NULL, ALL);
}

static void begin_consumer(struct reply *r, struct full *f)
{
    const struct stream_consumer *consumer = f->consumer;
    reply_map(r, 5);
    reply_bulk_text(r, "name");
    reply_bulk(r, stream_consumer_name(consumer));
    answer_stream_field(r, "seen-time", (uint64_t)stream_consumer_seen_ms(consumer));
    answer_stream_field(r, "active-time", (uint64_t)stream_consumer_active_ms(consumer));
    answer_stream_field(r, "pel-count", stream_consumer_pending_count(consumer));
    begin_list(r, f, "pending", stream_consumer_pending_count(consumer));
    stream_pending_walk_begin(&f->pending, f->group, consumer, ALL);
}

/* Those of a consumer do not name it. Those that XNACK gave back have no consumer, and the time
 * when that was. */
static void answer_pending(struct reply *r, struct full *f)
{
    const struct stream_pending *p = &f->pending.entry;
    CHECK(stream_pending_walk_next(&f->pending));
    reply_array(r, f->consumer == NULL ? 4 : 3);
    answer_stream_id(r, p->id);
    if (f->consumer == NULL) reply_bulk(r, pending_owner_name(p));
    reply_integer(r, p->delivery_ms);
    reply_integer(r, (int64_t)p->deliveries);
    f->left--;
}

static void answer_entry(struct reply *r, struct full *f)
{
    CHECK(stream_walk_next(&f->entries));
    answer_stream_entry(r, &f->entries);
    f->left--;
}

/* False: that was all. */
static bool answer_step(struct reply *r, struct full *f)
{
    switch (f->next) {
    case FULL_ENTRY:
        if (f->left > 0) {
            answer_entry(r, f);
            return true;
        }
        reply_bulk_text(r, "groups");
        reply_array(r, stream_groups_count(f->stream));
        f->next = FULL_GROUP;
        return true;
    case FULL_GROUP:
        f->group = stream_group_next(f->stream, f->group);
        if (f->group == NULL) return false;
        begin_group(r, f);
        f->next = FULL_GROUP_PENDING;
        return true;
    case FULL_GROUP_PENDING:
        if (f->left > 0) {
            answer_pending(r, f);
            return true;
        }
        reply_bulk_text(r, "consumers");
        reply_array(r, stream_consumers_count(f->group));
        f->next = FULL_CONSUMER;
        return true;
    case FULL_CONSUMER:
        f->consumer = stream_consumer_next(f->group, f->consumer);
        if (f->consumer != NULL) begin_consumer(r, f);
        f->next = f->consumer == NULL ? FULL_GROUP : FULL_CONSUMER_PENDING;
        return true;
    case FULL_CONSUMER_PENDING:
        if (f->left > 0) answer_pending(r, f);
        else f->next = FULL_CONSUMER;
        return true;
    }
    CHECK(false);
    return false;
}

/* False: 'end' was reached before all was written. */
static bool answer_until(struct reply *r, struct full *f, uint64_t end)
{
    while (r->out->appended < end)
        if (!answer_step(r, f)) return true;
    return false;
}

/* ---- the rest ---- */

static bool rest_next(struct reply_rest *rest, struct reply *r, uint64_t end)
{
    struct full_rest *x = (struct full_rest *)(void *)rest;
    size_t steps = DROP_STEPS;
    if (x->full.stream != NULL && !answer_until(r, &x->full, end)) return true;
    x->full.stream = NULL;
    if (!stream_dismantle(x->copy, &steps)) return true;
    x->copy = NULL;
    return false;
}

static void rest_destroy(struct reply_rest *rest)
{
    struct full_rest *x = (struct full_rest *)(void *)rest;
    if (x->copy != NULL) stream_destroy(x->copy);
    memory_free(x, sizeof *x);
}

static struct reply_rest *make_rest(const struct full *f)
{
    struct full_rest *x = memory_allocate(sizeof *x);
    struct full *full = &x->full;
    x->copy = stream_copy(f->stream);
    x->rest = (struct reply_rest){rest_next, rest_destroy,
                                  sizeof *x + stream_groups_memory_bytes(x->copy)};
    *full = *f;
    full->stream = x->copy;
    if (f->group != NULL) {
        full->group = stream_group_find(x->copy, stream_group_name(f->group));
        stream_pending_walk_move(&full->pending, full->group);
    }
    if (f->consumer != NULL)
        full->consumer = stream_consumer_find(full->group, stream_consumer_name(f->consumer));
    stream_walk_move(&full->entries, x->copy);
    return &x->rest;
}

void answer_stream_full(struct command_context *c, const struct stream *stream, uint64_t limit,
                        uint64_t cut)
{
    struct full f = {.next = FULL_ENTRY, .stream = stream, .limit = limit};
    stream_walk_begin(&f.entries, stream, ALL, false);
    begin_list(c->reply, &f, "entries", stream_length(stream));
    if (answer_until(c->reply, &f, cut)) return;
    CHECK(c->portions->rest == NULL);
    c->portions->rest = make_rest(&f);
}
