/* stream_answer.h - answering with entries of streams: XRANGE, XREVRANGE, XREAD, XREADGROUP, XCLAIM
 * and XAUTOCLAIM.
 *
 * An answer is a list of parts, for a read one for each key. A part is first some entries that are
 * named, then a range. Everything that the answer says is decided when its first byte is written:
 * what does not fit into the first portion (portions.h) is answered later from frozen views. */
#ifndef COMMAND_STREAM_ANSWER_H
#define COMMAND_STREAM_ANSWER_H

#include "command/portions.h"
#include "command/stream_arguments.h"

/* An entry that is named, not found in a range: one of the history, or one that was claimed. */
struct stream_item {
    struct stream_id id;
    int64_t idle_ms; /* claimed: since the delivery before; -1: it was nobody's (XNACK) */
    uint64_t deliveries;
};

struct stream_part {
    bool served;   /* false: the key answers nothing */
    bool keyed;    /* the key is written before the entries */
    bool claims;   /* every entry is answered with its idle time and deliveries */
    bool only_ids; /* of the items; there is no range, and the stream is not looked at */
    bool reverse;  /* the range, from its end */
    struct slice key;
    const struct stream *stream;
    struct stream_item *items; /* owned by the caller, who frees them with stream_parts_free */
    size_t items_count;        /* 0: items is NULL */
    struct stream_range range; /* 'count' entries from its beginning are there */
    uint64_t count;
};

/* Writes the entries of the parts, those that are served. Takes the items of all parts when the
 * answer is cut: then they are NULL afterwards. */
void answer_stream_parts(struct command_context *c, struct stream_part *parts, size_t count,
                         uint64_t cut);

/* The items of the part, which has none yet. */
void stream_part_list(struct stream_part *part, const struct stream_ids *ids);

void stream_parts_free(struct stream_part *parts, size_t count); /* their items */

#endif
