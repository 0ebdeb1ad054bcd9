/* stream.h - an append-only sequence of entries ordered by ID, with consumer groups
 * (stream_group.h).
 *
 * This room knows entries, IDs, groups and pending entries. It never knows keys, clients, replies,
 * clocks or the log: whoever calls it has already decided every ID, name and time. Functions that
 * take a const stream are for commands; the others are for db/, which applies effects.
 *
 * Structures (design/data.md): blocks of delta-coded entries, sealed blocks immutable and shared
 * by reference count, an index of (first ID, block), a dense ordinal for every entry.
 *
 * Invariants: every live entry has 0-0 < ID <= last_id; IDs increase strictly; length counts live
 * entries; entries_added >= length; a deleted entry's ID is <= max_deleted_id. */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "stream/stream_id.h"

struct stream;
struct block_index;  /* private */
struct stream_block; /* private */

/* When a block is full: stream-node-max-bytes and stream-node-max-entries of redis.conf; 0 means
 * no limit of that kind (both 0: a limit of the room's own). */
struct stream_block_limits {
    size_t bytes_max;
    size_t entries_max;
};

enum {
    STREAM_FIELDS_MAX = 1 << 20, /* slices (names and values) of one entry */
    STREAM_BLOCK_BYTES_CAP = 1 << 30,
};

struct stream *stream_create(void);
void stream_destroy(struct stream *s);

/* Destroys a stream bit by bit: frees about *steps parts of it (blocks, chunks of pending entries,
 * consumers, iids), lowers *steps by what was done, and returns true when the stream is gone, or
 * somebody else's who will free it. After the first call nothing else is allowed. */
bool stream_dismantle(struct stream *s, size_t *steps);

/* ---- reading ---- */

uint64_t stream_length(const struct stream *s);
struct stream_id stream_last_id(const struct stream *s); /* of the last append ever, or XSETID */
struct stream_id stream_max_deleted_id(const struct stream *s);
uint64_t stream_entries_added(const struct stream *s);
bool stream_first_id(const struct stream *s, struct stream_id *id);     /* of live entries */
bool stream_last_live_id(const struct stream *s, struct stream_id *id); /* "+" of XREAD */
bool stream_contains(const struct stream *s, struct stream_id id);
size_t stream_blocks_count(const struct stream *s);
size_t stream_memory_bytes(const struct stream *s); /* of entries, index and groups; O(1) */

/* Inclusive; empty when first > last. */
struct stream_range {
    struct stream_id first;
    struct stream_id last;
};

/* How many live entries, at most limit, are in the range: O(log blocks) plus at most two blocks
 * and, below the limit, the blocks between them. */
uint64_t stream_count(const struct stream *s, struct stream_range range, uint64_t limit);

enum { STREAM_WALK_MARKS = 32 };

/* Private to walk.c: what must be known to read the record at 'offset'. */
struct stream_walk_mark {
    struct stream_id id; /* of the record before it */
    uint64_t ordinal;    /* of the record before it */
    uint32_t offset;
};

/* A walk over the live entries of a range. The stream must not change while it lasts.
 *
 *   stream_walk_begin(&w, s, range, false);
 *   while (stream_walk_next(&w)) {            w.id and w.fields_count are set
 *       while (stream_walk_field(&w, &item))  name, value, name, value ... fields_count slices
 *   }
 * Slices borrow from the stream. Fields that were not asked for are skipped. */
struct stream_walk {
    struct stream_id id;
    size_t fields_count; /* names and values of this entry: even */
    uint64_t data_bytes; /* of its names and values, for MAXSIZE */
    /* private, see walk.c */
    const struct block_index *index;
    struct stream_range range;
    bool reverse;
    bool own_names;
    uint32_t leaf;
    uint32_t slot;
    const struct stream_block *block; /* NULL: the walk is over */
    uint64_t ordinal;                 /* of the entry */
    size_t fields_left;
    uint32_t name_next;
    uint32_t item_next;
    struct stream_walk_mark at;                           /* forward: before the next record */
    uint32_t names_count;                                 /* of the block */
    uint64_t names_bytes;                                 /* of the block */
    uint32_t window;                                      /* reverse: the one being read */
    uint32_t window_left;                                 /* marks of it that are left */
    struct stream_walk_mark windows[STREAM_WALK_MARKS];   /* where each begins */
    struct stream_walk_mark in_window[STREAM_WALK_MARKS]; /* its live records */
};
/* Beginning right after a group's last-delivered ID costs no search: see walk.c. */
void stream_walk_begin(struct stream_walk *w, const struct stream *s, struct stream_range range,
                       bool reverse);
bool stream_walk_next(struct stream_walk *w);
/* Moves a forward walk to the entry with exactly this ID, in its range or not; false: none there.
 * Rising IDs that are near to each other cost no search. */
bool stream_walk_seek(struct stream_walk *w, struct stream_id id);
bool stream_walk_field(struct stream_walk *w, struct slice *item);

/* The live entries after 'id' are what a group at 'id' has still to read: exact lag, never null. */
uint64_t stream_count_after(const struct stream *s, struct stream_id id);

/* How many entries were ever appended with an ID <= id, as far as the dense ordinals of what is
 * stored tell (entries trimmed from the front count as appended before): exact entries-read. */
uint64_t stream_ordinal(const struct stream *s, struct stream_id id);

/* ---- trimming is decided on the const side, and done as "drop all before this ID" ---- */

struct stream_trim {
    enum { STREAM_TRIM_LENGTH, STREAM_TRIM_ID } by;
    uint64_t length_max;          /* STREAM_TRIM_LENGTH */
    struct stream_id id_min;      /* STREAM_TRIM_ID */
    bool approximate;             /* "~": drop whole blocks only */
    uint64_t entries_removed_max; /* LIMIT; 0: none */
};
/* What the trim would drop: all live entries before *first_kept, or all there are when *first_kept
 * is 0-0; *count gets how many. False: nothing. O(leaves of the index). */
bool stream_trim_plan(const struct stream *s, const struct stream_trim *trim,
                      struct stream_id *first_kept, uint64_t *count);

/* ---- changes; the caller is db/ ---- */

/* Appends an entry of 'count' slices (name, value, ...; count even, 2..STREAM_FIELDS_MAX), copied.
 * id > stream_last_id(s). */
void stream_append(struct stream *s, struct stream_id id, const struct slice *items, size_t count,
                   const struct stream_block_limits *limits);

/* Drops all live entries with an ID < first_kept from the front, all there are when it is 0-0;
 * returns how many. O(blocks). */
uint64_t stream_trim_before(struct stream *s, struct stream_id first_kept);

/* Before it, when there may be very many: takes out most of what it would drop, in time that hardly
 * depends on how much that is, as a stream of which nothing is allowed but stream_dismantle. The
 * caller owns it; NULL: they are few. */
struct stream *stream_cut_before(struct stream *s, struct stream_id first_kept);

/* Deletes one entry; false: not there. Block space is reclaimed when its dead share grows. */
bool stream_delete(struct stream *s, struct stream_id id);

/* XSETID and loaders. last_id >= the last live ID; entries_added >= length. */
void stream_set_last_id(struct stream *s, struct stream_id last_id);
void stream_set_counters(struct stream *s, uint64_t entries_added, struct stream_id max_deleted_id);

/* ---- freezing: snapshots and long replies read on while the stream changes ---- */

/* A stream with the same entries, which it shares, and without groups: microseconds, whatever is in
 * it. Owned by the caller. */
struct stream *stream_freeze(const struct stream *s);

/* The walk goes on over what was frozen or copied (stream_copy.h) from its stream just now. */
void stream_walk_move(struct stream_walk *w, const struct stream *to);

/* Checks every invariant of the structure, entries and groups: for tests; O(everything). */
void stream_check(const struct stream *s);

#endif
