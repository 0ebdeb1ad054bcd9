/* state.h - the inside of struct store, for the files of this room only.
 *
 *      store.c   keys: look up, put, remove, rename, flush
 *      due.c     deadlines: the timing wheel and what its records mean
 *      scan.c    walking and random keys
 *
 * A database that was never used has no tables (16384 of them are 384 KiB). Counts are kept for the
 * database and for each of its 256 shards of 64 slots, so that a random key and a scan find the
 * slots that hold something without looking at all of them. */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/hash.h"
#include "base/limits.h"
#include "store/store.h"
#include "store/table.h"
#include "store/wheel.h"

enum {
    SHARD_SLOTS = 64,
    SHARDS_COUNT = SLOTS_COUNT / SHARD_SLOTS,
};

struct database {
    struct table *tables; /* SLOTS_COUNT, or NULL while nothing was stored */
    uint64_t count;
    uint64_t expiring;
    uint64_t shard_counts[SHARDS_COUNT];
};

/* The key that was looked up or changed last. A cache: it says nothing that a lookup does not. */
struct lookup {
    struct entry *entry; /* NULL: nothing is known */
    uint64_t hash;
    struct place place;
    uint8_t database;
};

/* The tables of a flushed database, on their way back to the allocator. */
struct grave {
    struct grave *next;
    struct table *tables;
    uint32_t slot;     /* tables before this one are gone */
    uint32_t position; /* in that table, see table_drain */
};

/* A large value that was removed, on its way back to the allocator. */
struct remains {
    struct remains *next;
    void *body;
    uint8_t type;
};

struct store {
    const struct value_type *types;
    size_t types_count;
    uint64_t seed;
    struct lookup *last; /* owned; apart, because reading refills it */
    struct grave *graves;
    struct remains *remains; /* the last one first */
    struct wheel *wheel;     /* NULL while nothing has ever expired */
    struct wheel *wheel_old; /* records that are being sorted out, see due.c; mostly NULL */
    unsigned generation;     /* 0 or 1 */
    int64_t now_ms;          /* what store_next_due was last told */
    uint64_t expiring;       /* of all databases */
    struct database databases[DATABASES_COUNT]; /* by place */
    uint8_t places[DATABASES_COUNT];            /* by number */
};

/* Finds a key, in the cache or in its table, and leaves it in the cache. */
struct entry *store_find(const struct store *s, const struct store_key *key);

/* The deadline of a present key has changed from 'before' (STORE_NO_EXPIRY: none) to what its
 * entry says. Keeps the counts and the wheel. */
void due_changed(struct store *s, const struct store_key *key, struct entry *e, int64_t before);

/* A key that had a deadline has gone. */
void due_removed(struct store *s, unsigned database);

/* All keys of a database have gone. */
void due_flushed(struct store *s, unsigned database);

/* Sorts out up to 'steps' old records; false when there is nothing to do. */
bool due_sweep(struct store *s, size_t steps);

void due_deinit(struct store *s);

#endif
