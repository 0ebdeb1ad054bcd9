/* items_fixture.h - the fields of an entry, and IDs, made from a seed: for tests that compare what
 * a stream gives back with what went in without keeping a copy. */
#ifndef STREAM_ITEMS_FIXTURE_H
#define STREAM_ITEMS_FIXTURE_H

#include "base/random.h"
#include "base/slice.h"
#include "stream/stream_id.h"

#include <stdio.h>

enum { FIXTURE_ITEMS_MAX = 12, FIXTURE_TEXT_MAX = 400 };

struct items {
    struct slice slices[FIXTURE_ITEMS_MAX];
    char text[FIXTURE_ITEMS_MAX][FIXTURE_TEXT_MAX];
    size_t count;
    uint64_t bytes;
};

/* Mostly the same two or three names, sometimes others; values from empty to FIXTURE_TEXT_MAX. */
static inline void make_items(uint64_t seed, struct items *items)
{
    struct random r = {seed};
    uint64_t shape = random_below(&r, 8);
    size_t pairs = shape < 6 ? 2 : 1 + random_below(&r, FIXTURE_ITEMS_MAX / 2);
    items->count = pairs * 2;
    items->bytes = 0;
    for (size_t i = 0; i < items->count; i++) {
        size_t size;
        if (i % 2 == 0) {
            size = (size_t)snprintf(items->text[i], FIXTURE_TEXT_MAX, "name%zu%s", i,
                                    shape < 6 ? "" : "x");
            if (shape == 7 && i == 0) size = 0;
        } else {
            uint64_t kind = random_below(&r, 40);
            size = kind == 0 ? FIXTURE_TEXT_MAX : random_below(&r, kind < 4 ? 150 : 9);
            for (size_t j = 0; j < size; j++) items->text[i][j] = (char)random_next(&r);
        }
        items->slices[i] = (struct slice){items->text[i], size};
        items->bytes += size;
    }
}

/* An ID after 'last': mostly the next milliseconds, at times far away; not above it when the
 * sequence is exhausted. */
static inline struct stream_id next_id(struct random *r, struct stream_id last)
{
    switch (random_below(r, 12)) {
    case 0: return (struct stream_id){last.ms, last.seq + 1 + random_below(r, 3)};
    case 1: return (struct stream_id){last.ms + 1 + random_below(r, 40), random_below(r, 3)};
    case 2: return (struct stream_id){last.ms + random_below(r, UINT32_MAX), random_next(r)};
    case 3: return (struct stream_id){last.ms, last.seq + 1 + random_below(r, ~last.seq)};
    case 4:
    case 5: return (struct stream_id){last.ms, last.seq + 1};
    default: return (struct stream_id){last.ms + 1 + random_below(r, 2), 0};
    }
}

#endif
