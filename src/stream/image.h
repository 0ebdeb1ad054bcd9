/* image.h - a stream while an image of it is made (private to the room; stream_image.h).
 *
 * An image shows the stream as it was when the image was created. Entries are shared (the view).
 * Of groups, pending entries and producers nothing is copied: they are written step by step, and
 * what is about to change before its step came is written first:
 *
 *      part                    written before
 *      group, its consumers    any change of either
 *      pending chunk           any change of the chunk (struct pending_watch)
 *      producer                any change of what it remembers
 *
 * So a change costs at most the encoding of what it changes, once for each image, and the memory of
 * an image is what was written and not taken yet. A part bears the number of the image that has
 * it; a part that is made while there is an image bears its number, too, and is never written. The
 * order of the parts among each other means nothing.
 *
 * A group that is destroyed, or the whole stream, goes to the image until it is written, and is
 * freed in steps.
 *
 * Invariants: stream->image == image exactly while the image lacks anything; a pending list has a
 * watch exactly while it is in image->groups. */
#ifndef STREAM_IMAGE_H
#define STREAM_IMAGE_H

#include "base/buf.h"
#include "stream/group.h"
#include "stream/idempotence.h"
#include "stream/stream_image.h"

/* A piece that has so many bytes of names, of consumers or iids, gets no more of them: however long
 * they are, its size fits in its four bytes. */
enum { IMAGE_NAMES_BYTES_MAX = 64 * 1024 };

/* Pieces one after the other, each behind its size (4 bytes). */
struct image_page {
    struct image_page *next;
    struct buf bytes;
    size_t taken;
};

/* A group of which not all pending chunks are written. */
struct image_group {
    struct pending_watch watch; /* first */
    struct image_group *next;
    struct stream_image *image;
    struct stream_group *group;
    uint32_t *owners; /* numbers of owners in memory to those in order of names, from 1 */
    uint32_t owners_capacity;
    uint32_t place;        /* of the group among those of the image */
    struct stream_id from; /* the next chunk */
    bool written;
    bool taken; /* destroyed meanwhile: the group is ours */
};

struct stream_image {
    struct stream *stream;  /* NULL: nothing is lacking */
    bool taken;             /* destroyed meanwhile: the stream is ours */
    struct stream *remains; /* a taken stream that is being freed, or NULL */
    uint32_t number;
    struct buf head; /* the HEAD piece */
    bool head_taken;
    struct stream *view;
    struct index_place place; /* the next block */
    bool blocks_left;
    struct image_page *first, *last; /* written and not taken yet */
    struct image_group *groups;      /* oldest first */
    struct image_group **groups_last;
    uint32_t groups_written;
    struct buf group_name; /* how far the walk over the groups has come */
    bool groups_begun;
    struct buf producer_name; /* ... and over the producers */
    bool ended;
};

/* ---- what tells the image of changes to come ---- */

void image_before_group(struct stream_image *image, struct stream_group *g);
void image_take_group(struct stream_group *g); /* that has a watch, and is in no stream any more */
void image_take_stream(struct stream_image *image);
/* The walk stands before the producer's first iid. */
void image_add_producer(struct stream_image *image, const struct stream *s,
                        struct stream_idmp_walk w);

/* ---- pieces ---- */

/* Where the piece goes, its kind being there already; image_end_piece when it is whole. */
struct buf *image_begin_piece(struct stream_image *image, enum stream_piece kind, size_t *start);
void image_end_piece(struct buf *out, size_t start);
void image_append_id(struct buf *out, struct stream_id id);

/* ---- image_group.c ---- */

/* Writes or frees a bounded portion of the groups; false: there is nothing left to do. */
bool image_step_groups(struct stream_image *image);
void image_drop_groups(struct stream_image *image); /* those that are not finished */

#endif
