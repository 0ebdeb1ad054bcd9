/* pending_walk.c - what commands see of pending entries: single ones, walks by ID, the oldest. */
#include "base/container.h"
#include "base/memory.h"
#include "stream/group.h"
#include "stream/pending_chunk.h"

static struct stream_pending show(const struct stream_group *g, const struct pending_item *item)
{
    const struct stream_consumer *consumer = NULL;
    if (item->owner != PENDING_UNOWNED)
        consumer = CONTAINER_OF(g->pending.owners[item->owner], struct stream_consumer, owner);
    return (struct stream_pending){item->id, item->delivery_ms, item->deliveries, consumer};
}

bool stream_pending_find(const struct stream_group *g, struct stream_id id,
                         struct stream_pending *pending)
{
    struct pending_item item;
    if (!pending_get(&g->pending, id, &item)) return false;
    *pending = show(g, &item);
    return true;
}

bool stream_pending_bounds(const struct stream_group *g, struct stream_id *first,
                           struct stream_id *last)
{
    const struct chunk_array *chunks = &g->pending.chunks;
    if (g->pending.count == 0) return false;
    CHECK(chunks->count > 0);
    const struct pending_chunk *newest = chunk_at(chunks, chunks->count - 1);
    CHECK(newest->count > 0);
    *first = chunk_id(chunk_at(chunks, 0), 0);
    *last = chunk_id(newest, newest->count - 1u);
    return true;
}

void stream_pending_walk_begin(struct stream_pending_walk *w, const struct stream_group *g,
                               const struct stream_consumer *consumer, struct stream_range range)
{
    w->group = g;
    w->consumer = consumer;
    w->range = range;
    w->delivered_max_ms = INT64_MAX;
    w->chunks = consumer == NULL ? &g->pending.chunks : &consumer->owner.chunks;
    struct pending_place place = pending_seek(w->chunks, range.first);
    w->chunk = place.chunk;
    w->position = place.entry;
}

void stream_pending_walk_idle(struct stream_pending_walk *w, int64_t delivered_max_ms)
{
    w->delivered_max_ms = delivered_max_ms;
}

bool stream_pending_walk_next(struct stream_pending_walk *w)
{
    struct pending_place place = {w->chunks, w->chunk, w->position};
    struct pending_item item;
    bool found = false;
    while (!found && pending_next(&place, w->delivered_max_ms, &item)) {
        if (stream_id_compare(item.id, w->range.last) > 0) break;
        if (w->consumer != NULL && item.owner != w->consumer->owner.number) continue;
        found = item.owner == PENDING_UNOWNED || item.delivery_ms <= w->delivered_max_ms;
    }
    w->chunk = place.chunk;
    w->position = place.entry;
    if (found) w->entry = show(w->group, &item);
    return found;
}

void stream_pending_walk_move(struct stream_pending_walk *w, const struct stream_group *to)
{
    const struct stream_consumer *consumer = w->consumer;
    CHECK(slice_equal(stream_group_name(w->group), stream_group_name(to)));
    if (consumer != NULL) consumer = stream_consumer_find(to, stream_consumer_name(consumer));
    CHECK((consumer == NULL) == (w->consumer == NULL));
    w->group = to;
    w->consumer = consumer;
    w->chunks = consumer == NULL ? &to->pending.chunks : &consumer->owner.chunks;
}

bool stream_pending_oldest(const struct stream_group *g, struct stream_pending *pending)
{
    return stream_pending_list_oldest(g, INT64_MAX, pending, 1) == 1;
}

size_t stream_pending_list_oldest(const struct stream_group *g, int64_t delivered_max_ms,
                                  struct stream_pending *pending, size_t count)
{
    if (count > g->pending.count) count = (size_t)g->pending.count;
    if (count == 0) return 0;
    struct pending_item *items = memory_allocate(count * sizeof *items);
    size_t found = pending_oldest(&g->pending, delivered_max_ms, items, count);
    for (size_t i = 0; i < found; i++) pending[i] = show(g, &items[i]);
    memory_free(items, count * sizeof *items);
    return found;
}
