/* stream_answer.c - one loop writes the entries of an answer, from streams while the command runs
 * and from frozen views afterwards. */
#include "command/stream_answer.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>

enum { DROP_STEPS = 2000 }; /* blocks that are freed in one go */

/* Where the answer stands. The walk lives as long as the parts: the view that takes the place of a
 * stream has the same blocks in the same places. */
struct progress {
    size_t part;
    bool begun;         /* the part: its head is written */
    size_t item;        /* the next one of the part */
    uint64_t left;      /* entries of the part's range */
    bool walk_of_range; /* the walk has reached the range; it was one for the items before */
    struct stream_walk walk;
};

struct answer_rest {
    struct reply_rest rest; /* first: the engine has its address */
    struct progress progress;
    char *keys; /* of all parts */
    size_t keys_bytes;
    size_t count;
    /* Of each stream one view, at the last part that answers from it; NULL: none, or all of its
     * parts are answered. */
    struct stream **views;
    struct stream_part parts[];
};

/* ---- writing ---- */

/* [id, fields, idle milliseconds, deliveries before this one]. */
static void answer_with_age(struct reply *r, struct stream_walk *walk, int64_t idle_ms,
                            uint64_t deliveries)
{
    reply_array(r, 4);
    answer_stream_id_and_fields(r, walk);
    reply_integer(r, idle_ms);
    reply_integer(r, (int64_t)deliveries);
}

static void answer_item(struct reply *r, const struct stream_part *part,
                        const struct stream_item *item, struct stream_walk *walk)
{
    bool present = !part->only_ids && stream_walk_seek(walk, item->id);
    if (part->only_ids) {
        answer_stream_id(r, item->id);
    } else if (part->claims) {
        CHECK(present);
        answer_with_age(r, walk, item->idle_ms, item->deliveries);
    } else if (present) {
        answer_stream_entry(r, walk);
    } else {
        reply_array(r, 2);
        answer_stream_id(r, item->id);
        reply_null_array(r);
    }
}

/* The range, until 'end'. False: there is more. All that it calls is compiled into it: a fourth of
 * the instructions of a long XRANGE went into calls. */
__attribute__((flatten)) static bool answer_range(struct reply *r, struct progress *p, uint64_t end)
{
    uint64_t left = p->left;
    for (; left > 0 && r->out->appended < end; left--) {
        CHECK(stream_walk_next(&p->walk));
        answer_stream_entry(r, &p->walk);
    }
    p->left = left;
    return left == 0;
}

static bool answer_new(struct reply *r, struct progress *p, uint64_t end)
{
    for (; p->left > 0 && r->out->appended < end; p->left--) {
        CHECK(stream_walk_next(&p->walk));
        answer_with_age(r, &p->walk, 0, 0);
    }
    return p->left == 0;
}

static void begin_part(struct reply *r, const struct stream_part *part, struct progress *p)
{
    if (part->keyed) {
        reply_pair(r);
        reply_bulk(r, part->key);
    }
    reply_array(r, (size_t)(part->items_count + part->count));
    p->begun = true;
    p->item = 0;
    p->left = part->count;
    p->walk_of_range = false;
}

/* False: 'end' was reached before all of the part was written. */
static bool answer_part(struct reply *r, const struct stream_part *part, struct progress *p,
                        uint64_t end)
{
    if (!p->begun) {
        begin_part(r, part, p);
        struct stream_range all = {STREAM_ID_MIN, STREAM_ID_MAX};
        if (part->items_count > 0 && !part->only_ids)
            stream_walk_begin(&p->walk, part->stream, all, false);
    }
    for (; p->item < part->items_count; p->item++) {
        if (r->out->appended >= end) return false;
        answer_item(r, part, &part->items[p->item], &p->walk);
    }
    if (p->left > 0 && !p->walk_of_range) {
        stream_walk_begin(&p->walk, part->stream, part->range, part->reverse);
        p->walk_of_range = true;
    }
    p->begun = !(part->claims ? answer_new(r, p, end) : answer_range(r, p, end));
    return !p->begun;
}

/* ---- the rest ---- */

/* Gives up the views of what is answered. Entries that nobody else has any more are freed, of which
 * this does a bounded portion; false: there are more. */
static bool drop_views(struct answer_rest *a)
{
    size_t steps = DROP_STEPS;
    for (size_t i = 0; i < a->progress.part; i++) {
        if (a->views[i] != NULL && !stream_dismantle(a->views[i], &steps)) return false;
        a->views[i] = NULL;
    }
    return true;
}

static bool rest_next(struct reply_rest *rest, struct reply *r, uint64_t end)
{
    struct answer_rest *a = (struct answer_rest *)(void *)rest;
    struct progress *p = &a->progress;
    for (; p->part < a->count; p->part++)
        if (a->parts[p->part].served && !answer_part(r, &a->parts[p->part], p, end)) break;
    return !drop_views(a) || p->part < a->count;
}

static void rest_destroy(struct reply_rest *rest)
{
    struct answer_rest *a = (struct answer_rest *)(void *)rest;
    for (size_t i = 0; i < a->count; i++)
        if (a->views[i] != NULL) stream_destroy(a->views[i]);
    stream_parts_free(a->parts, a->count);
    memory_free(a->keys, a->keys_bytes);
    memory_free(a->views, a->count * sizeof *a->views);
    memory_free(a, sizeof *a + a->count * sizeof *a->parts);
}

/* What a part has entries of. */
struct origin {
    const struct stream *stream;
    size_t part;
};

static int compare_origins(const void *a, const void *b)
{
    const struct origin *x = a, *y = b;
    if (x->stream != y->stream) return (uintptr_t)x->stream < (uintptr_t)y->stream ? -1 : 1;
    return x->part < y->part ? -1 : 1;
}

/* The parts that are left get views for their streams. One for each stream: a key that is named
 * half a million times would take gigabytes of them. */
static void freeze_streams(struct answer_rest *a)
{
    struct origin *origins = memory_allocate(a->count * sizeof *origins);
    struct stream *view = NULL;
    size_t count = 0;
    for (size_t i = a->progress.part; i < a->count; i++)
        if (a->parts[i].served && !a->parts[i].only_ids)
            origins[count++] = (struct origin){a->parts[i].stream, i};
    qsort(origins, count, sizeof *origins, compare_origins);
    for (size_t i = count; i-- > 0;) { /* of each stream the last part first */
        const struct origin *o = &origins[i];
        if (i + 1 == count || origins[i + 1].stream != o->stream) {
            view = stream_freeze(o->stream);
            a->views[o->part] = view;
        }
        CHECK(view != NULL);
        a->parts[o->part].stream = view;
    }
    memory_free(origins, a->count * sizeof *origins);
}

/* What is left of the answer as a value of its own: frozen views, copies of the keys. */
static struct reply_rest *make_rest(struct stream_part *parts, size_t count,
                                    const struct progress *p)
{
    struct answer_rest *a = memory_allocate(sizeof *a + count * sizeof *parts);
    *a = (struct answer_rest){.rest = {rest_next, rest_destroy, 0}, .count = count};
    a->progress = *p;
    a->views = memory_allocate_zeroed(count * sizeof *a->views);
    for (size_t i = p->part; i < count; i++) a->keys_bytes += parts[i].key.size;
    if (a->keys_bytes > 0) a->keys = memory_allocate(a->keys_bytes);
    char *keys = a->keys;
    a->rest.memory_bytes = sizeof *a + count * (sizeof *parts + sizeof *a->views) + a->keys_bytes;
    for (size_t i = 0; i < count; i++) {
        struct stream_part *part = &a->parts[i];
        *part = parts[i];
        parts[i].items = NULL;
        parts[i].items_count = 0;
        a->rest.memory_bytes += part->items_count * sizeof *part->items;
        if (i < p->part || !part->served) continue;
        if (keys != NULL) memcpy(keys, part->key.data, part->key.size);
        part->key.data = keys;
        keys += part->key.size;
    }
    freeze_streams(a);
    if (p->begun && !a->parts[p->part].only_ids)
        stream_walk_move(&a->progress.walk, a->parts[p->part].stream);
    return &a->rest;
}

void answer_stream_parts(struct command_context *c, struct stream_part *parts, size_t count,
                         uint64_t cut)
{
    struct progress p;
    p.begun = false;
    for (p.part = 0; p.part < count; p.part++) {
        if (!parts[p.part].served) continue;
        if (answer_part(c->reply, &parts[p.part], &p, cut)) continue;
        CHECK(c->portions->rest == NULL);
        c->portions->rest = make_rest(parts, count, &p);
        return;
    }
}

void stream_part_list(struct stream_part *part, const struct stream_ids *ids)
{
    CHECK(part->items == NULL);
    part->items_count = ids->count;
    if (ids->count == 0) return;
    part->items = memory_allocate(ids->count * sizeof *part->items);
    for (size_t i = 0; i < ids->count; i++)
        part->items[i] = (struct stream_item){.id = ids->items[i]};
}

void stream_parts_free(struct stream_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memory_free(parts[i].items, parts[i].items_count * sizeof *parts[i].items);
}
