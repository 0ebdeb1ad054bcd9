#include "stream/block_index.h"

#include "base/memory.h"

enum {
    LEAF_HEADER_BYTES = offsetof(struct index_leaf, slots),
    LEAF_SLOTS_FIRST = 1,
    ROOT_ENTRIES_MAX = 1 << 28,
};

static size_t leaf_size(size_t capacity)
{
    return LEAF_HEADER_BYTES + capacity * sizeof(struct index_slot);
}

static size_t root_size(const struct block_index *x)
{
    return x->capacity * sizeof(struct index_root_entry);
}

static void leaf_release(struct index_leaf *leaf)
{
    CHECK(leaf->references > 0);
    if (--leaf->references > 0) return;
    for (uint32_t i = 0; i < leaf->count; i++) block_release(leaf->slots[leaf->start + i].block);
    memory_free(leaf, leaf_size(leaf->capacity));
}

void index_give_up_first_leaf(struct block_index *x)
{
    CHECK(x->count > 0);
    leaf_release(x->root[x->start].leaf);
    x->start++;
    x->count--;
}

bool index_dismantle(struct block_index *x, size_t *steps)
{
    while (x->count > 0 && *steps > 0) {
        const struct index_leaf *leaf = x->root[x->start].leaf;
        size_t cost = leaf->references > 1 ? 1 : leaf->count;
        index_give_up_first_leaf(x);
        *steps -= cost < *steps ? cost : *steps;
    }
    if (x->count > 0) return false;
    memory_free(x->root, root_size(x));
    *x = (struct block_index){0};
    return true;
}

void index_share(const struct block_index *x, struct block_index *copy)
{
    *copy = (struct block_index){.count = x->count,
                                 .capacity = x->count,
                                 .blocks = x->blocks,
                                 .tail_closed = x->tail_closed};
    if (x->count == 0) return;
    copy->root = memory_allocate(root_size(copy));
    copy->memory_bytes = x->memory_bytes - root_size(x) + root_size(copy);
    for (uint32_t i = 0; i < x->count; i++) {
        copy->root[i] = x->root[x->start + i];
        copy->root[i].leaf->references++;
    }
}

/* ---- places ---- */

/* How many leaves begin at or before the ID. */
static uint32_t leaves_up_to(const struct block_index *x, struct stream_id id)
{
    uint32_t low = 0;
    uint32_t high = x->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct index_slot *slot = index_slot(x, (struct index_place){middle, 0});
        if (stream_id_compare(slot->first_id, id) <= 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool index_find(const struct block_index *x, struct stream_id id, struct index_place *place)
{
    struct index_place last;
    if (!index_last(x, &last)) return false;
    /* Groups read and producers write at the end. */
    if (stream_id_compare(index_slot(x, last)->first_id, id) <= 0) {
        *place = last;
        return true;
    }
    uint32_t leaves = leaves_up_to(x, id);
    if (leaves == 0) return false;
    const struct index_leaf *leaf = index_root(x, leaves - 1)->leaf;
    uint32_t low = 1; /* the first slot begins at or before the ID */
    uint32_t high = leaf->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_id_compare(leaf->slots[leaf->start + middle].first_id, id) <= 0)
            low = middle + 1;
        else high = middle;
    }
    *place = (struct index_place){leaves - 1, low - 1};
    return true;
}

bool index_first(const struct block_index *x, struct index_place *place)
{
    *place = (struct index_place){0, 0};
    return x->count > 0;
}

bool index_last(const struct block_index *x, struct index_place *place)
{
    if (x->count == 0) return false;
    *place = (struct index_place){x->count - 1, index_root(x, x->count - 1)->leaf->count - 1u};
    return true;
}

bool index_next(const struct block_index *x, struct index_place *place)
{
    if (place->slot + 1 < index_root(x, place->leaf)->leaf->count) {
        place->slot++;
        return true;
    }
    if (place->leaf + 1 >= x->count) return false;
    *place = (struct index_place){place->leaf + 1, 0};
    return true;
}

bool index_previous(const struct block_index *x, struct index_place *place)
{
    if (place->slot > 0) {
        place->slot--;
        return true;
    }
    if (place->leaf == 0) return false;
    place->leaf--;
    place->slot = index_root(x, place->leaf)->leaf->count - 1u;
    return true;
}

uint64_t index_live_before(const struct block_index *x, struct index_place place)
{
    uint64_t live = 0;
    for (uint32_t i = 0; i < place.leaf; i++) live += index_root(x, i)->live;
    const struct index_leaf *leaf = index_root(x, place.leaf)->leaf;
    for (uint32_t i = 0; i < place.slot; i++) live += leaf->slots[leaf->start + i].block->live;
    return live;
}

/* ---- changes ---- */

/* The leaf at the entry, or one of its blocks, has come or gone. */
static void add_bytes(struct block_index *x, struct index_root_entry *entry, size_t bytes)
{
    entry->bytes += bytes;
    x->memory_bytes += bytes;
}

static void subtract_bytes(struct block_index *x, struct index_root_entry *entry, size_t bytes)
{
    CHECK(entry->bytes >= bytes);
    entry->bytes -= bytes;
    x->memory_bytes -= bytes;
}

static struct index_leaf *leaf_create(size_t capacity)
{
    struct index_leaf *leaf = memory_allocate(leaf_size(capacity));
    *leaf = (struct index_leaf){.references = 1, .capacity = (uint16_t)capacity};
    return leaf;
}

/* The leaf, copied first when a frozen copy shares it. */
static struct index_leaf *own_leaf(struct block_index *x, uint32_t i)
{
    struct index_root_entry *entry = &x->root[x->start + i];
    struct index_leaf *leaf = entry->leaf;
    if (leaf->references == 1) return leaf;

    struct index_leaf *copy = leaf_create(leaf->capacity);
    copy->start = leaf->start;
    copy->count = leaf->count;
    for (uint32_t s = leaf->start; s < (uint32_t)leaf->start + leaf->count; s++) {
        copy->slots[s] = leaf->slots[s];
        block_acquire(copy->slots[s].block);
    }
    leaf_release(leaf);
    entry->leaf = copy;
    return copy;
}

static void make_room_in_root(struct block_index *x)
{
    if (x->start + x->count < x->capacity) return;
    if (x->start > x->capacity / 4) {
        memmove(x->root, x->root + x->start, x->count * sizeof *x->root);
        x->start = 0;
        return;
    }
    CHECK(x->capacity < ROOT_ENTRIES_MAX);
    size_t before = root_size(x);
    x->capacity = x->capacity == 0 ? 1 : x->capacity * 2;
    x->root = memory_resize(x->root, before, root_size(x));
    x->memory_bytes += root_size(x) - before;
}

static void append_leaf(struct block_index *x)
{
    /* A stream that has filled a leaf will fill the next one. */
    struct index_leaf *leaf = leaf_create(x->count == 0 ? LEAF_SLOTS_FIRST : INDEX_LEAF_SLOTS);
    make_room_in_root(x);
    struct index_root_entry *entry = &x->root[x->start + x->count];
    *entry = (struct index_root_entry){.leaf = leaf};
    x->count++;
    add_bytes(x, entry, leaf_size(leaf->capacity));
}

/* Room for one more slot at the end of the last leaf; false when that leaf is full. */
static bool make_room_in_leaf(struct block_index *x)
{
    if (x->count == 0) return false;
    struct index_leaf *leaf = own_leaf(x, x->count - 1);
    if (leaf->start + leaf->count < leaf->capacity) return true;
    if (leaf->start > leaf->capacity / 4) {
        memmove(leaf->slots, leaf->slots + leaf->start, leaf->count * sizeof leaf->slots[0]);
        leaf->start = 0;
        return true;
    }
    if (leaf->capacity == INDEX_LEAF_SLOTS) return false;
    size_t before = leaf_size(leaf->capacity);
    uint16_t capacity = (uint16_t)(leaf->capacity * 2);
    leaf = memory_resize(leaf, before, leaf_size(capacity));
    leaf->capacity = capacity;
    struct index_root_entry *entry = &x->root[x->start + x->count - 1];
    entry->leaf = leaf;
    add_bytes(x, entry, leaf_size(capacity) - before);
    return true;
}

void index_append(struct block_index *x, struct stream_block *b, uint64_t ordinal)
{
    if (!make_room_in_leaf(x)) append_leaf(x);
    struct index_root_entry *entry = &x->root[x->start + x->count - 1];
    struct index_leaf *leaf = entry->leaf;
    CHECK(leaf->references == 1);
    CHECK(leaf->start + leaf->count < leaf->capacity);
    leaf->slots[leaf->start + leaf->count] = (struct index_slot){b->first_id, b, ordinal};
    leaf->count++;
    entry->live += b->live;
    x->blocks++;
    x->tail_closed = false;
    add_bytes(x, entry, block_memory_bytes(b));
}

struct stream_block *index_take(struct block_index *x, struct index_place place, uint64_t *ordinal)
{
    struct index_leaf *leaf = own_leaf(x, place.leaf);
    CHECK(place.slot < leaf->count);
    struct index_slot *slot = &leaf->slots[leaf->start + place.slot];
    struct stream_block *b = slot->block;
    CHECK(b != NULL);
    *ordinal = slot->ordinal;
    slot->block = NULL;
    struct index_root_entry *entry = &x->root[x->start + place.leaf];
    entry->live -= b->live;
    subtract_bytes(x, entry, block_memory_bytes(b));
    return b;
}

void index_put(struct block_index *x, struct index_place place, struct stream_block *b,
               uint64_t ordinal)
{
    struct index_root_entry *entry = &x->root[x->start + place.leaf];
    struct index_slot *slot = &entry->leaf->slots[entry->leaf->start + place.slot];
    CHECK(slot->block == NULL);
    CHECK(b->live > 0);
    *slot = (struct index_slot){b->first_id, b, ordinal};
    entry->live += b->live;
    add_bytes(x, entry, block_memory_bytes(b));
}

/* The root goes when nothing is left. */
static void settle_root(struct block_index *x)
{
    if (x->count > 0) return;
    CHECK(x->memory_bytes == root_size(x) && x->blocks == 0);
    memory_free(x->root, root_size(x));
    *x = (struct block_index){0};
}

static void remove_leaf(struct block_index *x, uint32_t i)
{
    struct index_root_entry *entry = &x->root[x->start + i];
    CHECK(entry->live == 0);
    subtract_bytes(x, entry, leaf_size(entry->leaf->capacity));
    CHECK(entry->bytes == 0);
    leaf_release(entry->leaf);
    x->count--;
    if (i == 0) x->start++;
    else memmove(entry, entry + 1, (x->count - i) * sizeof *entry);
    settle_root(x);
}

void index_remove(struct block_index *x, struct index_place place)
{
    uint64_t ordinal;
    struct index_place last;
    CHECK(index_last(x, &last));
    if (place.leaf == last.leaf && place.slot == last.slot) x->tail_closed = true;
    struct stream_block *b = index_take(x, place, &ordinal);
    block_release(b);
    x->blocks--;

    struct index_leaf *leaf = x->root[x->start + place.leaf].leaf;
    struct index_slot *slot = &leaf->slots[leaf->start + place.slot];
    leaf->count--;
    if (place.slot == 0) leaf->start++;
    else memmove(slot, slot + 1, (leaf->count - place.slot) * sizeof *slot);
    if (leaf->count == 0) remove_leaf(x, place.leaf);
}

void index_cut(struct block_index *x, uint32_t leaves, struct block_index *cut)
{
    CHECK(leaves > 0 && leaves <= x->count);
    *cut = (struct block_index){.count = leaves, .capacity = leaves};
    cut->root = memory_allocate(root_size(cut));
    cut->memory_bytes = root_size(cut);
    for (uint32_t i = 0; i < leaves; i++) {
        const struct index_root_entry *entry = index_root(x, i);
        cut->root[i] = *entry;
        cut->blocks += entry->leaf->count;
        cut->memory_bytes += entry->bytes;
        x->memory_bytes -= entry->bytes;
    }
    x->start += leaves;
    x->count -= leaves;
    x->blocks -= cut->blocks;
    settle_root(x);
}
