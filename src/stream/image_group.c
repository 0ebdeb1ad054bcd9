/* image_group.c - groups, consumers and pending entries as pieces of an image (image.h). */
#include "base/memory.h"
#include "stream/image.h"
#include "stream/pending_chunk.h"

enum {
    CONSUMERS_PER_PIECE = 256,
    STEP_CHUNKS = 8,  /* written in one step */
    STEP_GROUPS = 16, /* looked at in one step */
    STEP_FREED = 256, /* chunks or consumers freed in one step */
};

/* ---- consumers ---- */

static const struct stream_consumer *consumer_at(const struct stream_group *g, uint32_t i)
{
    return (const struct stream_consumer *)(const void *)g->consumers.members[i];
}

/* How many consumers, from that one on, the next piece has. */
static uint32_t consumers_of_piece(const struct stream_group *g, uint32_t first)
{
    uint32_t left = g->consumers.count - first, count = 0;
    for (size_t bytes = 0; count < left && count < CONSUMERS_PER_PIECE; count++) {
        if (bytes >= IMAGE_NAMES_BYTES_MAX) break;
        bytes += consumer_at(g, first + count)->entry.name.size;
    }
    return count;
}

static void write_consumers(struct stream_image *image, const struct stream_group *g)
{
    uint32_t count;
    for (uint32_t first = 0; first < g->consumers.count; first += count) {
        size_t start;
        count = consumers_of_piece(g, first);
        struct buf *out = image_begin_piece(image, STREAM_PIECE_CONSUMERS, &start);
        buf_append_varint(out, count);
        for (uint32_t i = first; i < first + count; i++) {
            const struct stream_consumer *c = consumer_at(g, i);
            buf_append_bytes(out, c->entry.name);
            buf_append_zigzag(out, c->seen_ms);
            buf_append_zigzag(out, c->active_ms);
        }
        image_end_piece(out, start);
    }
}

static void number_owners(struct image_group *x)
{
    const struct stream_group *g = x->group;
    x->owners_capacity = g->pending.owners_capacity;
    if (x->owners_capacity == 0) return;
    x->owners = memory_allocate_zeroed(x->owners_capacity * sizeof *x->owners);
    for (uint32_t i = 0; i < g->consumers.count; i++)
        x->owners[consumer_at(g, i)->owner.number] = i + 1;
}

/* ---- pending entries ---- */

static void append_items(struct buf *out, const struct image_group *x,
                         const struct pending_item *items, uint32_t count)
{
    struct pending_item previous = {0};
    for (uint32_t i = 0; i < count; i++) {
        const struct pending_item *item = &items[i];
        buf_append_zigzag(out, (int64_t)(item->id.ms - previous.id.ms));
        buf_append_varint(out, item->id.seq);
        buf_append_zigzag(out,
                          (int64_t)((uint64_t)item->delivery_ms - (uint64_t)previous.delivery_ms));
        buf_append_varint(out, item->deliveries);
        buf_append_varint(out, item->owner == PENDING_UNOWNED ? 0 : x->owners[item->owner]);
        previous = *item;
    }
}

/* A chunk that is about to change, or whose step has come: one piece. Owners that came since the
 * group was written have entries in chunks that are written already only. */
static void write_chunk(struct pending_watch *watch, const struct pending_chunk *c)
{
    struct image_group *x = (struct image_group *)(void *)watch;
    struct pending_item items[PENDING_CHUNK_ENTRIES];
    size_t start;
    CHECK(!x->written);
    chunk_load(c, items);
    struct buf *out = image_begin_piece(x->image, STREAM_PIECE_PENDING, &start);
    buf_append_varint(out, x->place);
    buf_append_varint(out, c->count);
    append_items(out, x, items, c->count);
    image_end_piece(out, start);
}

/* ---- groups ---- */

static void watch_pending(struct stream_image *image, struct stream_group *g)
{
    struct image_group *x = memory_allocate_zeroed(sizeof *x);
    x->watch = (struct pending_watch){image->number, write_chunk};
    x->image = image;
    x->group = g;
    x->place = image->groups_written;
    number_owners(x);
    CHECK(g->pending.watch == NULL);
    g->pending.watch = &x->watch;
    *image->groups_last = x;
    image->groups_last = &x->next;
}

static void write_group(struct stream_image *image, struct stream_group *g)
{
    size_t start;
    struct buf *out = image_begin_piece(image, STREAM_PIECE_GROUP, &start);
    buf_append_bytes(out, g->entry.name);
    image_append_id(out, g->last_delivered);
    buf_append_varint(out, g->entries_read);
    buf_append_byte(out, g->entries_read_exact ? 1 : 0);
    buf_append_varint(out, g->consumers.count);
    buf_append_varint(out, g->pending.count);
    image_end_piece(out, start);
    write_consumers(image, g);
    if (g->pending.count > 0) watch_pending(image, g);
    g->image = image->number;
    image->groups_written++;
}

void image_before_group(struct stream_image *image, struct stream_group *g)
{
    CHECK(image->stream != NULL);
    if (g->image != image->number) write_group(image, g);
}

void image_take_group(struct stream_group *g)
{
    struct image_group *x = (struct image_group *)(void *)g->pending.watch;
    CHECK(x != NULL);
    CHECK(x->group == g && !x->taken);
    x->taken = true;
}

/* ---- steps ---- */

static void drop_first(struct stream_image *image)
{
    struct image_group *x = image->groups;
    image->groups = x->next;
    if (image->groups == NULL) image->groups_last = &image->groups;
    memory_free(x->owners, x->owners_capacity * sizeof *x->owners);
    memory_free(x, sizeof *x);
}

static void step_group(struct stream_image *image)
{
    struct image_group *x = image->groups;
    size_t steps = STEP_FREED;
    if (!x->written) {
        if (pending_show(&x->group->pending, &x->from, STEP_CHUNKS)) return;
        x->written = true;
        x->group->pending.watch = NULL;
    }
    if (x->taken && !group_dismantle(x->group, &steps)) return;
    drop_first(image);
}

/* Writes the next group in order of names; false: all are written. */
static bool step_groups(struct stream_image *image)
{
    const struct name_index *groups = &image->stream->groups;
    uint32_t i = 0;
    if (image->groups_begun && name_index_find(groups, buf_slice(&image->group_name), &i)) i++;
    for (uint32_t looked_at = 0; i < groups->count; i++) {
        struct stream_group *g = (struct stream_group *)(void *)groups->members[i];
        bool lacking = g->image != image->number;
        if (!lacking && ++looked_at < STEP_GROUPS) continue;
        if (lacking) write_group(image, g);
        image->groups_begun = true;
        image->group_name.size = 0;
        buf_append(&image->group_name, g->entry.name);
        return true;
    }
    return false;
}

bool image_step_groups(struct stream_image *image)
{
    if (image->groups == NULL) return step_groups(image);
    step_group(image);
    return true;
}

void image_drop_groups(struct stream_image *image)
{
    for (; image->groups != NULL; drop_first(image)) {
        struct stream_group *g = image->groups->group;
        size_t all = SIZE_MAX;
        if (!image->groups->written) g->pending.watch = NULL;
        if (image->groups->taken) CHECK(group_dismantle(g, &all));
    }
}
