/* stream_id.h - the 128-bit, strictly increasing name of a stream entry: milliseconds-sequence. */
#ifndef STREAM_STREAM_ID_H
#define STREAM_STREAM_ID_H

#include "base/slice.h"

#include <stdint.h>

struct stream_id {
    uint64_t ms;
    uint64_t seq;
};

enum { STREAM_ID_TEXT_MAX = 41 }; /* two numbers of 20 digits and a dash; no terminator */

#define STREAM_ID_MIN ((struct stream_id){0, 0})
#define STREAM_ID_MAX ((struct stream_id){UINT64_MAX, UINT64_MAX})

static inline int stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms) return a.ms < b.ms ? -1 : 1;
    if (a.seq != b.seq) return a.seq < b.seq ? -1 : 1;
    return 0;
}

/* The ID before or after; false at the end of the range, *id untouched. */
bool stream_id_increment(struct stream_id *id);
bool stream_id_decrement(struct stream_id *id);

/* XADD *: the smallest ID after both 'last' and now_ms, so that a clock that steps back never
 * produces an ID that goes back. False if 'last' is the maximum. */
bool stream_id_next(struct stream_id last, uint64_t now_ms, struct stream_id *next);

/* XADD ms-*: the smallest ID after 'last' with this ms; false when there is none. */
bool stream_id_next_in(struct stream_id last, uint64_t ms, struct stream_id *next);

/* "123-4"; a bare "123" gets missing_seq as its sequence. False if malformed or too large. */
bool stream_id_parse(struct slice text, uint64_t missing_seq, struct stream_id *id);

/* Writes the text without a terminator; returns its size. */
size_t stream_id_format(struct stream_id id, char text[STREAM_ID_TEXT_MAX]);

#endif
