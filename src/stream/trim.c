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

/* Can the block go wholly? 'length' is what is left. */
static bool block_goes(const struct stream_trim *t, const struct index_slot *slot, uint64_t length)
{
    if (t->by == STREAM_TRIM_ID) return stream_id_compare(slot->block->last_id, t->id_min) < 0;
    uint64_t live = slot->block->live;
    return length >= live && length - live >= t->length_max;
}

static struct plan plan_blocks(const struct stream *s, const struct stream_trim *t,
                               uint64_t pending)
{
    struct plan p = {.place = {0, 0}};
    do { /* ends with the index */
        const struct index_slot *slot = index_slot(&s->blocks, p.place);
        uint64_t length = s->length + pending - p.dropped;
        uint64_t live = slot->block->live;
        bool last = p.dropped + live == s->length;
        if (t->by == STREAM_TRIM_LENGTH && length <= t->length_max) return p;
        if (t->entries_removed_max > 0 && p.dropped + live > t->entries_removed_max) return p;
        /* The entry that is about to come stands in the last block, for all that we know. */
        if (last && pending > 0 && t->approximate && t->length_max > 0 &&
            t->by == STREAM_TRIM_LENGTH)
            return p;
        if (!block_goes(t, slot, length)) return p;
        p.dropped += live;
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
static uint64_t plan_rest(const struct stream *s, const struct stream_trim *t, const struct plan *p,
                          uint64_t pending)
{
    const struct stream_block *b = index_slot(&s->blocks, p->place)->block;
    if (t->approximate) return 0;
    if (t->entries_removed_max > 0 && p->dropped + b->live > t->entries_removed_max) return 0;
    if (t->by == STREAM_TRIM_ID) {
        struct stream_id before = t->id_min;
        return stream_id_decrement(&before) ? block_rank(b, before) : 0;
    }
    uint64_t length = s->length + pending - p->dropped;
    uint64_t rest = length > t->length_max ? length - t->length_max : 0;
    CHECK(rest < b->live);
    return rest;
}

/* Every block goes: what must *first_kept be? What is about to be appended stays, unless nothing
 * may stay or its ID is too small. */
static bool plan_all(const struct stream *s, const struct stream_trim *t, uint64_t pending,
                     struct stream_id *first_kept)
{
    if (t->by == STREAM_TRIM_ID) {
        *first_kept = t->id_min;
        return true;
    }
    if (pending == 0 || t->length_max == 0) {
        *first_kept = STREAM_ID_MIN;
        return true;
    }
    *first_kept = s->last_id;
    return stream_id_increment(first_kept); /* false: nothing can be appended */
}

bool stream_trim_plan(const struct stream *s, const struct stream_trim *trim, uint64_t pending,
                      struct stream_id *first_kept, uint64_t *count)
{
    CHECK(pending <= 1);
    bool nothing_stays = trim->by == STREAM_TRIM_LENGTH && trim->length_max == 0;
    if (s->length == 0) {
        *first_kept = STREAM_ID_MIN;
        *count = pending;
        return nothing_stays && pending > 0;
    }
    struct plan p = plan_blocks(s, trim, pending);
    if (p.all) {
        *count = p.dropped + (nothing_stays ? pending : 0);
        return plan_all(s, trim, pending, first_kept);
    }
    uint64_t rest = plan_rest(s, trim, &p, pending);
    *count = p.dropped + rest;
    if (*count == 0) return false;
    const struct stream_block *b = index_slot(&s->blocks, p.place)->block;
    CHECK(rest <= b->live);
    /* By ID all that is live may go while dead records reach beyond. */
    *first_kept = rest < b->live ? id_after(b, rest) : trim->id_min;
    return true;
}
