/* trim.c - deciding what XTRIM, and XADD with MAXLEN or MINID, will drop; nothing changes here.
 *
 * The rules are those of Redis 7.0 (t_stream.c, streamTrim): blocks go from the front as long as
 * they can go wholly and LIMIT is kept; what an exact trim has still to drop then lies in one
 * block. LIMIT counts whole blocks: the block that would exceed it ends the trim. One difference is
 * wanted: Redis keeps a block whose deleted last entry is not below MINID although all of its live
 * ones are; here that entry may be reclaimed already, and then the block goes. */
#include "stream/stream_state.h"

struct plan {
    struct index_place place; /* the first block that stays */
    bool all;                 /* none stays */
    uint64_t dropped;         /* live entries of the blocks before it */
};

/* Can blocks go wholly, of which 'last' is the last one? They have 'live' entries; 'length' is what
 * is left of the stream with them. */
static bool blocks_go(const struct stream_trim *t, const struct stream_block *last, uint64_t live,
                      uint64_t length)
{
    if (t->by == STREAM_TRIM_ID) return stream_id_compare(last->last_id, t->id_min) < 0;
    return length >= live && length - live >= t->length_max;
}

/* Steps over leaves that go wholly, but for the last one: a look at each of very many blocks would
 * take milliseconds. */
static void plan_leaves(const struct stream *s, const struct stream_trim *t, struct plan *p)
{
    for (; p->place.leaf + 1 < s->blocks.count; p->place.leaf++) {
        const struct index_root_entry *entry = index_root(&s->blocks, p->place.leaf);
        const struct index_place last = {p->place.leaf, entry->leaf->count - 1u};
        const struct stream_block *b = index_slot(&s->blocks, last)->block;
        if (t->entries_removed_max > 0 && p->dropped + entry->live > t->entries_removed_max) return;
        if (!blocks_go(t, b, entry->live, s->length - p->dropped)) return;
        p->dropped += entry->live;
    }
}

static struct plan plan_blocks(const struct stream *s, const struct stream_trim *t)
{
    struct plan p = {.place = {0, 0}};
    plan_leaves(s, t, &p);
    do { /* ends with the index */
        const struct stream_block *b = index_slot(&s->blocks, p.place)->block;
        if (t->by == STREAM_TRIM_LENGTH && s->length - p.dropped <= t->length_max) return p;
        if (t->entries_removed_max > 0 && p.dropped + b->live > t->entries_removed_max) return p;
        if (!blocks_go(t, b, b->live, s->length - p.dropped)) return p;
        p.dropped += b->live;
    } while (index_next(&s->blocks, &p.place));
    p.all = true;
    return p;
}

/* The ID of the live entry with 'skipped' live ones before it in the block. */
static struct stream_id id_after(const struct stream_block *b, uint64_t skipped)
{
    struct block_cursor c;
    struct block_record record;
    block_cursor_begin(&c, b, 0);
    for (uint64_t i = 0; i <= skipped; i++) CHECK(block_cursor_next_live(&c, &record));
    return record.id;
}

/* How many entries of the first staying block go. */
static uint64_t plan_rest(const struct stream *s, const struct stream_trim *t, const struct plan *p)
{
    const struct stream_block *b = index_slot(&s->blocks, p->place)->block;
    if (t->approximate) return 0;
    if (t->entries_removed_max > 0 && p->dropped + b->live > t->entries_removed_max) return 0;
    if (t->by == STREAM_TRIM_ID) {
        struct stream_id before = t->id_min;
        return stream_id_decrement(&before) ? block_rank(b, before) : 0;
    }
    uint64_t length = s->length - p->dropped;
    uint64_t rest = length > t->length_max ? length - t->length_max : 0;
    CHECK(rest < b->live);
    return rest;
}

bool stream_trim_plan(const struct stream *s, const struct stream_trim *trim,
                      struct stream_id *first_kept, uint64_t *count)
{
    if (s->length == 0) return false;
    struct plan p = plan_blocks(s, trim);
    if (p.all) {
        *first_kept = trim->by == STREAM_TRIM_ID ? trim->id_min : STREAM_ID_MIN;
        *count = p.dropped;
        return true;
    }
    uint64_t rest = plan_rest(s, trim, &p);
    *count = p.dropped + rest;
    if (*count == 0) return false;
    const struct stream_block *b = index_slot(&s->blocks, p.place)->block;
    CHECK(rest <= b->live);
    /* By ID all that is live may go while dead records reach beyond. */
    *first_kept = rest < b->live ? id_after(b, rest) : trim->id_min;
    return true;
}
