#include "db/coverage.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/memory.h"

#define POSITION_END ((uint64_t)DATABASES_COUNT << POSITION_DATABASE_SHIFT)

void coverage_deinit(struct coverage *c)
{
    memory_free(c->sections, c->sections_capacity * sizeof *c->sections);
    *c = (struct coverage){0};
}

bool coverage_add_section(struct coverage *c, struct coverage_section section)
{
    if (section.end > POSITION_END) return false;
    if (c->sections_count > 0) {
        const struct coverage_section *before = &c->sections[c->sections_count - 1];
        if (section.end < before->end || section.as_of < before->as_of) return false;
    }
    if (c->sections_count == c->sections_capacity) {
        size_t capacity = c->sections_capacity == 0 ? 64 : c->sections_capacity * 2;
        c->sections = memory_resize(c->sections, c->sections_capacity * sizeof *c->sections,
                                    capacity * sizeof *c->sections);
        c->sections_capacity = capacity;
    }
    c->sections[c->sections_count++] = section;
    return true;
}

bool coverage_is_whole(const struct coverage *c)
{
    return c->sections_count > 0 && c->sections[c->sections_count - 1].end == POSITION_END;
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
    const struct coverage_section *first =
        section_of(c, save_position(key->database, key->slot, 0));
    uint64_t last = save_position(key->database, key->slot, UINT64_MAX);
    if (last < first->end) return first->as_of;
    /* The slot is in several sections: only the hash tells in which one the key is. */
    uint64_t hash = hash_bytes(key->name, c->seed);
    return section_of(c, save_position(key->database, key->slot, hash))->as_of;
}
