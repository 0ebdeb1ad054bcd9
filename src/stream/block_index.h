/* block_index.h - the blocks of a stream in the order of their IDs (private to the room).
 *
 * Two levels: a root of leaves, each leaf a run of slots (first ID, block, ordinal). Both are
 * arrays with a free front ("start"), so that dropping the first is O(1) and appending amortised
 * O(1); removing from the middle moves at most one leaf's slots. Two levels instead of one ring
 * (design/data.md) because a frozen copy then costs the root only - 24 bytes for each 256 blocks -
 * and because the live entries and bytes of each leaf, kept in the root, make counting and cutting
 * millions of blocks a matter of thousands of additions.
 *
 *   root    [ ... start | leaf live bytes | leaf live bytes | ... capacity ]
 *   leaf    [ ... start | slot slot slot slot ... | ... capacity ]
 *   slot    first ID, block, ordinal before the block's first record
 *
 * Leaves and blocks are shared by reference count with copies, which may be frozen or go on as an
 * index of their own; a shared leaf is copied before it is changed, and then its blocks are shared
 * one by one.
 *
 * Invariants: no leaf and no block is empty; slot.first_id == block->first_id; IDs and ordinals
 * increase from slot to slot; live and bytes of a root entry are sums over the leaf's blocks, bytes
 * with the leaf. */
#ifndef STREAM_BLOCK_INDEX_H
#define STREAM_BLOCK_INDEX_H

#include "stream/block.h"

enum { INDEX_LEAF_SLOTS = 256 };

struct index_slot {
    struct stream_id first_id;
    struct stream_block *block;
    uint64_t ordinal;
};

struct index_leaf {
    uint32_t references;
    uint16_t start;
    uint16_t count;
    uint16_t capacity;
    struct index_slot slots[];
};

struct index_root_entry {
    struct index_leaf *leaf;
    uint64_t live;
    size_t bytes;
};

struct block_index {
    struct index_root_entry *root;
    uint32_t start;
    uint32_t count; /* of leaves */
    uint32_t capacity;
    uint32_t blocks : 31;
    /* The last block is not the one that the last append went to (that one was removed): ordinals
     * are missing behind it, so the next entry begins a block. */
    uint32_t tail_closed : 1;
    size_t memory_bytes; /* of root, leaves and blocks */
};

struct index_place {
    uint32_t leaf;
    uint32_t slot;
};

/* Gives up leaves, the first one first, until *steps blocks are gone, by which it is lowered (the
 * last leaf may take it below zero: then 0). True: nothing is left. After the first call nothing
 * else is allowed, but to read what is still there. */
bool index_dismantle(struct block_index *x, size_t *steps);

/* The same for the first leaf alone. */
void index_give_up_first_leaf(struct block_index *x);

/* *copy shares everything but the root; index_dismantle it. */
void index_share(const struct block_index *x, struct block_index *copy);

static inline const struct index_root_entry *index_root(const struct block_index *x, uint32_t leaf)
{
    return &x->root[x->start + leaf];
}

static inline const struct index_slot *index_slot(const struct block_index *x,
                                                  struct index_place place)
{
    const struct index_leaf *leaf = index_root(x, place.leaf)->leaf;
    return &leaf->slots[leaf->start + place.slot];
}

/* The last block whose first ID is <= id; false when there is none. */
bool index_find(const struct block_index *x, struct stream_id id, struct index_place *place);

bool index_first(const struct block_index *x, struct index_place *place);
bool index_last(const struct block_index *x, struct index_place *place);
bool index_next(const struct block_index *x, struct index_place *place);
bool index_previous(const struct block_index *x, struct index_place *place);

/* Live entries of the blocks before the place. */
uint64_t index_live_before(const struct block_index *x, struct index_place place);

/* ---- changes ---- */

/* Appends a block, taking its reference; 'ordinal' is the one before its first record. */
void index_append(struct block_index *x, struct stream_block *b, uint64_t ordinal);

/* To change a block: take it out of its slot (with its reference; others may share it), change or
 * replace it, put it back. Nothing else may be called between the two. */
struct stream_block *index_take(struct block_index *x, struct index_place place, uint64_t *ordinal);
void index_put(struct block_index *x, struct index_place place, struct stream_block *b,
               uint64_t ordinal);

/* Drops the block at the place. */
void index_remove(struct block_index *x, struct index_place place);

/* Moves the first leaves (at least one) to *cut; index_dismantle it. */
void index_cut(struct block_index *x, uint32_t leaves, struct block_index *cut);

#endif
