/* block.h - a run of delta-coded entries in one allocation (private to the room).
 *
 * A block knows entries and their order. It never knows where it stands in a stream; the ordinal
 * of its first record is kept by the index beside the pointer (block_index.h).
 *
 *   struct stream_block | names | dropped prefix | record record record ... | spare |
 *                       0                        begin                      size    capacity
 *
 *   names    count, then for each name of the block's first entry: size, bytes
 *   record   control byte, then what it announces:
 *            bit 7      dead: deleted, but not yet reclaimed
 *            bit 6      own names: this entry does not have the block's names
 *            bit 5      the sequence is written
 *            bits 4-0   0..29: milliseconds after the previous record
 *                       30: the milliseconds follow as a number
 *                       31: a gap; the number that follows says how many records were reclaimed
 *                           here. A gap has no ID; the other bits are 0.
 *            [milliseconds] [sequence] [count of name-value pairs, if own names] items
 *   sequence when the milliseconds are those of the previous record: how much more than one it is
 *            above the previous one (not written: one above); else the sequence itself (not
 *            written: 0)
 *   items    size, bytes: the values in the order of the names; with own names name, value, ...
 *   All numbers are LEB128 varints. The deltas of the record at 'begin' are ignored: its ID is
 *   first_id.
 *
 * Gaps keep ordinals exact: every entry that was ever appended between two live ones is counted by
 * a dead record or a gap, so the ordinal of each live entry can be recomputed.
 *
 * Ownership: reference counted, by leaves of indexes. A block with more than one reference is
 * immutable; whoever wants to change it copies it first.
 *
 * Invariants: 0 < live <= records <= BLOCK_RECORDS_MAX (a block without live entries is dropped);
 * names <= begin < size <= capacity; IDs increase; last_id is the ID of the last record. */
#ifndef STREAM_BLOCK_H
#define STREAM_BLOCK_H

#include "base/check.h"
#include "stream/stream.h"

enum {
    BLOCK_DEAD = 0x80,
    BLOCK_OWN_NAMES = 0x40,
    BLOCK_SEQ = 0x20,
    BLOCK_MS_MASK = 0x1f,
    BLOCK_MS_INLINE_MAX = 29,
    BLOCK_MS_NUMBER = 30,
    BLOCK_GAP = 31,
    BLOCK_RECORDS_MAX = STREAM_WALK_MARKS * STREAM_WALK_MARKS,
};

struct stream_block {
    struct stream_id first_id; /* of the record at begin */
    struct stream_id last_id;
    uint32_t references;
    uint32_t size;
    uint32_t capacity;
    uint32_t begin;
    uint32_t dead_bytes; /* of dead records and of the dropped prefix */
    uint32_t rewrites;   /* offsets found before the last one mean nothing now */
    uint32_t dropped;    /* ordinals that the block once began with and has no more */
    uint16_t records;    /* live and dead ones, from begin */
    uint16_t live;
    uint8_t bytes[];
};

/* One record, as block_cursor_next leaves it. */
struct block_record {
    struct stream_id id;
    uint64_t ordinal;    /* of this record; counts from 1 over the life of the stream */
    uint64_t data_bytes; /* of names and values */
    uint32_t offset;     /* of the control byte */
    uint32_t body;       /* of the items */
    uint32_t end;
    uint32_t items; /* that are stored */
    uint32_t names_count;
    bool own_names;
    bool dead;
};

struct block_cursor {
    const struct stream_block *block;
    uint32_t next; /* offset of the next record */
    uint32_t names_count;
    uint64_t names_bytes;
    struct stream_id id; /* of the previous record */
    uint64_t ordinal;    /* of the previous record or gap */
};

/* What an entry takes in a block; computed before anything changes. */
struct block_entry {
    struct stream_id id;
    const struct slice *items; /* name, value, ... */
    size_t count;
    uint64_t size; /* coded */
    bool own_names;
};

/* An empty block for this entry's names, with room for 'capacity' bytes or the names. The caller
 * owns its one reference and appends the entry next. */
struct stream_block *block_create(const struct block_entry *entry, size_t capacity);

void block_acquire(struct stream_block *b);
void block_release(struct stream_block *b);
size_t block_memory_bytes(const struct stream_block *b); /* allocated */

/* Fills in size and own_names for an append to 'b'; NULL: to a block that this entry begins. */
void block_measure(const struct stream_block *b, struct block_entry *entry);

/* Appends a measured entry. Takes b (one reference) and returns it, moved perhaps. */
struct stream_block *block_append(struct stream_block *b, const struct block_entry *entry);

struct stream_block *block_seal(struct stream_block *b); /* gives back the spare; Takes b */

/* Takes b and returns a block of the same content that nobody else sees: b itself, or a copy. */
struct stream_block *block_own(struct stream_block *b);

/* A copy with the live records only. *ordinal is the ordinal before the first record of 'b' and
 * becomes the one before the first record of the copy. */
struct stream_block *block_rewrite(const struct stream_block *b, uint64_t *ordinal);

/* Marks the live record at 'offset' dead. At least one live record must remain. */
void block_mark_dead(struct stream_block *b, const struct block_record *record);

/* Drops the records with an ID < first_kept from the front: they become prefix. At least one live
 * record must remain. Returns how many of the dropped ones were live; *ordinal is the ordinal
 * before the first record and follows. */
uint32_t block_drop_before(struct stream_block *b, struct stream_id first_kept, uint64_t *ordinal);

/* Is so much of the block dead that it should be rewritten? */
bool block_is_wasteful(const struct stream_block *b);

/* 'ordinal' is the ordinal before the first record. */
void block_cursor_begin(struct block_cursor *c, const struct stream_block *b, uint64_t ordinal);
bool block_cursor_next(struct block_cursor *c, struct block_record *record);
/* The same, skipping dead records. */
bool block_cursor_next_live(struct block_cursor *c, struct block_record *record);

/* The item (size, bytes) at *offset, which moves behind it. */
struct slice block_item(const struct stream_block *b, uint32_t *offset);
uint32_t block_names_offset(const struct stream_block *b); /* of the first name */

/* Live records with an ID <= id. */
uint64_t block_rank(const struct stream_block *b, struct stream_id id);

/* Checks every byte and count. Returns the ordinal after the last record or gap. */
uint64_t block_check(const struct stream_block *b, uint64_t ordinal);

/* For loaders. A block of these bytes with the header's IDs and counts, none of it believed: until
 * block_prove says so nothing else may be called with it but block_release. */
struct stream_block *block_restore(const struct stream_block *header, struct slice bytes);

/* The same as block_check, as an answer. *ordinal: before the first record; after the last one. */
bool block_prove(const struct stream_block *b, uint64_t *ordinal);

#endif
