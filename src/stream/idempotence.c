/* idempotence.c - producers, the rings of their iids, and the tables that find an iid in its ring.
 *
 *   ring    items[capacity], a power of two; the oldest at 'start', 'count' of them. An item is a
 *           cache line; an iid of up to 40 bytes, and so a UUID, stands in it
 *   table   slots[2 * capacity]: 0 is free, else the place of an item in the ring plus one; linear
 *           probing, and a removal moves later slots back, so that there are no tombstones
 *
 * A record looks its producer up, probes once, and writes one item and one slot: what a message
 * costs beyond its append must stay a few nanoseconds (docs/decisions/0024).
 *
 * The hash needs no secret: a producer that makes its own iids collide makes its own lookups slow,
 * by at most STREAM_IDMP_COUNT_MAX steps. */
#include "stream/idempotence.h"

#include "base/hash.h"
#include "base/memory.h"
#include "stream/image.h"

#include <assert.h>

enum {
    RING_CAPACITY_FIRST = 4,
    SWEEP_IIDS_MAX = 8, /* that one record forgets of another producer */
    IID_INLINE_BYTES_MAX = 40,
};

struct iid {
    struct stream_id id;
    uint32_t hash;
    uint32_t size;
    union {
        char bytes[IID_INLINE_BYTES_MAX]; /* size <= IID_INLINE_BYTES_MAX */
        char *data;                       /* else; owned */
    };
};

static_assert(sizeof(struct iid) == 64, "an item is a cache line");
static_assert(STREAM_IDMP_COUNT_MAX < UINT16_MAX / 2, "places in a ring fit in a slot");

struct producer {
    struct name_entry entry; /* first: members of a name_index begin with it */
    struct iid *items;
    uint16_t *slots;
    uint32_t start;
    uint32_t count;
    uint32_t capacity;
    uint32_t image; /* number of the image that has it, or that it is younger than */
};

struct idempotence {
    struct name_index producers;
    struct producer *recent; /* the one that recorded last, or NULL: it comes again */
    struct stream_idmp_limits limits;
    uint64_t iids;
    uint64_t added;
    uint64_t duplicates;
    uint32_t sweep;      /* which producer is looked after next */
    size_t memory_bytes; /* of everything here */
};

/* ---- memory ---- */

static size_t items_bytes(uint32_t capacity)
{
    return capacity * sizeof(struct iid);
}

static size_t slots_bytes(uint32_t capacity)
{
    return (size_t)capacity * 2 * sizeof(uint16_t);
}

static size_t ring_bytes(uint32_t capacity)
{
    return items_bytes(capacity) + slots_bytes(capacity);
}

static struct producer *producer_of(struct name_entry *e)
{
    return (struct producer *)(void *)e;
}

static struct idempotence *ensure(struct stream *s)
{
    if (s->idempotence != NULL) return s->idempotence;
    s->idempotence = memory_allocate_zeroed(sizeof *s->idempotence);
    s->idempotence->memory_bytes = sizeof *s->idempotence;
    return s->idempotence;
}

size_t stream_idmp_memory_bytes(const struct stream *s)
{
    const struct idempotence *x = s->idempotence;
    return x == NULL ? 0 : x->memory_bytes + name_index_memory_bytes(&x->producers);
}

/* ---- the table of a producer ---- */

static uint32_t hash_of(struct slice iid)
{
    return (uint32_t)hash_bytes(iid, 0);
}

static uint32_t slots_mask(const struct producer *p)
{
    return 2 * p->capacity - 1;
}

static bool is_inline(size_t size)
{
    return size <= IID_INLINE_BYTES_MAX;
}

static struct slice iid_of(const struct iid *item)
{
    return (struct slice){is_inline(item->size) ? item->bytes : item->data, item->size};
}

/* The slot of the iid, or the free one where it would stand. */
static uint32_t find_slot(const struct producer *p, struct slice iid, uint32_t hash)
{
    uint32_t slot = hash & slots_mask(p);
    for (; p->slots[slot] != 0; slot = (slot + 1) & slots_mask(p)) { /* half of them are free */
        const struct iid *item = &p->items[p->slots[slot] - 1];
        if (item->hash == hash && slice_equal(iid_of(item), iid)) break;
    }
    return slot;
}

/* The slot of the item that stands at the place. */
static uint32_t slot_of(const struct producer *p, uint32_t place)
{
    uint32_t slot = p->items[place].hash & slots_mask(p);
    while (p->slots[slot] != place + 1) { /* it is there */
        CHECK(p->slots[slot] != 0);
        slot = (slot + 1) & slots_mask(p);
    }
    return slot;
}

static void clear_slot(struct producer *p, uint32_t slot)
{
    uint32_t mask = slots_mask(p);
    uint32_t hole = slot;
    for (uint32_t at = (hole + 1) & mask; p->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t home = p->items[p->slots[at] - 1].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue; /* it would lose its way */
        p->slots[hole] = p->slots[at];
        hole = at;
    }
    p->slots[hole] = 0;
}

static void grow(struct idempotence *x, struct producer *p)
{
    struct producer old = *p;
    p->capacity = old.capacity == 0 ? RING_CAPACITY_FIRST : old.capacity * 2;
    p->items = memory_allocate(items_bytes(p->capacity));
    p->slots = memory_allocate_zeroed(slots_bytes(p->capacity));
    p->start = 0;
    for (uint32_t i = 0; i < old.count; i++) {
        struct iid *item = &p->items[i];
        *item = old.items[(old.start + i) & (old.capacity - 1)];
        p->slots[find_slot(p, iid_of(item), item->hash)] = (uint16_t)(i + 1);
    }
    memory_free(old.items, items_bytes(old.capacity));
    memory_free(old.slots, slots_bytes(old.capacity));
    x->memory_bytes += ring_bytes(p->capacity) - ring_bytes(old.capacity);
}

/* ---- iids ---- */

/* The producer does not have the iid. */
static void append(struct idempotence *x, struct producer *p, struct slice iid, uint32_t hash,
                   struct stream_id id)
{
    if (p->count == p->capacity) grow(x, p);
    uint32_t place = (p->start + p->count) & (p->capacity - 1);
    struct iid *item = &p->items[place];
    item->id = id;
    item->hash = hash;
    item->size = (uint32_t)iid.size;
    if (!is_inline(iid.size)) {
        item->data = memory_allocate(iid.size);
        x->memory_bytes += iid.size;
    }
    memcpy(is_inline(iid.size) ? item->bytes : item->data, iid.data, iid.size);
    uint32_t slot = hash & slots_mask(p);
    while (p->slots[slot] != 0) slot = (slot + 1) & slots_mask(p); /* half of them are free */
    p->slots[slot] = (uint16_t)(place + 1);
    p->count++;
    x->iids++;
}

static void drop_oldest(struct idempotence *x, struct producer *p)
{
    struct iid *item = &p->items[p->start];
    CHECK(p->count > 0);
    clear_slot(p, slot_of(p, p->start));
    if (!is_inline(item->size)) {
        x->memory_bytes -= item->size;
        memory_free(item->data, item->size);
    }
    p->start = (p->start + 1) & (p->capacity - 1);
    p->count--;
    x->iids--;
}

/* Forgets the oldest iids while their entries are too old, at most 'count'. False: there may be
 * more. */
static bool drop_expired(struct idempotence *x, struct producer *p,
                         const struct stream_idmp_record *record, uint32_t count)
{
    uint64_t duration_ms = (uint64_t)record->limits.duration_s * 1000;
    for (; p->count > 0; count--) {
        uint64_t ms = p->items[p->start].id.ms;
        if (record->id.ms < duration_ms || ms > record->id.ms - duration_ms) return true;
        if (count == 0) return false;
        drop_oldest(x, p);
    }
    return true;
}

/* ---- producers ---- */

static struct producer *find_producer(const struct idempotence *x, struct slice name)
{
    if (x->recent != NULL && slice_equal(x->recent->entry.name, name)) return x->recent;
    return producer_of(name_index_get(&x->producers, name));
}

/* Before a change of the producer: an image gets what it remembers. */
static void show(const struct stream *s, struct producer *p)
{
    if (s->image == NULL || p->image == s->image->number) return;
    p->image = s->image->number;
    struct stream_idmp_walk w = {0};
    CHECK(name_index_find(&s->idempotence->producers, p->entry.name, &w.producer_next));
    if (p->count > 0) image_add_producer(s->image, s, w);
}

bool stream_idmp_show(struct stream *s, struct buf *after, uint32_t count)
{
    const struct idempotence *x = s->idempotence;
    uint32_t i = 0;
    if (x == NULL) return false;
    if (after->size > 0 && name_index_find(&x->producers, buf_slice(after), &i)) i++;
    for (; i < x->producers.count && count > 0; i++, count--) {
        struct producer *p = producer_of(x->producers.members[i]);
        show(s, p);
        after->size = 0;
        buf_append(after, p->entry.name);
    }
    return i < x->producers.count;
}

static struct producer *add_producer(struct idempotence *x, struct slice name)
{
    struct producer *p = memory_allocate_zeroed(sizeof *p);
    name_entry_init(&p->entry, name);
    name_index_insert(&x->producers, &p->entry);
    x->memory_bytes += sizeof *p + name.size;
    return p;
}

static void free_producer(struct idempotence *x, struct producer *p)
{
    while (p->count > 0) drop_oldest(x, p);
    if (x->recent == p) x->recent = NULL;
    x->memory_bytes -= sizeof *p + p->entry.name.size + ring_bytes(p->capacity);
    memory_free(p->items, items_bytes(p->capacity));
    memory_free(p->slots, slots_bytes(p->capacity));
    name_entry_deinit(&p->entry);
    memory_free(p, sizeof *p);
}

/* Frees producers until *steps iids are gone, by which it is lowered; true: there are none left. */
static bool forget(struct idempotence *x, size_t *steps)
{
    struct name_index *producers = &x->producers;
    for (; producers->count > 0 && *steps > 0; producers->count--) {
        struct producer *p = producer_of(producers->members[producers->count - 1]);
        size_t cost = p->count + 1u;
        free_producer(x, p);
        *steps -= cost < *steps ? cost : *steps;
    }
    if (producers->count > 0) return false;
    name_index_deinit(producers);
    CHECK(x->iids == 0);
    CHECK(x->memory_bytes == sizeof *x);
    return true;
}

/* Looks after one producer that is not 'busy'. */
static void sweep(const struct stream *s, const struct producer *busy,
                  const struct stream_idmp_record *record)
{
    struct idempotence *x = s->idempotence;
    if (x->sweep >= x->producers.count) x->sweep = 0;
    struct producer *p = producer_of(x->producers.members[x->sweep]);
    if (p == busy) {
        x->sweep++;
        return;
    }
    show(s, p);
    if (!drop_expired(x, p, record, SWEEP_IIDS_MAX)) return;
    if (p->count > 0) {
        x->sweep++;
        return;
    }
    name_index_remove(&x->producers, &p->entry);
    free_producer(x, p);
}

bool stream_idmp_dismantle(struct stream *s, size_t *steps)
{
    if (s->idempotence == NULL) return true;
    if (!forget(s->idempotence, steps)) return false;
    memory_free(s->idempotence, sizeof *s->idempotence);
    s->idempotence = NULL;
    return true;
}

/* ---- reading ---- */

struct stream_idmp_limits stream_idmp_limits(const struct stream *s)
{
    static const struct stream_idmp_limits none = {0};
    return s->idempotence == NULL ? none : s->idempotence->limits;
}

void stream_idmp_measure(const struct stream *s, struct stream_idmp_figures *figures)
{
    const struct idempotence *x = s->idempotence;
    *figures = (struct stream_idmp_figures){0};
    if (x == NULL) return;
    *figures = (struct stream_idmp_figures){x->producers.count, x->iids, x->added, x->duplicates};
}

bool stream_idmp_find(const struct stream *s, struct slice producer, struct slice iid,
                      int64_t after_ms, struct stream_id *id)
{
    if (s->idempotence == NULL) return false;
    const struct producer *p = find_producer(s->idempotence, producer);
    if (p == NULL || p->count == 0) return false;
    uint32_t slot = find_slot(p, iid, hash_of(iid));
    if (p->slots[slot] == 0) return false;
    *id = p->items[p->slots[slot] - 1].id;
    return after_ms < 0 || id->ms > (uint64_t)after_ms;
}

bool stream_idmp_walk_next(const struct stream *s, struct stream_idmp_walk *w)
{
    const struct idempotence *x = s->idempotence;
    while (x != NULL && w->producer_next < x->producers.count) {
        const struct producer *p = producer_of(x->producers.members[w->producer_next]);
        if (w->iid_next < p->count) {
            const struct iid *item = &p->items[(p->start + w->iid_next++) & (p->capacity - 1)];
            w->producer = p->entry.name;
            w->iid = iid_of(item);
            w->id = item->id;
            return true;
        }
        w->producer_next++;
        w->iid_next = 0;
    }
    return false;
}

/* ---- changes ---- */

void stream_idmp_record(struct stream *s, const struct stream_idmp_record *record)
{
    CHECK(record->producer.size > 0 && record->iid.size > 0);
    CHECK(record->limits.count_max > 0 && record->limits.count_max <= STREAM_IDMP_COUNT_MAX);
    struct idempotence *x = ensure(s);
    struct producer *p = find_producer(x, record->producer);
    if (p == NULL) p = add_producer(x, record->producer);
    x->recent = p;
    show(s, p); /* a new one: there is nothing, and it counts as shown */
    drop_expired(x, p, record, UINT32_MAX);

    uint32_t hash = hash_of(record->iid);
    uint32_t slot = p->count == 0 ? 0 : find_slot(p, record->iid, hash);
    if (p->count > 0 && p->slots[slot] != 0) p->items[p->slots[slot] - 1].id = record->id;
    else append(x, p, record->iid, hash, record->id);
    while (p->count > record->limits.count_max) drop_oldest(x, p);
    x->added++;
    sweep(s, p, record);
}

void stream_idmp_count_duplicate(struct stream *s)
{
    ensure(s)->duplicates++;
}

void stream_idmp_configure(struct stream *s, struct stream_idmp_limits limits, bool clear)
{
    CHECK(limits.duration_s <= STREAM_IDMP_DURATION_S_MAX);
    CHECK(limits.count_max <= STREAM_IDMP_COUNT_MAX);
    struct idempotence *x = ensure(s);
    x->limits = limits;
    if (!clear) return;
    size_t all = SIZE_MAX;
    for (uint32_t i = 0; i < x->producers.count; i++) show(s, producer_of(x->producers.members[i]));
    CHECK(forget(x, &all));
}

void stream_idmp_restore(struct stream *s, uint64_t added, uint64_t duplicates)
{
    struct idempotence *x = ensure(s);
    x->added = added;
    x->duplicates = duplicates;
}

bool stream_idmp_restore_iid(struct stream *s, struct slice producer, struct slice iid,
                             struct stream_id id)
{
    if (producer.size == 0 || iid.size == 0 || iid.size > UINT32_MAX) return false;
    struct idempotence *x = ensure(s);
    struct producer *p = find_producer(x, producer);
    if (p == NULL) p = add_producer(x, producer);
    uint32_t hash = hash_of(iid);
    if (p->count == STREAM_IDMP_COUNT_MAX) return false;
    if (p->count > 0 && p->slots[find_slot(p, iid, hash)] != 0) return false;
    append(x, p, iid, hash, id);
    return true;
}

bool stream_idmp_is_kept(const struct stream *s)
{
    return s->idempotence != NULL;
}

uint32_t stream_idmp_sweep(const struct stream *s)
{
    return s->idempotence == NULL ? 0 : s->idempotence->sweep;
}

void stream_idmp_restore_sweep(struct stream *s, uint32_t sweep)
{
    ensure(s)->sweep = sweep;
}

/* ---- checking ---- */

static size_t check_producer(const struct producer *p)
{
    size_t bytes = sizeof *p + p->entry.name.size + ring_bytes(p->capacity);
    uint32_t used = 0;
    CHECK(p->count > 0 && p->count <= p->capacity && p->count <= STREAM_IDMP_COUNT_MAX);
    CHECK((p->capacity & (p->capacity - 1)) == 0 && p->start < p->capacity);
    for (uint32_t i = 0; i < 2 * p->capacity; i++) used += p->slots[i] != 0;
    CHECK(used == p->count);
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t place = (p->start + i) & (p->capacity - 1);
        struct slice iid = iid_of(&p->items[place]);
        CHECK(iid.size > 0 && p->items[place].hash == hash_of(iid));
        CHECK(p->slots[find_slot(p, iid, p->items[place].hash)] == place + 1);
        if (!is_inline(iid.size)) bytes += iid.size;
    }
    return bytes;
}

void stream_idmp_check(const struct stream *s)
{
    const struct idempotence *x = s->idempotence;
    if (x == NULL) return;
    size_t bytes = sizeof *x;
    uint64_t iids = 0;
    name_index_check(&x->producers);
    for (uint32_t i = 0; i < x->producers.count; i++) {
        const struct producer *p = producer_of(x->producers.members[i]);
        bytes += check_producer(p);
        iids += p->count;
    }
    CHECK(bytes == x->memory_bytes);
    CHECK(iids == x->iids);
}
