/* stream_copy.h - another stream that is the same: entries, groups, pending entries, producers.
 *
 * The two share their blocks until one of them changes one, which it then copies first
 * (block_index.h); groups, pending entries and producers are copied. docs/decisions/0027. */
#ifndef STREAM_STREAM_COPY_H
#define STREAM_STREAM_COPY_H

#include "stream/stream_group.h"

/* Owned by the caller. An image that is being made of the stream (stream_image.h) does not show. */
struct stream *stream_copy(const struct stream *s);

/* A stream without entries that has this group only, for a long reply. Owned by the caller. */
struct stream *stream_copy_group(const struct stream_group *g);

#endif
