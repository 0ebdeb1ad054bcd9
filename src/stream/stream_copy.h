/* stream_copy.h - another stream that is the same: entries, groups, pending entries, producers. */
#ifndef STREAM_STREAM_COPY_H
#define STREAM_STREAM_COPY_H

#include "stream/stream.h"

/* Owned by the caller. Takes time and memory like loading the stream from a snapshot. To readers
 * the stream stays as it is; an image of it under way is brought to its end (stream_image.h). */
struct stream *stream_copy(struct stream *s);

#endif
