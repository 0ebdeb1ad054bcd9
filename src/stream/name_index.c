#include "stream/name_index.h"

#include "base/check.h"
#include "base/memory.h"

enum { NAME_INDEX_CAPACITY_FIRST = 1, NAME_INDEX_CAPACITY_MAX = 1 << 30 };

size_t name_index_memory_bytes(const struct name_index *x)
{
    return x->capacity * sizeof(struct name_entry *);
}

void name_index_deinit(struct name_index *x)
{
    memory_free(x->members, name_index_memory_bytes(x));
    *x = (struct name_index){0};
}

void name_entry_init(struct name_entry *e, struct slice name)
{
    e->name = (struct slice){NULL, name.size};
    if (name.size == 0) return;
    char *copy = memory_allocate(name.size);
    memcpy(copy, name.data, name.size);
    e->name.data = copy;
}

void name_entry_deinit(struct name_entry *e)
{
    void *owned = (void *)(uintptr_t)e->name.data; /* the slice's const is not the heap's */
    memory_free(owned, e->name.size);
    e->name = (struct slice){0};
}

bool name_index_find(const struct name_index *x, struct slice name, uint32_t *position)
{
    uint32_t low = 0;
    uint32_t high = x->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(x->members[middle]->name, name);
        if (order == 0) {
            *position = middle;
            return true;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    *position = low;
    return false;
}

struct name_entry *name_index_get(const struct name_index *x, struct slice name)
{
    uint32_t position;
    return name_index_find(x, name, &position) ? x->members[position] : NULL;
}

struct name_entry *name_index_next(const struct name_index *x, const struct name_entry *previous)
{
    uint32_t position = 0;
    if (previous != NULL) {
        CHECK(name_index_find(x, previous->name, &position));
        CHECK(x->members[position] == previous);
        position++;
    }
    return position < x->count ? x->members[position] : NULL;
}

void name_index_insert(struct name_index *x, struct name_entry *member)
{
    uint32_t position;
    CHECK(!name_index_find(x, member->name, &position));
    if (x->count == x->capacity) {
        CHECK(x->capacity < NAME_INDEX_CAPACITY_MAX);
        size_t before = name_index_memory_bytes(x);
        x->capacity = x->capacity == 0 ? NAME_INDEX_CAPACITY_FIRST : x->capacity * 2;
        x->members = memory_resize(x->members, before, name_index_memory_bytes(x));
    }
    memmove(x->members + position + 1, x->members + position,
            (x->count - position) * sizeof *x->members);
    x->members[position] = member;
    x->count++;
}

void name_index_remove(struct name_index *x, struct name_entry *member)
{
    uint32_t position;
    CHECK(name_index_find(x, member->name, &position));
    CHECK(x->members[position] == member);
    x->count--;
    memmove(x->members + position, x->members + position + 1,
            (x->count - position) * sizeof *x->members);
    if (x->count == 0) name_index_deinit(x);
}

void name_index_check(const struct name_index *x)
{
    CHECK(x->count <= x->capacity);
    for (uint32_t i = 1; i < x->count; i++)
        CHECK(slice_compare(x->members[i - 1]->name, x->members[i]->name) < 0);
}
