/* db_state.h - the inside of struct db, for its own files only.
 *
 *      db.c        changing: batches, touched keys, expiry, the log, snapshots
 *      db_read.c   accessors and figures
 *
 * Gating uses a table of LSNs indexed by the hash of a key: the newest change of any key with that
 * index. A table entry at or below durable_lsn says nothing, so nothing is ever cleared; two keys
 * that share an index make a reader wait for a write that it did not see, which is only slow. */
#ifndef DB_DB_STATE_H
#define DB_DB_STATE_H

#include "base/hash.h"
#include "db/event_queue.h"
#include "db/snapshots.h"
#include "db/transaction.h"

enum { CHANGED_KEYS = SLOTS_COUNT * 4 }; /* a power of two */

struct db {
    struct store *store;
    struct wal *wal; /* NULL: appendonly no */
    enum wal_policy policy;
    struct effect_target target;
    struct stream_idmp_limits stream_idmp;
    int64_t now_ms;
    int64_t opened_ms;

    struct snapshots *snapshots; /* NULL: appendonly no */
    struct buf moved; /* keys that the open batch moved: database (1 byte), name; see save.h */

    bool batch_open;
    bool batch_reads; /* it is a reading command's */
    bool batch_changed;
    uint64_t batch_effects; /* 'effects' when its present part began */
    struct buf *frame;      /* of the open batch in the log; NULL: no effect yet, or no log */
    lsn_t batch_depends_on; /* newest change of what the batch read */

    lsn_t *changed;                          /* CHANGED_KEYS newest changes by hash of the key */
    lsn_t database_changed[DATABASES_COUNT]; /* newest change of any key */
    lsn_t all_changed[DATABASES_COUNT];      /* newest change of all keys: FLUSHDB */

    struct watched watched;
    struct event_queue events;
    size_t frame_bytes_max; /* beyond which a batch gets no further part that writes */

    enum db_watching watching;
    struct buf touched;   /* queue: database (1 byte), touch (1 byte), name (varint size, bytes) */
    size_t touched_taken; /* bytes of it that were handed out */
    struct buf touched_name; /* the one that was handed out last */

    uint64_t effects;
    uint64_t expired;
    uint64_t hits;
    uint64_t misses;
};

static inline size_t changed_index(const struct store_key *key)
{
    /* The table of the store uses the top bits; the low ones are as good and independent. */
    return (size_t)((key->hash + key->database) & (CHANGED_KEYS - 1));
}

/* The reply of the open batch must wait for this LSN. */
static inline void depend_on(struct db *db, lsn_t lsn)
{
    if (lsn > db->batch_depends_on) db->batch_depends_on = lsn;
}

#endif
