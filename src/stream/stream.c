/* stream.c - entries: counting, appending, deleting, counters, freezing.
 *
 * The tail (the block of the last slot) grows by appending until the limits call it full; then it
 * is sealed, trimmed to its size, and only deletions change it, by copying it when a frozen stream
 * or a copy shares it. A tail that is shared is copied while it is small, else left as it is and a
 * new block begun, so that an append never copies more than STREAM_TAIL_COPY_MAX. */
#include "base/memory.h"
#include "stream/image.h"

#include <assert.h>

enum {
    STREAM_TAIL_COPY_MAX = 64 * 1024,
    STREAM_TAIL_GUESS_MAX = 8 * 1024, /* a new tail is at first as large as the last one, up to */
};

static_assert(sizeof(struct stream) <= 128, "a stream of one entry stays small");

struct stream *stream_create(void)
{
    return memory_allocate_zeroed(sizeof(struct stream));
}

bool stream_dismantle(struct stream *s, size_t *steps)
{
    if (s->image != NULL) {
        image_take_stream(s->image);
        return true;
    }
    if (!stream_groups_dismantle(s, steps)) return false;
    stream_grouped_destroy(s);
    if (!stream_idmp_dismantle(s, steps)) return false;
    if (!index_dismantle(&s->blocks, steps)) return false;
    memory_free(s, sizeof *s);
    return true;
}

void stream_destroy(struct stream *s)
{
    size_t all = SIZE_MAX;
    CHECK(stream_dismantle(s, &all));
}

/* ---- reading ---- */

uint64_t stream_length(const struct stream *s)
{
    return s->length;
}

struct stream_id stream_last_id(const struct stream *s)
{
    return s->last_id;
}

struct stream_id stream_max_deleted_id(const struct stream *s)
{
    return s->max_deleted_id;
}

uint64_t stream_entries_added(const struct stream *s)
{
    return s->entries_added;
}

/* The first live record of the block at the place: there is one in every block. */
static struct block_record first_live(const struct stream *s, struct index_place place)
{
    const struct index_slot *slot = index_slot(&s->blocks, place);
    struct block_cursor c;
    struct block_record record;
    block_cursor_begin(&c, slot->block, slot->ordinal);
    CHECK(block_cursor_next_live(&c, &record));
    return record;
}

bool stream_first_id(const struct stream *s, struct stream_id *id)
{
    struct index_place place;
    if (!index_first(&s->blocks, &place)) return false;
    *id = first_live(s, place).id;
    return true;
}

bool stream_last_live_id(const struct stream *s, struct stream_id *id)
{
    struct index_place place;
    if (!index_last(&s->blocks, &place)) return false;
    struct block_cursor c;
    struct block_record record;
    block_cursor_begin(&c, index_slot(&s->blocks, place)->block, 0);
    while (block_cursor_next_live(&c, &record)) *id = record.id;
    return true;
}

/* Finds the live record of exactly this ID. */
static bool find_record(const struct stream *s, struct stream_id id, struct index_place *place,
                        struct block_record *record)
{
    if (!index_find(&s->blocks, id, place)) return false;
    const struct index_slot *slot = index_slot(&s->blocks, *place);
    if (stream_id_compare(id, slot->block->last_id) > 0) return false;
    struct block_cursor c;
    block_cursor_begin(&c, slot->block, slot->ordinal);
    while (block_cursor_next(&c, record)) {
        int order = stream_id_compare(record->id, id);
        if (order == 0) return !record->dead;
        if (order > 0) return false;
    }
    return false;
}

bool stream_contains(const struct stream *s, struct stream_id id)
{
    struct index_place place;
    struct block_record record;
    return find_record(s, id, &place, &record);
}

size_t stream_blocks_count(const struct stream *s)
{
    return s->blocks.blocks;
}

size_t stream_memory_bytes(const struct stream *s)
{
    return memory_rounded_size(sizeof *s) + s->blocks.memory_bytes + stream_idmp_memory_bytes(s) +
           stream_groups_memory_bytes(s);
}

/* Live entries before the block at the place. While nothing was deleted the ordinals say it. */
static uint64_t live_before(const struct stream *s, struct index_place place)
{
    uint64_t first = index_slot(&s->blocks, (struct index_place){0, 0})->ordinal;
    if (s->appended - first == s->length) return index_slot(&s->blocks, place)->ordinal - first;
    return index_live_before(&s->blocks, place);
}

/* How many live entries have an ID <= id. */
static uint64_t rank_of(const struct stream *s, struct stream_id id)
{
    struct index_place place;
    if (!index_find(&s->blocks, id, &place)) return 0;
    return live_before(s, place) + block_rank(index_slot(&s->blocks, place)->block, id);
}

uint64_t stream_count(const struct stream *s, struct stream_range range, uint64_t limit)
{
    if (stream_id_compare(range.first, range.last) > 0) return 0;
    uint64_t before = stream_id_decrement(&range.first) ? rank_of(s, range.first) : 0;
    uint64_t count = rank_of(s, range.last) - before;
    return count < limit ? count : limit;
}

uint64_t stream_count_after(const struct stream *s, struct stream_id id)
{
    if (stream_id_compare(id, s->last_id) >= 0) return 0;
    return s->length - rank_of(s, id);
}

/* The ordinal of the first live record after the ID; false when there is none. */
static bool ordinal_after(const struct stream *s, struct stream_id id, uint64_t *ordinal)
{
    struct index_place place;
    if (!index_first(&s->blocks, &place)) return false;
    if (index_find(&s->blocks, id, &place)) {
        const struct index_slot *slot = index_slot(&s->blocks, place);
        struct block_cursor c;
        struct block_record record;
        block_cursor_begin(&c, slot->block, slot->ordinal);
        while (block_cursor_next_live(&c, &record)) {
            if (stream_id_compare(record.id, id) <= 0) continue;
            *ordinal = record.ordinal;
            return true;
        }
        if (!index_next(&s->blocks, &place)) return false;
    }
    *ordinal = first_live(s, place).ordinal;
    return true;
}

uint64_t stream_shown_ordinal(const struct stream *s, uint64_t ordinal, struct stream_id id)
{
    CHECK(ordinal <= s->appended);
    uint64_t after = s->appended - ordinal;
    uint64_t shown = s->entries_added > after ? s->entries_added - after : 0;
    struct index_place first;
    if (!index_first(&s->blocks, &first)) return shown;
    if (shown >= ordinal - index_slot(&s->blocks, first)->ordinal) return shown;
    /* XSETID has set fewer than what is stored proves. */
    uint64_t least = rank_of(s, id);
    return shown > least ? shown : least;
}

uint64_t stream_ordinal(const struct stream *s, struct stream_id id)
{
    uint64_t next;
    if (stream_id_compare(id, s->last_id) >= 0 || !ordinal_after(s, id, &next))
        return s->entries_added;
    return stream_shown_ordinal(s, next - 1, id);
}

/* ---- appending ---- */

static bool is_full(const struct stream_block *tail, const struct block_entry *entry,
                    uint64_t appended, const struct stream_block_limits *limits)
{
    uint64_t bytes_max = limits->bytes_max;
    if (bytes_max == 0 || bytes_max > STREAM_BLOCK_BYTES_CAP) bytes_max = STREAM_BLOCK_BYTES_CAP;
    if (tail->size + entry->size >= bytes_max) return true;
    if (tail->records >= BLOCK_RECORDS_MAX) return true;
    /* As Redis: what was deleted counts, too. */
    return limits->entries_max > 0 && appended >= limits->entries_max;
}

static void append_block(struct stream *s, struct block_entry *entry, size_t capacity)
{
    block_measure(NULL, entry);
    struct stream_block *b = block_create(entry, capacity);
    b = block_append(b, entry);
    index_append(&s->blocks, b, s->appended);
}

static void append(struct stream *s, struct block_entry *entry,
                   const struct stream_block_limits *limits)
{
    struct index_place place;
    if (!index_last(&s->blocks, &place)) {
        append_block(s, entry, 0);
        return;
    }
    const struct index_slot *slot = index_slot(&s->blocks, place);
    const struct stream_block *tail = slot->block;
    bool shared = tail->references > 1 || index_root(&s->blocks, place.leaf)->leaf->references > 1;
    block_measure(tail, entry);
    bool full = s->blocks.tail_closed ||
                is_full(tail, entry, s->appended - slot->ordinal + tail->dropped, limits);
    if (shared && tail->size > STREAM_TAIL_COPY_MAX) full = true;

    uint64_t ordinal;
    struct stream_block *b = index_take(&s->blocks, place, &ordinal);
    if (!full) {
        index_put(&s->blocks, place, block_append(block_own(b), entry), ordinal);
        return;
    }
    if (!shared) b = block_seal(b);
    size_t guess = b->size < STREAM_TAIL_GUESS_MAX ? b->size : STREAM_TAIL_GUESS_MAX;
    index_put(&s->blocks, place, b, ordinal);
    append_block(s, entry, guess);
}

void stream_append(struct stream *s, struct stream_id id, const struct slice *items, size_t count,
                   const struct stream_block_limits *limits)
{
    CHECK(stream_id_compare(id, s->last_id) > 0);
    CHECK(count >= 2 && count % 2 == 0 && count <= STREAM_FIELDS_MAX);
    struct block_entry entry = {.id = id, .items = items, .count = count};
    append(s, &entry, limits);
    s->appended++;
    s->entries_added++;
    s->length++;
    s->last_id = id;
}

/* ---- deleting ---- */

/* Takes a block of which much is dead and returns one of the live records. */
static struct stream_block *reclaim(struct stream_block *b, uint64_t *ordinal, bool tail)
{
    struct stream_block *copy = block_rewrite(b, ordinal);
    block_release(b);
    return tail ? copy : block_seal(copy);
}

static bool is_tail(const struct stream *s, struct index_place place)
{
    struct index_place last;
    CHECK(index_last(&s->blocks, &last));
    return place.leaf == last.leaf && place.slot == last.slot;
}

static void delete_record(struct stream *s, struct index_place place,
                          const struct block_record *record)
{
    if (index_slot(&s->blocks, place)->block->live == 1) {
        index_remove(&s->blocks, place);
        return;
    }
    bool tail = is_tail(s, place);
    uint64_t ordinal;
    struct stream_block *b = block_own(index_take(&s->blocks, place, &ordinal));
    block_mark_dead(b, record);
    if (block_is_wasteful(b)) b = reclaim(b, &ordinal, tail);
    index_put(&s->blocks, place, b, ordinal);
}

bool stream_delete(struct stream *s, struct stream_id id)
{
    struct index_place place;
    struct block_record record;
    if (!find_record(s, id, &place, &record)) return false;
    CHECK(s->length > 0);
    delete_record(s, place, &record);
    s->length--;
    if (stream_id_compare(id, s->max_deleted_id) > 0) s->max_deleted_id = id;
    return true;
}

/* How many leaves have only records before first_kept (0-0: all have); perhaps one more has. */
static uint32_t leaves_before(const struct stream *s, struct stream_id first_kept)
{
    struct index_place place;
    if (stream_id_compare(first_kept, STREAM_ID_MIN) == 0) return s->blocks.count;
    return index_find(&s->blocks, first_kept, &place) ? place.leaf : 0;
}

struct stream *stream_cut_before(struct stream *s, struct stream_id first_kept)
{
    uint32_t leaves = leaves_before(s, first_kept);
    if (leaves == 0) return NULL;
    struct stream *cut = stream_create();
    index_cut(&s->blocks, leaves, &cut->blocks);
    for (uint32_t i = 0; i < leaves; i++) cut->length += index_root(&cut->blocks, i)->live;
    CHECK(cut->length <= s->length);
    s->length -= cut->length;
    CHECK((s->length == 0) == (s->blocks.blocks == 0));
    return cut;
}

/* Drops blocks whose records are all before first_kept. */
static uint64_t drop_blocks(struct stream *s, struct stream_id first_kept)
{
    uint64_t dropped = 0;
    struct index_place place;
    while (index_first(&s->blocks, &place)) { /* each step drops one */
        const struct stream_block *b = index_slot(&s->blocks, place)->block;
        if (stream_id_compare(b->last_id, first_kept) >= 0) break;
        dropped += b->live;
        index_remove(&s->blocks, place);
    }
    return dropped;
}

/* Drops what is before first_kept in the first block. */
static uint64_t drop_records(struct stream *s, struct stream_id first_kept)
{
    struct index_place place;
    if (!index_first(&s->blocks, &place)) return 0;
    const struct stream_block *first = index_slot(&s->blocks, place)->block;
    if (stream_id_compare(first->first_id, first_kept) >= 0) return 0;
    struct stream_id before = first_kept;
    CHECK(stream_id_decrement(&before));
    uint64_t rank = block_rank(first, before);
    if (rank == 0) return 0;
    if (rank == first->live) {
        index_remove(&s->blocks, place);
        return rank;
    }
    bool tail = is_tail(s, place);
    uint64_t ordinal;
    struct stream_block *b = block_own(index_take(&s->blocks, place, &ordinal));
    CHECK(block_drop_before(b, first_kept, &ordinal) == rank);
    if (block_is_wasteful(b)) b = reclaim(b, &ordinal, tail);
    index_put(&s->blocks, place, b, ordinal);
    return rank;
}

uint64_t stream_trim_before(struct stream *s, struct stream_id first_kept)
{
    uint64_t before = s->length;
    struct stream *cut = stream_cut_before(s, first_kept);
    if (cut != NULL) stream_destroy(cut);
    uint64_t dropped = drop_blocks(s, first_kept) + drop_records(s, first_kept);
    CHECK(dropped <= s->length);
    s->length -= dropped;
    CHECK((s->length == 0) == (s->blocks.blocks == 0));
    return before - s->length;
}

/* ---- counters ---- */

void stream_set_last_id(struct stream *s, struct stream_id last_id)
{
    s->last_id = last_id;
    struct index_place place;
    if (!index_last(&s->blocks, &place)) return;
    if (stream_id_compare(index_slot(&s->blocks, place)->block->last_id, last_id) <= 0) return;

    /* The last records are dead, and the next append may have one of their IDs. */
    uint64_t ordinal;
    struct stream_block *b = index_take(&s->blocks, place, &ordinal);
    b = reclaim(b, &ordinal, true);
    CHECK(stream_id_compare(b->last_id, last_id) <= 0);
    index_put(&s->blocks, place, b, ordinal);
}

void stream_set_counters(struct stream *s, uint64_t entries_added, struct stream_id max_deleted_id)
{
    CHECK(entries_added >= s->length);
    s->entries_added = entries_added;
    s->max_deleted_id = max_deleted_id;
}

/* ---- frozen streams ---- */

struct stream *stream_freeze(const struct stream *s)
{
    struct stream *frozen = stream_create();
    index_share(&s->blocks, &frozen->blocks);
    frozen->length = s->length;
    frozen->appended = s->appended;
    frozen->entries_added = s->entries_added;
    frozen->last_id = s->last_id;
    frozen->max_deleted_id = s->max_deleted_id;
    return frozen;
}

/* ---- checking ---- */

static void check_leaf(const struct stream *s, uint32_t i, uint64_t *ordinal,
                       struct stream_id *last)
{
    const struct index_root_entry *entry = index_root(&s->blocks, i);
    const struct index_leaf *leaf = entry->leaf;
    uint64_t live = 0;
    size_t bytes = offsetof(struct index_leaf, slots) + leaf->capacity * sizeof leaf->slots[0];
    CHECK(leaf->references > 0 && leaf->count > 0);
    CHECK(leaf->start + leaf->count <= leaf->capacity && leaf->capacity <= INDEX_LEAF_SLOTS);
    for (uint32_t j = 0; j < leaf->count; j++) {
        const struct index_slot *slot = &leaf->slots[leaf->start + j];
        CHECK(stream_id_compare(slot->first_id, slot->block->first_id) == 0);
        CHECK(stream_id_compare(slot->first_id, *last) > 0);
        CHECK(slot->ordinal >= *ordinal);
        CHECK(!block_is_wasteful(slot->block));
        *ordinal = block_check(slot->block, slot->ordinal);
        *last = slot->block->last_id;
        live += slot->block->live;
        bytes += block_memory_bytes(slot->block);
    }
    CHECK(live == entry->live);
    CHECK(bytes == entry->bytes);
}

void stream_check(const struct stream *s)
{
    struct stream_id last = STREAM_ID_MIN;
    uint64_t ordinal = 0;
    uint64_t length = 0;
    size_t blocks = 0;
    size_t bytes = s->blocks.capacity * sizeof(struct index_root_entry);
    for (uint32_t i = 0; i < s->blocks.count; i++) {
        const struct index_root_entry *entry = index_root(&s->blocks, i);
        check_leaf(s, i, &ordinal, &last);
        length += entry->live;
        blocks += entry->leaf->count;
        bytes += entry->bytes;
    }
    CHECK(length == s->length && blocks == s->blocks.blocks && bytes == s->blocks.memory_bytes);
    /* Every append stands in a record or gap, but for those of blocks that are gone. */
    CHECK(ordinal <= s->appended);
    CHECK(IMPLIES(blocks > 0 && !s->blocks.tail_closed, ordinal == s->appended));
    CHECK(s->entries_added >= s->length);
    CHECK(stream_id_compare(last, s->last_id) <= 0);
    stream_groups_check(s);
    stream_idmp_check(s);
    stream_referenced_check(s);
}
