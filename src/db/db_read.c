/* db_read.c - what is there: accessors and figures. Each accessor notes what the open batch depends
 * on, and none shows a key whose deadline is <= now_ms. */
#include "base/check.h"
#include "base/limits.h"
#include "db/db_state.h"

struct store_key db_key(const struct db *db, unsigned database, struct slice name)
{
    CHECK(database < DATABASES_COUNT);
    return store_key_make(db->store, store_place(db->store, database), name);
}

static void depend_on_key(struct db *db, const struct store_key *key)
{
    if (db->wal == NULL) return;
    depend_on(db, db->changed[changed_index(key)]);
    depend_on(db, db->all_changed[key->database]);
}

void db_prefetch(const struct db *db, unsigned database, const struct slice *names, size_t count)
{
    struct store_key keys[DB_PREFETCH_MAX];
    CHECK(count <= DB_PREFETCH_MAX);
    size_t keys_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (names[i].size > KEY_BYTES_MAX) continue;
        keys[keys_count] = db_key(db, database, names[i]);
        store_prefetch_table(db->store, &keys[keys_count++]);
    }
    for (size_t i = 0; i < keys_count; i++) store_prefetch(db->store, &keys[i]);
    for (size_t i = 0; i < keys_count; i++) store_prefetch_entry(db->store, &keys[i]);
    if (db->wal == NULL) return;
    for (size_t i = 0; i < keys_count; i++)
        __builtin_prefetch(&db->changed[changed_index(&keys[i])]);
}

/* The value of a key that exists now: what every accessor goes through. */
static bool find_value(struct db *db, const struct store_key *key, struct value *value,
                       int64_t *expiry_ms)
{
    CHECK(db->batch_open);
    depend_on_key(db, key);
    bool found = store_get(db->store, key, value, expiry_ms) && *expiry_ms > db->now_ms;
    if (db->batch_reads && found) db->hits++;
    else if (db->batch_reads) db->misses++;
    return found;
}

enum lookup db_string(struct db *db, const struct store_key *key, struct string_view *view)
{
    struct value value;
    int64_t expiry_ms;
    if (!find_value(db, key, &value, &expiry_ms)) return LOOKUP_ABSENT;
    if (value.type != TYPE_STRING) return LOOKUP_WRONG_TYPE;
    *view = (struct string_view){0};
    switch (value.form) {
    case FORM_BYTES: view->bytes = value.bytes; break;
    case FORM_INTEGER:
        view->is_integer = true;
        view->integer = value.integer;
        break;
    case FORM_SHARED:
        view->shared = value.shared;
        view->bytes = shared_slice(value.shared);
        break;
    case FORM_BODY: CHECK(false); break;
    }
    return LOOKUP_FOUND;
}

enum lookup db_stream(struct db *db, const struct store_key *key, const struct stream **stream)
{
    struct value value;
    int64_t expiry_ms;
    if (!find_value(db, key, &value, &expiry_ms)) return LOOKUP_ABSENT;
    if (value.type != TYPE_STREAM) return LOOKUP_WRONG_TYPE;
    CHECK(value.form == FORM_BODY);
    *stream = value.body;
    return LOOKUP_FOUND;
}

bool db_find(struct db *db, const struct store_key *key, unsigned *type, int64_t *expiry_ms)
{
    struct value value;
    int64_t at;
    if (!find_value(db, key, &value, &at)) return false;
    if (type != NULL) *type = value.type;
    if (expiry_ms != NULL) *expiry_ms = at;
    return true;
}

const char *db_type_name(unsigned type)
{
    CHECK(type < TYPES_COUNT);
    return value_types[type].name;
}

uint64_t db_count(struct db *db, unsigned database)
{
    unsigned place = store_place(db->store, database);
    CHECK(db->batch_open);
    depend_on(db, db->database_changed[place]);
    return store_count(db->store, place);
}

bool db_random(struct db *db, unsigned database, uint64_t random, struct slice *name)
{
    enum { TRIES_MAX = 100 }; /* a database of expired keys only is soon empty */
    struct random source = {random};
    unsigned place = store_place(db->store, database);
    CHECK(db->batch_open);
    depend_on(db, db->database_changed[place]);
    for (int i = 0; i < TRIES_MAX; i++) {
        struct value value;
        int64_t expiry_ms;
        if (!store_random(db->store, place, &source, name)) return false;
        struct store_key key = store_key_make(db->store, place, *name);
        CHECK(store_get(db->store, &key, &value, &expiry_ms));
        if (expiry_ms > db->now_ms) return true;
    }
    return false;
}

struct live_visit {
    int64_t now_ms;
    db_visit *visit;
    void *context;
};

static void visit_live(void *context, struct slice name, const struct value *value,
                       int64_t expiry_ms)
{
    const struct live_visit *live = context;
    if (expiry_ms > live->now_ms) live->visit(live->context, name, value->type);
}

void db_scan_keys(struct db *db, struct db_scan *scan, db_visit *visit, void *context)
{
    struct live_visit live = {db->now_ms, visit, context};
    unsigned place = store_place(db->store, scan->database);
    CHECK(db->batch_open);
    depend_on(db, db->database_changed[place]);
    struct store_scan keys = {place, scan->cursor, scan->count};
    store_scan_keys(db->store, &keys, visit_live, &live);
    scan->cursor = keys.cursor;
}

void db_measure(const struct db *db, struct db_figures *figures)
{
    *figures = (struct db_figures){
        .expired = db->expired, .effects = db->effects, .hits = db->hits, .misses = db->misses};
    for (unsigned database = 0; database < DATABASES_COUNT; database++) {
        unsigned place = store_place(db->store, database);
        figures->keys[database] = store_count(db->store, place);
        figures->expiring[database] = store_expiring_count(db->store, place);
    }
    figures->snapshot.last_ms = db->opened_ms; /* as in Redis: nothing has changed since */
    if (db->wal == NULL) return;
    figures->has_log = true;
    figures->policy = db->policy;
    figures->appended_lsn = wal_appended_lsn(db->wal);
    figures->durable_lsn = wal_durable_lsn(db->wal);
    figures->pending_bytes = wal_pending_bytes(db->wal);
    wal_measure(db->wal, &figures->log);
    snapshots_measure(db->snapshots, &figures->snapshot);
    if (figures->snapshot.last_ms == 0) figures->snapshot.last_ms = db->opened_ms;
}

void db_reset_statistics(struct db *db)
{
    db->expired = 0;
    db->effects = 0;
    db->batch_effects = 0; /* a part of a batch asks for it, and has no effects */
    db->hits = 0;
    db->misses = 0;
}
