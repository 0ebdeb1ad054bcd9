/* stream_load.c - a stream from its pieces (stream_image.h), none of which is believed.
 *
 * Which kinds of pieces may come next follows from what is still missing. Whatever fails, the
 * half-made stream is a valid one and is destroyed as such. */
#include "base/memory.h"
#include "stream/group.h"
#include "stream/idempotence.h"
#include "stream/stream_image.h"

struct loading_group {
    struct stream_group *group;
    uint64_t pending_left;
    struct stream_id pending_last; /* the largest that came */
};

struct stream_loader {
    struct stream *stream; /* NULL before HEAD, and once it was taken */
    uint64_t length;       /* what HEAD says */
    uint64_t appended;
    bool tail_closed;
    uint64_t blocks_left;
    uint64_t groups_left;
    uint64_t ordinal; /* behind the last block */
    struct stream_id last_id;

    struct loading_group *groups; /* in the order of their pieces */
    size_t groups_count;
    size_t groups_capacity;
    uint64_t consumers_left; /* of the last group */

    bool producers_done;
    uint64_t iids_left;
    bool ended;
};

struct stream_loader *stream_loader_create(void)
{
    return memory_allocate_zeroed(sizeof(struct stream_loader));
}

void stream_loader_destroy(struct stream_loader *l)
{
    if (l->stream != NULL) stream_destroy(l->stream);
    memory_free(l->groups, l->groups_capacity * sizeof *l->groups);
    memory_free(l, sizeof *l);
}

struct stream *stream_loader_take(struct stream_loader *l)
{
    struct stream *s = l->ended ? l->stream : NULL;
    if (s != NULL) l->stream = NULL;
    return s;
}

static bool read_id(struct reader *in, struct stream_id *id)
{
    return read_varint(in, &id->ms) && read_varint(in, &id->seq);
}

static bool read_flag(struct reader *in, bool *flag)
{
    uint8_t byte;
    if (!read_byte(in, &byte) || byte > 1) return false;
    *flag = byte == 1;
    return true;
}

static bool read_limited(struct reader *in, uint64_t most, uint64_t *value)
{
    return read_varint(in, value) && *value <= most;
}

/* ---- entries ---- */

static bool add_head(struct stream_loader *l, struct reader *in)
{
    uint64_t entries_added;
    struct stream_id last_id, max_deleted_id;
    if (l->stream != NULL) return false;
    if (!read_varint(in, &l->length) || !read_varint(in, &l->appended)) return false;
    if (!read_varint(in, &entries_added) || !read_id(in, &last_id)) return false;
    if (!read_id(in, &max_deleted_id) || !read_flag(in, &l->tail_closed)) return false;
    if (!read_varint(in, &l->blocks_left) || !read_varint(in, &l->groups_left)) return false;
    if (l->length > l->appended || l->length > entries_added) return false;
    if (l->blocks_left > l->length || (l->blocks_left == 0) != (l->length == 0)) return false;
    if (l->blocks_left == 0 && l->tail_closed) return false;
    l->stream = stream_create();
    l->stream->last_id = last_id;
    l->stream->appended = l->appended;
    l->stream->entries_added = entries_added;
    l->stream->max_deleted_id = max_deleted_id;
    return true;
}

static bool read_block_header(struct reader *in, struct stream_block *b, uint64_t *ordinal)
{
    uint64_t begin, dead_bytes, dropped, records, live;
    if (!read_varint(in, ordinal) || !read_id(in, &b->first_id) || !read_id(in, &b->last_id))
        return false;
    if (!read_limited(in, UINT32_MAX, &begin) || !read_limited(in, UINT32_MAX, &dead_bytes))
        return false;
    if (!read_limited(in, UINT32_MAX, &dropped)) return false;
    if (!read_limited(in, BLOCK_RECORDS_MAX, &records)) return false;
    if (!read_limited(in, BLOCK_RECORDS_MAX, &live)) return false;
    b->begin = (uint32_t)begin;
    b->dead_bytes = (uint32_t)dead_bytes;
    b->dropped = (uint32_t)dropped;
    b->records = (uint16_t)records;
    b->live = (uint16_t)live;
    return in->rest.size > 0 && in->rest.size <= UINT32_MAX / 2;
}

/* Does the block stand behind those that are there? */
static bool block_follows(const struct stream_loader *l, const struct stream_block *b,
                          uint64_t ordinal, uint64_t end)
{
    const struct stream *s = l->stream;
    if (stream_id_compare(b->first_id, l->last_id) <= 0) return false;
    if (stream_id_compare(b->last_id, s->last_id) > 0) return false;
    if (ordinal < l->ordinal || end > l->appended) return false;
    return b->live <= l->length - s->length && !block_is_wasteful(b);
}

static bool add_block(struct stream_loader *l, struct reader *in)
{
    struct stream_block header = {0};
    uint64_t ordinal;
    if (l->stream == NULL || l->blocks_left == 0) return false;
    if (!read_block_header(in, &header, &ordinal)) return false;
    struct stream_block *b = block_restore(&header, in->rest);
    in->rest.size = 0;
    uint64_t end = ordinal;
    if (!block_prove(b, &end) || !block_follows(l, b, ordinal, end)) {
        block_release(b);
        return false;
    }
    index_append(&l->stream->blocks, b, ordinal);
    l->stream->length += b->live;
    l->last_id = b->last_id;
    l->ordinal = end;
    if (--l->blocks_left > 0) return true;
    l->stream->blocks.tail_closed = l->tail_closed;
    return l->stream->length == l->length && (l->tail_closed || l->ordinal == l->appended);
}

/* ---- groups ---- */

static struct loading_group *add_loading_group(struct stream_loader *l)
{
    if (l->groups_count == l->groups_capacity) {
        size_t before = l->groups_capacity * sizeof *l->groups;
        l->groups_capacity = l->groups_capacity == 0 ? 4 : l->groups_capacity * 2;
        l->groups = memory_resize(l->groups, before, l->groups_capacity * sizeof *l->groups);
    }
    struct loading_group *x = &l->groups[l->groups_count++];
    *x = (struct loading_group){0};
    return x;
}

/* What comes between a group and its consumers? Nothing. */
static bool may_come(const struct stream_loader *l)
{
    return l->stream != NULL && l->blocks_left == 0 && l->consumers_left == 0;
}

static bool add_group(struct stream_loader *l, struct reader *in)
{
    struct slice name;
    struct stream_id last_delivered;
    uint64_t entries_read, pending_left;
    bool exact;
    if (!may_come(l) || l->groups_left == 0) return false;
    if (!read_bytes(in, &name) || !read_id(in, &last_delivered)) return false;
    if (!read_varint(in, &entries_read) || !read_flag(in, &exact)) return false;
    if (!read_varint(in, &l->consumers_left) || !read_varint(in, &pending_left)) return false;
    if (stream_group_find(l->stream, name) != NULL) return false;
    stream_group_create(l->stream, name, last_delivered, 0);
    stream_group_restore_entries_read(l->stream, name, entries_read, exact);
    struct loading_group *x = add_loading_group(l);
    x->group = (struct stream_group *)(void *)name_index_get(&l->stream->groups, name);
    x->pending_left = pending_left;
    CHECK(x->group != NULL);
    l->groups_left--;
    return true;
}

static bool add_consumers(struct stream_loader *l, struct reader *in)
{
    uint64_t count;
    if (l->groups_count == 0 || !read_varint(in, &count)) return false;
    if (count == 0 || count > l->consumers_left) return false;
    struct stream_group *g = l->groups[l->groups_count - 1].group;
    for (uint64_t i = 0; i < count; i++) {
        const struct name_index *known = &g->consumers;
        struct slice name;
        int64_t seen_ms, active_ms;
        if (!read_bytes(in, &name) || !read_zigzag(in, &seen_ms) || !read_zigzag(in, &active_ms))
            return false;
        if (known->count > 0 && slice_compare(name, known->members[known->count - 1]->name) <= 0)
            return false;
        (void)group_restore_consumer(l->stream, g, name, seen_ms, active_ms);
        l->consumers_left--;
    }
    return true;
}

static bool read_item(const struct stream_group *g, struct reader *in, struct pending_item *item)
{
    const struct name_index *consumers = &g->consumers;
    int64_t ms, time;
    uint64_t owner;
    if (!read_zigzag(in, &ms) || !read_varint(in, &item->id.seq)) return false;
    if (!read_zigzag(in, &time) || !read_varint(in, &item->deliveries)) return false;
    if (!read_limited(in, consumers->count, &owner)) return false;
    item->id.ms += (uint64_t)ms;
    item->delivery_ms = (int64_t)((uint64_t)item->delivery_ms + (uint64_t)time);
    item->owner = PENDING_UNOWNED;
    if (owner > 0) {
        const struct stream_consumer *c = (const void *)consumers->members[owner - 1];
        item->owner = c->owner.number;
    }
    return true;
}

/* Is the entry one that is not there yet? 'previous' is the one before it in the piece. */
static bool is_new(const struct loading_group *x, const struct pending_item *item,
                   const struct stream_id *previous)
{
    struct pending_item known;
    if (previous != NULL && stream_id_compare(item->id, *previous) <= 0) return false;
    if (x->group->pending.count == 0) return true;
    if (stream_id_compare(item->id, x->pending_last) > 0) return true;
    return !pending_get(&x->group->pending, item->id, &known);
}

static bool add_pending(struct stream_loader *l, struct reader *in)
{
    uint64_t place, count;
    struct pending_item item = {0};
    if (!may_come(l) || !read_varint(in, &place) || place >= l->groups_count) return false;
    struct loading_group *x = &l->groups[place];
    if (!read_varint(in, &count) || count == 0 || count > x->pending_left) return false;
    for (uint64_t i = 0; i < count; i++) {
        struct stream_id previous = item.id;
        if (!read_item(x->group, in, &item)) return false;
        if (!is_new(x, &item, i == 0 ? NULL : &previous)) return false;
        group_restore_pending(l->stream, x->group, &item, 1);
        if (stream_id_compare(item.id, x->pending_last) > 0) x->pending_last = item.id;
        x->pending_left--;
    }
    return true;
}

/* ---- idempotent producers ---- */

static bool add_producers(struct stream_loader *l, struct reader *in)
{
    uint64_t duration_s, count_max, added, duplicates, sweep;
    if (!may_come(l) || l->producers_done) return false;
    if (!read_limited(in, STREAM_IDMP_DURATION_S_MAX, &duration_s)) return false;
    if (!read_limited(in, STREAM_IDMP_COUNT_MAX, &count_max)) return false;
    if (!read_varint(in, &added) || !read_varint(in, &duplicates)) return false;
    if (!read_limited(in, UINT32_MAX, &sweep) || !read_varint(in, &l->iids_left)) return false;
    struct stream_idmp_limits limits = {(uint32_t)duration_s, (uint32_t)count_max};
    stream_idmp_configure(l->stream, limits, false);
    stream_idmp_restore(l->stream, added, duplicates);
    stream_idmp_restore_sweep(l->stream, (uint32_t)sweep);
    l->producers_done = true;
    return true;
}

static bool add_iids(struct stream_loader *l, struct reader *in)
{
    struct slice producer;
    uint64_t count;
    if (!may_come(l) || !l->producers_done || !read_bytes(in, &producer) ||
        !read_varint(in, &count))
        return false;
    if (count == 0 || count > l->iids_left) return false;
    for (uint64_t i = 0; i < count; i++) {
        struct slice iid;
        struct stream_id id;
        if (!read_bytes(in, &iid) || !read_id(in, &id)) return false;
        if (!stream_idmp_restore_iid(l->stream, producer, iid, id)) return false;
        l->iids_left--;
    }
    return true;
}

/* ---- any piece ---- */

static bool add_end(struct stream_loader *l)
{
    l->ended = may_come(l) && l->groups_left == 0 && l->iids_left == 0;
    for (size_t i = 0; i < l->groups_count; i++)
        if (l->groups[i].pending_left > 0) l->ended = false;
    return l->ended;
}

static bool add_kind(struct stream_loader *l, uint8_t kind, struct reader *in)
{
    switch (kind) {
    case STREAM_PIECE_HEAD: return add_head(l, in);
    case STREAM_PIECE_BLOCK: return add_block(l, in);
    case STREAM_PIECE_GROUP: return add_group(l, in);
    case STREAM_PIECE_CONSUMERS: return add_consumers(l, in);
    case STREAM_PIECE_PENDING: return add_pending(l, in);
    case STREAM_PIECE_PRODUCERS: return add_producers(l, in);
    case STREAM_PIECE_IIDS: return add_iids(l, in);
    case STREAM_PIECE_END: return add_end(l);
    default: return false;
    }
}

bool stream_loader_add(struct stream_loader *l, struct slice piece)
{
    struct reader in = {piece};
    uint8_t kind;
    CHECK(!l->ended);
    return read_byte(&in, &kind) && add_kind(l, kind, &in) && in.rest.size == 0;
}
