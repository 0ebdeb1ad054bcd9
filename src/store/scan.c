/* scan.c - walking over the keys of a database, and picking one at random.
 *
 * A cursor says what has been visited: all slots before its slot, and in that slot all keys whose
 * hash (its top 32 bits) is below its threshold.
 *
 *      | 0 (18) | slot (14) | threshold (32) |         fits the integers of every client
 *
 * That means the same whatever size the tables have when the next call comes, so each key that
 * stays is visited exactly once. Thresholds are boundaries of buckets, so a client learns nothing
 * about hashes from them. */
#include "base/check.h"
#include "store/state.h"

enum {
    CURSOR_SLOT_SHIFT = 32,
    SCAN_RANGES_PER_COUNT = 10, /* buckets looked at for every key asked for, as Redis does */
};

struct visitor {
    store_visit *visit;
    void *context;
    size_t visited;
};

static void visit_entry(void *context, struct entry *e, uint64_t hash)
{
    struct visitor *visitor = context;
    struct value value;
    entry_value(e, &value);
    visitor->visit(visitor->context, entry_key(e), &value, entry_expiry(e));
    visitor->visited++;
    (void)hash;
}

/* The first slot from 'slot' on that holds a key; SLOTS_COUNT: none. */
static unsigned occupied_slot(const struct database *d, unsigned slot)
{
    while (slot < SLOTS_COUNT && table_count(&d->tables[slot]) == 0) {
        bool is_shard_empty = d->shard_counts[slot / SHARD_SLOTS] == 0;
        slot = is_shard_empty ? (slot / SHARD_SLOTS + 1) * SHARD_SLOTS : slot + 1;
    }
    return slot;
}

void store_scan_keys(const struct store *s, struct store_scan *scan, store_visit *visit,
                     void *context)
{
    CHECK(scan->database < DATABASES_COUNT);
    CHECK(scan->count > 0);
    const struct database *d = &s->databases[scan->database];
    struct visitor visitor = {.visit = visit, .context = context};
    struct table_range range = {.first = (uint32_t)scan->cursor, .seed = s->seed};
    uint64_t slot = scan->cursor >> CURSOR_SLOT_SHIFT;
    scan->cursor = 0;
    if (d->count == 0 || slot >= SLOTS_COUNT) return;
    for (size_t ranges = 0;; ranges++) {
        unsigned occupied = occupied_slot(d, (unsigned)slot);
        if (occupied == SLOTS_COUNT) return;
        if (occupied > slot) range.first = 0;
        slot = occupied;
        if (visitor.visited >= scan->count || ranges / SCAN_RANGES_PER_COUNT >= scan->count) break;
        const struct table *t = &d->tables[slot];
        range.last = table_range_last(t, range.first);
        table_visit_range(t, &range, visit_entry, &visitor);
        range.first = range.last + 1; /* 0 behind the last one */
        if (range.first == 0) slot++;
    }
    scan->cursor = slot << CURSOR_SLOT_SHIFT | range.first;
}

bool store_random(const struct store *s, unsigned database, struct random *random,
                  struct slice *name)
{
    CHECK(database < DATABASES_COUNT);
    const struct database *d = &s->databases[database];
    if (d->count == 0) return false;
    uint64_t chosen = random_below(random, d->count);
    unsigned shard = 0;
    for (; chosen >= d->shard_counts[shard]; shard++) {
        CHECK(shard + 1 < SHARDS_COUNT);
        chosen -= d->shard_counts[shard];
    }
    unsigned slot = shard * SHARD_SLOTS;
    for (; chosen >= table_count(&d->tables[slot]); slot++) {
        CHECK(slot + 1 < (shard + 1) * SHARD_SLOTS);
        chosen -= table_count(&d->tables[slot]);
    }
    *name = entry_key(table_random(&d->tables[slot], random));
    return true;
}
