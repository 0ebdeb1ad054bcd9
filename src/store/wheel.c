/* wheel.c - see wheel.h for the structure. */
#include "store/wheel.h"

#include "base/check.h"
#include "base/memory.h"

#include <assert.h>

enum {
    BITMAP_WORDS = WHEEL_BUCKETS / 64,
    CHUNK_RECORDS_MIN = 2, /* 32 bytes with the header */
    CHUNK_BYTES_MAX = 4096,
};

/* A stack of records; a bucket is a list of them, the one that is being filled first. */
struct chunk {
    struct chunk *next;
    uint32_t count;
    uint32_t capacity;
    uint64_t records[];
};

struct level {
    uint64_t bitmap[BITMAP_WORDS]; /* of buckets that hold records */
    struct chunk *buckets[WHEEL_BUCKETS];
};

struct wheel {
    int64_t now_ms;
    uint64_t count;
    struct chunk *popped; /* the chunk that wheel_pop took from last, while it is there */
    struct level levels[WHEEL_LEVELS];
};

static_assert(WHEEL_TIME_MAX > 0, "times of the wheel fit in int64");

/* Where the earliest records are. */
struct spot {
    unsigned level;
    unsigned bucket;
    int64_t begin_ms;
};

struct wheel *wheel_create(int64_t now_ms)
{
    struct wheel *w = memory_allocate_zeroed(sizeof *w);
    w->now_ms = now_ms < 0 ? 0 : now_ms > WHEEL_TIME_MAX ? WHEEL_TIME_MAX : now_ms;
    return w;
}

static size_t chunk_size(uint32_t capacity)
{
    return sizeof(struct chunk) + capacity * sizeof(uint64_t);
}

static void chunk_free_first(struct wheel *w, unsigned level, unsigned bucket)
{
    struct level *l = &w->levels[level];
    struct chunk *c = l->buckets[bucket];
    CHECK(c != NULL);
    l->buckets[bucket] = c->next;
    if (c->next == NULL) l->bitmap[bucket / 64] &= ~((uint64_t)1 << bucket % 64);
    if (w->popped == c) w->popped = NULL;
    memory_free(c, chunk_size(c->capacity));
}

void wheel_destroy(struct wheel *w)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned b = 0; b < WHEEL_BUCKETS; b++)
            while (w->levels[level].buckets[b] != NULL) chunk_free_first(w, level, b);
    memory_free(w, sizeof *w);
}

/* A chunk with room at the head of a bucket. */
static struct chunk *chunk_with_room(struct level *l, unsigned bucket)
{
    struct chunk *first = l->buckets[bucket];
    if (first != NULL && first->count < first->capacity) return first;
    /* Header and records together are a power of two: a size class. */
    uint32_t capacity = first == NULL ? CHUNK_RECORDS_MIN : 2 * first->capacity + 2;
    if (chunk_size(capacity) > CHUNK_BYTES_MAX) capacity = first->capacity;
    struct chunk *c = memory_allocate(chunk_size(capacity));
    c->next = first;
    c->count = 0;
    c->capacity = capacity;
    l->buckets[bucket] = c;
    l->bitmap[bucket / 64] |= (uint64_t)1 << bucket % 64;
    return c;
}

static unsigned digit(int64_t time_ms, unsigned level)
{
    return (unsigned)(time_ms >> (level * WHEEL_DIGIT_BITS)) & (WHEEL_BUCKETS - 1);
}

void wheel_file(struct wheel *w, int64_t time_ms, uint64_t record)
{
    if (time_ms < w->now_ms) time_ms = w->now_ms;
    if (time_ms > WHEEL_TIME_MAX) time_ms = WHEEL_TIME_MAX;
    uint64_t difference = (uint64_t)(time_ms ^ w->now_ms);
    unsigned bits = difference == 0 ? 0 : 63 - (unsigned)__builtin_clzll(difference);
    unsigned level = bits / WHEEL_DIGIT_BITS;
    CHECK(level < WHEEL_LEVELS);
    CHECK(IMPLIES(level > 0, digit(time_ms, level) > digit(w->now_ms, level)));
    struct chunk *c = chunk_with_room(&w->levels[level], digit(time_ms, level));
    c->records[c->count++] = record;
    w->count++;
}

/* The first bucket that holds records among those from 'begin' on; WHEEL_BUCKETS: none. */
static unsigned level_first(const struct level *l, unsigned begin)
{
    for (unsigned word = begin / 64; word < BITMAP_WORDS; word++) {
        uint64_t bits = l->bitmap[word];
        if (word == begin / 64) bits &= UINT64_MAX << begin % 64;
        if (bits != 0) return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return WHEEL_BUCKETS;
}

/* The bucket of a higher level that is being emptied comes first: time must not move on before
 * its records are filed lower. Else a lower level is earlier than a higher one. */
static bool find_first(const struct wheel *w, struct spot *spot)
{
    if (w->count == 0) return false;
    for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
        unsigned bucket = digit(w->now_ms, level);
        if (w->levels[level].buckets[bucket] == NULL) continue;
        *spot = (struct spot){level, bucket, w->now_ms};
        return true;
    }
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        unsigned bucket = level_first(&w->levels[level], digit(w->now_ms, level));
        if (bucket == WHEEL_BUCKETS) continue;
        unsigned shift = level * WHEEL_DIGIT_BITS;
        int64_t above = w->now_ms >> shift >> WHEEL_DIGIT_BITS << WHEEL_DIGIT_BITS;
        *spot = (struct spot){level, bucket, (above | bucket) << shift};
        CHECK(spot->begin_ms >= w->now_ms);
        return true;
    }
    CHECK(false); /* count > 0 */
    return false;
}

bool wheel_pop(struct wheel *w, int64_t now_ms, uint64_t *record)
{
    struct spot spot;
    if (now_ms > WHEEL_TIME_MAX) now_ms = WHEEL_TIME_MAX;
    if (!find_first(w, &spot) || spot.begin_ms > now_ms) {
        if (now_ms > w->now_ms) w->now_ms = now_ms;
        return false;
    }
    w->now_ms = spot.begin_ms;
    struct chunk *c = w->levels[spot.level].buckets[spot.bucket];
    CHECK(c->count > 0);
    *record = c->records[--c->count];
    w->count--;
    w->popped = c;
    if (c->count == 0) chunk_free_first(w, spot.level, spot.bucket);
    return true;
}

bool wheel_peek(const struct wheel *w, size_t ahead, uint64_t *record)
{
    if (w->popped == NULL || ahead >= w->popped->count) return false;
    *record = w->popped->records[w->popped->count - 1 - ahead];
    return true;
}

void wheel_discard(struct wheel *w)
{
    struct spot spot;
    if (!find_first(w, &spot)) return;
    CHECK(w->count >= w->levels[spot.level].buckets[spot.bucket]->count);
    w->count -= w->levels[spot.level].buckets[spot.bucket]->count;
    chunk_free_first(w, spot.level, spot.bucket);
}

int64_t wheel_next_ms(const struct wheel *w)
{
    struct spot spot;
    return find_first(w, &spot) ? spot.begin_ms : INT64_MAX;
}

int64_t wheel_time_ms(const struct wheel *w)
{
    return w->now_ms;
}

uint64_t wheel_count(const struct wheel *w)
{
    return w->count;
}
