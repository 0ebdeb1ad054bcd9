/* table.c - see table.h for the structure. */
#include "store/table.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"

enum {
    TABLE_SHRINK_DIVISOR = 4, /* shrinks when less than 1/4 of what its buckets may hold */
    RANDOM_TRIES_MAX = 256,
};

/* A large table grows by a third at least, after which a third of 7/8 of its positions are free:
 * more than one change for every old bucket. Each change moves two buckets, so a resize
 * always ends before the next is due. */
static_assert(TABLE_MOVE_BUCKETS >= 2, "a resize ends before the next is due");

static uint32_t hash_top(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint8_t hash_tag(uint64_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return tag == 0 ? 1 : tag; /* 0 is a free position */
}

static uint32_t home_of(const struct bucket_array *a, uint32_t top)
{
    return (uint32_t)((uint64_t)top * a->bucket_count >> 32);
}

static uint32_t next_bucket(const struct bucket_array *a, uint32_t bucket)
{
    return bucket + 1 == a->bucket_count ? 0 : bucket + 1;
}

/* A bit (the top one of its byte) for each position with this tag. */
static uint64_t match_tag(const struct bucket *b, uint8_t tag)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7f, positions = 0x0080808080808080;
    uint64_t word;
    memcpy(&word, b, sizeof word);
    word ^= (uint64_t)tag * 0x0101010101010101;
    return ~(((word & low) + low) | word) & positions;
}

static unsigned match_index(uint64_t match)
{
    return (unsigned)__builtin_ctzll(match) / 8;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tags are matched as one number");

static size_t array_limit(uint32_t bucket_count)
{
    size_t positions = (size_t)bucket_count * BUCKET_ENTRIES;
    return positions - positions / 8;
}

/* The next of 1, 2, 3, 4, 6, 8, 12, ... */
static uint32_t grown_count(uint32_t bucket_count)
{
    CHECK(bucket_count < UINT32_MAX / 2);
    if (bucket_count < 2) return bucket_count + 1;
    bool is_power = (bucket_count & (bucket_count - 1)) == 0;
    return bucket_count + (is_power ? bucket_count / 2 : bucket_count / 3);
}

static size_t array_size(const struct bucket_array *a)
{
    return a->bucket_count * sizeof(struct bucket);
}

static struct bucket_array array_make(uint32_t bucket_count)
{
    struct bucket_array a = {.bucket_count = bucket_count};
    a.buckets = memory_allocate_zeroed(array_size(&a));
    return a;
}

static void array_deinit(struct bucket_array *a)
{
    memory_free(a->buckets, array_size(a));
    *a = (struct bucket_array){0};
}

static bool array_find(const struct bucket_array *a, uint64_t hash, struct slice key,
                       struct place *place)
{
    uint32_t bucket = a->bucket_count == 0 ? 0 : home_of(a, hash_top(hash));
    for (uint32_t probe = 0; probe < a->bucket_count; probe++) {
        struct bucket *b = &a->buckets[bucket];
        for (uint64_t m = match_tag(b, hash_tag(hash)); m != 0; m &= m - 1) {
            unsigned index = match_index(m);
            if (!slice_equal(entry_key(b->entries[index]), key)) continue;
            place->bucket = b;
            place->index = index;
            return true;
        }
        if (b->passed == 0) return false;
        bucket = next_bucket(a, bucket);
    }
    return false;
}

static struct place array_insert(struct bucket_array *a, uint64_t hash, struct entry *e)
{
    CHECK(a->count < (size_t)a->bucket_count * BUCKET_ENTRIES);
    struct bucket *b = &a->buckets[home_of(a, hash_top(hash))];
    uint64_t free = match_tag(b, 0);
    for (uint32_t probe = 1; free == 0; probe++) {
        CHECK(probe < a->bucket_count);
        if (b->passed < BUCKET_PASSED_MAX) b->passed++;
        b = &a->buckets[next_bucket(a, (uint32_t)(b - a->buckets))];
        free = match_tag(b, 0);
    }
    struct place place = {.bucket = b, .index = match_index(free)};
    b->tags[place.index] = hash_tag(hash);
    b->entries[place.index] = e;
    a->count++;
    return place;
}

static void array_remove(struct bucket_array *a, uint64_t hash, const struct place *place)
{
    CHECK(a->count > 0);
    CHECK(place->bucket->tags[place->index] == hash_tag(hash));
    uint32_t at = (uint32_t)(place->bucket - a->buckets);
    place->bucket->tags[place->index] = 0;
    place->bucket->entries[place->index] = NULL;
    a->count--;
    for (uint32_t b = home_of(a, hash_top(hash)); b != at; b = next_bucket(a, b)) {
        CHECK(a->buckets[b].passed > 0);
        if (a->buckets[b].passed < BUCKET_PASSED_MAX) a->buckets[b].passed--;
    }
}

static void prefetch_entries(const struct bucket *b)
{
    for (uint64_t free = match_tag(b, 0), i = 0; i < BUCKET_ENTRIES; i++)
        if (!(free >> (i * 8) & 0x80)) __builtin_prefetch(b->entries[i]);
}

/* Moves up to 'buckets' buckets of old, in order. */
static void move_buckets(struct table *t, size_t buckets, uint64_t seed)
{
    struct table_move *m = t->move;
    for (size_t moved = 0; moved < buckets && m->old.count > 0; moved++, m->next++) {
        CHECK(m->next < m->old.bucket_count);
        struct bucket *b = &m->old.buckets[m->next];
        prefetch_entries(&m->old.buckets[next_bucket(&m->old, m->next)]);
        for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
            if (b->tags[i] == 0) continue;
            struct entry *e = b->entries[i];
            uint64_t hash = hash_bytes(entry_key(e), seed);
            array_remove(&m->old, hash, &(struct place){.bucket = b, .index = i});
            array_insert(&t->now, hash, e);
        }
    }
    if (m->old.count > 0) return;
    array_deinit(&m->old);
    memory_free(m, sizeof *m);
    t->move = NULL;
}

static void resize(struct table *t, uint32_t bucket_count, uint64_t seed)
{
    CHECK(t->move == NULL);
    CHECK(t->now.count <= array_limit(bucket_count));
    if (t->now.count == 0) {
        if (t->now.bucket_count > 0) array_deinit(&t->now);
        t->now = array_make(bucket_count);
        return;
    }
    t->move = memory_allocate(sizeof *t->move);
    *t->move = (struct table_move){.old = t->now};
    t->now = array_make(bucket_count);
    prefetch_entries(&t->move->old.buckets[0]);
    bool at_once = t->move->old.count <= TABLE_MOVE_AT_ONCE_MAX;
    move_buckets(t, at_once ? SIZE_MAX : TABLE_MOVE_BUCKETS, seed);
}

static void shrink(struct table *t, uint64_t seed)
{
    uint32_t bucket_count = 1;
    while (array_limit(bucket_count) < 2 * (size_t)t->now.count)
        bucket_count = grown_count(bucket_count);
    if (bucket_count < t->now.bucket_count) resize(t, bucket_count, seed);
}

void table_deinit(struct table *t)
{
    if (t->now.bucket_count > 0) array_deinit(&t->now);
    if (t->move == NULL) return;
    array_deinit(&t->move->old);
    memory_free(t->move, sizeof *t->move);
    t->move = NULL;
}

bool table_find(const struct table *t, uint64_t hash, struct slice key, struct place *place)
{
    place->old = false;
    if (array_find(&t->now, hash, key, place)) return true;
    if (t->move == NULL) return false;
    place->old = true;
    return array_find(&t->move->old, hash, key, place);
}

struct place table_insert(struct table *t, uint64_t hash, struct entry *e, uint64_t seed)
{
    CHECK(e != NULL);
    if (t->move != NULL) move_buckets(t, TABLE_MOVE_BUCKETS, seed);
    if (table_count(t) >= array_limit(t->now.bucket_count))
        resize(t, grown_count(t->now.bucket_count), seed);
    return array_insert(&t->now, hash, e);
}

void table_remove(struct table *t, uint64_t hash, const struct place *place, uint64_t seed)
{
    CHECK(IMPLIES(place->old, t->move != NULL));
    array_remove(place->old ? &t->move->old : &t->now, hash, place);
    if (t->move != NULL) move_buckets(t, TABLE_MOVE_BUCKETS, seed);
    else if (t->now.bucket_count > 1 &&
             t->now.count < array_limit(t->now.bucket_count) / TABLE_SHRINK_DIVISOR)
        shrink(t, seed);
}

void table_prefetch(const struct table *t, uint64_t hash)
{
    if (t->now.bucket_count > 0)
        __builtin_prefetch(&t->now.buckets[home_of(&t->now, hash_top(hash))]);
}

void table_prefetch_entry(const struct table *t, uint64_t hash)
{
    if (t->now.bucket_count == 0) return;
    const struct bucket *b = &t->now.buckets[home_of(&t->now, hash_top(hash))];
    uint64_t match = match_tag(b, hash_tag(hash));
    if (match != 0) __builtin_prefetch(b->entries[match_index(match)]);
}

static void array_visit_range(const struct bucket_array *a, const struct table_range *range,
                              table_visit *visit, void *context)
{
    if (a->count == 0) return;
    uint32_t bucket = home_of(a, range->first);
    uint32_t homes = home_of(a, range->last) - bucket + 1;
    for (uint32_t probe = 0; probe < a->bucket_count; probe++) {
        const struct bucket *b = &a->buckets[bucket];
        for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
            if (b->tags[i] == 0) continue;
            uint64_t hash = hash_bytes(entry_key(b->entries[i]), range->seed);
            if (hash_top(hash) < range->first || hash_top(hash) > range->last) continue;
            visit(context, b->entries[i], hash);
        }
        if (probe + 1 >= homes && b->passed == 0) return;
        bucket = next_bucket(a, bucket);
    }
}

void table_visit_range(const struct table *t, const struct table_range *range, table_visit *visit,
                       void *context)
{
    CHECK(range->first <= range->last);
    array_visit_range(&t->now, range, visit, context);
    if (t->move != NULL) array_visit_range(&t->move->old, range, visit, context);
}

uint32_t table_range_last(const struct table *t, uint32_t first)
{
    const struct bucket_array *a = &t->now;
    if (t->move != NULL && t->move->old.bucket_count > a->bucket_count) a = &t->move->old;
    if (a->bucket_count == 0) return UINT32_MAX;
    /* The smallest hash of the next home, rounded up, less one. */
    uint64_t next = (uint64_t)home_of(a, first) + 1;
    return (uint32_t)(((next << 32) + a->bucket_count - 1) / a->bucket_count - 1);
}

static void array_visit_like(const struct bucket_array *a, uint64_t hash, uint64_t seed,
                             table_visit *visit, void *context)
{
    if (a->count == 0) return;
    uint32_t bucket = home_of(a, hash_top(hash));
    for (uint32_t probe = 0; probe < a->bucket_count; probe++) {
        const struct bucket *b = &a->buckets[bucket];
        for (uint64_t m = match_tag(b, hash_tag(hash)); m != 0; m &= m - 1) {
            struct entry *e = b->entries[match_index(m)];
            uint64_t its_hash = hash_bytes(entry_key(e), seed);
            if (hash_top(its_hash) == hash_top(hash)) visit(context, e, its_hash);
        }
        if (b->passed == 0) return;
        bucket = next_bucket(a, bucket);
    }
}

void table_visit_like(const struct table *t, uint64_t hash, uint64_t seed, table_visit *visit,
                      void *context)
{
    array_visit_like(&t->now, hash, seed, visit, context);
    if (t->move != NULL) array_visit_like(&t->move->old, hash, seed, visit, context);
}

/* A bucket of both arrays together, the ones that the resize has emptied left out. */
static const struct bucket *bucket_at(const struct table *t, uint64_t number)
{
    if (number < t->now.bucket_count) return &t->now.buckets[number];
    CHECK(t->move != NULL);
    return &t->move->old.buckets[t->move->next + (number - t->now.bucket_count)];
}

/* Random positions until one is occupied: all have the same chance. At least a tenth of them are
 * occupied even in the middle of a resize, so that the tries are practically never used up; if
 * they are, the next occupied position will do. */
struct entry *table_random(const struct table *t, struct random *random)
{
    CHECK(table_count(t) > 0);
    uint64_t buckets = t->now.bucket_count;
    if (t->move != NULL) buckets += t->move->old.bucket_count - t->move->next;
    uint64_t number = 0;
    for (unsigned try = 0; try < RANDOM_TRIES_MAX; try++) {
        uint64_t position = random_below(random, buckets * BUCKET_ENTRIES);
        number = position / BUCKET_ENTRIES;
        struct entry *e = bucket_at(t, number)->entries[position % BUCKET_ENTRIES];
        if (e != NULL) return e;
    }
    for (uint64_t probe = 0; probe < buckets; probe++) {
        const struct bucket *b = bucket_at(t, (number + probe) % buckets);
        for (unsigned i = 0; i < BUCKET_ENTRIES; i++)
            if (b->entries[i] != NULL) return b->entries[i];
    }
    CHECK(false); /* count > 0 */
    return NULL;
}

static struct entry *array_drain(struct bucket_array *a, uint32_t *position)
{
    for (; *position < a->bucket_count; (*position)++) {
        struct bucket *b = &a->buckets[*position];
        for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
            if (b->tags[i] == 0) continue;
            b->tags[i] = 0;
            a->count--;
            return b->entries[i];
        }
    }
    CHECK(a->count == 0);
    return NULL;
}

struct entry *table_drain(struct table *t, uint32_t *position)
{
    if (t->move != NULL && t->move->old.count > 0) {
        struct entry *e = array_drain(&t->move->old, position);
        CHECK(e != NULL);
        if (t->move->old.count == 0) *position = 0;
        return e;
    }
    return array_drain(&t->now, position);
}
