/* walk.c - reading entries in order, forward and backward.
 *
 * Forward is one pass over the records. Records can only be decoded forward, so a backward walk
 * reads a block once to its end and keeps a mark at every 32nd record; then it takes the windows of
 * 32 records from the last to the first, marks the live records of one window, and reads them from
 * the end. A block has at most 32 * 32 records, so everything fits in the walk itself and each
 * record is decoded three times at most.
 *
 * A seek decodes from where the walk stands when that is before the ID in its block: the pending
 * entries of a consumer are read in the order of their IDs, and many of them stand in one block.
 *
 * A group that reads on from where it stood would decode half a block on average before it finds
 * its place, far more than reading one entry costs. So a delivery leaves a bookmark in the group,
 * and a forward walk that begins just behind it takes it up. */
#include "stream/stream_state.h"

static struct block_cursor cursor_at(const struct stream_walk *w, struct stream_walk_mark mark)
{
    return (struct block_cursor){
        .block = w->block,
        .next = mark.offset,
        .names_count = w->names_count,
        .names_bytes = w->names_bytes,
        .id = mark.id,
        .ordinal = mark.ordinal,
    };
}

static struct stream_walk_mark mark_of(const struct block_cursor *c)
{
    return (struct stream_walk_mark){c->id, c->ordinal, c->next};
}

static void show(struct stream_walk *w, const struct block_record *record)
{
    w->id = record->id;
    w->ordinal = record->ordinal;
    w->fields_count = (size_t)record->names_count * 2;
    w->fields_left = w->fields_count;
    w->data_bytes = record->data_bytes;
    w->own_names = record->own_names;
    w->item_next = record->body;
    w->name_next = 0;
}

static struct block_cursor open_block(struct stream_walk *w, struct index_place place)
{
    const struct index_slot *slot = index_slot(w->index, place);
    struct block_cursor c;
    block_cursor_begin(&c, slot->block, slot->ordinal);
    w->block = slot->block;
    w->leaf = place.leaf;
    w->slot = place.slot;
    w->names_count = c.names_count;
    w->names_bytes = c.names_bytes;
    w->at = mark_of(&c);
    return c;
}

/* ---- forward ---- */

static bool next_forward(struct stream_walk *w)
{
    struct block_record record;
    struct block_cursor c = cursor_at(w, w->at);
    struct index_place place = {w->leaf, w->slot};
    for (;;) { /* ends with the index or the range */
        while (block_cursor_next(&c, &record)) {
            if (record.dead || stream_id_compare(record.id, w->range.first) < 0) continue;
            if (stream_id_compare(record.id, w->range.last) > 0) return false;
            w->at = mark_of(&c);
            show(w, &record);
            return true;
        }
        if (!index_next(w->index, &place)) return false;
        c = open_block(w, place);
    }
}

/* ---- backward ---- */

/* Marks where each window of the block begins, up to the end of the range. */
static void mark_windows(struct stream_walk *w, struct block_cursor c)
{
    struct block_record record;
    w->window = 0;
    w->window_left = 0;
    for (uint32_t records = 0;; records++) { /* ends with the block */
        struct stream_walk_mark mark = mark_of(&c);
        if (!block_cursor_next(&c, &record)) break;
        if (stream_id_compare(record.id, w->range.last) > 0) break;
        if (records % STREAM_WALK_MARKS == 0) {
            CHECK(w->window < STREAM_WALK_MARKS);
            w->windows[w->window++] = mark;
        }
    }
}

/* Marks the live records of the range in the window before the one that was read last. */
static void mark_window(struct stream_walk *w)
{
    struct block_record record;
    struct block_cursor c = cursor_at(w, w->windows[--w->window]);
    CHECK(w->window_left == 0);
    for (uint32_t i = 0; i < STREAM_WALK_MARKS; i++) {
        struct stream_walk_mark mark = mark_of(&c);
        if (!block_cursor_next(&c, &record)) break;
        if (stream_id_compare(record.id, w->range.last) > 0) break;
        if (record.dead || stream_id_compare(record.id, w->range.first) < 0) continue;
        w->in_window[w->window_left++] = mark;
    }
}

static bool next_backward(struct stream_walk *w)
{
    struct index_place place = {w->leaf, w->slot};
    while (w->window_left == 0) {
        if (w->window > 0) {
            mark_window(w);
            continue;
        }
        if (stream_id_compare(w->block->first_id, w->range.first) <= 0) return false;
        if (!index_previous(w->index, &place)) return false;
        mark_windows(w, open_block(w, place));
    }
    struct block_record record;
    struct block_cursor c = cursor_at(w, w->in_window[--w->window_left]);
    CHECK(block_cursor_next(&c, &record) && !record.dead);
    show(w, &record);
    return true;
}

/* ---- both ---- */

/* Without a look at bookmarks. */
static void begin(struct stream_walk *w, const struct block_index *x, struct stream_range range,
                  bool reverse)
{
    w->index = x;
    w->range = range;
    w->reverse = reverse;
    w->block = NULL;
    w->fields_left = 0;
    struct index_place place;
    if (stream_id_compare(range.first, range.last) > 0) return;
    if (!index_find(x, reverse ? range.last : range.first, &place)) {
        if (reverse || !index_first(x, &place)) return;
    }
    struct block_cursor c = open_block(w, place);
    if (reverse) mark_windows(w, c);
}

void stream_walk_begin(struct stream_walk *w, const struct stream *s, struct stream_range range,
                       bool reverse)
{
    begin(w, &s->blocks, range, reverse);
    if (reverse || w->block == NULL) return;
    const struct stream_bookmark *b = stream_groups_bookmark(s, range.first);
    if (b == NULL) return;
    const struct index_slot *slot = index_slot(w->index, (struct index_place){w->leaf, w->slot});
    if (stream_id_compare(slot->first_id, b->first_id) != 0) return;
    if (slot->ordinal != b->ordinal || slot->block->rewrites != b->rewrites) return;
    CHECK(b->mark.offset <= slot->block->size);
    w->at = b->mark;
}

void stream_walk_bookmark(const struct stream_walk *w, struct stream_bookmark *bookmark)
{
    CHECK(w->block != NULL && !w->reverse);
    struct index_place place = {w->leaf, w->slot};
    *bookmark = (struct stream_bookmark){
        .after = w->id,
        .first_id = w->block->first_id,
        .ordinal = index_slot(w->index, place)->ordinal,
        .rewrites = w->block->rewrites,
        .mark = w->at,
    };
}

bool stream_walk_next(struct stream_walk *w)
{
    if (w->block == NULL) return false;
    if (w->reverse ? next_backward(w) : next_forward(w)) return true;
    w->block = NULL;
    w->fields_left = 0;
    return false;
}

bool stream_walk_seek(struct stream_walk *w, struct stream_id id)
{
    CHECK(!w->reverse);
    bool ahead = w->block != NULL && stream_id_compare(w->at.id, id) < 0 &&
                 stream_id_compare(id, w->block->last_id) <= 0;
    if (!ahead) {
        struct index_place place;
        if (!index_find(w->index, id, &place)) return false;
        open_block(w, place);
    }
    struct block_record record;
    struct block_cursor c = cursor_at(w, w->at);
    while (block_cursor_next(&c, &record)) {
        int order = stream_id_compare(record.id, id);
        if (order > 0 || (order == 0 && record.dead)) return false;
        w->at = mark_of(&c);
        if (order < 0) continue;
        show(w, &record);
        return true;
    }
    return false;
}

void stream_walk_move(struct stream_walk *w, const struct stream *to)
{
    const struct index_place place = {w->leaf, w->slot};
    CHECK(w->block == NULL || index_slot(&to->blocks, place)->block == w->block);
    w->index = &to->blocks;
}

bool stream_walk_field(struct stream_walk *w, struct slice *item)
{
    if (w->fields_left == 0) return false;
    bool name = w->fields_left % 2 == 0;
    if (name && !w->own_names) {
        if (w->name_next == 0) w->name_next = block_names_offset(w->block);
        *item = block_item(w->block, &w->name_next);
    } else {
        *item = block_item(w->block, &w->item_next);
    }
    w->fields_left--;
    return true;
}
