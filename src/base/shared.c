#include "base/shared.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdint.h>

static size_t bytes_of(size_t capacity)
{
    return sizeof(struct shared) + capacity;
}

struct shared *shared_create_sized(size_t size, size_t capacity)
{
    CHECK(size <= capacity);
    CHECK(capacity <= SIZE_MAX / 2);
    /* What the allocator would waste at the end is capacity. */
    size_t total = memory_rounded_size(bytes_of(capacity));
    struct shared *s = memory_allocate(total);
    s->references = 1;
    s->size = size;
    s->capacity = total - sizeof *s;
    return s;
}

struct shared *shared_create(struct slice bytes)
{
    struct shared *s = shared_create_sized(bytes.size, bytes.size);
    if (bytes.size > 0) memcpy(s->data, bytes.data, bytes.size);
    return s;
}

struct shared *shared_acquire(struct shared *s)
{
    CHECK(s->references >= 1);
    CHECK(s->references < SIZE_MAX);
    s->references++;
    return s;
}

void shared_release(struct shared *s)
{
    CHECK(s->references >= 1);
    CHECK(s->size <= s->capacity);
    if (--s->references == 0) memory_free(s, bytes_of(s->capacity));
}

struct shared *shared_reserve(struct shared *s, size_t size)
{
    CHECK(s->references >= 1);
    CHECK(size <= SIZE_MAX / 4);
    if (s->references == 1 && size <= s->capacity) {
        s->size = size;
        return s;
    }
    /* Growth doubles, as Redis' strings do up to 1 MiB: a string that grew once grows again. */
    size_t spare = size < SHARED_SPARE_BYTES_MAX ? size : SHARED_SPARE_BYTES_MAX;
    size_t capacity = size > s->capacity ? size + spare : size;
    if (s->references == 1) {
        size_t total = memory_rounded_size(bytes_of(capacity));
        s = memory_resize(s, bytes_of(s->capacity), total);
        s->capacity = total - sizeof *s;
        s->size = size;
        return s;
    }
    struct shared *copy = shared_create_sized(size, capacity);
    memcpy(copy->data, s->data, s->size < size ? s->size : size);
    shared_release(s);
    return copy;
}
