/* replay.c - the log's frames, and what of them a snapshot has already. */
#include "db/replay.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"

enum { FLUSH_SCAN_KEYS = 4096 };

void replay_init(struct replay *r, const struct effect_target *target)
{
    CHECK(target->store != NULL);
    *r = (struct replay){.target = *target};
}

void replay_deinit(struct replay *r)
{
    coverage_deinit(&r->coverage);
    buf_deinit(&r->scratch.bytes);
    buf_deinit(&r->parts);
    buf_deinit(&r->moved_name);
    buf_deinit(&r->stream_name);
    if (r->stream != NULL) stream_loader_destroy(r->stream);
    *r = (struct replay){0};
}

static bool apply(struct replay *r, const struct effect *e)
{
    r->effects++;
    return effect_ops_find((uint8_t)e->kind)->apply(e, &r->target);
}

static bool is_covered(const struct replay *r, const struct store_key *key, lsn_t lsn)
{
    return coverage_lsn(&r->coverage, key) >= lsn;
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

static bool replay_rename(struct replay *r, lsn_t lsn, const struct effect *e)
{
    struct store_key to = store_key_make(r->target.store, e->key.database, e->key_rename.to);
    bool from_covered = is_covered(r, &e->key, lsn), to_covered = is_covered(r, &to, lsn);
    if (from_covered != to_covered) {
        if (from_covered) return false; /* the value would have been a moved one */
        r->effects_skipped++;
        return store_remove(r->target.store, &e->key);
    }
    if (!from_covered) return apply(r, e);
    r->effects_skipped++;
    return true;
}

static bool replay_effect(struct replay *r, lsn_t lsn, const struct effect *e)
{
    if (lsn > r->covered_lsn) return apply(r, e);
    if (e->kind == EFFECT_KEY_RENAME) return replay_rename(r, lsn, e);
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
    return true;
}
