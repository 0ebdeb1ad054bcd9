/* pending_age.c - the oldest pending entries, and the proof of the whole list.
 *
 * The heap of chunks is walked best first: a frontier of heap positions, of which the oldest is
 * taken next. As soon as as many entries were found as were asked for, and the youngest of them is
 * older than everything in the frontier, nothing else can belong to the answer. So only chunks
 * with an entry of the answer are looked into. */
#include "base/memory.h"
#include "stream/pending_chunk.h"

int pending_compare_age(const struct pending_item *a, const struct pending_item *b)
{
    bool a_unowned = a->owner == PENDING_UNOWNED;
    bool b_unowned = b->owner == PENDING_UNOWNED;
    if (a_unowned != b_unowned) return a_unowned ? -1 : 1;
    if (a->delivery_ms != b->delivery_ms) return a->delivery_ms < b->delivery_ms ? -1 : 1;
    return stream_id_compare(a->id, b->id);
}

/* ---- the answer: a heap with the youngest on top ---- */

struct answer {
    struct pending_item *items;
    size_t count;
    size_t capacity;
};

static void sift_down(struct pending_item *items, size_t count, size_t i)
{
    struct pending_item item = items[i];
    for (size_t child = 2 * i + 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && pending_compare_age(&items[child + 1], &items[child]) > 0) child++;
        if (pending_compare_age(&item, &items[child]) >= 0) break;
        items[i] = items[child];
        i = child;
    }
    items[i] = item;
}

static void offer(struct answer *a, const struct pending_item *item)
{
    if (a->count == a->capacity) {
        if (pending_compare_age(item, &a->items[0]) >= 0) return;
        a->items[0] = *item;
        sift_down(a->items, a->count, 0);
        return;
    }
    size_t i = a->count++;
    while (i > 0 && pending_compare_age(item, &a->items[(i - 1) / 2]) > 0) {
        a->items[i] = a->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    a->items[i] = *item;
}

static void sort(struct answer *a)
{
    for (size_t left = a->count; left > 1; left--) {
        struct pending_item youngest = a->items[0];
        a->items[0] = a->items[left - 1];
        a->items[left - 1] = youngest;
        sift_down(a->items, left - 1, 0);
    }
}

/* ---- the frontier: heap positions, the oldest chunk on top ---- */

struct frontier {
    const struct pending_list *list;
    uint32_t *positions;
    size_t count;
    size_t capacity;
};

static int compare_positions(const struct frontier *f, uint32_t a, uint32_t b)
{
    return chunk_compare_age(f->list->heap[a], f->list->heap[b]);
}

static void frontier_push(struct frontier *f, uint32_t position)
{
    if (position >= f->list->chunks.count) return;
    if (f->count == f->capacity) {
        size_t before = f->capacity * sizeof *f->positions;
        f->capacity = f->capacity == 0 ? 16 : f->capacity * 2;
        f->positions = memory_resize(f->positions, before, f->capacity * sizeof *f->positions);
    }
    size_t i = f->count++;
    while (i > 0 && compare_positions(f, position, f->positions[(i - 1) / 2]) < 0) {
        f->positions[i] = f->positions[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    f->positions[i] = position;
}

static uint32_t frontier_pop(struct frontier *f)
{
    uint32_t top = f->positions[0];
    uint32_t last = f->positions[--f->count];
    size_t i = 0;
    for (size_t child = 1; child < f->count; child = 2 * i + 1) {
        if (child + 1 < f->count &&
            compare_positions(f, f->positions[child + 1], f->positions[child]) < 0)
            child++;
        if (compare_positions(f, last, f->positions[child]) <= 0) break;
        f->positions[i] = f->positions[child];
        i = child;
    }
    if (f->count > 0) f->positions[i] = last;
    return top;
}

/* ---- both ---- */

/* Can the chunk hold something older than the youngest of a full answer? */
static bool may_contribute(const struct answer *a, const struct pending_chunk *c, int64_t max_ms)
{
    bool unowned = c->unowned > 0;
    if (!unowned && c->oldest_ms > max_ms) return false;
    if (a->count < a->capacity) return true;
    const struct pending_item *youngest = &a->items[0];
    if (unowned != (youngest->owner == PENDING_UNOWNED)) return unowned;
    if (c->oldest_ms != youngest->delivery_ms) return c->oldest_ms < youngest->delivery_ms;
    return stream_id_compare(c->first, youngest->id) < 0;
}

size_t pending_oldest(const struct pending_list *p, int64_t delivered_max_ms,
                      struct pending_item *items, size_t count)
{
    struct answer answer = {.items = items, .capacity = count};
    struct frontier frontier = {.list = p};
    if (count > 0) frontier_push(&frontier, 0);
    while (frontier.count > 0) { /* each chunk enters at most once */
        uint32_t position = frontier_pop(&frontier);
        const struct pending_chunk *c = p->heap[position];
        if (!may_contribute(&answer, c, delivered_max_ms)) break;
        for (uint32_t e = 0; e < c->count; e++) {
            struct pending_item item;
            chunk_get(c, e, &item);
            if (item.owner == PENDING_UNOWNED || item.delivery_ms <= delivered_max_ms)
                offer(&answer, &item);
        }
        frontier_push(&frontier, 2 * position + 1);
        frontier_push(&frontier, 2 * position + 2);
    }
    memory_free(frontier.positions, frontier.capacity * sizeof *frontier.positions);
    sort(&answer);
    return answer.count;
}

/* ---- checking ---- */

static void check_chunk(const struct pending_list *p, struct pending_chunk *c)
{
    struct pending_item item;
    struct stream_id last = c->first;
    int64_t oldest = INT64_MAX;
    int64_t oldest_unowned = INT64_MAX;
    uint32_t unowned = 0;
    CHECK(c->count > 0 && c->count <= c->capacity && c->capacity <= PENDING_CHUNK_ENTRIES);
    for (uint32_t e = 0; e < c->count; e++) {
        chunk_get(c, e, &item);
        int order = stream_id_compare(item.id, last);
        CHECK(order > 0 || (e == 0 && order == 0));
        last = item.id;
        if (item.delivery_ms < oldest) oldest = item.delivery_ms;
        if (item.owner == PENDING_UNOWNED) {
            unowned++;
            if (item.delivery_ms < oldest_unowned) oldest_unowned = item.delivery_ms;
            continue;
        }
        CHECK(item.owner < p->owners_capacity && p->owners[item.owner] != NULL);
        const struct chunk_array *a = &p->owners[item.owner]->chunks;
        uint32_t i = chunk_array_upper_bound(a, c->first);
        CHECK(i > 0 && chunk_at(a, i - 1) == c);
    }
    CHECK(unowned == c->unowned);
    CHECK(c->oldest_ms == (unowned > 0 ? oldest_unowned : oldest));
    CHECK(c->heap_position < p->chunks.count && p->heap[c->heap_position] == c);
    if (c->heap_position > 0) CHECK(chunk_compare_age(p->heap[(c->heap_position - 1) / 2], c) <= 0);
}

static void check_owner(const struct pending_list *p, const struct pending_owner *owner)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < owner->chunks.count; i++) {
        const struct pending_chunk *c = chunk_at(&owner->chunks, i);
        uint64_t before = count;
        for (uint32_t e = 0; e < c->count; e++) count += chunk_owner(c, e) == owner->number;
        CHECK(count > before);
        if (i > 0) CHECK(stream_id_compare(chunk_at(&owner->chunks, i - 1)->first, c->first) < 0);
    }
    CHECK(count == owner->count);
    CHECK(p->owners[owner->number] == owner);
}

static void check_memory(const struct pending_list *p)
{
    size_t bytes = p->chunks.capacity * sizeof(void *) + p->heap_capacity * sizeof(void *) +
                   p->owners_capacity * sizeof(void *);
    for (uint32_t i = 0; i < p->chunks.count; i++) {
        const struct pending_chunk *c = chunk_at(&p->chunks, i);
        bytes += sizeof *c + c->capacity * (c->wide ? sizeof(struct pending_item) : 16u);
    }
    for (uint32_t i = 0; i < p->owners_capacity; i++)
        if (p->owners[i] != NULL) bytes += p->owners[i]->chunks.capacity * sizeof(void *);
    CHECK(bytes == p->memory_bytes);
}

void pending_check(const struct pending_list *p)
{
    uint64_t count = 0;
    uint64_t unowned = 0;
    for (uint32_t i = 0; i < p->chunks.count; i++) {
        struct pending_chunk *c = chunk_at(&p->chunks, i);
        if (i > 0) {
            const struct pending_chunk *previous = chunk_at(&p->chunks, i - 1);
            CHECK(stream_id_compare(chunk_id(previous, previous->count - 1u), c->first) < 0);
        }
        check_chunk(p, c);
        count += c->count;
        unowned += c->unowned;
    }
    CHECK(count == p->count && unowned == p->unowned);
    uint64_t owned = 0;
    for (uint32_t i = 0; i < p->owners_capacity; i++) {
        if (p->owners[i] == NULL) continue;
        CHECK(p->owners[i]->number == i);
        check_owner(p, p->owners[i]);
        owned += p->owners[i]->count;
    }
    CHECK(owned + unowned == count);
    check_memory(p);
}
