/* db.h - state plus log: the only door through which state changes.
 *
 * A command reads through const accessors and changes through db_change. db_change writes the
 * effect into the open batch and applies it; db_commit gives the batch its place in the log. A
 * batch is atomic: recovery sees all of it or none. struct db is opaque: nobody reaches round the
 * door.
 *
 * Time: db_set_now is called once per tick. A key whose deadline has passed does not exist for any
 * accessor, and the first effect on such a key is preceded by its deletion, in the same batch.
 *
 * Gating (docs/decisions/0002): every accessor notes the newest unsynced change of what it read;
 * db_commit returns the LSN that must be durable before the batch's reply may leave. */
#ifndef DB_DB_H
#define DB_DB_H

#include "db/effect.h"
#include "string/string_value.h"
#include "wal/wal.h"

struct db;

struct db_options {
    struct disk *disk; /* NULL: appendonly no, nothing is kept */
    const struct trace *trace;
    enum wal_policy policy;
    uint64_t segment_bytes;
    uint64_t random_seed;
    struct stream_block_limits stream_block;
    struct stream_idmp_limits stream_idmp; /* 0: the room's defaults */
    const struct wal_observer *observer;   /* of the recovery; NULL: nobody watches */
    int64_t opened_ms;                     /* now, in Unix milliseconds: see last_ms below */
    size_t transaction_bytes_max;          /* 0: FRAME_TRANSACTION_BYTES_MAX; smaller in tests */
};

/* Recovers what the disk holds. NULL: recovery->problem says why (see wal_open_status). */
struct db *db_open(const struct db_options *options, struct wal_recovery *recovery,
                   enum wal_open_status *status);

/* Frees everything; flushes nothing (see engine_stop). */
void db_close(struct db *db);

void db_set_now(struct db *db, int64_t now_ms);
int64_t db_now_ms(const struct db *db);
void db_set_policy(struct db *db, enum wal_policy policy);
void db_set_stream_block(struct db *db, struct stream_block_limits limits);
struct stream_block_limits db_stream_block(const struct db *db);
/* What holds for streams that XCFGSET was not used on; neither is 0. */
void db_set_stream_idmp(struct db *db, struct stream_idmp_limits limits);
struct stream_idmp_limits db_stream_idmp(const struct db *db);

/* ---- reading: inside a batch, on behalf of a command ---- */

struct store_key db_key(const struct db *db, unsigned database, struct slice name);

/* Begins to fetch what the accessors will need of these keys, so that they need not wait for memory
 * one after the other. Any names: only a hint. */
enum { DB_PREFETCH_MAX = 16 };
void db_prefetch(const struct db *db, unsigned database, const struct slice *names, size_t count);

enum lookup { LOOKUP_FOUND, LOOKUP_ABSENT, LOOKUP_WRONG_TYPE };

enum lookup db_string(struct db *db, const struct store_key *key, struct string_view *view);
enum lookup db_stream(struct db *db, const struct store_key *key, const struct stream **stream);

/* Any type. False: absent. expiry_ms (STORE_NO_EXPIRY: none) and type (TYPE_*) may be NULL. */
bool db_find(struct db *db, const struct store_key *key, unsigned *type, int64_t *expiry_ms);
const char *db_type_name(unsigned type);

/* These depend on the whole database, and gate on its newest change. */
uint64_t db_count(struct db *db, unsigned database);
bool db_random(struct db *db, unsigned database, uint64_t random, struct slice *name);
/* As store_scan_keys, without keys whose deadline has passed. */
typedef void db_visit(void *context, struct slice name, unsigned type);
struct db_scan {
    unsigned database;
    uint64_t cursor; /* in: where to begin; out: where to go on, 0 at the end */
    size_t count;    /* how many to look at, about */
};
void db_scan_keys(struct db *db, struct db_scan *scan, db_visit *visit, void *context);

/* Of snapshots, for INFO; all zero while there is no log. */
struct snapshot_figures {
    bool running;
    bool last_failed;
    uint64_t done;        /* well, since start */
    int64_t started_ms;   /* the one under way */
    int64_t last_ms;      /* when the newest was begun; without one: opened_ms */
    int64_t last_took_ms; /* -1: none was made since start */
    uint64_t keys;        /* of the one under way: written so far */
    uint64_t keys_total;  /* ... when it began */
    uint64_t moved;       /* ... values written again because they moved */
    uint64_t bytes;       /* ... written so far */
    uint64_t last_bytes;  /* of the newest */
    uint64_t changes;     /* batches since the newest was begun */
    uint64_t log_bytes;   /* of the log since the newest was begun, about */
};

/* For INFO: ungated figures. */
struct db_figures {
    uint64_t keys[DATABASES_COUNT];
    uint64_t expiring[DATABASES_COUNT];
    uint64_t expired; /* keys removed because their deadline passed, since start */
    uint64_t hits;    /* keys that reading commands looked up and found, since start */
    uint64_t misses;  /* ... and did not find */
    uint64_t effects; /* applied since start, recovery not counted */
    bool has_log;
    enum wal_policy policy;
    lsn_t appended_lsn;
    lsn_t durable_lsn;
    size_t pending_bytes;
    struct wal_figures log; /* zero when !has_log */
    struct snapshot_figures snapshot;
};
void db_measure(const struct db *db, struct db_figures *figures);
void db_reset_statistics(struct db *db);

/* ---- changing ---- */

void db_begin(struct db *db);
/* The same for a command that only reads: it must not change anything, and what it looks up counts
 * as hit or miss. */
void db_begin_reading(struct db *db);

/* Applies the effect and writes it into the open batch. The command has checked that it fits. */
void db_change(struct db *db, const struct effect *e);

/* The two changes that a crash may forget, hence no effects: when a consumer was last seen, and how
 * often idempotent producers sent something twice. */
void db_consumer_seen(struct db *db, const struct store_key *key, struct slice group,
                      struct slice consumer);
void db_stream_duplicate(struct db *db, const struct store_key *key);

/* Ends the batch. The reply that was made meanwhile may leave when db_durable_lsn reaches the
 * result; 0: at once. *changed: the batch had effects. */
lsn_t db_commit(struct db *db, bool *changed);

/* Are writes possible now? False: the log has no room on the disk (docs/durability.md). */
bool db_writable(const struct db *db);

/* ---- keys that changed: how waiters are woken ---- */

/* While somebody waits, committed changes queue their keys; nobody pays when nobody waits, which is
 * the default and empties the queue. DB_WATCH_PENDING: somebody waits for pending entries, too. */
enum db_watching { DB_WATCH_NOTHING, DB_WATCH_KEYS, DB_WATCH_PENDING };
void db_watch(struct db *db, enum db_watching watching);

/* The next changed key, oldest first; false when none is left. The name is borrowed until the next
 * call. A change of a whole database gives touched->all. */
struct db_touched {
    unsigned database;
    struct slice name;
    bool all;          /* FLUSHDB, FLUSHALL: every key of the database (of each in turn) */
    bool pending_only; /* there is no new entry: what is pending in a group is due at other times */
};
bool db_take_touched(struct db *db, struct db_touched *touched);

/* ---- expiry: phase 2 of the tick ---- */

/* Deletes keys whose deadline has passed in a batch of its own, at most 'steps' steps of work;
 * true when more is due now. Frees flushed memory in bounded steps too. */
bool db_expire(struct db *db, size_t steps);
int64_t db_expire_due_ms(const struct db *db); /* INT64_MAX: nothing expires */

/* ---- the log: phase 3 of the tick; see wal.h for threads ---- */

lsn_t db_durable_lsn(const struct db *db);
lsn_t db_appended_lsn(const struct db *db);
lsn_t db_synced_lsn(const struct db *db); /* on stable storage, whatever the policy; 0: no log */
void db_request_sync(struct db *db, lsn_t lsn); /* as wal_request_sync; there must be a log */
bool db_has_log(const struct db *db);
size_t db_pending_bytes(const struct db *db); /* of frames that no flush has taken yet */
struct wal_flush *db_flush_begin(struct db *db);
enum disk_status db_flush_end(struct db *db, struct wal_flush *flush);
int64_t db_flush_due_ms(const struct db *db);
enum disk_status db_log_status(const struct db *db); /* not DISK_OK: the process must end */
struct wal_spare *db_spare_begin(struct db *db);
enum disk_status db_spare_end(struct db *db, struct wal_spare *spare);

/* ---- snapshots: between batches; see snapshots.h ---- */

/* False: one is under way. There must be a log. */
bool db_snapshot_start(struct db *db);
bool db_snapshot_running(const struct db *db);
/* How fast it may go; 0, as it is at first: as fast as the disk. */
void db_snapshot_set_pace(struct db *db, uint64_t bytes_per_second);

/* Encodes a bounded portion. When a snapshot has ended, those who wait in database 0 are woken. */
void db_snapshot_step(struct db *db);
int64_t db_snapshot_due_ms(const struct db *db); /* of the next step; INT64_MAX: none */

/* What is to be written to its file; NULL: nothing now. snapshot_run, on any one thread, is between
 * the two. */
struct snapshot_job *db_snapshot_begin(struct db *db);
void db_snapshot_end(struct db *db, struct snapshot_job *job);

#endif
