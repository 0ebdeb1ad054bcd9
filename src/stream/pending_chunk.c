#include "stream/pending_chunk.h"

#include "base/memory.h"

enum {
    NARROW_BYTES = 16,
    NARROW_UNOWNED = UINT16_MAX,
    CHUNK_CAPACITY_FIRST = 4,
    CHUNK_ARRAY_MAX = 1 << 30,
};

/* Room on both sides of the first value: about 24 days. */
#define NARROW_MARGIN_MS ((int64_t)1 << 31)

/* ---- columns ---- */

static inline uint64_t *keys_of(const struct pending_chunk *c)
{
    return c->columns;
}

static inline uint32_t *times_of(const struct pending_chunk *c)
{
    return (uint32_t *)(keys_of(c) + c->capacity);
}

static inline uint16_t *deliveries_of(const struct pending_chunk *c)
{
    return (uint16_t *)(times_of(c) + c->capacity);
}

static inline uint16_t *owners_of(const struct pending_chunk *c)
{
    return deliveries_of(c) + c->capacity;
}

static inline struct pending_item *items_of(const struct pending_chunk *c)
{
    return c->columns;
}

static size_t columns_size(uint32_t capacity, bool wide)
{
    return (size_t)capacity * (wide ? sizeof(struct pending_item) : NARROW_BYTES);
}

static bool fits(const struct pending_chunk *c, const struct pending_item *item)
{
    if (item->id.ms < c->base_ms || item->id.ms - c->base_ms > UINT32_MAX) return false;
    if (item->id.seq > UINT32_MAX || item->deliveries > UINT16_MAX) return false;
    if (item->delivery_ms < c->base_time) return false;
    if ((uint64_t)item->delivery_ms - (uint64_t)c->base_time > UINT32_MAX) return false;
    return item->owner < NARROW_UNOWNED || item->owner == PENDING_UNOWNED;
}

static inline void put(struct pending_chunk *c, uint32_t i, const struct pending_item *item)
{
    if (c->wide) {
        items_of(c)[i] = *item;
        return;
    }
    keys_of(c)[i] = (item->id.ms - c->base_ms) << 32 | item->id.seq;
    times_of(c)[i] = (uint32_t)((uint64_t)item->delivery_ms - (uint64_t)c->base_time);
    deliveries_of(c)[i] = (uint16_t)item->deliveries;
    owners_of(c)[i] = item->owner == PENDING_UNOWNED ? NARROW_UNOWNED : (uint16_t)item->owner;
}

struct stream_id chunk_id(const struct pending_chunk *c, uint32_t i)
{
    if (c->wide) return items_of(c)[i].id;
    uint64_t key = keys_of(c)[i];
    return (struct stream_id){c->base_ms + (key >> 32), (uint32_t)key};
}

uint32_t chunk_owner(const struct pending_chunk *c, uint32_t i)
{
    if (c->wide) return items_of(c)[i].owner;
    uint16_t owner = owners_of(c)[i];
    return owner == NARROW_UNOWNED ? PENDING_UNOWNED : owner;
}

static inline int64_t time_of(const struct pending_chunk *c, uint32_t i)
{
    if (c->wide) return items_of(c)[i].delivery_ms;
    return c->base_time + times_of(c)[i];
}

void chunk_get(const struct pending_chunk *c, uint32_t i, struct pending_item *item)
{
    CHECK(i < c->count);
    if (c->wide) {
        *item = items_of(c)[i];
        return;
    }
    item->id = chunk_id(c, i);
    item->delivery_ms = time_of(c, i);
    item->deliveries = deliveries_of(c)[i];
    item->owner = chunk_owner(c, i);
}

void chunk_load(const struct pending_chunk *c, struct pending_item items[PENDING_CHUNK_ENTRIES])
{
    for (uint32_t i = 0; i < c->count; i++) chunk_get(c, i, &items[i]);
}

/* ---- whole chunks ---- */

static int64_t below(int64_t value)
{
    return value < INT64_MIN + NARROW_MARGIN_MS ? INT64_MIN : value - NARROW_MARGIN_MS;
}

/* Chooses bases for the items; true when all fit. */
static bool choose_bases(struct pending_chunk *c, const struct pending_item *items, uint32_t count)
{
    int64_t earliest = items[0].delivery_ms;
    for (uint32_t i = 1; i < count; i++)
        if (items[i].delivery_ms < earliest) earliest = items[i].delivery_ms;
    uint64_t margin = (uint64_t)NARROW_MARGIN_MS;
    c->base_ms = items[0].id.ms < margin ? 0 : items[0].id.ms - margin;
    c->base_time = below(earliest);
    for (uint32_t i = 0; i < count; i++)
        if (!fits(c, &items[i])) return false;
    return true;
}

static uint32_t choose_capacity(uint32_t count)
{
    if (count <= CHUNK_CAPACITY_FIRST) return CHUNK_CAPACITY_FIRST;
    uint32_t capacity = count + count / 4;
    capacity = (capacity + 7) & ~7u; /* 128 bytes: every allocator has this class or is near */
    return capacity < PENDING_CHUNK_ENTRIES ? capacity : PENDING_CHUNK_ENTRIES;
}

void chunk_store(struct pending_chunk *c, const struct pending_item *items, uint32_t count,
                 uint32_t capacity, size_t *memory_bytes)
{
    CHECK(count > 0 && count <= PENDING_CHUNK_ENTRIES);
    size_t before = columns_size(c->capacity, c->wide);
    memory_free(c->columns, before);
    c->wide = !choose_bases(c, items, count);
    c->capacity = (uint8_t)(capacity >= count ? capacity : choose_capacity(count));
    c->count = (uint8_t)count;
    size_t after = columns_size(c->capacity, c->wide);
    c->columns = memory_allocate(after);
    *memory_bytes += after - before;
    for (uint32_t i = 0; i < count; i++) put(c, i, &items[i]);
    chunk_refresh_oldest(c);
}

struct pending_chunk *chunk_create(const struct pending_item *items, uint32_t count,
                                   uint32_t capacity, size_t *memory_bytes)
{
    struct pending_chunk *c = memory_allocate_zeroed(sizeof *c);
    *memory_bytes += sizeof *c;
    c->first = items[0].id;
    chunk_store(c, items, count, capacity, memory_bytes);
    return c;
}

struct pending_chunk *chunk_copy(const struct pending_chunk *c, size_t *memory_bytes)
{
    size_t columns = columns_size(c->capacity, c->wide);
    struct pending_chunk *copy = memory_allocate(sizeof *copy);
    *copy = *c;
    copy->seen = 0;
    copy->columns = memory_allocate(columns);
    memcpy(copy->columns, c->columns, columns);
    *memory_bytes += columns + sizeof *copy;
    return copy;
}

void chunk_destroy(struct pending_chunk *c, size_t *memory_bytes)
{
    size_t columns = columns_size(c->capacity, c->wide);
    *memory_bytes -= columns + sizeof *c;
    memory_free(c->columns, columns);
    memory_free(c, sizeof *c);
}

/* ---- searching ---- */

static uint32_t lower_bound_wide(const struct pending_chunk *c, struct stream_id id)
{
    uint32_t low = 0;
    uint32_t high = c->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (stream_id_compare(items_of(c)[middle].id, id) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

uint32_t chunk_lower_bound(const struct pending_chunk *c, struct stream_id id)
{
    if (c->wide) return lower_bound_wide(c, id);
    if (id.ms < c->base_ms) return 0;
    if (id.ms - c->base_ms > UINT32_MAX) return c->count;
    uint64_t key = (id.ms - c->base_ms) << 32;
    if (id.seq <= UINT32_MAX) key |= id.seq;
    else if (key == (uint64_t)UINT32_MAX << 32) return c->count;
    else key += (uint64_t)1 << 32;

    const uint64_t *keys = keys_of(c);
    uint32_t low = 0;
    uint32_t high = c->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (keys[middle] < key) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool chunk_has_owner(const struct pending_chunk *c, uint32_t owner)
{
    if (c->wide) {
        for (uint32_t i = 0; i < c->count; i++)
            if (items_of(c)[i].owner == owner) return true;
        return false;
    }
    const uint16_t *owners = owners_of(c);
    unsigned found = 0;
    for (uint32_t i = 0; i < c->count; i++) found |= owners[i] == owner;
    return found != 0;
}

/* ---- changing in place ---- */

bool chunk_append(struct pending_chunk *c, const struct pending_item *item)
{
    CHECK(stream_id_compare(item->id, c->first) > 0);
    if (c->count == c->capacity) return false;
    if (!c->wide && !fits(c, item)) return false;
    put(c, c->count, item);
    c->count++;

    bool unowned = item->owner == PENDING_UNOWNED;
    bool older = unowned == (c->unowned > 0) && item->delivery_ms < c->oldest_ms;
    if (older || (unowned && c->unowned == 0)) c->oldest_ms = item->delivery_ms;
    if (unowned) c->unowned++;
    return true;
}

bool chunk_replace(struct pending_chunk *c, uint32_t i, const struct pending_item *item)
{
    CHECK(i < c->count);
    if (!c->wide && !fits(c, item)) return false;
    put(c, i, item);
    return true;
}

static void move(struct pending_chunk *c, uint32_t to, uint32_t from, uint32_t count)
{
    if (to == from) return;
    if (c->wide) {
        memmove(items_of(c) + to, items_of(c) + from, count * sizeof(struct pending_item));
        return;
    }
    memmove(keys_of(c) + to, keys_of(c) + from, count * sizeof(uint64_t));
    memmove(times_of(c) + to, times_of(c) + from, count * sizeof(uint32_t));
    memmove(deliveries_of(c) + to, deliveries_of(c) + from, count * sizeof(uint16_t));
    memmove(owners_of(c) + to, owners_of(c) + from, count * sizeof(uint16_t));
}

void chunk_remove(struct pending_chunk *c, const uint64_t gone[2])
{
    uint32_t kept = 0;
    uint32_t run = 0; /* the first of the entries that stay together */
    for (uint32_t i = 0; i <= c->count; i++) {
        bool stays = i < c->count && !(gone[i / 64] >> (i % 64) & 1);
        if (stays) continue;
        if (i > run) {
            move(c, kept, run, i - run);
            kept += i - run;
        }
        run = i + 1;
    }
    CHECK(kept > 0 && kept < c->count);
    c->count = (uint8_t)kept;
}

/* The usual chunk has narrow columns and nothing unowned: a loop that the compiler vectorises. */
static bool refresh_fast(struct pending_chunk *c)
{
    if (c->wide) return false;
    const uint16_t *owners = owners_of(c);
    const uint32_t *times = times_of(c);
    unsigned unowned = 0;
    uint32_t oldest = UINT32_MAX;
    for (uint32_t i = 0; i < c->count; i++) unowned |= owners[i] == NARROW_UNOWNED;
    for (uint32_t i = 0; i < c->count; i++) oldest = times[i] < oldest ? times[i] : oldest;
    if (unowned) return false;
    c->unowned = 0;
    c->oldest_ms = c->base_time + oldest;
    return true;
}

void chunk_refresh_oldest(struct pending_chunk *c)
{
    if (refresh_fast(c)) return;
    uint32_t unowned = 0;
    int64_t oldest = INT64_MAX;
    int64_t oldest_unowned = INT64_MAX;
    for (uint32_t i = 0; i < c->count; i++) {
        int64_t time = time_of(c, i);
        if (time < oldest) oldest = time;
        if (chunk_owner(c, i) != PENDING_UNOWNED) continue;
        unowned++;
        if (time < oldest_unowned) oldest_unowned = time;
    }
    c->unowned = (uint16_t)unowned;
    c->oldest_ms = unowned > 0 ? oldest_unowned : oldest;
}

int chunk_compare_age(const struct pending_chunk *a, const struct pending_chunk *b)
{
    if ((a->unowned > 0) != (b->unowned > 0)) return a->unowned > 0 ? -1 : 1;
    if (a->oldest_ms != b->oldest_ms) return a->oldest_ms < b->oldest_ms ? -1 : 1;
    return stream_id_compare(a->first, b->first);
}

/* ---- arrays of chunks ---- */

static size_t array_size(const struct chunk_array *a)
{
    return a->capacity * sizeof(struct pending_chunk *);
}

void chunk_array_deinit(struct chunk_array *a, size_t *memory_bytes)
{
    *memory_bytes -= array_size(a);
    memory_free(a->chunks, array_size(a));
    *a = (struct chunk_array){0};
}

uint32_t chunk_array_upper_bound(const struct chunk_array *a, struct stream_id id)
{
    /* Deliveries go to the last chunk. */
    if (a->count > 0 && stream_id_compare(chunk_at(a, a->count - 1)->first, id) <= 0)
        return a->count;
    uint32_t low = 0;
    uint32_t high = a->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_id_compare(chunk_at(a, middle)->first, id) <= 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void make_room(struct chunk_array *a, size_t *memory_bytes)
{
    if (a->start + a->count < a->capacity) return;
    if (a->start > a->capacity / 4) {
        memmove(a->chunks, a->chunks + a->start, a->count * sizeof *a->chunks);
        a->start = 0;
        return;
    }
    CHECK(a->capacity < CHUNK_ARRAY_MAX);
    size_t before = array_size(a);
    a->capacity = a->capacity == 0 ? 1 : a->capacity * 2;
    a->chunks = memory_resize(a->chunks, before, array_size(a));
    *memory_bytes += array_size(a) - before;
}

void chunk_array_insert(struct chunk_array *a, uint32_t i, struct pending_chunk *c,
                        size_t *memory_bytes)
{
    CHECK(i <= a->count);
    if (i == 0 && a->start > 0) {
        a->start--;
    } else {
        make_room(a, memory_bytes);
        struct pending_chunk **at = a->chunks + a->start + i;
        memmove(at + 1, at, (a->count - i) * sizeof *at);
    }
    a->chunks[a->start + i] = c;
    a->count++;
}

static void shrink(struct chunk_array *a, size_t *memory_bytes)
{
    memmove(a->chunks, a->chunks + a->start, a->count * sizeof *a->chunks);
    a->start = 0;
    size_t before = array_size(a);
    a->capacity /= 2;
    a->chunks = memory_resize(a->chunks, before, array_size(a));
    *memory_bytes -= before - array_size(a);
}

void chunk_array_remove(struct chunk_array *a, uint32_t i, size_t *memory_bytes)
{
    CHECK(i < a->count);
    a->count--;
    if (a->count == 0) {
        chunk_array_deinit(a, memory_bytes);
        return;
    }
    if (i == 0) {
        a->start++;
    } else {
        struct pending_chunk **at = a->chunks + a->start + i;
        memmove(at, at + 1, (a->count - i) * sizeof *at);
    }
    if (a->capacity > 4 && a->count <= a->capacity / 4) shrink(a, memory_bytes);
}
