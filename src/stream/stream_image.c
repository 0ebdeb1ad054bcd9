/* stream_image.c - see stream_image.h for the pieces, and image.h for how they come to be. */
#include "base/memory.h"
#include "stream/image.h"

enum {
    PIECE_SIZE_BYTES = 4,
    PAGE_BYTES = 64 * 1024, /* a page that has as many gets no more pieces */
    IIDS_PER_PIECE = 256,
    STEP_PRODUCERS = 4, /* looked at in one step */
    STEP_FREED = 256,   /* parts of a stream freed in one step */
};

void image_append_id(struct buf *out, struct stream_id id)
{
    buf_append_varint(out, id.ms);
    buf_append_varint(out, id.seq);
}

/* ---- pages ---- */

struct buf *image_begin_piece(struct stream_image *image, enum stream_piece kind, size_t *start)
{
    struct image_page *last = image->last;
    /* What was lent must not move. */
    if (last == NULL || last->taken > 0 || last->bytes.size >= PAGE_BYTES) {
        struct image_page *page = memory_allocate_zeroed(sizeof *page);
        if (last == NULL) image->first = page;
        else last->next = page;
        image->last = page;
    }
    struct buf *out = &image->last->bytes;
    *start = out->size;
    buf_append_u32(out, 0);
    buf_append_byte(out, (uint8_t)kind);
    return out;
}

void image_end_piece(struct buf *out, size_t start)
{
    size_t size = out->size - start - PIECE_SIZE_BYTES;
    CHECK(size > 0 && size <= UINT32_MAX);
    struct buf field = {.data = out->data + start, .capacity = PIECE_SIZE_BYTES};
    buf_append_u32(&field, (uint32_t)size);
}

static void drop_page(struct stream_image *image)
{
    struct image_page *page = image->first;
    image->first = page->next;
    if (image->first == NULL) image->last = NULL;
    buf_deinit(&page->bytes);
    memory_free(page, sizeof *page);
}

static bool take_piece(struct stream_image *image, struct slice *body)
{
    struct image_page *page = image->first;
    if (page == NULL) return false;
    CHECK(page->taken < page->bytes.size);
    struct reader in = {{page->bytes.data + page->taken, PIECE_SIZE_BYTES}};
    uint32_t size;
    CHECK(read_u32(&in, &size));
    page->taken += PIECE_SIZE_BYTES;
    *body = (struct slice){page->bytes.data + page->taken, size};
    page->taken += size;
    CHECK(page->taken <= page->bytes.size);
    return true;
}

/* ---- producers ---- */

/* Up to IIDS_PER_PIECE of the producer; *has: w stands at an iid that was not written yet. */
static void write_iids(struct stream_image *image, const struct stream *s,
                       struct stream_idmp_walk *w, bool *has)
{
    struct slice producer = w->producer;
    struct buf run = {0};
    uint32_t count = 0;
    while (*has && count < IIDS_PER_PIECE && run.size < IMAGE_NAMES_BYTES_MAX &&
           slice_equal(w->producer, producer)) {
        buf_append_bytes(&run, w->iid);
        image_append_id(&run, w->id);
        count++;
        *has = stream_idmp_walk_next(s, w);
    }
    size_t start;
    struct buf *out = image_begin_piece(image, STREAM_PIECE_IIDS, &start);
    buf_append_bytes(out, producer);
    buf_append_varint(out, count);
    buf_append(out, buf_slice(&run));
    image_end_piece(out, start);
    buf_deinit(&run);
}

void image_add_producer(struct stream_image *image, const struct stream *s,
                        struct stream_idmp_walk w)
{
    bool has = stream_idmp_walk_next(s, &w);
    CHECK(has);
    struct slice producer = w.producer;
    while (has && slice_equal(w.producer, producer)) write_iids(image, s, &w, &has);
}

static void write_producers(struct stream_image *image, const struct stream *s)
{
    struct stream_idmp_limits limits = stream_idmp_limits(s);
    struct stream_idmp_figures figures;
    size_t start;
    if (!stream_idmp_is_kept(s)) return;
    stream_idmp_measure(s, &figures);
    struct buf *out = image_begin_piece(image, STREAM_PIECE_PRODUCERS, &start);
    buf_append_varint(out, limits.duration_s);
    buf_append_varint(out, limits.count_max);
    buf_append_varint(out, figures.added);
    buf_append_varint(out, figures.duplicates);
    buf_append_varint(out, stream_idmp_sweep(s));
    buf_append_varint(out, figures.iids);
    image_end_piece(out, start);
}

/* ---- beginning and end ---- */

static void write_head(struct buf *out, const struct stream *s)
{
    buf_append_byte(out, STREAM_PIECE_HEAD);
    buf_append_varint(out, s->length);
    buf_append_varint(out, s->appended);
    buf_append_varint(out, s->entries_added);
    image_append_id(out, s->last_id);
    image_append_id(out, s->max_deleted_id);
    buf_append_byte(out, s->blocks.tail_closed);
    buf_append_varint(out, s->blocks.blocks);
    buf_append_varint(out, s->groups.count);
}

/* Nothing is lacking any more, or will be: the stream is free. */
static void detach(struct stream_image *image)
{
    CHECK(image->stream->image == image);
    image->stream->image = NULL;
    if (image->taken) image->remains = image->stream;
    image->stream = NULL;
}

/* Writes or frees a bounded portion. */
static void step(struct stream_image *image)
{
    if (image_step_groups(image)) return;
    if (stream_idmp_show(image->stream, &image->producer_name, STEP_PRODUCERS)) return;
    detach(image);
}

struct stream_image *stream_image_create(struct stream *s, uint32_t number)
{
    CHECK(number != 0);
    if (s->image != NULL) {
        CHECK(s->image->number != number);
        struct stream_image *before = s->image;
        while (before->stream != NULL) step(before);
    }
    struct stream_image *image = memory_allocate_zeroed(sizeof *image);
    image->stream = s;
    image->number = number;
    image->view = stream_freeze(s);
    image->groups_last = &image->groups;
    write_head(&image->head, s);
    write_producers(image, s);
    image->blocks_left = index_first(&image->view->blocks, &image->place);
    CHECK(image->blocks_left == (s->length > 0));
    s->image = image;
    if (s->groups.count == 0 && s->idempotence == NULL) detach(image);
    return image;
}

void image_take_stream(struct stream_image *image)
{
    CHECK(image->stream != NULL && !image->taken);
    image->taken = true;
}

void stream_image_destroy(struct stream_image *image)
{
    image_drop_groups(image);
    if (image->stream != NULL) detach(image);
    if (image->remains != NULL) stream_destroy(image->remains);
    while (image->first != NULL) drop_page(image);
    stream_destroy(image->view);
    buf_deinit(&image->head);
    buf_deinit(&image->group_name);
    buf_deinit(&image->producer_name);
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
    image_append_id(head, b->first_id);
    image_append_id(head, b->last_id);
    buf_append_varint(head, b->begin);
    buf_append_varint(head, b->dead_bytes);
    buf_append_varint(head, b->dropped);
    buf_append_varint(head, b->records);
    buf_append_varint(head, b->live);
    *body = (struct slice){(const char *)b->bytes, b->size};
    image->blocks_left = index_next(x, &image->place);
}

/* Gives back what the piece before this one lent, leaf by leaf and page by page: a change of the
 * stream behind this point copies nothing, and a stream that is deleted meanwhile is freed here. */
static void give_back(struct stream_image *image)
{
    struct block_index *x = &image->view->blocks;
    for (; image->place.leaf > 0; image->place.leaf--) index_give_up_first_leaf(x);
    if (!image->blocks_left && x->count > 0) index_give_up_first_leaf(x);
    if (image->first != NULL && image->first->taken == image->first->bytes.size) drop_page(image);
}

static void free_some(struct stream_image *image)
{
    size_t steps = STEP_FREED;
    if (stream_dismantle(image->remains, &steps)) image->remains = NULL;
}

bool stream_image_next(struct stream_image *image, struct buf *head, struct slice *body)
{
    *body = (struct slice){0};
    if (image->ended) return false;
    give_back(image);
    if (!image->head_taken) {
        buf_append(head, buf_slice(&image->head));
        image->head_taken = true;
    } else if (image->blocks_left) {
        take_block(image, head, body);
    } else if (take_piece(image, body)) {
        return true;
    } else if (image->stream != NULL) {
        step(image);
    } else if (image->remains != NULL) {
        free_some(image);
    } else {
        buf_append_byte(head, STREAM_PIECE_END);
        image->ended = true;
    }
    return true;
}
