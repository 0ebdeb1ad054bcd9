/* stream_image.h - a stream as pieces of bytes: what a snapshot keeps of it, and back.
 *
 * An image is frozen: it shows the stream as it was when it was created, however the stream
 * changes afterwards, or when it is destroyed. Making one costs microseconds whatever is in the
 * stream: entries are shared (stream_freeze); groups, pending entries and idempotent producers are
 * written step by step, and before they change (image.h).
 *
 * Pieces: HEAD, the blocks, PRODUCERS, then groups, pending entries and iids as they come; END is
 * the last one. Consumers follow their group at once. Each begins with its kind (1 byte). Numbers
 * are varints, "signed" ones zigzag; an ID is two numbers; a name is its size and its bytes.
 *
 *   HEAD       length | appended | entries_added | last_id | max_deleted_id | tail_closed
 *              | blocks | groups
 *   BLOCK      ordinal | first_id | last_id | begin | dead_bytes | dropped | records | live
 *              | bytes to the end of the piece: the block as it is in memory (block.h)
 *   GROUP      name | last_delivered | entries_read | exact | consumers | pending
 *   CONSUMERS  count | name, seen_ms, active_ms (both signed) of each: in order of names, after
 *              those of the piece before
 *   PENDING    group: how many GROUP pieces stood before its own | count | of each, in order of
 *              IDs: ms and time of delivery as signed differences to the one before (in this piece;
 *              to 0 for the first), sequence, deliveries, owner: the number of a consumer from 1 in
 *              order of names; 0: nobody
 *   PRODUCERS  duration_s | count_max | added | duplicates | sweep | iids: if there is any of it
 *   IIDS       producer | count | iid (as a name), ID of each: those of one producer in their
 *              order, oldest first
 *   END
 *
 * A loader believes nothing: every count, order and ID is proved before a piece is taken, and what
 * it allocates is bounded by the size of the pieces. */
#ifndef STREAM_STREAM_IMAGE_H
#define STREAM_STREAM_IMAGE_H

#include "base/buf.h"
#include "stream/stream_group.h"

/* Never reused, never renumbered: they are on the disk. */
enum stream_piece {
    STREAM_PIECE_END = 0,
    STREAM_PIECE_HEAD = 1,
    STREAM_PIECE_BLOCK = 2,
    STREAM_PIECE_GROUP = 3,
    STREAM_PIECE_CONSUMERS = 4,
    STREAM_PIECE_PENDING = 5,
    STREAM_PIECE_PRODUCERS = 6,
    STREAM_PIECE_IIDS = 7,
};

struct stream_image;

/* The number is not 0 and is no other image's of this stream, ever. An image that is not through
 * with the stream then writes all that it lacks at once: two of them are rare (db/save.h). */
struct stream_image *stream_image_create(struct stream *s, uint32_t number);
void stream_image_destroy(struct stream_image *image);

/* The next piece: what is appended to 'head', then 'body', which is borrowed until the next call.
 * Both empty: none this time, the step was used for something else. False: END was the last
 * one. */
bool stream_image_next(struct stream_image *image, struct buf *head, struct slice *body);

/* ---- back ---- */

struct stream_loader;

struct stream_loader *stream_loader_create(void);
void stream_loader_destroy(struct stream_loader *l); /* with a stream that was not taken */

/* Takes the pieces in their order. False: this one is malformed or contradicts another; nothing
 * but destroy is allowed then. */
bool stream_loader_add(struct stream_loader *l, struct slice piece);

/* The stream, owned by the caller, once END was added; before that NULL. */
struct stream *stream_loader_take(struct stream_loader *l);

#endif
