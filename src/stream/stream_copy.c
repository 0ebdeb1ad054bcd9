/* stream_copy.c - through its image: what a snapshot keeps of a stream is all that there is. */
#include "stream/stream_copy.h"

#include "base/check.h"
#include "stream/stream_image.h"

/* Snapshots count theirs from 1. An image must have another number than the one before it of the
 * same stream; so each copy makes an image with the first number, and then one with the second, of
 * which nobody takes anything. */
enum { COPY_NUMBER = STREAM_IMAGE_NUMBER_MAX + 1, COPY_NUMBER_AFTER };

static void mark(struct stream *s)
{
    struct stream_image *image = stream_image_create(s, COPY_NUMBER_AFTER);
    struct buf piece = {0};
    struct slice body = {0};
    while (stream_image_next(image, &piece, &body)) piece.size = 0;
    stream_image_destroy(image);
    buf_deinit(&piece);
}

struct stream *stream_copy(struct stream *s)
{
    struct stream_image *image = stream_image_create(s, COPY_NUMBER);
    struct stream_loader *loader = stream_loader_create();
    struct buf piece = {0};
    struct slice body = {0};
    while (stream_image_next(image, &piece, &body)) {
        buf_append(&piece, body);
        CHECK(piece.size == 0 || stream_loader_add(loader, buf_slice(&piece)));
        piece.size = 0;
        body = (struct slice){0};
    }
    struct stream *copy = stream_loader_take(loader);
    CHECK(copy != NULL);
    stream_loader_destroy(loader);
    stream_image_destroy(image);
    buf_deinit(&piece);
    mark(s);
    return copy;
}
