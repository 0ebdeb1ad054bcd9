/* model_fixture.h - for stream_model_test.c: a stream with its groups, and beside it naive arrays
 * that say what it must answer. Included by tests only.
 *
 * The model of a stream is every entry that was ever appended, with its fields as a seed that makes
 * them again, and a mark when it is gone; the model of a group is a sorted array of pending
 * entries. Both change a stream at random and compare what can be read of it. */
#ifndef STREAM_MODEL_FIXTURE_H
#define STREAM_MODEL_FIXTURE_H

#include "base/random.h"
#include "stream/stream_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    MODEL_ENTRIES_MAX = 6000,
    MODEL_PENDING_MAX = 6000,
    MODEL_GROUPS = 3,
    MODEL_CONSUMERS = 6,
    MODEL_VIEWS = 3,
};

struct model_entry {
    struct stream_id id;
    uint64_t text_seed; /* its items are made from this */
    uint64_t ordinal;   /* among all appends */
    bool live;
};

struct model_pending {
    struct stream_id id;
    int64_t delivery_ms;
    uint64_t deliveries;
    int consumer; /* -1: unowned */
};

struct model_group {
    bool exists;
    bool exact;
    struct stream_id last_delivered;
    uint64_t entries_read;
    bool consumers[MODEL_CONSUMERS];
    int64_t seen[MODEL_CONSUMERS];
    int64_t active[MODEL_CONSUMERS];
    struct model_pending pending[MODEL_PENDING_MAX];
    size_t pending_count;
};

struct model_view {
    struct stream *view;         /* frozen, or a whole copy */
    struct model_entry *entries; /* live ones, when it was frozen */
    size_t count;
};

struct model {
    struct random random;
    struct stream *stream;
    struct model_entry entries[MODEL_ENTRIES_MAX];
    size_t count;
    uint64_t length;
    uint64_t appended;
    uint64_t entries_added;
    struct stream_id last_id;
    struct stream_id max_deleted;
    struct stream_block_limits limits;
    int64_t now_ms;
    struct model_group groups[MODEL_GROUPS];
    struct model_view views[MODEL_VIEWS];
};

static inline uint64_t model_below(struct model *m, uint64_t bound)
{
    return random_below(&m->random, bound);
}

static inline bool model_one_in(struct model *m, uint64_t n)
{
    return model_below(m, n) == 0;
}

static inline bool id_same(struct stream_id a, struct stream_id b)
{
    return stream_id_compare(a, b) == 0;
}

static inline bool id_less(struct stream_id a, struct stream_id b)
{
    return stream_id_compare(a, b) < 0;
}

/* ---- model_stream_fixture.c ---- */

void model_begin(struct model *m, uint64_t seed); /* an empty stream */
void model_end(struct model *m);

/* One change of the stream or of a group, or a comparison of what is read. */
void model_use(struct model *m);

/* Mostly an ID that is or was there. */
struct stream_id model_some_id(struct model *m);
struct stream_range model_some_range(struct model *m);

uint64_t model_count(const struct model *m, struct stream_range range); /* live entries */

/* entries_read of a group whose last entry is the ordinal-th that was appended. */
uint64_t model_shown(const struct model *m, uint64_t ordinal, struct stream_id id);
uint64_t model_ordinal(const struct model *m, struct stream_id id);

/* ---- model_group_fixture.c ---- */

/* The part of model_use that is about groups. */
void model_use_group(struct model *m);

#endif
