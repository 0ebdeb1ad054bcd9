/* table.h - the entries of one slot of one database: a hash table that is cheap when it holds a
 * handful of keys, and never stalls when a hash tag has put millions into it.
 *
 * It knows entries by hash and key. It never knows slots, databases, time or what values are, and
 * it frees no entry: whoever removes one owns it.
 *
 * Buckets are cache lines: seven tags (8 bits of the hash, 0 = free), the number of entries that
 * found the bucket full and went on to the next one (saturating: then it is never counted down),
 * seven pointers.
 *
 *      | 7 tags | passed | 7 pointers |          64 bytes
 *
 * The home of an entry is  (top 32 bits of its hash) * bucket_count >> 32 , so any number of
 * buckets will do, and the order of homes is the order of hashes whatever their number. Scanning
 * stands on that: "all entries whose hash is below h" means the same before and after a resize
 * (compare the reversed-bits cursor of Redis, dictScan, which returns keys twice).
 *
 * Bucket counts are 2^k and 3 * 2^k, all of them size classes of the allocator. A table that is
 * 7/8 full grows to the next, one that is less than a quarter of that full shrinks. A table of up
 * to TABLE_MOVE_AT_ONCE_MAX entries moves at once; a larger one keeps its old array beside the new
 * one and moves a few buckets with every change.
 *
 * Invariants: the counts are exact; an entry stands in exactly one array; in its array it stands
 * at its home or behind buckets that all counted it as passed; bucket_count is 0 exactly when
 * there are no buckets. */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include "base/random.h"
#include "store/entry.h"

enum {
    BUCKET_ENTRIES = 7,
    BUCKET_PASSED_MAX = 255,
    TABLE_MOVE_AT_ONCE_MAX = 8192, /* entries */
    TABLE_MOVE_BUCKETS = 2,        /* moved with every change; see the static_assert in table.c */
};

struct bucket {
    uint8_t tags[BUCKET_ENTRIES];
    uint8_t passed;
    struct entry *entries[BUCKET_ENTRIES];
};

static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

struct bucket_array {
    struct bucket *buckets;
    uint32_t bucket_count;
    uint32_t count; /* entries */
};

/* What a resize has not moved yet. */
struct table_move {
    struct bucket_array old;
    uint32_t next; /* buckets of old below this one are empty */
};

/* All zero is an empty table. */
struct table {
    struct bucket_array now;
    struct table_move *move; /* NULL but while a large table resizes */
};

/* Where an entry stands; good until the table is next changed. */
struct place {
    struct bucket *bucket;
    unsigned index;
    bool old; /* in move->old */
};

static inline struct entry *place_entry(const struct place *p)
{
    return p->bucket->entries[p->index];
}

static inline size_t table_count(const struct table *t)
{
    return t->now.count + (t->move == NULL ? 0 : t->move->old.count);
}

/* Frees the arrays, not the entries. */
void table_deinit(struct table *t);

bool table_find(const struct table *t, uint64_t hash, struct slice key, struct place *place);

/* Adds an entry whose key is absent and says where it stands. seed: the one that all hashes are
 * made with, to place entries again when the table resizes. */
struct place table_insert(struct table *t, uint64_t hash, struct entry *e, uint64_t seed);

/* Takes the entry out; it is the caller's then. */
void table_remove(struct table *t, uint64_t hash, const struct place *place, uint64_t seed);

/* Prefetches the bucket where the search for 'hash' begins, and the entry with its tag there. */
void table_prefetch(const struct table *t, uint64_t hash);
void table_prefetch_entry(const struct table *t, uint64_t hash);

/* Visits the entries whose top 32 bits are in first .. last, each once, in no promised order. */
typedef void table_visit(void *context, struct entry *e, uint64_t hash);
struct table_range {
    uint32_t first;
    uint32_t last; /* inclusive */
    uint64_t seed;
};
void table_visit_range(const struct table *t, const struct table_range *range, table_visit *visit,
                       void *context);

/* The last hash (top 32 bits) of a range that begins at 'first' and is worth one visit: the end of
 * a home bucket. UINT32_MAX is the end of the table. */
uint32_t table_range_last(const struct table *t, uint32_t first);

/* As table_visit_range for the few entries with the same top 32 bits and tag as 'hash': all that
 * a record of 40 bits can mean. Touches no others. */
void table_visit_like(const struct table *t, uint64_t hash, uint64_t seed, table_visit *visit,
                      void *context);

/* An entry chosen at random of a table that is not empty. */
struct entry *table_random(const struct table *t, struct random *random);

/* Takes any entry out without keeping counts right for searches; NULL: empty. Only for a table
 * that is being thrown away. *position begins at 0 and remembers where to look. */
struct entry *table_drain(struct table *t, uint32_t *position);

#endif
