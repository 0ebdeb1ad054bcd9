/* stream_image.c - see stream_image.h for the pieces. The pieces after the blocks are encoded when
 * the image is created, one after the other, each behind its size (4 bytes). */
#include "stream/stream_image.h"

#include "base/memory.h"
#include "stream/group.h"
#include "stream/idempotence.h"
#include "stream/pending_chunk.h"

enum {
    PIECE_SIZE_BYTES = 4,
    CONSUMERS_PER_PIECE = 256,
    CHUNKS_PER_PIECE = 8,
    IIDS_PER_PIECE = 256,
};

struct stream_image {
    struct stream_view *view;
    struct buf head; /* the HEAD piece */
    struct buf tail; /* the pieces after the blocks */
    size_t tail_taken;
    struct index_place place; /* the next block */
    bool head_taken;
    bool blocks_left;
    bool ended;
};

static void append_id(struct buf *out, struct stream_id id)
{
    buf_append_varint(out, id.ms);
    buf_append_varint(out, id.seq);
}

/* ---- the pieces that are encoded at once ---- */

/* Returns where the piece begins; end_piece writes its size there. */
static size_t begin_piece(struct buf *out, enum stream_piece kind)
{
    size_t start = out->size;
    buf_append_u32(out, 0);
    buf_append_byte(out, (uint8_t)kind);
    return start;
}

static void end_piece(struct buf *out, size_t start)
{
    size_t size = out->size - start - PIECE_SIZE_BYTES;
    CHECK(size > 0 && size <= UINT32_MAX);
    struct buf field = {.data = out->data + start, .capacity = PIECE_SIZE_BYTES};
    buf_append_u32(&field, (uint32_t)size);
}

static void append_consumers(struct buf *out, const struct stream_group *g)
{
    for (uint32_t first = 0; first < g->consumers.count; first += CONSUMERS_PER_PIECE) {
        uint32_t left = g->consumers.count - first;
        uint32_t count = left < CONSUMERS_PER_PIECE ? left : CONSUMERS_PER_PIECE;
        size_t piece = begin_piece(out, STREAM_PIECE_CONSUMERS);
        buf_append_varint(out, count);
        for (uint32_t i = first; i < first + count; i++) {
            const struct stream_consumer *c = (const void *)g->consumers.members[i];
            buf_append_bytes(out, c->entry.name);
            buf_append_zigzag(out, c->seen_ms);
            buf_append_zigzag(out, c->active_ms);
        }
        end_piece(out, piece);
    }
}

/* Numbers of owners in memory to numbers in order of names, from 1. */
static uint32_t *number_owners(const struct stream_group *g)
{
    if (g->pending.owners_capacity == 0) return NULL;
    uint32_t *numbers = memory_allocate_zeroed(g->pending.owners_capacity * sizeof *numbers);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *c = (const void *)g->consumers.members[i];
        numbers[c->owner.number] = i + 1;
    }
    return numbers;
}

static void append_items(struct buf *out, const struct pending_item *items, uint32_t count,
                         const uint32_t *numbers, struct pending_item *previous)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct pending_item *item = &items[i];
        buf_append_zigzag(out, (int64_t)(item->id.ms - previous->id.ms));
        buf_append_varint(out, item->id.seq);
        buf_append_zigzag(out,
                          (int64_t)((uint64_t)item->delivery_ms - (uint64_t)previous->delivery_ms));
        buf_append_varint(out, item->deliveries);
        buf_append_varint(out, item->owner == PENDING_UNOWNED ? 0 : numbers[item->owner]);
        *previous = *item;
    }
}

static void append_pending(struct buf *out, const struct stream_group *g)
{
    const struct chunk_array *chunks = &g->pending.chunks;
    struct pending_item items[PENDING_CHUNK_ENTRIES];
    uint32_t *numbers = number_owners(g);
    for (uint32_t first = 0; first < chunks->count; first += CHUNKS_PER_PIECE) {
        uint32_t left = chunks->count - first;
        uint32_t end = first + (left < CHUNKS_PER_PIECE ? left : CHUNKS_PER_PIECE);
        struct pending_item previous = {0};
        uint32_t count = 0;
        for (uint32_t i = first; i < end; i++) count += chunk_at(chunks, i)->count;
        size_t piece = begin_piece(out, STREAM_PIECE_PENDING);
        buf_append_varint(out, count);
        for (uint32_t i = first; i < end; i++) {
            chunk_load(chunk_at(chunks, i), items);
            append_items(out, items, chunk_at(chunks, i)->count, numbers, &previous);
        }
        end_piece(out, piece);
    }
    if (numbers != NULL) memory_free(numbers, g->pending.owners_capacity * sizeof *numbers);
}

static void append_group(struct buf *out, const struct stream_group *g)
{
    size_t piece = begin_piece(out, STREAM_PIECE_GROUP);
    buf_append_bytes(out, g->entry.name);
    append_id(out, g->last_delivered);
    buf_append_varint(out, g->entries_read);
    buf_append_byte(out, g->entries_read_exact ? 1 : 0);
    buf_append_varint(out, g->consumers.count);
    buf_append_varint(out, g->pending.count);
    end_piece(out, piece);
    append_consumers(out, g);
    append_pending(out, g);
}

/* Up to IIDS_PER_PIECE of one producer; false: nothing is left. *has says whether w stands at an
 * iid that was not written yet. */
static bool append_iids(struct buf *out, const struct stream *s, struct stream_idmp_walk *w,
                        bool *has)
{
    if (!*has) return false;
    struct slice producer = w->producer;
    struct buf run = {0};
    uint32_t count = 0;
    while (*has && count < IIDS_PER_PIECE && slice_equal(w->producer, producer)) {
        buf_append_bytes(&run, w->iid);
        append_id(&run, w->id);
        count++;
        *has = stream_idmp_walk_next(s, w);
    }
    size_t piece = begin_piece(out, STREAM_PIECE_IIDS);
    buf_append_bytes(out, producer);
    buf_append_varint(out, count);
    buf_append(out, buf_slice(&run));
    end_piece(out, piece);
    buf_deinit(&run);
    return true;
}

static void append_producers(struct buf *out, const struct stream *s)
{
    struct stream_idmp_limits limits = stream_idmp_limits(s);
    struct stream_idmp_figures figures;
    struct stream_idmp_walk w = {0};
    if (!stream_idmp_is_kept(s)) return;
    stream_idmp_measure(s, &figures);
    size_t piece = begin_piece(out, STREAM_PIECE_PRODUCERS);
    buf_append_varint(out, limits.duration_s);
    buf_append_varint(out, limits.count_max);
    buf_append_varint(out, figures.added);
    buf_append_varint(out, figures.duplicates);
    buf_append_varint(out, stream_idmp_sweep(s));
    buf_append_varint(out, figures.iids);
    end_piece(out, piece);
    bool has = stream_idmp_walk_next(s, &w);
    while (append_iids(out, s, &w, &has)) {
    }
}

static void append_head(struct buf *out, const struct stream *s)
{
    buf_append_byte(out, STREAM_PIECE_HEAD);
    buf_append_varint(out, s->length);
    buf_append_varint(out, s->appended);
    buf_append_varint(out, s->entries_added);
    append_id(out, s->last_id);
    append_id(out, s->max_deleted_id);
    buf_append_byte(out, s->blocks.tail_closed);
    buf_append_varint(out, s->blocks.blocks);
    buf_append_varint(out, s->groups.count);
}

struct stream_image *stream_image_create(const struct stream *s)
{
    struct stream_image *image = memory_allocate_zeroed(sizeof *image);
    image->view = stream_freeze(s);
    append_head(&image->head, s);
    for (uint32_t i = 0; i < s->groups.count; i++)
        append_group(&image->tail, (const void *)s->groups.members[i]);
    append_producers(&image->tail, s);
    image->blocks_left = index_first(&image->view->blocks, &image->place);
    CHECK(image->blocks_left == (s->length > 0));
    return image;
}

void stream_image_destroy(struct stream_image *image)
{
    stream_view_destroy(image->view);
    buf_deinit(&image->head);
    buf_deinit(&image->tail);
    memory_free(image, sizeof *image);
}

/* ---- piece by piece ---- */

static void take_block(struct stream_image *image, struct buf *head, struct slice *body)
{
    const struct block_index *x = &image->view->blocks;
    const struct index_slot *slot = index_slot(x, image->place);
    const struct stream_block *b = slot->block;
    CHECK(b->references > 0);
    buf_append_byte(head, STREAM_PIECE_BLOCK);
    buf_append_varint(head, slot->ordinal);
    append_id(head, b->first_id);
    append_id(head, b->last_id);
    buf_append_varint(head, b->begin);
    buf_append_varint(head, b->dead_bytes);
    buf_append_varint(head, b->dropped);
    buf_append_varint(head, b->records);
    buf_append_varint(head, b->live);
    *body = (struct slice){(const char *)b->bytes, b->size};
    image->blocks_left = index_next(x, &image->place);
}

bool stream_image_next(struct stream_image *image, struct buf *head, struct slice *body)
{
    *body = (struct slice){0};
    if (image->ended) return false;
    if (!image->head_taken) {
        buf_append(head, buf_slice(&image->head));
        image->head_taken = true;
    } else if (image->blocks_left) {
        take_block(image, head, body);
    } else if (image->tail_taken < image->tail.size) {
        struct reader in = {{image->tail.data + image->tail_taken, PIECE_SIZE_BYTES}};
        uint32_t size;
        CHECK(read_u32(&in, &size));
        image->tail_taken += PIECE_SIZE_BYTES;
        *body = (struct slice){image->tail.data + image->tail_taken, size};
        image->tail_taken += size;
        CHECK(image->tail_taken <= image->tail.size);
    } else {
        buf_append_byte(head, STREAM_PIECE_END);
        image->ended = true;
    }
    return true;
}
