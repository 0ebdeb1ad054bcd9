#include "base/memory.h"
#include "stream/pending_chunk.h"

#include <assert.h>

enum {
    PENDING_OWNERS_FIRST = 4,
    PENDING_OWNERS_MAX = 1 << 30,
    PENDING_HEAP_FIRST = 1,
};

static_assert(sizeof(struct pending_chunk) <= 64, "a header is one cache line");
static_assert((int)PENDING_OWNERS_MAX <= (int)PENDING_UNOWNED, "no owner has the number of nobody");

/* ---- the heap by age ---- */

static void heap_set(struct pending_list *p, uint32_t i, struct pending_chunk *c)
{
    p->heap[i] = c;
    c->heap_position = i;
}

/* Puts the chunk, whose age has changed, where it belongs; 'count' chunks are in the heap. */
static void heap_fix(struct pending_list *p, struct pending_chunk *c, uint32_t count)
{
    uint32_t i = c->heap_position;
    CHECK(i < count);
    while (i > 0 && chunk_compare_age(c, p->heap[(i - 1) / 2]) < 0) {
        heap_set(p, i, p->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (uint32_t child = 2 * i + 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && chunk_compare_age(p->heap[child + 1], p->heap[child]) < 0) child++;
        if (chunk_compare_age(c, p->heap[child]) <= 0) break;
        heap_set(p, i, p->heap[child]);
        i = child;
    }
    heap_set(p, i, c);
}

/* The chunk is not yet counted in p->chunks. */
static void heap_add(struct pending_list *p, struct pending_chunk *c)
{
    uint32_t count = p->chunks.count;
    if (count == p->heap_capacity) {
        size_t before = p->heap_capacity * sizeof *p->heap;
        p->heap_capacity = before == 0 ? PENDING_HEAP_FIRST : p->heap_capacity * 2;
        size_t after = p->heap_capacity * sizeof *p->heap;
        p->heap = memory_resize(p->heap, before, after);
        p->memory_bytes += after - before;
    }
    heap_set(p, count, c);
    heap_fix(p, c, count + 1);
}

/* The chunk is still counted in p->chunks. */
static void heap_drop(struct pending_list *p, struct pending_chunk *c)
{
    uint32_t last = p->chunks.count - 1;
    struct pending_chunk *moved = p->heap[last];
    if (moved == c) return;
    heap_set(p, c->heap_position, moved);
    heap_fix(p, moved, last);
}

/* ---- owners ---- */

void pending_owner_add(struct pending_list *p, struct pending_owner *owner)
{
    uint32_t number = 0;
    while (number < p->owners_capacity && p->owners[number] != NULL) number++;
    if (number == p->owners_capacity) {
        CHECK(number < PENDING_OWNERS_MAX);
        size_t before = p->owners_capacity * sizeof(struct pending_owner *);
        p->owners_capacity = number == 0 ? PENDING_OWNERS_FIRST : number * 2;
        size_t after = p->owners_capacity * sizeof(struct pending_owner *);
        p->owners = memory_resize(p->owners, before, after);
        for (uint32_t i = number; i < p->owners_capacity; i++) p->owners[i] = NULL;
        p->memory_bytes += after - before;
    }
    *owner = (struct pending_owner){.number = number};
    p->owners[number] = owner;
}

void pending_owner_remove(struct pending_list *p, struct pending_owner *owner)
{
    CHECK(owner->count == 0 && owner->chunks.count == 0);
    CHECK(p->owners[owner->number] == owner);
    p->owners[owner->number] = NULL;
}

/* The chunk holds an entry of the owner, now. */
static void enter(struct pending_list *p, uint32_t number, struct pending_chunk *c)
{
    if (number == PENDING_UNOWNED) return;
    struct chunk_array *a = &p->owners[number]->chunks;
    uint32_t i = chunk_array_upper_bound(a, c->first);
    if (i > 0 && chunk_at(a, i - 1) == c) return;
    chunk_array_insert(a, i, c, &p->memory_bytes);
}

/* The chunk holds no entry of the owner any more. */
static void leave(struct pending_list *p, uint32_t number, const struct pending_chunk *c)
{
    if (number == PENDING_UNOWNED) return;
    struct chunk_array *a = &p->owners[number]->chunks;
    uint32_t i = chunk_array_upper_bound(a, c->first);
    if (i > 0 && chunk_at(a, i - 1) == c) chunk_array_remove(a, i - 1, &p->memory_bytes);
}

static void count_owned(struct pending_list *p, uint32_t number, int64_t change)
{
    uint64_t *count = number == PENDING_UNOWNED ? &p->unowned : &p->owners[number]->count;
    CHECK(change >= 0 || *count > 0);
    *count += (uint64_t)change;
}

/* ---- chunks ---- */

/* Before a change of the chunk. */
static void show(const struct pending_list *p, struct pending_chunk *c)
{
    if (p->watch == NULL || c->seen == p->watch->number) return;
    p->watch->before(p->watch, c);
    c->seen = p->watch->number;
}

bool pending_show(struct pending_list *p, struct stream_id *from, uint32_t count)
{
    uint32_t i = chunk_array_upper_bound(&p->chunks, *from);
    CHECK(p->watch != NULL);
    if (i > 0) i--;
    for (; i < p->chunks.count && count > 0; i++, count--) show(p, chunk_at(&p->chunks, i));
    if (i == p->chunks.count) return false;
    *from = chunk_at(&p->chunks, i)->first;
    return true;
}

static struct pending_chunk *add_chunk(struct pending_list *p, uint32_t i,
                                       const struct pending_item *items, uint32_t count,
                                       uint32_t capacity)
{
    struct pending_chunk *c = chunk_create(items, count, capacity, &p->memory_bytes);
    c->seen = p->watch == NULL ? 0 : p->watch->number;
    heap_add(p, c);
    chunk_array_insert(&p->chunks, i, c, &p->memory_bytes);
    return c;
}

static void drop_chunk(struct pending_list *p, uint32_t i)
{
    struct pending_chunk *c = chunk_at(&p->chunks, i);
    CHECK(p->watch == NULL || c->seen == p->watch->number);
    heap_drop(p, c);
    chunk_array_remove(&p->chunks, i, &p->memory_bytes);
    chunk_destroy(c, &p->memory_bytes);
}

bool pending_dismantle(struct pending_list *p, size_t *steps)
{
    struct chunk_array *a = &p->chunks;
    CHECK(p->watch == NULL);
    for (; a->count > 0 && *steps > 0; a->count--, (*steps)--)
        chunk_destroy(chunk_at(a, a->count - 1), &p->memory_bytes);
    if (a->count > 0) return false;
    chunk_array_deinit(&p->chunks, &p->memory_bytes);
    for (uint32_t i = 0; i < p->owners_capacity; i++)
        if (p->owners[i] != NULL) chunk_array_deinit(&p->owners[i]->chunks, &p->memory_bytes);
    memory_free(p->heap, p->heap_capacity * sizeof *p->heap);
    memory_free(p->owners, p->owners_capacity * sizeof(struct pending_owner *));
    *p = (struct pending_list){0};
    return true;
}

/* ---- copying ---- */

void pending_copy(const struct pending_list *p, struct pending_list *copy)
{
    *copy = (struct pending_list){.heap_capacity = p->chunks.count,
                                  .owners_capacity = p->owners_capacity,
                                  .count = p->count,
                                  .unowned = p->unowned};
    copy->memory_bytes =
        copy->heap_capacity * sizeof *copy->heap + copy->owners_capacity * sizeof *copy->owners;
    if (copy->owners_capacity > 0)
        copy->owners = memory_allocate_zeroed(copy->owners_capacity * sizeof *copy->owners);
    if (copy->heap_capacity > 0)
        copy->heap = memory_allocate(copy->heap_capacity * sizeof *copy->heap);
    for (uint32_t i = 0; i < p->chunks.count; i++) {
        struct pending_chunk *c = chunk_copy(chunk_at(&p->chunks, i), &copy->memory_bytes);
        chunk_array_insert(&copy->chunks, i, c, &copy->memory_bytes);
        copy->heap[c->heap_position] = c;
    }
}

void pending_owner_copy(const struct pending_owner *owner, struct pending_list *copy_list,
                        struct pending_owner *copy)
{
    CHECK(copy_list->owners[owner->number] == NULL);
    *copy = (struct pending_owner){.count = owner->count, .number = owner->number};
    copy_list->owners[owner->number] = copy;
    for (uint32_t i = 0; i < owner->chunks.count; i++) {
        /* The heaps are the same: what stands where the chunk does is its copy. */
        struct pending_chunk *c = copy_list->heap[chunk_at(&owner->chunks, i)->heap_position];
        chunk_array_insert(&copy->chunks, i, c, &copy_list->memory_bytes);
    }
}

/* ---- splitting and merging ---- */

/* Moves the upper half of a full chunk into a chunk of its own. */
static void split(struct pending_list *p, uint32_t i)
{
    struct pending_item items[PENDING_CHUNK_ENTRIES];
    struct pending_chunk *left = chunk_at(&p->chunks, i);
    show(p, left);
    uint32_t half = left->count / 2u;
    uint32_t rest = left->count - half;
    chunk_load(left, items);
    chunk_store(left, items, half, PENDING_CHUNK_ENTRIES, &p->memory_bytes);
    heap_fix(p, left, p->chunks.count);
    struct pending_chunk *right = add_chunk(p, i + 1, items + half, rest, PENDING_CHUNK_ENTRIES);
    for (uint32_t j = half; j < half + rest; j++) {
        enter(p, items[j].owner, right);
        if (!chunk_has_owner(left, items[j].owner)) leave(p, items[j].owner, left);
    }
}

/* Moves the entries of chunk i + 1 into chunk i. */
static void merge(struct pending_list *p, uint32_t i)
{
    struct pending_item items[PENDING_CHUNK_ENTRIES];
    struct pending_chunk *left = chunk_at(&p->chunks, i);
    struct pending_chunk *right = chunk_at(&p->chunks, i + 1);
    uint32_t count = left->count;
    uint32_t sum = count + right->count;
    CHECK(sum <= PENDING_CHUNK_ENTRIES);
    show(p, left);
    show(p, right);
    chunk_load(left, items);
    chunk_load(right, items + count);
    for (uint32_t j = count; j < sum; j++) {
        leave(p, items[j].owner, right);
        enter(p, items[j].owner, left);
    }
    drop_chunk(p, i + 1);
    chunk_store(left, items, sum, 0, &p->memory_bytes);
    heap_fix(p, left, p->chunks.count);
}

/* After a removal: merges the chunk with a neighbour, or gives back memory. */
static void settle(struct pending_list *p, uint32_t i)
{
    struct pending_chunk *c = chunk_at(&p->chunks, i);
    if (i + 1 < p->chunks.count &&
        c->count + chunk_at(&p->chunks, i + 1)->count <= PENDING_MERGE_MAX) {
        merge(p, i);
        return;
    }
    if (i > 0 && c->count + chunk_at(&p->chunks, i - 1)->count <= PENDING_MERGE_MAX) {
        merge(p, i - 1);
        return;
    }
    if (c->count > c->capacity / 2 || c->capacity <= 8) return;
    struct pending_item items[PENDING_CHUNK_ENTRIES];
    chunk_load(c, items);
    chunk_store(c, items, c->count, 0, &p->memory_bytes);
}

/* ---- reading ---- */

/* The chunk that holds the ID if any does; false when the list is empty or begins later. */
static bool find_chunk(const struct pending_list *p, struct stream_id id, uint32_t *i)
{
    uint32_t bound = chunk_array_upper_bound(&p->chunks, id);
    if (bound == 0) return false;
    *i = bound - 1;
    return true;
}

static bool find_entry(const struct pending_chunk *c, struct stream_id id, uint32_t *entry)
{
    *entry = chunk_lower_bound(c, id);
    return *entry < c->count && stream_id_compare(chunk_id(c, *entry), id) == 0;
}

bool pending_get(const struct pending_list *p, struct stream_id id, struct pending_item *item)
{
    uint32_t i;
    uint32_t entry;
    if (!find_chunk(p, id, &i) || !find_entry(chunk_at(&p->chunks, i), id, &entry)) return false;
    chunk_get(chunk_at(&p->chunks, i), entry, item);
    return true;
}

struct pending_place pending_seek(const struct chunk_array *chunks, struct stream_id id)
{
    uint32_t bound = chunk_array_upper_bound(chunks, id);
    if (bound == 0) return (struct pending_place){chunks, 0, 0};
    uint32_t entry = chunk_lower_bound(chunk_at(chunks, bound - 1), id);
    return (struct pending_place){chunks, bound - 1, entry};
}

bool pending_next(struct pending_place *place, int64_t delivered_max_ms, struct pending_item *item)
{
    for (; place->chunk < place->chunks->count; place->chunk++, place->entry = 0) {
        const struct pending_chunk *c = chunk_at(place->chunks, place->chunk);
        if (place->entry >= c->count) continue;
        if (c->unowned == 0 && c->oldest_ms > delivered_max_ms) continue;
        chunk_get(c, place->entry, item);
        place->entry++;
        return true;
    }
    return false;
}

/* ---- putting ---- */

/* Replaces entry 'e' of chunk i. */
static void replace(struct pending_list *p, uint32_t i, uint32_t e, const struct pending_item *item)
{
    struct pending_chunk *c = chunk_at(&p->chunks, i);
    uint32_t before = chunk_owner(c, e);
    show(p, c);
    if (!chunk_replace(c, e, item)) {
        struct pending_item items[PENDING_CHUNK_ENTRIES];
        chunk_load(c, items);
        items[e] = *item;
        chunk_store(c, items, c->count, c->capacity, &p->memory_bytes);
    }
    if (before != item->owner) {
        count_owned(p, before, -1);
        count_owned(p, item->owner, 1);
        if (!chunk_has_owner(c, before)) leave(p, before, c);
        enter(p, item->owner, c);
    }
    chunk_refresh_oldest(c);
    heap_fix(p, c, p->chunks.count);
}

/* Inserts the item as entry 'e' of chunk i, which has room for one. */
static void insert(struct pending_list *p, uint32_t i, uint32_t e, const struct pending_item *item)
{
    struct pending_item items[PENDING_CHUNK_ENTRIES];
    struct pending_chunk *c = chunk_at(&p->chunks, i);
    CHECK(e <= c->count && c->count < PENDING_CHUNK_ENTRIES);
    show(p, c);
    uint32_t count = c->count + 1u;
    uint32_t capacity = c->capacity >= count ? c->capacity : c->capacity * 2u;
    if (capacity > PENDING_CHUNK_ENTRIES) capacity = PENDING_CHUNK_ENTRIES;
    chunk_load(c, items);
    memmove(items + e + 1, items + e, (c->count - e) * sizeof *items);
    items[e] = *item;
    chunk_store(c, items, count, capacity, &p->memory_bytes);
    heap_fix(p, c, p->chunks.count);
    enter(p, item->owner, c);
}

/* The item comes after all others. */
static void append(struct pending_list *p, const struct pending_item *item)
{
    uint32_t last = p->chunks.count - 1;
    struct pending_chunk *c = chunk_at(&p->chunks, last);
    show(p, c);
    bool older = item->owner == PENDING_UNOWNED || item->delivery_ms < c->oldest_ms;
    if (chunk_append(c, item)) {
        if (older) heap_fix(p, c, p->chunks.count);
        enter(p, item->owner, c);
    } else if (c->count < PENDING_CHUNK_ENTRIES) {
        insert(p, last, c->count, item);
    } else {
        c = add_chunk(p, last + 1, item, 1, PENDING_CHUNK_ENTRIES);
        enter(p, item->owner, c);
    }
}

void pending_put(struct pending_list *p, const struct pending_item *item)
{
    CHECK(item->owner == PENDING_UNOWNED ||
          (item->owner < p->owners_capacity && p->owners[item->owner] != NULL));
    uint32_t i = 0;
    uint32_t e = 0;
    if (p->chunks.count == 0) {
        enter(p, item->owner, add_chunk(p, 0, item, 1, 0));
    } else if (!find_chunk(p, item->id, &i)) {
        chunk_at(&p->chunks, 0)->first = item->id;
        if (chunk_at(&p->chunks, 0)->count == PENDING_CHUNK_ENTRIES) split(p, 0);
        insert(p, 0, 0, item);
    } else {
        struct pending_chunk *c = chunk_at(&p->chunks, i);
        bool is_last = i + 1 == p->chunks.count;
        if (is_last && stream_id_compare(chunk_id(c, c->count - 1u), item->id) < 0) {
            append(p, item);
        } else if (find_entry(c, item->id, &e)) {
            replace(p, i, e, item);
            return; /* counted already */
        } else {
            if (c->count == PENDING_CHUNK_ENTRIES) {
                split(p, i);
                CHECK(find_chunk(p, item->id, &i));
                CHECK(!find_entry(chunk_at(&p->chunks, i), item->id, &e));
            }
            insert(p, i, e, item);
        }
    }
    p->count++;
    count_owned(p, item->owner, 1);
}

/* ---- removing ---- */

/* Removes the marked entries of chunk i, at least one. True if the chunk is as before but for
 * them: not dropped, not merged. */
static void remove_marked(struct pending_list *p, uint32_t i, const uint64_t gone[2])
{
    struct pending_chunk *c = chunk_at(&p->chunks, i);
    uint32_t owners[PENDING_CHUNK_ENTRIES];
    uint32_t owners_count = 0;
    uint32_t removed = 0;
    show(p, c);
    for (uint32_t word = 0; word < 2; word++) {
        for (uint64_t bits = gone[word]; bits != 0; bits &= bits - 1) {
            uint32_t owner = chunk_owner(c, word * 64 + (uint32_t)__builtin_ctzll(bits));
            count_owned(p, owner, -1);
            removed++;
            if (owners_count == 0 || owners[owners_count - 1] != owner)
                owners[owners_count++] = owner;
        }
    }
    CHECK(removed > 0 && removed <= c->count);
    p->count -= removed;
    bool emptied = removed == c->count;
    if (!emptied) {
        chunk_remove(c, gone);
        chunk_refresh_oldest(c);
        heap_fix(p, c, p->chunks.count);
    }
    for (uint32_t j = 0; j < owners_count; j++)
        if (emptied || !chunk_has_owner(c, owners[j])) leave(p, owners[j], c);
    if (emptied) drop_chunk(p, i);
    else settle(p, i);
}

uint64_t pending_remove(struct pending_list *p, const struct stream_id *ids, size_t count)
{
    uint64_t before = p->count;
    uint64_t gone[2] = {0, 0};
    struct pending_chunk *c = NULL; /* the one that is being marked, at i */
    uint32_t i = 0;
    uint32_t hint = 0;
    for (size_t n = 0; n < count; n++) {
        uint32_t found;
        if (c == NULL || !find_chunk(p, ids[n], &found) || found != i) {
            if ((gone[0] | gone[1]) != 0) remove_marked(p, i, gone);
            gone[0] = gone[1] = 0;
            c = NULL;
            hint = 0;
            if (!find_chunk(p, ids[n], &i)) continue;
            c = chunk_at(&p->chunks, i);
        }
        uint32_t e = hint; /* rising order: usually the next one */
        if (e >= c->count || stream_id_compare(chunk_id(c, e), ids[n]) != 0)
            if (!find_entry(c, ids[n], &e)) continue;
        gone[e / 64] |= (uint64_t)1 << (e % 64);
        hint = e + 1;
    }
    if ((gone[0] | gone[1]) != 0) remove_marked(p, i, gone);
    return before - p->count;
}

uint64_t pending_remove_owned(struct pending_list *p, const struct pending_owner *owner)
{
    uint64_t count = owner->count;
    while (owner->chunks.count > 0) { /* each step takes one chunk out of the owner's array */
        struct pending_chunk *c = chunk_at(&owner->chunks, owner->chunks.count - 1);
        uint64_t gone[2] = {0, 0};
        for (uint32_t e = 0; e < c->count; e++)
            if (chunk_owner(c, e) == owner->number) gone[e / 64] |= (uint64_t)1 << (e % 64);
        uint32_t i;
        CHECK(find_chunk(p, c->first, &i));
        remove_marked(p, i, gone);
    }
    CHECK(owner->count == 0);
    return count;
}
