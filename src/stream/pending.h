/* pending.h - the pending entries of one group (private to the room).
 *
 * A pending entry is an ID with its owner, the time of its last delivery and how often it was
 * delivered. Owners are numbers here; group.c gives them names.
 *
 * All entries stand once, sorted by ID, in chunks of at most 128. A chunk is a header of 64 bytes
 * and its columns, 16 bytes an entry when everything fits ("narrow"):
 *
 *   keys[]        u64   milliseconds after base_ms << 32 | sequence
 *   times[]       u32   milliseconds after base_time
 *   deliveries[]  u16
 *   owners[]      u16   0xffff: unowned
 *
 * and 40 bytes an entry (an array of struct pending_item) when something does not ("wide"): a
 * sequence or count that is too large, IDs or times weeks apart, more than 65,535 consumers.
 *
 * Three orders are kept on chunks, not on entries, which is what makes 128 entries cost as much
 * as one:
 *   by ID          an array of chunks with a free front; the entries in a chunk are sorted
 *   by owner       for each owner, the array of the chunks in which it has entries, by ID
 *   by delivery    a heap of the chunks, by the oldest delivery in each; unowned entries count as
 *                  older than all owned ones. "Oldest first" looks only into chunks that hold an
 *                  entry to be returned.
 * Deliveries append to the last chunk, acknowledgements empty the first ones: both are a few
 * nanoseconds an entry. Chunks that random acknowledgements leave sparse are shrunk and merged.
 *
 * Rejected: a tree node for each entry (Redis: 124 to 200 bytes), list links for time and owner
 * (16 bytes an entry, and every move of an entry must fix its neighbours).
 *
 * Invariants: no chunk is empty; first <= every ID of the chunk < first of the next chunk; an
 * owner's array holds exactly the chunks with its entries; counts are sums; two neighbours
 * hold more than PENDING_MERGE_MAX together, unless the last removal did not touch them. */
#ifndef STREAM_PENDING_H
#define STREAM_PENDING_H

#include "base/check.h"
#include "stream/stream_id.h"

enum {
    PENDING_CHUNK_ENTRIES = 128,
    PENDING_MERGE_MAX = 96,
    PENDING_UNOWNED = INT32_MAX, /* the owner of an entry that nobody owns */
};

struct pending_item {
    struct stream_id id;
    int64_t delivery_ms;
    uint64_t deliveries;
    uint32_t owner;
};

struct pending_chunk {
    struct stream_id first; /* no ID of the chunk is below */
    uint64_t base_ms;
    int64_t base_time;
    int64_t oldest_ms; /* of the unowned entries if there are any, else of all */
    void *columns;
    uint32_t heap_position;
    uint32_t seen; /* number of the watch that has seen it, or under which it was made */
    uint16_t unowned;
    uint8_t count;
    uint8_t capacity;
    bool wide;
};

/* Somebody who wants each chunk as it is now: 'before' is told of a chunk before the first change
 * of it, and of a chunk that goes. Numbers are not 0 and differ from all earlier ones. */
struct pending_watch {
    uint32_t number;
    void (*before)(struct pending_watch *watch, const struct pending_chunk *c);
};

/* Chunks sorted by ID, with a free front. */
struct chunk_array {
    struct pending_chunk **chunks;
    uint32_t start;
    uint32_t count;
    uint32_t capacity;
};

/* What the list keeps for an owner; lives in the owner. */
struct pending_owner {
    struct chunk_array chunks;
    uint64_t count;
    uint32_t number;
};

struct pending_list {
    struct chunk_array chunks;
    struct pending_chunk **heap; /* chunks.count of them */
    uint32_t heap_capacity;
    uint32_t owners_capacity;
    struct pending_owner **owners; /* by number; NULL: free */
    uint64_t count;
    uint64_t unowned;
    size_t memory_bytes;         /* of everything here, and of the owners' arrays */
    struct pending_watch *watch; /* NULL, or borrowed */
};

/* Frees up to *steps chunks, which is lowered by what was done; true when nothing is left, of the
 * owners' arrays neither. After the first call nothing else is allowed. */
bool pending_dismantle(struct pending_list *p, size_t *steps);

/* Tells the watch of the chunks that it has not seen, from the one that can hold *from on, looking
 * at up to 'count' of them. True: there are more, and *from is where to go on. */
bool pending_show(struct pending_list *p, struct stream_id *from, uint32_t count);

/* A list of the same entries, without a watch; afterwards pending_owner_copy for each owner. */
void pending_copy(const struct pending_list *p, struct pending_list *copy);
void pending_owner_copy(const struct pending_owner *owner, struct pending_list *copy_list,
                        struct pending_owner *copy);

void pending_owner_add(struct pending_list *p, struct pending_owner *owner);    /* numbers it */
void pending_owner_remove(struct pending_list *p, struct pending_owner *owner); /* owns nothing */

bool pending_get(const struct pending_list *p, struct stream_id id, struct pending_item *item);

/* Inserts, or replaces what is there for the ID. Cheapest when the ID is above all others. */
void pending_put(struct pending_list *p, const struct pending_item *item);

/* Removes the IDs that are there; returns how many were. Cheapest in rising order. */
uint64_t pending_remove(struct pending_list *p, const struct stream_id *ids, size_t count);

/* Removes all entries of the owner; returns how many there were. */
uint64_t pending_remove_owned(struct pending_list *p, const struct pending_owner *owner);

/* A place between entries, for walking by ID. */
struct pending_place {
    const struct chunk_array *chunks; /* all, or those of one owner */
    uint32_t chunk;
    uint32_t entry;
};
/* Before the first entry with an ID >= id. */
struct pending_place pending_seek(const struct chunk_array *chunks, struct stream_id id);
/* The next entry; skips chunks in which nothing was delivered at or before delivered_max_ms. */
bool pending_next(struct pending_place *place, int64_t delivered_max_ms, struct pending_item *item);

/* Up to 'count' entries delivered at or before delivered_max_ms (unowned ones always), in the
 * order: unowned, delivery time, ID. Returns how many. */
size_t pending_oldest(const struct pending_list *p, int64_t delivered_max_ms,
                      struct pending_item *items, size_t count);

/* The order of delivery: negative when 'a' comes first. */
int pending_compare_age(const struct pending_item *a, const struct pending_item *b);

void pending_check(const struct pending_list *p);

#endif
