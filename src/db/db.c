/* db.c - the door: batches, touched keys, expiry, and recovery by the same apply.
 *
 * A batch is one frame of the log, opened by the first effect and closed by db_commit. Its LSN is
 * known from the start (appended + 1), because there is one event loop and one open batch.
 *
 * Invariants: batch_open between begin and commit only; a frame is open exactly when the batch has
 * effects and there is a log. */
#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "db/db_state.h"
#include "db/replay.h"
#include "db/touch.h"

enum {
    TOUCHED_KEPT_BYTES = 64 * 1024,
    EXPIRED_NAMES_BYTES_MAX = 1024 * 1024, /* of one batch, or the last name goes beyond */
};

/* ---- opening ---- */

static struct wal *recover(struct db *db, const struct wal_options *options,
                           struct wal_recovery *recovery, enum wal_open_status *status)
{
    struct replay replay;
    replay_init(&replay, &db->target);
    struct wal_loader loader = replay_loader(&replay);
    struct wal_options loading = *options;
    loading.loader = &loader;
    struct wal *wal = wal_open(&loading, replay_frame, &replay, recovery, status);
    replay_deinit(&replay);
    return wal;
}

struct db *db_open(const struct db_options *options, struct wal_recovery *recovery,
                   enum wal_open_status *status)
{
    struct db *db = memory_allocate_zeroed(sizeof *db);
    struct random seeds = {options->random_seed};
    uint64_t store_seed = random_next(&seeds);
    db->store = store_create(value_types, TYPES_COUNT, store_seed);
    db->watched.store = db->store;
    db->events.store = db->store;
    db->frame_bytes_max = options->transaction_bytes_max == 0 ? FRAME_TRANSACTION_BYTES_MAX
                                                              : options->transaction_bytes_max;
    db->target = (struct effect_target){db->store, options->stream_block};
    db->stream_idmp =
        (struct stream_idmp_limits){STREAM_IDMP_DURATION_S_DEFAULT, STREAM_IDMP_COUNT_DEFAULT};
    if (options->stream_idmp.duration_s > 0) db_set_stream_idmp(db, options->stream_idmp);
    *recovery = (struct wal_recovery){0};
    *status = WAL_OPEN_OK;
    db->policy = options->policy;
    db->opened_ms = options->opened_ms;
    if (options->disk == NULL) return db;

    struct wal_options log = {.disk = options->disk,
                              .trace = options->trace,
                              .policy = options->policy,
                              .segment_bytes = options->segment_bytes,
                              .random_seed = random_next(&seeds),
                              .observer = options->observer};
    db->changed = memory_allocate_zeroed(CHANGED_KEYS * sizeof(lsn_t));
    db->wal = recover(db, &log, recovery, status);
    if (db->wal == NULL) {
        db_close(db);
        return NULL;
    }
    struct snapshots_options snapshots = {
        .store = db->store, .wal = db->wal, .trace = options->trace, .seed = store_seed};
    db->snapshots = snapshots_create(&snapshots);
    return db;
}

void db_close(struct db *db)
{
    CHECK(!db->batch_open);
    if (db->snapshots != NULL) snapshots_destroy(db->snapshots);
    if (db->wal != NULL) wal_close(db->wal);
    watched_deinit(&db->watched);
    if (db->changed != NULL) memory_free(db->changed, CHANGED_KEYS * sizeof(lsn_t));
    store_destroy(db->store);
    buf_deinit(&db->moved);
    buf_deinit(&db->events.bytes);
    buf_deinit(&db->touched);
    buf_deinit(&db->touched_name);
    memory_free(db, sizeof *db);
}

void db_set_now(struct db *db, int64_t now_ms)
{
    CHECK(!db->batch_open);
    db->now_ms = now_ms;
}

int64_t db_now_ms(const struct db *db)
{
    return db->now_ms;
}

void db_set_policy(struct db *db, enum wal_policy policy)
{
    db->policy = policy;
    if (db->wal != NULL) wal_set_policy(db->wal, policy);
}

void db_set_stream_block(struct db *db, struct stream_block_limits limits)
{
    db->target.stream_block = limits;
}

struct stream_block_limits db_stream_block(const struct db *db)
{
    return db->target.stream_block;
}

void db_set_stream_idmp(struct db *db, struct stream_idmp_limits limits)
{
    CHECK(limits.duration_s > 0 && limits.duration_s <= STREAM_IDMP_DURATION_S_MAX);
    CHECK(limits.count_max > 0 && limits.count_max <= STREAM_IDMP_COUNT_MAX);
    db->stream_idmp = limits;
}

struct stream_idmp_limits db_stream_idmp(const struct db *db)
{
    return db->stream_idmp;
}

/* ---- changing ---- */

void db_begin(struct db *db)
{
    CHECK(!db->batch_open);
    CHECK(db->frame == NULL);
    db->batch_open = true;
    db->batch_reads = false;
    db->batch_changed = false;
    db->batch_effects = db->effects;
    db->batch_depends_on = 0;
}

void db_begin_reading(struct db *db)
{
    db_begin(db);
    db->batch_reads = true;
}

void db_begin_part(struct db *db, bool reads)
{
    CHECK(db->batch_open);
    CHECK(db->effects >= db->batch_effects);
    db->batch_reads = reads;
    db->batch_effects = db->effects;
}

bool db_part_changed(const struct db *db)
{
    CHECK(db->batch_open);
    return db->effects > db->batch_effects;
}

bool db_batch_has_room(const struct db *db)
{
    CHECK(db->batch_open);
    return db->frame == NULL || wal_frame_size(db->wal) <= db->frame_bytes_max;
}

static void touch(struct db *db, unsigned place, struct slice name, enum touch kind)
{
    enum db_watching needed = kind == TOUCH_PENDING ? DB_WATCH_PENDING : DB_WATCH_KEYS;
    if (kind == TOUCH_NONE || db->watching < needed) return;
    buf_append_byte(&db->touched, (uint8_t)store_number(db->store, place));
    buf_append_byte(&db->touched, (uint8_t)kind);
    buf_append_bytes(&db->touched, name);
}

static lsn_t batch_lsn(const struct db *db)
{
    return db->wal == NULL ? 0 : wal_appended_lsn(db->wal) + 1;
}

/* Notes that the open batch changes a key, for readers that must wait and for waiters. */
static void note_key(struct db *db, const struct store_key *key, enum touch kind)
{
    touch(db, key->database, key->name, kind);
    if (db->wal == NULL) return;
    lsn_t lsn = batch_lsn(db);
    db->changed[changed_index(key)] = lsn;
    db->database_changed[key->database] = lsn;
}

static void note_database(struct db *db, unsigned database)
{
    touch(db, database, (struct slice){0}, TOUCH_ALL);
    if (db->wal == NULL) return;
    lsn_t lsn = batch_lsn(db);
    db->database_changed[database] = lsn;
    db->all_changed[database] = lsn;
}

static void note(struct db *db, const struct effect *e)
{
    struct store_key to;
    if (e->kind == EFFECT_DATABASE_FLUSH) {
        for (unsigned database = 0; database < DATABASES_COUNT; database++)
            if (e->database_flush.all || database == e->key.database) note_database(db, database);
    } else if (e->kind == EFFECT_DATABASE_SWAP) {
        note_database(db, store_place(db->store, e->database_swap.number));
        note_database(db, store_place(db->store, e->database_swap.other));
    } else {
        if (e->kind != EFFECT_KEY_COPY) note_key(db, &e->key, effect_wakes(e->kind));
        if (effect_second_key(e, db->store, &to)) note_key(db, &to, TOUCH_KEY);
    }
}

/* Before it is applied: a flush touches only what is there. */
static void note_watched(struct db *db, const struct effect *e, bool expiry)
{
    struct store_key to;
    lsn_t lsn = batch_lsn(db);
    if (e->kind == EFFECT_DATABASE_FLUSH) {
        for (unsigned database = 0; database < DATABASES_COUNT; database++)
            if (e->database_flush.all || database == e->key.database)
                watched_flush(&db->watched, database, lsn);
    } else if (e->kind == EFFECT_DATABASE_SWAP) {
        struct watched_swap swap = {
            .place = (uint8_t)store_place(db->store, e->database_swap.number),
            .other = (uint8_t)store_place(db->store, e->database_swap.other),
            .now_ms = db->now_ms,
            .lsn = lsn,
        };
        watched_swap(&db->watched, &swap);
    } else {
        if (effect_breaks_watches(e->kind)) watched_touch(&db->watched, &e->key, expiry, lsn);
        if (effect_second_key(e, db->store, &to)) watched_touch(&db->watched, &to, false, lsn);
    }
}

/* A value that goes where the walk of a snapshot has been, from where it has not: no section will
 * have it. In a batch with one such move, others may move that value on. */
static void note_moved(struct db *db, const struct effect *e)
{
    struct save *walk = db->snapshots == NULL ? NULL : snapshots_walk(db->snapshots);
    struct store_key to;
    if (walk == NULL || !effect_second_key(e, db->store, &to)) return;
    if (!save_passed(walk, &to)) return;
    if (save_passed(walk, &e->key) && db->moved.size == 0) return;
    buf_append_byte(&db->moved, to.database);
    buf_append_bytes(&db->moved, to.name);
}

static void save_moved_keys(struct db *db, lsn_t lsn)
{
    struct reader in = {buf_slice(&db->moved)};
    uint8_t database;
    struct slice name;
    while (read_byte(&in, &database)) {
        CHECK(read_bytes(&in, &name));
        struct store_key key = store_key_make(db->store, database, name);
        save_moved(snapshots_walk(db->snapshots), &key, lsn);
    }
    db->moved.size = 0;
}

/* Log first, then state: the name may be lent by the entry that apply is about to free. */
static void log_and_apply(struct db *db, const struct effect *e, bool expiry)
{
    if (db->watched.keys.count > 0) note_watched(db, e, expiry);
    if (db->events.sink.classes != 0) event_queue_add(&db->events, e, expiry, db->now_ms);
    if (db->wal != NULL) {
        if (db->frame == NULL) db->frame = wal_frame_begin(db->wal);
        effect_encode(e, db->frame);
    }
    note(db, e);
    note_moved(db, e);
    CHECK(effect_ops_find((uint8_t)e->kind)->apply(e, &db->target));
    db->batch_changed = true;
    db->effects++;
}

static bool is_expired(struct db *db, const struct store_key *key)
{
    struct value value;
    int64_t expiry_ms;
    return store_expiring_count(db->store, key->database) > 0 &&
           store_get(db->store, key, &value, &expiry_ms) && expiry_ms <= db->now_ms;
}

void db_change(struct db *db, const struct effect *e)
{
    CHECK(db->batch_open);
    CHECK(!db->batch_reads);
    CHECK(e->key.database < DATABASES_COUNT);
    /* The command saw no such key; what is still stored under it must not shine through. */
    bool whole = e->kind == EFFECT_DATABASE_FLUSH || e->kind == EFFECT_DATABASE_SWAP;
    if (e->kind != EFFECT_KEY_DELETE && !whole && is_expired(db, &e->key)) {
        struct effect removal = {.kind = EFFECT_KEY_DELETE, .key = e->key};
        log_and_apply(db, &removal, true);
        db->expired++;
    }
    log_and_apply(db, e, false);
}

/* The stream of a key that a command has just seen. */
static struct stream *must_find_stream(struct db *db, const struct store_key *key)
{
    struct value value;
    int64_t expiry_ms;
    CHECK(db->batch_open);
    CHECK(store_get(db->store, key, &value, &expiry_ms));
    CHECK(value.type == TYPE_STREAM);
    return value.body;
}

void db_consumer_seen(struct db *db, const struct store_key *key, struct slice group,
                      struct slice consumer)
{
    stream_consumer_seen(must_find_stream(db, key), group, consumer, db->now_ms);
}

void db_stream_duplicate(struct db *db, const struct store_key *key)
{
    stream_idmp_count_duplicate(must_find_stream(db, key));
}

lsn_t db_commit(struct db *db, bool *changed)
{
    CHECK(db->batch_open);
    CHECK(IMPLIES(db->frame != NULL, db->batch_changed));
    if (db->frame != NULL) depend_on(db, wal_frame_end(db->wal));
    db->frame = NULL;
    if (db->moved.size > 0) save_moved_keys(db, wal_appended_lsn(db->wal));
    db->batch_open = false;
    *changed = db->batch_changed;
    if (db->events.bytes.size > 0) event_queue_deliver(&db->events, db_appended_lsn(db));
    return db->batch_depends_on;
}

bool db_writable(const struct db *db)
{
    return db->wal == NULL || wal_has_room(db->wal);
}

/* ---- keyspace events ---- */

void db_listen(struct db *db, const struct event_sink *sink)
{
    CHECK(!db->batch_open);
    CHECK(sink == NULL || (sink->classes != 0 && sink->take != NULL));
    db->events.sink = (struct event_sink){0};
    if (sink != NULL) db->events.sink = *sink;
}

/* ---- watched keys ---- */

bool db_watch_key(struct db *db, struct watcher *watcher, const struct store_key *key)
{
    return watched_add(&db->watched, watcher, key, db->now_ms);
}

void db_unwatch(struct db *db, struct watcher *watcher)
{
    watched_release(&db->watched, watcher);
}

bool db_watch_broken(struct db *db, const struct watcher *watcher)
{
    CHECK(db->batch_open);
    if (watcher->broken) depend_on(db, watcher->broken_lsn);
    return watcher->broken || watched_any_expired(&db->watched, watcher, db->now_ms);
}

/* ---- touched keys ---- */

void db_watch(struct db *db, enum db_watching watching)
{
    db->watching = watching;
    if (watching != DB_WATCH_NOTHING) return;
    db->touched.size = 0;
    db->touched_taken = 0;
}

bool db_take_touched(struct db *db, struct db_touched *touched)
{
    uint8_t database, kind;
    struct slice name;
    CHECK(!db->batch_open);
    if (db->touched_taken == db->touched.size) {
        if (db->touched.capacity > TOUCHED_KEPT_BYTES) buf_deinit(&db->touched);
        db->touched.size = 0;
        db->touched_taken = 0;
        return false;
    }
    struct reader in = {
        {db->touched.data + db->touched_taken, db->touched.size - db->touched_taken}};
    CHECK(read_byte(&in, &database) && read_byte(&in, &kind) && read_bytes(&in, &name));
    db->touched_taken = db->touched.size - in.rest.size;
    /* A copy: the waiter that it wakes may change keys and so grow the queue. */
    db->touched_name.size = 0;
    buf_append(&db->touched_name, name);
    *touched = (struct db_touched){database, buf_slice(&db->touched_name), kind == TOUCH_ALL,
                                   kind == TOUCH_PENDING};
    return true;
}

/* ---- expiry ---- */

bool db_expire(struct db *db, size_t steps)
{
    struct store_due due = {.now_ms = db->now_ms, .steps = steps};
    struct effect removal = {.kind = EFFECT_KEY_DELETE};
    size_t names_bytes = 0;
    bool changed;
    db_begin(db);
    while (due.steps > 0 && names_bytes < EXPIRED_NAMES_BYTES_MAX &&
           store_next_due(db->store, &due, &removal.key)) {
        names_bytes += removal.key.name.size;
        log_and_apply(db, &removal, true);
        db->expired++;
        due.steps--;
    }
    db_commit(db, &changed);
    bool sweeping = store_sweep(db->store, steps);
    return due.steps == 0 || names_bytes >= EXPIRED_NAMES_BYTES_MAX || due.exhausted || sweeping;
}

int64_t db_expire_due_ms(const struct db *db)
{
    return store_due_ms(db->store);
}

/* ---- the log ---- */

lsn_t db_durable_lsn(const struct db *db)
{
    return db->wal == NULL ? 0 : wal_durable_lsn(db->wal);
}

lsn_t db_appended_lsn(const struct db *db)
{
    return db->wal == NULL ? 0 : wal_appended_lsn(db->wal);
}

lsn_t db_synced_lsn(const struct db *db)
{
    return db->wal == NULL ? 0 : wal_synced_lsn(db->wal);
}

void db_request_sync(struct db *db, lsn_t lsn)
{
    CHECK(db->wal != NULL);
    wal_request_sync(db->wal, lsn);
}

bool db_has_log(const struct db *db)
{
    return db->wal != NULL;
}

size_t db_pending_bytes(const struct db *db)
{
    return db->wal == NULL ? 0 : wal_pending_bytes(db->wal);
}

struct wal_flush *db_flush_begin(struct db *db)
{
    CHECK(!db->batch_open);
    return db->wal == NULL ? NULL : wal_flush_begin(db->wal, db->now_ms);
}

enum disk_status db_flush_end(struct db *db, struct wal_flush *flush)
{
    CHECK(db->wal != NULL);
    return wal_flush_end(db->wal, flush);
}

int64_t db_flush_due_ms(const struct db *db)
{
    return db->wal == NULL ? INT64_MAX : wal_flush_due_ms(db->wal);
}

enum disk_status db_log_status(const struct db *db)
{
    return db->wal == NULL ? DISK_OK : wal_status(db->wal);
}

struct wal_spare *db_spare_begin(struct db *db)
{
    return db->wal == NULL ? NULL : wal_spare_begin(db->wal, db->now_ms);
}

enum disk_status db_spare_end(struct db *db, struct wal_spare *spare)
{
    CHECK(db->wal != NULL);
    return wal_spare_end(db->wal, spare, db->now_ms);
}

/* ---- snapshots ---- */

bool db_snapshot_start(struct db *db)
{
    CHECK(db->snapshots != NULL);
    return snapshots_start(db->snapshots, db->now_ms);
}

bool db_snapshot_running(const struct db *db)
{
    return db->snapshots != NULL && snapshots_running(db->snapshots);
}

void db_snapshot_set_pace(struct db *db, uint64_t bytes_per_second)
{
    if (db->snapshots != NULL) snapshots_set_pace(db->snapshots, bytes_per_second);
}

void db_snapshot_step(struct db *db)
{
    CHECK(!db->batch_open);
    if (db->snapshots == NULL || !snapshots_step(db->snapshots, db->now_ms)) return;
    touch(db, store_place(db->store, 0), (struct slice){0}, TOUCH_ALL);
}

int64_t db_snapshot_due_ms(const struct db *db)
{
    return db->snapshots == NULL ? INT64_MAX : snapshots_due_ms(db->snapshots);
}

struct snapshot_job *db_snapshot_begin(struct db *db)
{
    return db->snapshots == NULL ? NULL : snapshots_begin(db->snapshots);
}

void db_snapshot_end(struct db *db, struct snapshot_job *job)
{
    CHECK(db->snapshots != NULL);
    snapshots_end(db->snapshots, job);
}
