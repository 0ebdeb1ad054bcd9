#include "stream/block.h"

#include "base/buf.h"
#include "base/memory.h"

enum {
    BLOCK_HEADER_BYTES = offsetof(struct stream_block, bytes),
    BLOCK_CHECK_NAMES_MAX = STREAM_FIELDS_MAX / 2,
};

/* ---- numbers ---- */

static inline size_t number_size(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

static inline uint8_t *put_number(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static uint64_t get_long_number(const uint8_t **in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = *(*in)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) break;
    }
    return value;
}

/* Our own bytes, proven when they were loaded: no bounds here, the caller checks the end. */
static inline uint64_t get_number(const uint8_t **in)
{
    if (**in < 0x80) return *(*in)++;
    return get_long_number(in);
}

static inline size_t item_size(struct slice item)
{
    return number_size(item.size) + item.size;
}

static inline uint8_t *put_item(uint8_t *out, struct slice item)
{
    out = put_number(out, item.size);
    if (item.size > 0) memcpy(out, item.data, item.size);
    return out + item.size;
}

/* ---- allocation ---- */

static size_t allocation_size(const struct stream_block *b)
{
    return BLOCK_HEADER_BYTES + (size_t)b->capacity;
}

/* Capacities fill the allocator's size class: the rounding belongs to the block. */
static size_t rounded_allocation(size_t capacity)
{
    size_t size = memory_rounded_size(BLOCK_HEADER_BYTES + capacity);
    size_t least = sizeof(struct stream_block);
    if (size < least) size = least;
    CHECK(size - BLOCK_HEADER_BYTES <= UINT32_MAX);
    return size;
}

static struct stream_block *resize(struct stream_block *b, size_t capacity)
{
    CHECK(b->references == 1);
    CHECK(capacity >= b->size);
    size_t before = allocation_size(b);
    size_t after = rounded_allocation(capacity);
    if (after == before) return b;
    b = memory_resize(b, before, after);
    b->capacity = (uint32_t)(after - BLOCK_HEADER_BYTES);
    return b;
}

static struct stream_block *allocate(size_t capacity)
{
    size_t size = rounded_allocation(capacity);
    struct stream_block *b = memory_allocate(size);
    memset(b, 0, sizeof *b);
    b->references = 1;
    b->capacity = (uint32_t)(size - BLOCK_HEADER_BYTES);
    return b;
}

struct stream_block *block_create(const struct block_entry *entry, size_t capacity)
{
    CHECK(entry->count >= 2 && entry->count % 2 == 0);
    size_t names_size = number_size(entry->count / 2);
    for (size_t i = 0; i < entry->count; i += 2) names_size += item_size(entry->items[i]);

    size_t needed = names_size + entry->size;
    struct stream_block *b = allocate(capacity > needed ? capacity : needed);
    uint8_t *out = put_number(b->bytes, entry->count / 2);
    for (size_t i = 0; i < entry->count; i += 2) out = put_item(out, entry->items[i]);
    b->begin = (uint32_t)names_size;
    b->size = (uint32_t)names_size;
    CHECK(out == b->bytes + names_size);

    b->first_id = entry->id;
    b->last_id = entry->id;
    return b;
}

void block_acquire(struct stream_block *b)
{
    CHECK(b->references > 0);
    CHECK(b->references < UINT32_MAX);
    b->references++;
}

void block_release(struct stream_block *b)
{
    CHECK(b->references > 0);
    if (--b->references == 0) memory_free(b, allocation_size(b));
}

size_t block_memory_bytes(const struct stream_block *b)
{
    return allocation_size(b);
}

struct stream_block *block_seal(struct stream_block *b)
{
    return resize(b, b->size);
}

struct stream_block *block_own(struct stream_block *b)
{
    if (b->references == 1) return b;
    struct stream_block *copy = allocate(b->size);
    uint32_t capacity = copy->capacity;
    memcpy(copy, b, BLOCK_HEADER_BYTES + b->size);
    copy->references = 1;
    copy->capacity = capacity;
    block_release(b);
    return copy;
}

/* ---- appending ---- */

static bool has_names(const struct stream_block *b, const struct slice *items, size_t count)
{
    const uint8_t *in = b->bytes;
    if (get_number(&in) != count / 2) return false;
    for (size_t i = 0; i < count; i += 2) {
        uint64_t size = get_number(&in);
        if (size != items[i].size) return false;
        if (size > 0 && memcmp(in, items[i].data, size) != 0) return false;
        in += size;
    }
    return true;
}

/* The control byte without the flag of own names, and what follows it. */
struct delta {
    uint64_t ms;
    uint64_t seq;
    uint8_t control;
};

static inline struct delta delta_between(struct stream_id previous, struct stream_id id)
{
    struct delta d = {id.ms - previous.ms, id.seq, 0};
    if (d.ms == 0) d.seq = id.seq - previous.seq - 1;
    d.control = (uint8_t)(d.ms <= BLOCK_MS_INLINE_MAX ? d.ms : BLOCK_MS_NUMBER);
    if (d.seq != 0) d.control |= BLOCK_SEQ;
    return d;
}

static inline size_t delta_size(const struct delta *d)
{
    size_t size = 1;
    if ((d->control & BLOCK_MS_MASK) == BLOCK_MS_NUMBER) size += number_size(d->ms);
    if (d->control & BLOCK_SEQ) size += number_size(d->seq);
    return size;
}

static inline uint8_t *put_delta(uint8_t *out, const struct delta *d, uint8_t flags)
{
    *out++ = d->control | flags;
    if ((d->control & BLOCK_MS_MASK) == BLOCK_MS_NUMBER) out = put_number(out, d->ms);
    if (d->control & BLOCK_SEQ) out = put_number(out, d->seq);
    return out;
}

/* Before the first record nothing precedes: its deltas are written as zero. */
static inline struct delta entry_delta(const struct stream_block *b, struct stream_id id)
{
    if (b == NULL || b->records == 0) return (struct delta){0};
    return delta_between(b->last_id, id);
}

void block_measure(const struct stream_block *b, struct block_entry *entry)
{
    struct delta d = entry_delta(b, entry->id);
    uint64_t size = delta_size(&d);

    entry->own_names = b != NULL && !has_names(b, entry->items, entry->count);
    if (entry->own_names) {
        size += number_size(entry->count / 2);
        for (size_t i = 0; i < entry->count; i += 2) size += item_size(entry->items[i]);
    }
    for (size_t i = 1; i < entry->count; i += 2) size += item_size(entry->items[i]);
    entry->size = size;
}

static struct stream_block *make_room(struct stream_block *b, uint64_t size)
{
    if (b->capacity - b->size >= size) return b;
    uint64_t needed = b->size + size;
    uint64_t grown = (uint64_t)b->capacity + b->capacity / 2;
    if (grown > UINT32_MAX / 2) grown = 0;
    return resize(b, needed > grown ? needed : grown);
}

struct stream_block *block_append(struct stream_block *b, const struct block_entry *entry)
{
    CHECK(b->references == 1);
    CHECK(b->records < BLOCK_RECORDS_MAX);
    CHECK(IMPLIES(b->records > 0, stream_id_compare(entry->id, b->last_id) > 0));

    b = make_room(b, entry->size);
    struct delta d = entry_delta(b, entry->id);
    uint8_t *start = b->bytes + b->size;
    uint8_t *out = put_delta(start, &d, entry->own_names ? BLOCK_OWN_NAMES : 0);
    if (entry->own_names) {
        out = put_number(out, entry->count / 2);
        for (size_t i = 0; i < entry->count; i++) out = put_item(out, entry->items[i]);
    } else {
        for (size_t i = 1; i < entry->count; i += 2) out = put_item(out, entry->items[i]);
    }
    CHECK((uint64_t)(out - start) == entry->size);

    b->size += (uint32_t)entry->size;
    b->records++;
    b->live++;
    b->last_id = entry->id;
    return b;
}

/* ---- reading ---- */

uint32_t block_names_offset(const struct stream_block *b)
{
    const uint8_t *in = b->bytes;
    (void)get_number(&in);
    return (uint32_t)(in - b->bytes);
}

void block_cursor_begin(struct block_cursor *c, const struct stream_block *b, uint64_t ordinal)
{
    const uint8_t *in = b->bytes;
    uint64_t names_count = get_number(&in);
    uint64_t names_bytes = 0;
    for (uint64_t i = 0; i < names_count; i++) {
        uint64_t size = get_number(&in);
        names_bytes += size;
        in += size;
    }
    CHECK(in <= b->bytes + b->begin);
    *c = (struct block_cursor){
        .block = b,
        .next = b->begin,
        .names_count = (uint32_t)names_count,
        .names_bytes = names_bytes,
        .id = b->first_id,
        .ordinal = ordinal,
    };
}

/* Reads the ID of a record that is not a gap; 'in' is behind the control byte. */
static inline struct stream_id get_id(struct stream_id id, uint8_t control, const uint8_t **in)
{
    uint64_t ms = control & BLOCK_MS_MASK;
    if (ms == BLOCK_MS_NUMBER) ms = get_number(in);
    uint64_t seq = control & BLOCK_SEQ ? get_number(in) : 0;
    if (ms == 0) return (struct stream_id){id.ms, id.seq + 1 + seq};
    return (struct stream_id){id.ms + ms, seq};
}

bool block_cursor_next(struct block_cursor *c, struct block_record *record)
{
    const struct stream_block *b = c->block;
    const uint8_t *in = b->bytes + c->next;
    const uint8_t *end = b->bytes + b->size;

    while (in < end && *in == BLOCK_GAP) {
        in++;
        c->ordinal += get_number(&in);
    }
    if (in >= end) {
        c->next = b->size;
        return false;
    }
    uint32_t offset = (uint32_t)(in - b->bytes);
    uint8_t control = *in++;
    c->id = get_id(c->id, control, &in);
    if (offset == b->begin) c->id = b->first_id;
    c->ordinal++;

    bool own = (control & BLOCK_OWN_NAMES) != 0;
    uint64_t names_count = own ? get_number(&in) : c->names_count;
    uint64_t items = own ? names_count * 2 : names_count;
    uint64_t data_bytes = own ? 0 : c->names_bytes;
    record->body = (uint32_t)(in - b->bytes);
    for (uint64_t i = 0; i < items; i++) {
        uint64_t size = get_number(&in);
        data_bytes += size;
        in += size;
    }
    CHECK(in <= end);

    record->id = c->id;
    record->ordinal = c->ordinal;
    record->data_bytes = data_bytes;
    record->offset = offset;
    record->end = (uint32_t)(in - b->bytes);
    record->items = (uint32_t)items;
    record->names_count = (uint32_t)names_count;
    record->own_names = own;
    record->dead = (control & BLOCK_DEAD) != 0;
    c->next = record->end;
    return true;
}

bool block_cursor_next_live(struct block_cursor *c, struct block_record *record)
{
    while (block_cursor_next(c, record))
        if (!record->dead) return true;
    return false;
}

struct slice block_item(const struct stream_block *b, uint32_t *offset)
{
    const uint8_t *in = b->bytes + *offset;
    uint64_t size = get_number(&in);
    struct slice item = {(const char *)in, size};
    *offset = (uint32_t)(in - b->bytes) + (uint32_t)size;
    CHECK(*offset <= b->size);
    return item;
}

uint64_t block_rank(const struct stream_block *b, struct stream_id id)
{
    if (stream_id_compare(id, b->last_id) >= 0) return b->live;
    if (stream_id_compare(id, b->first_id) < 0) return 0;
    struct block_cursor c;
    struct block_record record;
    uint64_t rank = 0;
    block_cursor_begin(&c, b, 0);
    while (block_cursor_next_live(&c, &record)) {
        if (stream_id_compare(record.id, id) > 0) break;
        rank++;
    }
    return rank;
}

/* ---- deleting ---- */

void block_mark_dead(struct stream_block *b, const struct block_record *record)
{
    CHECK(b->references == 1);
    CHECK(b->live > 1);
    CHECK(!record->dead && !(b->bytes[record->offset] & BLOCK_DEAD));
    b->bytes[record->offset] |= BLOCK_DEAD;
    b->live--;
    b->dead_bytes += record->end - record->offset;
}

uint32_t block_drop_before(struct stream_block *b, struct stream_id first_kept, uint64_t *ordinal)
{
    CHECK(b->references == 1);
    CHECK(stream_id_compare(first_kept, b->last_id) <= 0);
    struct block_cursor c;
    struct block_record record = {0};
    uint32_t dropped = 0;
    uint32_t dropped_live = 0;
    block_cursor_begin(&c, b, *ordinal);
    while (block_cursor_next(&c, &record)) {
        if (!record.dead && stream_id_compare(record.id, first_kept) >= 0) break;
        dropped++;
        /* A dead record was counted when it died, a gap never was. */
        if (record.dead) b->dead_bytes -= record.end - record.offset;
        else dropped_live++;
    }
    CHECK(dropped_live < b->live && dropped < b->records);

    b->dead_bytes += record.offset - b->begin;
    b->begin = record.offset;
    b->first_id = record.id;
    b->records = (uint16_t)(b->records - dropped);
    b->live = (uint16_t)(b->live - dropped_live);
    b->dropped += (uint32_t)(record.ordinal - 1 - *ordinal);
    *ordinal = record.ordinal - 1;
    return dropped_live;
}

bool block_is_wasteful(const struct stream_block *b)
{
    return b->dead_bytes > b->size / 4;
}

struct stream_block *block_rewrite(const struct stream_block *b, uint64_t *ordinal)
{
    CHECK(b->live > 0);
    struct block_cursor c;
    struct block_record record;
    uint64_t expected = 0; /* the ordinal before the next copied record, once there is one */
    block_cursor_begin(&c, b, *ordinal);
    uint32_t names_size = block_names_offset(b);
    for (uint32_t i = 0; i < c.names_count; i++) (void)block_item(b, &names_size);

    /* A delta grows when what stood between is gone, by less than what stood there took: a dead
     * record has at least 2 bytes and its own deltas. Gaps grow likewise; see block_check. */
    struct stream_block *copy = allocate((size_t)b->size + 2 * VARINT_BYTES_MAX);
    memcpy(copy->bytes, b->bytes, names_size);
    copy->begin = names_size;
    copy->size = names_size;
    copy->rewrites = b->rewrites + 1;
    while (block_cursor_next_live(&c, &record)) {
        struct delta d = entry_delta(copy, record.id);
        uint64_t gap = copy->records == 0 ? 0 : record.ordinal - expected - 1;
        uint32_t body = record.body;
        if (record.own_names) body -= (uint32_t)number_size(record.names_count);
        size_t room = 1 + VARINT_BYTES_MAX + delta_size(&d) + record.end - body;
        copy = make_room(copy, room);
        uint8_t *out = copy->bytes + copy->size;
        if (gap > 0) {
            *out++ = BLOCK_GAP;
            out = put_number(out, gap);
        }
        out = put_delta(out, &d, record.own_names ? BLOCK_OWN_NAMES : 0);
        memcpy(out, b->bytes + body, record.end - body);
        out += record.end - body;
        if (copy->records == 0) {
            copy->first_id = record.id;
            copy->dropped = b->dropped + (uint32_t)(record.ordinal - 1 - *ordinal);
            *ordinal = record.ordinal - 1;
        }
        copy->size = (uint32_t)(out - copy->bytes);
        copy->records++;
        copy->live++;
        copy->last_id = record.id;
        expected = record.ordinal;
    }
    if (c.ordinal > expected) { /* the block may be the tail: its next record needs the gap */
        copy = make_room(copy, 1 + VARINT_BYTES_MAX);
        uint8_t *out = copy->bytes + copy->size;
        *out++ = BLOCK_GAP;
        out = put_number(out, c.ordinal - expected);
        copy->size = (uint32_t)(out - copy->bytes);
    }
    CHECK(copy->live == b->live);
    return copy;
}

/* ---- checking and restoring ---- */

static bool skip_items(struct reader *r, uint64_t count)
{
    struct slice item;
    for (uint64_t i = 0; i < count; i++)
        if (!read_bytes(r, &item)) return false;
    return true;
}

static bool read_count(struct reader *r, uint64_t *count)
{
    return read_varint(r, count) && *count >= 1 && *count <= BLOCK_CHECK_NAMES_MAX;
}

/* Where a validation stands. */
struct block_proof {
    struct reader in;
    struct stream_id id; /* of the previous record */
    uint64_t ordinal;
    uint64_t dead_bytes;
    uint64_t names_count;
    uint32_t live;
    uint32_t records;
};

static bool prove_gap(struct block_proof *p)
{
    uint64_t gap;
    if (!read_varint(&p->in, &gap) || gap == 0 || p->records == 0) return false;
    if (gap > UINT64_MAX - p->ordinal) return false;
    p->ordinal += gap;
    return true;
}

static bool prove_record(struct block_proof *p, const struct stream_block *b)
{
    size_t before = p->in.rest.size;
    uint8_t control;
    uint64_t seq = 0;
    if (!read_byte(&p->in, &control)) return false;
    if (control == BLOCK_GAP) return prove_gap(p);
    uint64_t ms = control & BLOCK_MS_MASK;
    if (ms == BLOCK_GAP) return false;
    if (ms == BLOCK_MS_NUMBER && !read_varint(&p->in, &ms)) return false;
    if ((control & BLOCK_SEQ) && !read_varint(&p->in, &seq)) return false;
    struct stream_id next = {p->id.ms + ms, ms == 0 ? p->id.seq + 1 + seq : seq};
    if (p->records == 0) next = b->first_id;
    else if (stream_id_compare(next, p->id) <= 0) return false;
    p->id = next;
    uint64_t items = p->names_count;
    if (control & BLOCK_OWN_NAMES) {
        if (!read_count(&p->in, &items)) return false;
        items *= 2;
    }
    if (!skip_items(&p->in, items) || p->ordinal == UINT64_MAX) return false;
    p->records++;
    p->ordinal++;
    if (control & BLOCK_DEAD) p->dead_bytes += before - p->in.rest.size;
    else p->live++;
    return true;
}

bool block_prove(const struct stream_block *b, uint64_t *ordinal)
{
    if (b->references == 0 || b->live == 0 || b->live > b->records) return false;
    if (b->records > BLOCK_RECORDS_MAX || b->begin >= b->size || b->size > b->capacity)
        return false;
    struct block_proof p = {
        .in = {{(const char *)b->bytes, b->size}}, .id = b->first_id, .ordinal = *ordinal};
    if (!read_count(&p.in, &p.names_count) || !skip_items(&p.in, p.names_count)) return false;
    uint32_t names_size = b->size - (uint32_t)p.in.rest.size;
    if (names_size > b->begin) return false;
    p.dead_bytes = b->begin - names_size;
    p.in.rest = (struct slice){(const char *)b->bytes + b->begin, b->size - b->begin};
    while (p.in.rest.size > 0) /* each step takes at least a byte */
        if (!prove_record(&p, b)) return false;
    *ordinal = p.ordinal;
    return stream_id_compare(p.id, b->last_id) == 0 && p.records == b->records &&
           p.live == b->live && p.dead_bytes == b->dead_bytes;
}

uint64_t block_check(const struct stream_block *b, uint64_t ordinal)
{
    CHECK(b->references > 0);
    CHECK(block_prove(b, &ordinal));
    return ordinal;
}

struct stream_block *block_restore(const struct stream_block *header, struct slice bytes)
{
    CHECK(bytes.size > 0 && bytes.size <= UINT32_MAX / 2);
    struct stream_block *b = allocate(bytes.size);
    uint32_t capacity = b->capacity;
    memcpy(b, header, BLOCK_HEADER_BYTES);
    memcpy(b->bytes, bytes.data, bytes.size);
    b->references = 1;
    b->rewrites = 0;
    b->size = (uint32_t)bytes.size;
    b->capacity = capacity;
    return b;
}
