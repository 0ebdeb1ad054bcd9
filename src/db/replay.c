/* replay.c - the log's frames, and what of them a snapshot has already. */
#include "db/replay.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "db/effect_functions.h"

enum {
    FLUSH_SCAN_KEYS = 4096,
    FRAME_SWEEP_STEPS = 2000, /* what is destroyed and made again and again must not pile up */
};

void replay_init(struct replay *r, const struct effect_target *target)
{
    CHECK(target->store != NULL);
    *r = (struct replay){.target = *target};
}

/* Destroys what was not applied. */
static void moved_deinit(struct moved_value *m)
{
    bool owned = m->exists && !m->applied;
    if (owned && m->value.form == FORM_SHARED) shared_release(m->value.shared);
    size_t all = SIZE_MAX;
    if (owned && m->value.form == FORM_BODY)
        CHECK(value_types[m->value.type].dismantle(m->value.body, &all));
    buf_deinit(&m->name);
    buf_deinit(&m->bytes);
}

void replay_deinit(struct replay *r)
{
    coverage_deinit(&r->coverage);
    for (size_t i = 0; i < r->moved_count; i++) moved_deinit(&r->moved[i]);
    memory_free(r->moved, r->moved_capacity * sizeof *r->moved);
    buf_deinit(&r->scratch.bytes);
    buf_deinit(&r->parts);
    buf_deinit(&r->stream_name);
    if (r->stream != NULL) stream_loader_destroy(r->stream);
    *r = (struct replay){0};
}

static bool apply(struct replay *r, const struct effect *e)
{
    r->effects++;
    return effect_ops_find((uint8_t)e->kind)->apply(e, &r->target);
}

/* The moved value of the key as of this LSN; NULL: there is none. */
static struct moved_value *find_moved(const struct replay *r, const struct store_key *key,
                                      lsn_t lsn)
{
    size_t low = 0, high = r->moved_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->moved[middle].lsn < lsn) low = middle + 1;
        else high = middle;
    }
    for (; low < r->moved_count && r->moved[low].lsn == lsn; low++) {
        struct moved_value *m = &r->moved[low];
        if (m->database == key->database && slice_equal(buf_slice(&m->name), key->name)) return m;
    }
    return NULL;
}

/* Is the effect of this LSN on the key in what the store holds of it? */
static bool is_covered(const struct replay *r, const struct store_key *key, lsn_t lsn)
{
    if (coverage_lsn(&r->coverage, key) >= lsn) return true;
    const struct moved_value *m = r->moved_count == 0 ? NULL : find_moved(r, key, lsn);
    return m != NULL && m->applied;
}

/* False: there is no such value, and the snapshot contradicts the log. */
static bool apply_moved(struct replay *r, const struct store_key *key, lsn_t lsn)
{
    struct moved_value *m = find_moved(r, key, lsn);
    if (m == NULL) return false;
    CHECK(!m->applied);
    if (m->exists && m->value.form == FORM_BYTES) m->value.bytes = buf_slice(&m->bytes);
    if (m->exists) store_put(r->target.store, key, &m->value, m->expiry_ms);
    else (void)store_remove(r->target.store, key);
    m->applied = true;
    return true;
}

/* ---- a flush: the keys that the snapshot holds as of an earlier LSN go ---- */

struct flush {
    const struct replay *replay;
    lsn_t lsn;
    unsigned database;
    struct buf names; /* of keys to be removed */
};

static void visit_flushed(void *context, struct slice name, const struct value *value,
                          int64_t expiry_ms)
{
    struct flush *f = context;
    struct store_key key = store_key_make(f->replay->target.store, f->database, name);
    (void)value;
    (void)expiry_ms;
    if (!is_covered(f->replay, &key, f->lsn)) buf_append_bytes(&f->names, name);
}

static void flush_database(struct replay *r, unsigned database, lsn_t lsn)
{
    struct flush f = {.replay = r, .lsn = lsn, .database = database};
    struct store_scan scan = {.database = database, .count = FLUSH_SCAN_KEYS};
    do {
        f.names.size = 0;
        store_scan_keys(r->target.store, &scan, visit_flushed, &f);
        struct reader in = {buf_slice(&f.names)};
        struct slice name;
        while (read_bytes(&in, &name)) {
            struct store_key key = store_key_make(r->target.store, database, name);
            CHECK(store_remove(r->target.store, &key));
        }
    } while (scan.cursor != 0);
    buf_deinit(&f.names);
}

/* ---- effects ---- */

/* RENAME, MOVE and COPY: the half that is not there yet. */
static bool replay_transfer(struct replay *r, lsn_t lsn, const struct effect *e)
{
    struct store_key to;
    CHECK(effect_second_key(e, r->target.store, &to));
    bool from_covered = is_covered(r, &e->key, lsn), to_covered = is_covered(r, &to, lsn);
    if (!from_covered && !to_covered) return apply(r, e);
    r->effects_skipped++;
    if (!from_covered) return e->kind == EFFECT_KEY_COPY || store_remove(r->target.store, &e->key);
    return to_covered || apply_moved(r, &to, lsn);
}

static bool replay_effect(struct replay *r, lsn_t lsn, const struct effect *e)
{
    if (lsn > r->covered_lsn) return apply(r, e);
    if (e->kind == EFFECT_KEY_RENAME || e->kind == EFFECT_KEY_MOVE || e->kind == EFFECT_KEY_COPY)
        return replay_transfer(r, lsn, e);
    if (e->kind == EFFECT_DATABASE_SWAP) {
        /* The snapshot has the places as of its first section, and keys by their places. */
        return lsn <= r->coverage.sections[0].as_of || apply(r, e);
    }
    if (e->kind == EFFECT_DATABASE_FLUSH) {
        for (unsigned database = 0; database < DATABASES_COUNT; database++)
            if (e->database_flush.all || database == e->key.database)
                flush_database(r, database, lsn);
        return true;
    }
    if (!is_covered(r, &e->key, lsn)) return apply(r, e);
    r->effects_skipped++;
    return true;
}

void replay_ahead(void *context, const struct slice *frames, size_t count)
{
    const struct replay *r = context;
    const struct store *store = r->target.store;
    struct store_key keys[WAL_AHEAD_MAX];
    size_t keys_count = 0;
    CHECK(count <= WAL_AHEAD_MAX);
    for (size_t i = 0; i < count; i++) {
        struct reader in = {frames[i]};
        uint8_t code;
        if (!effect_read_key(&in, store, &code, &keys[keys_count])) continue;
        store_prefetch_table(store, &keys[keys_count++]);
    }
    for (size_t i = 0; i < keys_count; i++) store_prefetch(store, &keys[i]);
    for (size_t i = 0; i < keys_count; i++) store_prefetch_entry(store, &keys[i]);
}

bool replay_frame(void *context, lsn_t lsn, struct slice frame)
{
    struct replay *r = context;
    struct reader in = {frame};
    struct effect e;
    CHECK(lsn > 0);
    CHECK(r->stream == NULL);
    while (in.rest.size > 0) {
        /* The hash of the batch held, so an effect that cannot be read or does not fit is a log of
         * another version or our bug. Either way, guessing would lose data. */
        if (!effect_decode(&e, &in, r->target.store, &r->scratch)) return false;
        if (!replay_effect(r, lsn, &e)) return false;
    }
    store_sweep(r->target.store, FRAME_SWEEP_STEPS);
    return true;
}
