/* replay_snapshot.c - the items of a snapshot, each proved before it is taken (save.h). */
#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "db/replay.h"

/* ---- keys ---- */

static bool read_key_head(struct reader *in, uint8_t *flags, int64_t *expiry_ms, struct slice *name)
{
    uint64_t expiry = (uint64_t)STORE_NO_EXPIRY;
    if (!read_byte(in, flags) || (*flags & ~(SAVE_EXPIRES | SAVE_INTEGER)) != 0) return false;
    if ((*flags & SAVE_EXPIRES) && !read_u64(in, &expiry)) return false;
    *expiry_ms = (int64_t)expiry;
    return read_bytes(in, name) && name->size <= KEY_BYTES_MAX;
}

/* The value of the last moved key. Takes it as store_put does. */
static bool keep_moved(struct replay *r, struct slice name, const struct value *value,
                       int64_t expiry_ms)
{
    CHECK(r->moved_count > 0);
    struct moved_value *m = &r->moved[r->moved_count - 1];
    m->exists = true;
    m->value = *value;
    m->expiry_ms = expiry_ms;
    if (value->form == FORM_BYTES) buf_append(&m->bytes, value->bytes);
    r->moved_pending = false;
    return m->database == r->database && slice_equal(buf_slice(&m->name), name);
}

/* Puts a value under its key, which must be new. Takes the value as store_put, also when it
 * returns false: then the store, which is dropped next, has it. */
static bool put(struct replay *r, struct slice name, const struct value *value, int64_t expiry_ms)
{
    if (r->moved_pending) return keep_moved(r, name, value, expiry_ms);
    struct store *store = r->target.store;
    struct store_key key = store_key_make(store, r->database, name);
    uint64_t before = store_count(store, r->database);
    store_put(store, &key, value, expiry_ms);
    if (store_count(store, r->database) == before) return false;
    uint64_t position = save_position(key.database, key.slot, 0);
    if (r->section_keys == 0 || position < r->position_min) r->position_min = position;
    if (r->section_keys == 0 || position > r->position_max) r->position_max = position;
    r->section_keys++;
    r->keys++;
    return true;
}

static bool load_string(struct replay *r, struct slice body)
{
    struct reader in = {body};
    struct slice name;
    uint8_t flags;
    int64_t expiry_ms;
    struct value value = {.type = TYPE_STRING, .form = FORM_BYTES};
    if (!read_key_head(&in, &flags, &expiry_ms, &name)) return false;
    if (flags & SAVE_INTEGER) {
        value.form = FORM_INTEGER;
        if (!read_zigzag(&in, &value.integer) || in.rest.size != 0) return false;
    } else if (in.rest.size <= STORE_INLINE_BYTES_MAX) {
        value.bytes = in.rest;
    } else {
        if (in.rest.size > STRING_BYTES_MAX) return false;
        value.form = FORM_SHARED;
        value.shared = shared_create(in.rest);
    }
    return put(r, name, &value, expiry_ms);
}

static bool load_stream(struct replay *r, struct slice body)
{
    struct reader in = {body};
    struct slice name;
    uint8_t flags;
    if (!read_key_head(&in, &flags, &r->stream_expiry_ms, &name)) return false;
    if ((flags & SAVE_INTEGER) || in.rest.size != 0) return false;
    r->stream_name.size = 0;
    buf_append(&r->stream_name, name);
    r->stream = stream_loader_create();
    return true;
}

static bool load_piece(struct replay *r, struct slice piece)
{
    if (r->stream == NULL || !stream_loader_add(r->stream, piece)) return false;
    struct value value = {.type = TYPE_STREAM, .form = FORM_BODY};
    value.body = stream_loader_take(r->stream);
    if (value.body == NULL) return true;
    stream_loader_destroy(r->stream);
    r->stream = NULL;
    return put(r, buf_slice(&r->stream_name), &value, r->stream_expiry_ms);
}

static bool load_moved(struct replay *r, struct slice body)
{
    struct reader in = {body};
    struct slice name;
    lsn_t lsn;
    uint8_t exists;
    if (!read_varint(&in, &lsn) || !read_byte(&in, &exists) || exists > 1) return false;
    if (!read_bytes(&in, &name) || in.rest.size != 0 || name.size > KEY_BYTES_MAX) return false;
    if (r->moved_count > 0 && lsn < r->moved[r->moved_count - 1].lsn) return false;
    if (r->moved_count == r->moved_capacity) {
        size_t capacity = r->moved_capacity == 0 ? 16 : r->moved_capacity * 2;
        r->moved = memory_resize(r->moved, r->moved_capacity * sizeof *r->moved,
                                 capacity * sizeof *r->moved);
        r->moved_capacity = capacity;
    }
    struct moved_value *m = &r->moved[r->moved_count++];
    *m = (struct moved_value){.lsn = lsn, .database = r->database};
    buf_append(&m->name, name);
    r->moved_pending = exists == 1;
    return true;
}

/* ---- the frame around them ---- */

static bool load_head(struct replay *r, struct slice body)
{
    struct reader in = {body};
    uint64_t version;
    if (!read_varint(&in, &version) || version != SAVE_VERSION) return false;
    if (!read_u64(&in, &r->coverage.seed) || in.rest.size != 0) return false;
    r->begun = true;
    return true;
}

static bool load_section(struct replay *r, struct slice body)
{
    struct reader in = {body};
    struct coverage_section section;
    uint64_t keys;
    const struct coverage *c = &r->coverage;
    uint64_t begin = c->sections_count == 0 ? 0 : c->sections[c->sections_count - 1].end;
    if (!read_u64(&in, &section.end) || !read_varint(&in, &section.as_of)) return false;
    if (!read_varint(&in, &keys) || in.rest.size != 0 || keys != r->section_keys) return false;
    if (r->moved_pending) return false;
    if (keys > 0) {
        uint64_t slot_of_begin = begin >> POSITION_SLOT_SHIFT << POSITION_SLOT_SHIFT;
        if (r->position_min < slot_of_begin || r->position_max >= section.end) return false;
    }
    r->section_keys = 0;
    return coverage_add_section(&r->coverage, section);
}

static bool load_end(struct replay *r, struct slice body)
{
    struct reader in = {body};
    uint64_t keys, sections, moved;
    if (!read_varint(&in, &keys) || !read_varint(&in, &sections) || !read_varint(&in, &moved))
        return false;
    r->ended = true;
    return in.rest.size == 0 && keys == r->keys && sections == r->coverage.sections_count &&
           moved == r->moved_count && r->section_keys == 0 && !r->moved_pending;
}

static bool load_database(struct replay *r, struct slice body)
{
    if (body.size != 1 || (uint8_t)body.data[0] >= DATABASES_COUNT) return false;
    r->database = (uint8_t)body.data[0];
    return true;
}

/* Each place once, in a store whose databases are where they were at first. */
static bool load_places(struct replay *r, struct slice body)
{
    uint32_t seen = 0;
    if (body.size != DATABASES_COUNT || r->coverage.sections_count > 0) return false;
    for (unsigned number = 0; number < DATABASES_COUNT; number++) {
        unsigned place = (uint8_t)body.data[number];
        if (place >= DATABASES_COUNT || (seen >> place & 1) != 0) return false;
        seen |= UINT32_C(1) << place;
    }
    for (unsigned number = 0; number < DATABASES_COUNT; number++) {
        unsigned other = store_number(r->target.store, (uint8_t)body.data[number]);
        if (other != number) store_swap(r->target.store, number, other);
    }
    return true;
}

static bool load_item(struct replay *r, uint8_t kind, struct slice body)
{
    if (r->ended || r->begun == (kind == SAVE_HEAD)) return false;
    if ((r->stream != NULL) != (kind == SAVE_PIECE)) return false;
    if (r->moved_pending && kind != SAVE_STRING && kind != SAVE_STREAM && kind != SAVE_PIECE)
        return false;
    switch (kind) {
    case SAVE_HEAD: return load_head(r, body);
    case SAVE_DATABASE: return load_database(r, body);
    case SAVE_PLACES: return load_places(r, body);
    case SAVE_STRING: return load_string(r, body);
    case SAVE_STREAM: return load_stream(r, body);
    case SAVE_PIECE: return load_piece(r, body);
    case SAVE_SECTION: return load_section(r, body);
    case SAVE_MOVED: return load_moved(r, body);
    case SAVE_END: return load_end(r, body);
    default: return false;
    }
}

/* An item, or a part of one: parts are collected until the last one gives them their kind. */
static bool take_item(struct replay *r, uint8_t kind, struct slice body)
{
    if (kind == SAVE_PART) {
        buf_append(&r->parts, body);
        return body.size > 0;
    }
    if (r->parts.size == 0) return load_item(r, kind, body);
    buf_append(&r->parts, body);
    bool good = load_item(r, kind, buf_slice(&r->parts));
    r->parts.size = 0;
    if (r->parts.capacity > MIB) buf_deinit(&r->parts);
    return good;
}

/* ---- for the log ---- */

static bool load_block(void *context, struct slice items)
{
    struct replay *r = context;
    struct reader in = {items};
    while (in.rest.size > 0) {
        uint8_t kind;
        struct slice body;
        if (!read_byte(&in, &kind) || !read_bytes(&in, &body)) return false;
        if (!take_item(r, kind, body)) return false;
    }
    return true;
}

static bool load_whole(void *context, lsn_t from_lsn, lsn_t last_lsn)
{
    struct replay *r = context;
    struct coverage *c = &r->coverage;
    if (!r->ended || r->parts.size > 0 || !coverage_is_whole(c)) return false;
    if (c->sections[0].as_of + 1 != from_lsn) return false;
    if (c->sections[c->sections_count - 1].as_of != last_lsn) return false;
    r->covered_lsn = last_lsn;
    return true;
}

static void forget(void *context)
{
    struct replay *r = context;
    struct effect_target target = r->target;
    replay_deinit(r);
    replay_init(r, &target);
    for (unsigned database = 0; database < DATABASES_COUNT; database++) {
        unsigned other = store_number(target.store, database);
        if (other != database) store_swap(target.store, database, other);
        store_flush(target.store, database);
    }
    while (store_sweep(target.store, SIZE_MAX)) continue;
}

struct wal_loader replay_loader(struct replay *r)
{
    return (struct wal_loader){.context = r,
                               .block = load_block,
                               .end = load_whole,
                               .forget = forget,
                               .ahead = replay_ahead};
}
