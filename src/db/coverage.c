#include "db/coverage.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/memory.h"

#include <stdlib.h>

#define POSITION_END ((uint64_t)DATABASES_COUNT << POSITION_DATABASE_SHIFT)

void coverage_deinit(struct coverage *c)
{
    for (size_t i = 0; i < c->moved_count; i++) buf_deinit(&c->moved[i].name);
    memory_free(c->moved, c->moved_capacity * sizeof *c->moved);
    memory_free(c->sections, c->sections_capacity * sizeof *c->sections);
    *c = (struct coverage){0};
}

/* Room for one more of 'count' items of so many bytes. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return items;
    size_t larger = *capacity == 0 ? 64 : *capacity * 2;
    items = memory_resize(items, *capacity * size, larger * size);
    *capacity = larger;
    return items;
}

bool coverage_add_section(struct coverage *c, struct coverage_section section)
{
    if (section.end > POSITION_END) return false;
    if (c->sections_count > 0) {
        const struct coverage_section *before = &c->sections[c->sections_count - 1];
        if (section.end < before->end || section.as_of < before->as_of) return false;
    }
    c->sections = grow(c->sections, c->sections_count, &c->sections_capacity, sizeof *c->sections);
    c->sections[c->sections_count++] = section;
    return true;
}

void coverage_add_moved(struct coverage *c, const struct store_key *key, lsn_t lsn)
{
    c->moved = grow(c->moved, c->moved_count, &c->moved_capacity, sizeof *c->moved);
    struct coverage_moved *m = &c->moved[c->moved_count++];
    *m = (struct coverage_moved){
        .hash = hash_bytes(key->name, c->seed), .lsn = lsn, .database = key->database};
    buf_append(&m->name, key->name);
}

static int compare_moved(const void *a, const void *b)
{
    const struct coverage_moved *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

bool coverage_seal(struct coverage *c)
{
    if (c->moved_count > 0) qsort(c->moved, c->moved_count, sizeof *c->moved, compare_moved);
    return c->sections_count > 0 && c->sections[c->sections_count - 1].end == POSITION_END;
}

/* The LSN of the key's last move; 0: it did not move. */
static lsn_t moved_lsn(const struct coverage *c, const struct store_key *key)
{
    uint64_t hash = hash_bytes(key->name, c->seed);
    size_t low = 0, high = c->moved_count;
    lsn_t lsn = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->moved[middle].hash < hash) low = middle + 1;
        else high = middle;
    }
    for (; low < c->moved_count && c->moved[low].hash == hash; low++) {
        const struct coverage_moved *m = &c->moved[low];
        if (m->database != key->database || !slice_equal(buf_slice(&m->name), key->name)) continue;
        if (m->lsn > lsn) lsn = m->lsn;
    }
    return lsn;
}

static const struct coverage_section *section_of(const struct coverage *c, uint64_t position)
{
    size_t low = 0, high = c->sections_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->sections[middle].end <= position) low = middle + 1;
        else high = middle;
    }
    CHECK(low < c->sections_count);
    return &c->sections[low];
}

lsn_t coverage_lsn(const struct coverage *c, const struct store_key *key)
{
    lsn_t moved = c->moved_count == 0 ? 0 : moved_lsn(c, key);
    if (moved != 0) return moved;
    const struct coverage_section *first =
        section_of(c, save_position(key->database, key->slot, 0));
    uint64_t last = save_position(key->database, key->slot, UINT64_MAX);
    if (last < first->end) return first->as_of;
    /* The slot is in several sections: only the hash tells in which one the key is. */
    uint64_t hash = hash_bytes(key->name, c->seed);
    return section_of(c, save_position(key->database, key->slot, hash))->as_of;
}
