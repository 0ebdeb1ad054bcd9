#include "db/save.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/memory.h"
#include "db/effect.h"
#include "stream/stream_image.h"

enum {
    SCAN_KEYS = 16,   /* looked at between two looks at the budget, */
    KEY_BYTES = 64,   /* fewer when it is small: that a key is expected to put */
    TURN_BYTES = 256, /* that a turn of a step is expected to put */
    HEAD_BYTES_MAX = SNAPSHOT_ITEM_BYTES_MAX - 4 * 1024, /* of a string that is encoded at once */
};

static_assert(STORE_INLINE_BYTES_MAX < 2 * 1024, "a value in the entry fits beside such a head");
static_assert(SLOTS_COUNT <= 1 << (POSITION_DATABASE_SHIFT - POSITION_SLOT_SHIFT),
              "a slot has its bits in a position");

#define POSITION_END ((uint64_t)DATABASES_COUNT << POSITION_DATABASE_SHIFT)

/* A key whose value takes more than one item, as it was. */
struct frozen {
    struct frozen *next;
    enum { FROZEN_MOVED, FROZEN_KEY, FROZEN_PIECES } stage;
    struct buf moved; /* of the item MOVED; empty: it is the walk's */
    bool exists;
    uint8_t kind; /* STRING or STREAM */
    struct buf head;
    struct shared *shared;      /* NULL, or the value */
    struct stream_image *image; /* NULL, or the value */
    uint8_t database;
};

/* An item on its way, in parts when it is large. */
struct emission {
    bool open;
    uint8_t kind;
    struct buf head;
    struct slice body;
    size_t done; /* of head and body */
};

struct save {
    const struct store *store;
    struct snapshot_writer *writer;
    uint32_t *images;
    struct store_scan scan; /* where the walk stands; database DATABASES_COUNT: at the end */
    bool section_open;
    uint64_t section_keys;
    uint64_t sections;
    lsn_t as_of;
    lsn_t first_as_of;
    lsn_t last_lsn;
    unsigned database_said; /* in the last DATABASE item */
    struct frozen *first;
    struct frozen **last;
    struct emission emission;
    struct buf scratch;
    uint64_t keys;
    uint64_t keys_total;
    uint64_t moved;
};

struct save *save_create(const struct store *store, uint64_t seed, struct snapshot_writer *writer,
                         uint32_t *images)
{
    struct save *s = memory_allocate_zeroed(sizeof *s);
    s->store = store;
    s->writer = writer;
    s->images = images;
    s->database_said = DATABASES_COUNT;
    s->last = &s->first;
    for (unsigned i = 0; i < DATABASES_COUNT; i++) s->keys_total += store_count(store, i);
    buf_append_varint(&s->scratch, SAVE_VERSION);
    buf_append_u64(&s->scratch, seed);
    snapshot_put(writer, SAVE_HEAD, buf_slice(&s->scratch), (struct slice){0});
    return s;
}

static void drop_first(struct save *s)
{
    struct frozen *f = s->first;
    CHECK(f != NULL);
    s->first = f->next;
    if (s->first == NULL) s->last = &s->first;
    if (f->shared != NULL) shared_release(f->shared);
    if (f->image != NULL) stream_image_destroy(f->image);
    buf_deinit(&f->moved);
    buf_deinit(&f->head);
    memory_free(f, sizeof *f);
}

void save_destroy(struct save *s)
{
    while (s->first != NULL) drop_first(s);
    buf_deinit(&s->emission.head);
    buf_deinit(&s->scratch);
    memory_free(s, sizeof *s);
}

static uint64_t position(const struct save *s)
{
    return ((uint64_t)s->scan.database << POSITION_DATABASE_SHIFT) + s->scan.cursor;
}

bool save_passed(const struct save *s, const struct store_key *key)
{
    return save_position(key->database, key->slot, key->hash) < position(s);
}

/* ---- keys ---- */

static void append_head(struct buf *out, struct slice name, const struct value *value,
                        int64_t expiry_ms)
{
    bool expires = expiry_ms != STORE_NO_EXPIRY, integer = value->form == FORM_INTEGER;
    buf_append_byte(out, (uint8_t)((expires ? SAVE_EXPIRES : 0) | (integer ? SAVE_INTEGER : 0)));
    if (expires) buf_append_u64(out, (uint64_t)expiry_ms);
    buf_append_bytes(out, name);
    if (integer) buf_append_zigzag(out, value->integer);
}

static struct frozen *queue(struct save *s, unsigned database)
{
    struct frozen *f = memory_allocate_zeroed(sizeof *f);
    f->database = (uint8_t)database;
    *s->last = f;
    s->last = &f->next;
    return f;
}

/* A number that differs from those of the stream's images before. That it begins anew does
 * not matter: an image marks all that there is, so only the one before it can be mistaken. */
static uint32_t next_image(struct save *s)
{
    *s->images = *s->images % UINT32_MAX + 1;
    return *s->images;
}

static void freeze(struct save *s, struct frozen *f, struct slice name, const struct value *value,
                   int64_t expiry_ms)
{
    f->exists = true;
    f->kind = value->type == TYPE_STREAM ? SAVE_STREAM : SAVE_STRING;
    append_head(&f->head, name, value, expiry_ms);
    switch (value->form) {
    case FORM_BYTES: buf_append(&f->head, value->bytes); break;
    case FORM_INTEGER: break;
    case FORM_SHARED: f->shared = shared_acquire(value->shared); break;
    case FORM_BODY:
        CHECK(value->type == TYPE_STREAM);
        f->image = stream_image_create(value->body, next_image(s));
        break;
    }
}

static void say_database(struct save *s, unsigned database)
{
    char number = (char)database;
    if (s->database_said == database) return;
    snapshot_put(s->writer, SAVE_DATABASE, (struct slice){&number, 1}, (struct slice){0});
    s->database_said = database;
}

static void visit(void *context, struct slice name, const struct value *value, int64_t expiry_ms)
{
    struct save *s = context;
    s->section_keys++;
    s->keys++;
    bool inside = value->form == FORM_BYTES || value->form == FORM_INTEGER;
    if (!inside || name.size > HEAD_BYTES_MAX) {
        freeze(s, queue(s, s->scan.database), name, value, expiry_ms);
        return;
    }
    struct slice bytes = value->form == FORM_BYTES ? value->bytes : (struct slice){0};
    s->scratch.size = 0;
    append_head(&s->scratch, name, value, expiry_ms);
    snapshot_put(s->writer, SAVE_STRING, buf_slice(&s->scratch), bytes);
}

void save_moved(struct save *s, const struct store_key *key, lsn_t lsn)
{
    struct value value;
    int64_t expiry_ms;
    CHECK(save_passed(s, key));
    CHECK(lsn > s->as_of);
    struct frozen *f = queue(s, key->database);
    bool exists = store_get(s->store, key, &value, &expiry_ms);
    buf_append_varint(&f->moved, lsn);
    buf_append_byte(&f->moved, exists ? 1 : 0);
    buf_append_bytes(&f->moved, key->name);
    if (exists) freeze(s, f, key->name, &value, expiry_ms);
    s->moved++;
}

/* ---- large items ---- */

static struct slice behind(struct slice bytes, size_t skipped)
{
    if (skipped >= bytes.size) return (struct slice){0};
    return (struct slice){bytes.data + skipped, bytes.size - skipped};
}

static struct slice up_to(struct slice bytes, size_t size)
{
    return (struct slice){bytes.data, bytes.size < size ? bytes.size : size};
}

static void emit_part(struct save *s)
{
    struct emission *e = &s->emission;
    struct slice head = behind(buf_slice(&e->head), e->done);
    struct slice body = behind(e->body, e->done > e->head.size ? e->done - e->head.size : 0);
    if (head.size + body.size <= SNAPSHOT_ITEM_BYTES_MAX) {
        snapshot_put(s->writer, e->kind, head, body);
        e->open = false;
        return;
    }
    head = up_to(head, SNAPSHOT_ITEM_BYTES_MAX);
    body = up_to(body, SNAPSHOT_ITEM_BYTES_MAX - head.size);
    snapshot_put(s->writer, SAVE_PART, head, body);
    e->done += head.size + body.size;
}

/* The bytes of 'head' are copied, the body is borrowed until the item is out. */
static void open_emission(struct save *s, uint8_t kind, const struct buf *head, struct slice body)
{
    CHECK(!s->emission.open);
    s->emission.head.size = 0;
    if (head != NULL) buf_append(&s->emission.head, buf_slice(head));
    s->emission.kind = kind;
    s->emission.body = body;
    s->emission.done = 0;
    s->emission.open = true;
}

/* Goes on with the first frozen key, by one item or one part of it. */
static void emit_frozen(struct save *s)
{
    struct frozen *f = s->first;
    struct slice body = {0};
    if (s->emission.open) {
        emit_part(s);
        return;
    }
    switch (f->stage) {
    case FROZEN_MOVED:
        say_database(s, f->database);
        if (f->moved.size > 0) open_emission(s, SAVE_MOVED, &f->moved, body);
        f->stage = FROZEN_KEY;
        break;
    case FROZEN_KEY:
        if (f->shared != NULL) body = shared_slice(f->shared);
        if (f->exists) open_emission(s, f->kind, &f->head, body);
        f->stage = FROZEN_PIECES;
        break;
    case FROZEN_PIECES:
        s->scratch.size = 0;
        if (f->image == NULL || !stream_image_next(f->image, &s->scratch, &body)) drop_first(s);
        else if (s->scratch.size + body.size > 0) open_emission(s, SAVE_PIECE, &s->scratch, body);
        break;
    }
}

/* ---- sections ---- */

/* Every SWAPDB that the log has behind this LSN is replayed. */
static void say_places(struct save *s)
{
    char places[DATABASES_COUNT];
    bool moved = false;
    for (unsigned number = 0; number < DATABASES_COUNT; number++) {
        places[number] = (char)store_place(s->store, number);
        moved = moved || places[number] != (char)number;
    }
    if (!moved) return;
    struct slice body = {places, sizeof places};
    snapshot_put(s->writer, SAVE_PLACES, body, (struct slice){0});
}

static void open_section(struct save *s, lsn_t lsn)
{
    CHECK(lsn >= s->as_of);
    if (s->sections == 0) {
        s->first_as_of = lsn;
        say_places(s);
    }
    s->as_of = lsn;
    if (lsn > s->last_lsn) s->last_lsn = lsn;
    s->section_open = true;
    s->section_keys = 0;
    s->sections++;
}

static void close_section(struct save *s)
{
    CHECK(s->first == NULL);
    s->scratch.size = 0;
    buf_append_u64(&s->scratch, position(s));
    buf_append_varint(&s->scratch, s->as_of);
    buf_append_varint(&s->scratch, s->section_keys);
    snapshot_put(s->writer, SAVE_SECTION, buf_slice(&s->scratch), (struct slice){0});
    s->section_open = false;
}

static void scan_on(struct save *s, size_t bytes)
{
    CHECK(s->scan.database < DATABASES_COUNT);
    s->scan.count = bytes / KEY_BYTES < SCAN_KEYS ? 1 + bytes / KEY_BYTES : SCAN_KEYS;
    if (store_count(s->store, s->scan.database) > 0) {
        say_database(s, s->scan.database);
        store_scan_keys(s->store, &s->scan, visit, s);
    } else {
        s->scan.cursor = 0;
    }
    if (s->scan.cursor == 0) s->scan.database++;
}

static void finish(struct save *s)
{
    CHECK(s->sections > 0 && !s->section_open);
    s->scratch.size = 0;
    buf_append_varint(&s->scratch, s->keys);
    buf_append_varint(&s->scratch, s->sections);
    buf_append_varint(&s->scratch, s->moved);
    snapshot_put(s->writer, SAVE_END, buf_slice(&s->scratch), (struct slice){0});
    snapshot_finish(s->writer, s->first_as_of + 1, s->last_lsn);
}

bool save_step(struct save *s, lsn_t lsn, size_t bytes)
{
    size_t end = snapshot_staged_bytes(s->writer) + bytes;
    /* Looking takes time, too, where there is little to put. */
    for (size_t turns = 1 + bytes / TURN_BYTES; turns > 0; turns--) {
        if (snapshot_staged_bytes(s->writer) >= end) break;
        bool at_end = position(s) == POSITION_END;
        if (s->emission.open || s->first != NULL) {
            emit_frozen(s);
        } else if (s->section_open && (at_end || s->as_of != lsn)) {
            close_section(s);
        } else if (at_end) {
            finish(s);
            return true;
        } else {
            if (!s->section_open) open_section(s, lsn);
            scan_on(s, bytes);
        }
    }
    return false;
}

void save_measure(const struct save *s, struct save_figures *figures)
{
    *figures = (struct save_figures){
        .keys = s->keys, .keys_total = s->keys_total, .moved = s->moved, .last_lsn = s->last_lsn};
}
