#include "dump.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

#include <inttypes.h>

enum { NAMES_BYTES_MAX = 1 << 20, SCAN_COUNT = 64 };

static void add_id(struct buf *out, const char *label, struct stream_id id)
{
    buf_append_format(out, " %s=%" PRIu64 "-%" PRIu64, label, id.ms, id.seq);
}

static void add_bytes(struct buf *out, const char *label, struct slice bytes)
{
    buf_append_format(out, " %s=%zu:", label, bytes.size);
    buf_append(out, bytes);
}

static void add_entries(struct buf *out, const struct stream *s)
{
    struct stream_walk walk;
    struct slice item;
    stream_walk_begin(&walk, s, (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}, false);
    while (stream_walk_next(&walk)) {
        add_id(out, "\n  entry", walk.id);
        while (stream_walk_field(&walk, &item)) add_bytes(out, "item", item);
    }
}

static void add_consumers(struct buf *out, const struct stream_group *g)
{
    const struct stream_consumer *c = NULL;
    while ((c = stream_consumer_next(g, c)) != NULL) {
        add_bytes(out, "\n    consumer", stream_consumer_name(c));
        buf_append_format(out, " active_ms=%" PRId64 " pending=%" PRIu64,
                          stream_consumer_active_ms(c), stream_consumer_pending_count(c));
    }
}

static void add_pending(struct buf *out, const struct stream_group *g)
{
    struct stream_pending_walk walk;
    struct stream_range all = {STREAM_ID_MIN, STREAM_ID_MAX};
    stream_pending_walk_begin(&walk, g, NULL, all);
    while (stream_pending_walk_next(&walk)) {
        const struct stream_pending *p = &walk.entry;
        add_id(out, "\n    pending", p->id);
        buf_append_format(out, " delivery_ms=%" PRId64 " deliveries=%" PRIu64, p->delivery_ms,
                          p->deliveries);
        if (p->consumer != NULL) add_bytes(out, "owner", stream_consumer_name(p->consumer));
    }
}

/* What is remembered of idempotent producers, to the place of the sweep. How often duplicates came
 * is not in the log (db_count_duplicate). */
static void add_idempotence(struct buf *out, const struct stream *s)
{
    struct stream_idmp_walk walk = {0};
    struct stream_idmp_figures figures;
    if (!stream_idmp_is_kept(s)) return;
    struct stream_idmp_limits limits = stream_idmp_limits(s);
    stream_idmp_measure(s, &figures);
    buf_append_format(out, "\n  idempotence duration_s=%u count_max=%u added=%" PRIu64 " sweep=%u",
                      limits.duration_s, limits.count_max, figures.added, stream_idmp_sweep(s));
    while (stream_idmp_walk_next(s, &walk)) {
        add_bytes(out, "\n    producer", walk.producer);
        add_bytes(out, "iid", walk.iid);
        add_id(out, "entry", walk.id);
    }
}

static void add_stream(struct buf *out, const struct stream *s)
{
    stream_check(s);
    buf_append_format(out, " length=%" PRIu64 " added=%" PRIu64, stream_length(s),
                      stream_entries_added(s));
    add_id(out, "last", stream_last_id(s));
    add_id(out, "max_deleted", stream_max_deleted_id(s));
    add_entries(out, s);
    add_idempotence(out, s);
    const struct stream_group *g = NULL;
    while ((g = stream_group_next(s, g)) != NULL) {
        add_bytes(out, "\n  group", stream_group_name(g));
        add_id(out, "delivered", stream_group_last_delivered(g));
        buf_append_format(out, " read=%" PRIu64 " exact=%d lag=%" PRIu64,
                          stream_group_entries_read(g), stream_group_entries_read_exact(g),
                          stream_group_lag(s, g));
        add_consumers(out, g);
        add_pending(out, g);
    }
}

/* False: the key does not exist. */
static bool add_key(struct buf *out, struct db *db, unsigned database, struct slice name)
{
    struct store_key key = db_key(db, database, name);
    unsigned type;
    int64_t expiry_ms;
    char text[NUMBER_INTEGER_TEXT_MAX];
    struct string_view view;
    const struct stream *stream;
    if (!db_find(db, &key, &type, &expiry_ms)) return false;
    buf_append_format(out, "db=%u", database);
    add_bytes(out, "key", name);
    buf_append_format(out, " type=%s expiry_ms=%" PRId64, db_type_name(type), expiry_ms);
    if (type == TYPE_STRING) {
        CHECK(db_string(db, &key, &view) == LOOKUP_FOUND);
        add_bytes(out, "value", string_bytes(&view, text));
    } else {
        CHECK(db_stream(db, &key, &stream) == LOOKUP_FOUND);
        add_stream(out, stream);
    }
    buf_append_byte(out, '\n');
    return true;
}

static void collect_name(void *context, struct slice name, unsigned type)
{
    (void)type;
    buf_append_bytes(context, name);
}

/* Every name once: the store does not change meanwhile, so the scan gives none twice. */
static void collect_names(struct db *db, unsigned database, struct buf *names)
{
    struct db_scan scan = {.database = database, .count = SCAN_COUNT};
    do {
        db_scan_keys(db, &scan, collect_name, names);
        CHECK(names->size < NAMES_BYTES_MAX);
    } while (scan.cursor != 0);
}

struct dump {
    uint64_t hash;
    struct buf *text; /* NULL: the hash only */
};

static void dump_all(struct db *db, struct dump *dump)
{
    struct buf names = {0}, line = {0};
    bool changed;
    db_begin(db);
    for (unsigned database = 0; database < DATABASES_COUNT; database++) {
        struct slice name;
        names.size = 0;
        collect_names(db, database, &names);
        struct reader in = {buf_slice(&names)};
        while (in.rest.size > 0) {
            CHECK(read_bytes(&in, &name));
            line.size = 0;
            CHECK(add_key(&line, db, database, name));
            dump->hash += hash_bytes(buf_slice(&line), 1); /* a sum: in whatever order */
            if (dump->text != NULL) buf_append(dump->text, buf_slice(&line));
        }
    }
    db_commit(db, &changed);
    CHECK(!changed);
    buf_deinit(&names);
    buf_deinit(&line);
}

uint64_t dump_hash(struct db *db)
{
    struct dump dump = {0};
    dump_all(db, &dump);
    return dump.hash;
}

void dump_text(struct db *db, struct buf *out)
{
    struct dump dump = {.text = out};
    dump_all(db, &dump);
}

uint64_t dump_key_hash(struct db *db, unsigned database, struct slice name)
{
    struct buf line = {0};
    bool changed;
    db_begin(db);
    bool exists = add_key(&line, db, database, name);
    db_commit(db, &changed);
    uint64_t hash = exists ? hash_bytes(buf_slice(&line), 1) : 0;
    buf_deinit(&line);
    return hash;
}
