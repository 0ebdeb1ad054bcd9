/* stream_model_test.c - the whole room against naive arrays: random operations on a stream and on
 * the model, everything that can be read compared, every invariant checked.
 *
 * The model of a stream is every entry that was ever appended, with its fields as one text, and a
 * mark when it is gone; the model of a group is a sorted array of pending entries. IRMAK_SEED and
 * IRMAK_OPERATIONS choose another run. */
#include "base/check.h"
#include "base/memory.h"
#include "base/random.h"
#include "stream/items_fixture.h"
#include "stream/stream_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    MODEL_ENTRIES_MAX = 6000,
    MODEL_PENDING_MAX = 6000,
    MODEL_GROUPS = 3,
    MODEL_CONSUMERS = 6,
    MODEL_VIEWS = 3,
    MODEL_LIFE = 4000, /* operations before a stream is dropped and a new one begun */
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
    struct stream_view *view;
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

static const char *const GROUP_NAMES[MODEL_GROUPS] = {"alpha", "", "gamma"};
static const char *const CONSUMER_NAMES[MODEL_CONSUMERS] = {"c1", "c2", "c3", "a", "zz", "m"};

static uint64_t below(struct model *m, uint64_t bound)
{
    return random_below(&m->random, bound);
}

static bool one_in(struct model *m, uint64_t n)
{
    return below(m, n) == 0;
}

static bool same(struct stream_id a, struct stream_id b)
{
    return stream_id_compare(a, b) == 0;
}

static bool less(struct stream_id a, struct stream_id b)
{
    return stream_id_compare(a, b) < 0;
}

static void expect_entry(struct stream_walk *w, const struct model_entry *e, bool fields)
{
    struct items items;
    struct slice item;
    assert_true(same(w->id, e->id));
    make_items(e->text_seed, &items);
    assert_int_equal(w->fields_count, items.count);
    assert_int_equal(w->data_bytes, items.bytes);
    if (!fields) return;
    for (size_t i = 0; i < items.count; i++) {
        assert_true(stream_walk_field(w, &item));
        assert_true(slice_equal(item, items.slices[i]));
    }
    assert_false(stream_walk_field(w, &item));
}

/* ---- choosing ---- */

static struct stream_id some_id(struct model *m)
{
    struct stream_id id = {0, 0};
    if (m->count > 0) id = m->entries[below(m, m->count)].id;
    switch (below(m, 12)) {
    case 0: return STREAM_ID_MIN;
    case 1: return STREAM_ID_MAX;
    case 2: (void)stream_id_decrement(&id); return id;
    case 3: (void)stream_id_increment(&id); return id;
    case 4: return m->last_id;
    case 5: return (struct stream_id){below(m, m->last_id.ms + 2), below(m, 4)};
    default: return id;
    }
}

static struct stream_range some_range(struct model *m)
{
    struct stream_range range = {some_id(m), some_id(m)};
    if (less(range.last, range.first) && !one_in(m, 10))
        range = (struct stream_range){range.last, range.first};
    return range;
}

static bool in_range(const struct model_entry *e, struct stream_range range)
{
    return e->live && !less(e->id, range.first) && !less(range.last, e->id);
}

static uint64_t model_count(const struct model *m, struct stream_range range)
{
    uint64_t count = 0;
    for (size_t i = 0; i < m->count; i++) count += in_range(&m->entries[i], range);
    return count;
}

static uint64_t model_shown(const struct model *m, uint64_t ordinal, struct stream_id id)
{
    uint64_t after = m->appended - ordinal;
    uint64_t shown = m->entries_added > after ? m->entries_added - after : 0;
    uint64_t least = model_count(m, (struct stream_range){STREAM_ID_MIN, id});
    return shown > least ? shown : least;
}

static uint64_t model_ordinal(const struct model *m, struct stream_id id)
{
    if (!less(id, m->last_id)) return m->entries_added;
    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i].live && less(id, m->entries[i].id))
            return model_shown(m, m->entries[i].ordinal - 1, id);
    return m->entries_added;
}

/* ---- operations on entries ---- */

static void forget(struct model *m, size_t i)
{
    assert_true(m->entries[i].live);
    m->entries[i].live = false;
    m->length--;
}

static void do_append(struct model *m)
{
    if (m->count == MODEL_ENTRIES_MAX) return;
    struct stream_id id = next_id(&m->random, m->last_id);
    if (!less(m->last_id, id)) return; /* the sequence was exhausted */
    struct items items;
    uint64_t seed = random_next(&m->random);
    make_items(seed, &items);
    stream_append(m->stream, id, items.slices, items.count, &m->limits);
    m->appended++;
    m->entries_added++;
    m->length++;
    m->last_id = id;
    m->entries[m->count++] = (struct model_entry){id, seed, m->appended, true};
}

static void do_delete(struct model *m)
{
    struct stream_id id = some_id(m);
    bool expected = false;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->entries[i].live || !same(m->entries[i].id, id)) continue;
        forget(m, i);
        expected = true;
        if (less(m->max_deleted, id)) m->max_deleted = id;
    }
    assert_int_equal(stream_delete(m->stream, id), expected);
}

static void trim_before(struct model *m, struct stream_id first_kept, uint64_t count)
{
    uint64_t dropped = 0;
    bool all = same(first_kept, STREAM_ID_MIN);
    for (size_t i = 0; i < m->count; i++) {
        if (!m->entries[i].live || (!all && !less(m->entries[i].id, first_kept))) continue;
        forget(m, i);
        dropped++;
    }
    assert_int_equal(dropped, count);
    assert_int_equal(stream_trim_before(m->stream, first_kept), dropped);
}

static void do_trim(struct model *m)
{
    struct stream_trim trim = {.by = one_in(m, 2) ? STREAM_TRIM_LENGTH : STREAM_TRIM_ID};
    uint64_t keep =
        one_in(m, 4) ? below(m, m->length + 2) : m->length - below(m, m->length / 8 + 1);
    trim.length_max = one_in(m, 30) ? 0 : keep;
    trim.id_min = some_id(m);
    if (trim.by == STREAM_TRIM_ID && m->count > 0 && !one_in(m, 5))
        trim.id_min =
            m->entries[m->count - m->length + below(m, m->length / 6 + 1) - (m->length == 0)].id;
    trim.approximate = one_in(m, 2);
    if (trim.approximate && one_in(m, 2)) trim.entries_removed_max = below(m, 40);

    struct stream_id first_kept;
    uint64_t count = 0;
    bool planned = stream_trim_plan(m->stream, &trim, 0, &first_kept, &count);
    uint64_t wanted = 0;
    if (trim.by == STREAM_TRIM_LENGTH && m->length > trim.length_max)
        wanted = m->length - trim.length_max;
    if (trim.by == STREAM_TRIM_ID)
        for (size_t i = 0; i < m->count; i++)
            wanted += m->entries[i].live && less(m->entries[i].id, trim.id_min);
    if (!trim.approximate) assert_int_equal(planned ? count : 0, wanted);
    else assert_true(!planned || (count > 0 && count <= wanted));
    if (trim.entries_removed_max > 0 && planned) assert_true(count <= trim.entries_removed_max);
    if (planned) trim_before(m, first_kept, count);
}

static void do_counters(struct model *m)
{
    if (one_in(m, 2)) {
        struct stream_id last = m->last_id;
        for (size_t i = m->count; i > 0; i--) {
            if (!m->entries[i - 1].live) continue;
            last = m->entries[i - 1].id;
            break;
        }
        if (one_in(m, 2)) {
            last = m->last_id;
            last.ms += below(m, 100);
        }
        m->last_id = last;
        stream_set_last_id(m->stream, last);
    } else {
        m->entries_added = m->length + below(m, 2 * m->length + 3);
        m->max_deleted = some_id(m);
        stream_set_counters(m->stream, m->entries_added, m->max_deleted);
    }
}

static void do_limits(struct model *m)
{
    static const size_t ENTRIES[] = {0, 1, 2, 7, 100, 100, 100};
    static const size_t BYTES[] = {0, 1, 200, 1000, 4096, 4096, 4096};
    m->limits.entries_max = ENTRIES[below(m, 7)];
    m->limits.bytes_max = BYTES[below(m, 7)];
}

/* ---- reading ---- */

static void do_walk(struct model *m)
{
    struct stream_range range =
        one_in(m, 8) ? (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX} : some_range(m);
    bool reverse = one_in(m, 2);
    bool fields = one_in(m, 2);
    uint64_t stop = one_in(m, 2) ? UINT64_MAX : below(m, 20);
    struct stream_walk w;
    stream_walk_begin(&w, m->stream, range, reverse);
    for (size_t n = 0; n < m->count; n++) {
        const struct model_entry *e = &m->entries[reverse ? m->count - 1 - n : n];
        if (!in_range(e, range)) continue;
        if (stop-- == 0) return;
        assert_true(stream_walk_next(&w));
        expect_entry(&w, e, fields);
    }
    assert_false(stream_walk_next(&w));
    assert_false(stream_walk_next(&w));
}

static void do_count(struct model *m)
{
    struct stream_range range = some_range(m);
    uint64_t expected = model_count(m, range);
    assert_int_equal(stream_count(m->stream, range, UINT64_MAX), expected);
    uint64_t limit = below(m, 30);
    assert_int_equal(stream_count(m->stream, range, limit), expected < limit ? expected : limit);

    struct stream_id id = some_id(m);
    struct stream_range after = {id, STREAM_ID_MAX};
    expected = stream_id_increment(&after.first) ? model_count(m, after) : 0;
    assert_int_equal(stream_count_after(m->stream, id), expected);
    assert_int_equal(stream_ordinal(m->stream, id), model_ordinal(m, id));

    bool contains = model_count(m, (struct stream_range){id, id}) == 1;
    assert_int_equal(stream_contains(m->stream, id), contains);
}

static void do_facts(struct model *m)
{
    struct stream_id first = {0, 0};
    struct stream_id last = {0, 0};
    struct stream_id id;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->entries[i].live) continue;
        if (same(first, STREAM_ID_MIN)) first = m->entries[i].id;
        last = m->entries[i].id;
    }
    assert_int_equal(stream_length(m->stream), m->length);
    assert_int_equal(stream_entries_added(m->stream), m->entries_added);
    assert_true(same(stream_last_id(m->stream), m->last_id));
    assert_true(same(stream_max_deleted_id(m->stream), m->max_deleted));
    assert_int_equal(stream_first_id(m->stream, &id), m->length > 0);
    if (m->length > 0) assert_true(same(id, first));
    assert_int_equal(stream_last_live_id(m->stream, &id), m->length > 0);
    if (m->length > 0) assert_true(same(id, last));
    assert_true(stream_memory_bytes(m->stream) > 0);
    assert_true(stream_blocks_count(m->stream) <= m->length);
}

/* ---- views ---- */

static void close_view(struct model_view *v)
{
    if (v->view == NULL) return;
    stream_view_destroy(v->view);
    if (v->count > 0) memory_free(v->entries, v->count * sizeof *v->entries);
    *v = (struct model_view){0};
}

static void open_view(struct model *m, struct model_view *v)
{
    v->view = stream_freeze(m->stream);
    v->count = m->length;
    if (v->count > 0) v->entries = memory_allocate(v->count * sizeof *v->entries);
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i].live) v->entries[n++] = m->entries[i];
    assert_int_equal(n, v->count);
}

static void check_view(struct model_view *v, bool reverse)
{
    struct stream_walk w;
    assert_int_equal(stream_view_length(v->view), v->count);
    stream_view_walk_begin(&w, v->view, (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX},
                           reverse);
    for (size_t i = 0; i < v->count; i++) {
        assert_true(stream_walk_next(&w));
        expect_entry(&w, &v->entries[reverse ? v->count - 1 - i : i], true);
    }
    assert_false(stream_walk_next(&w));
}

static void do_view(struct model *m)
{
    struct model_view *v = &m->views[below(m, MODEL_VIEWS)];
    if (v->view == NULL) {
        open_view(m, v);
        return;
    }
    check_view(v, one_in(m, 2));
    if (one_in(m, 2)) close_view(v);
}

/* ---- groups ---- */

static struct slice group_name(size_t g)
{
    return slice_of(GROUP_NAMES[g]);
}

static void do_group(struct model *m)
{
    size_t n = below(m, MODEL_GROUPS);
    struct model_group *g = &m->groups[n];
    struct stream_id id = one_in(m, 3) ? STREAM_ID_MIN : some_id(m);
    int64_t entries_read = one_in(m, 2) ? STREAM_ENTRIES_READ_EXACT : (int64_t)below(m, 1000);
    if (g->exists && one_in(m, 6)) {
        assert_true(stream_group_destroy(m->stream, group_name(n)));
        assert_false(stream_group_destroy(m->stream, group_name(n)));
        memset(g, 0, sizeof *g);
        return;
    }
    if (g->exists && !one_in(m, 4)) return;
    if (g->exists) {
        stream_group_set_id(m->stream, group_name(n), id, entries_read);
    } else {
        assert_null(stream_group_find(m->stream, group_name(n)));
        stream_group_create(m->stream, group_name(n), id, entries_read);
    }
    g->exists = true;
    g->exact = entries_read == STREAM_ENTRIES_READ_EXACT;
    g->last_delivered = id;
    g->entries_read = g->exact ? model_ordinal(m, id) : (uint64_t)entries_read;
}

static size_t find_pending(const struct model_group *g, struct stream_id id)
{
    size_t i = 0;
    while (i < g->pending_count && less(g->pending[i].id, id)) i++;
    return i;
}

static bool is_pending(const struct model_group *g, struct stream_id id)
{
    size_t i = find_pending(g, id);
    return i < g->pending_count && same(g->pending[i].id, id);
}

static void put_pending(struct model_group *g, struct model_pending p)
{
    size_t i = find_pending(g, p.id);
    if (!is_pending(g, p.id)) {
        assert_true(g->pending_count < MODEL_PENDING_MAX);
        memmove(g->pending + i + 1, g->pending + i, (g->pending_count - i) * sizeof p);
        g->pending_count++;
    }
    g->pending[i] = p;
}

static void drop_pending(struct model_group *g, size_t i)
{
    g->pending_count--;
    memmove(g->pending + i, g->pending + i + 1, (g->pending_count - i) * sizeof g->pending[0]);
}

static void do_consumer(struct model *m, size_t n)
{
    struct model_group *g = &m->groups[n];
    size_t c = below(m, MODEL_CONSUMERS);
    struct slice name = slice_of(CONSUMER_NAMES[c]);
    if (!g->consumers[c]) {
        stream_consumer_create(m->stream, group_name(n), name, m->now_ms);
        g->consumers[c] = true;
        g->seen[c] = m->now_ms;
        g->active[c] = -1;
    } else if (one_in(m, 2)) {
        stream_consumer_seen(m->stream, group_name(n), name, m->now_ms);
        g->seen[c] = m->now_ms;
    } else if (one_in(m, 4)) {
        uint64_t expected = 0;
        for (size_t i = g->pending_count; i > 0; i--) {
            if (g->pending[i - 1].consumer != (int)c) continue;
            drop_pending(g, i - 1);
            expected++;
        }
        assert_int_equal(stream_consumer_destroy(m->stream, group_name(n), name), expected);
        g->consumers[c] = false;
    }
}

static int some_consumer(struct model *m, const struct model_group *g)
{
    size_t start = below(m, MODEL_CONSUMERS);
    for (size_t i = 0; i < MODEL_CONSUMERS; i++)
        if (g->consumers[(start + i) % MODEL_CONSUMERS])
            return (int)((start + i) % MODEL_CONSUMERS);
    return -1;
}

static void do_deliver(struct model *m, size_t n)
{
    struct model_group *g = &m->groups[n];
    int c = some_consumer(m, g);
    if (c < 0) return;
    uint64_t limit = one_in(m, 3) ? 1 + below(m, 300) : 1 + below(m, 5);
    struct stream_delivery d = {.group = group_name(n),
                                .consumer = slice_of(CONSUMER_NAMES[c]),
                                .now_ms = m->now_ms,
                                .no_ack = one_in(m, 8)};
    uint64_t ordinal = 0;
    for (size_t i = 0; i < m->count && d.count < limit; i++) {
        const struct model_entry *e = &m->entries[i];
        if (!e->live || !less(g->last_delivered, e->id)) continue;
        d.last_id = e->id;
        d.count++;
        ordinal = e->ordinal;
        if (!d.no_ack) put_pending(g, (struct model_pending){e->id, m->now_ms, 1, c});
    }
    if (d.count == 0) return;
    struct stream_delivery wrong = d;
    wrong.count += one_in(m, 2) ? 1 : UINT64_MAX;
    if (one_in(m, 10)) assert_false(stream_group_deliver(m->stream, &wrong));
    assert_true(stream_group_deliver(m->stream, &d));
    g->last_delivered = d.last_id;
    g->entries_read = g->exact ? model_shown(m, ordinal, d.last_id) : g->entries_read + d.count;
    g->seen[c] = g->active[c] = m->now_ms;
}

static size_t some_pending(struct model *m, const struct model_group *g, struct stream_id ids[64])
{
    size_t count = 1 + below(m, one_in(m, 3) ? 64 : 4);
    size_t at = one_in(m, 2) || g->pending_count == 0 ? 0 : below(m, g->pending_count);
    bool scattered = one_in(m, 3);
    for (size_t i = 0; i < count; i++) {
        if (scattered && g->pending_count > 0) at = below(m, g->pending_count);
        ids[i] = at < g->pending_count && !one_in(m, 10) ? g->pending[at].id : some_id(m);
        at++;
    }
    return count;
}

static void do_acknowledge(struct model *m, size_t n)
{
    struct model_group *g = &m->groups[n];
    struct stream_id ids[64];
    size_t count = some_pending(m, g, ids);
    uint64_t expected = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_pending(g, ids[i])) continue;
        drop_pending(g, find_pending(g, ids[i]));
        expected++;
    }
    assert_int_equal(stream_group_acknowledge(m->stream, group_name(n), ids, count), expected);
}

static void do_claim(struct model *m, size_t n)
{
    struct model_group *g = &m->groups[n];
    struct stream_id ids[64];
    int c = one_in(m, 4) ? -1 : some_consumer(m, g);
    struct stream_claim claim = {
        .group = group_name(n), .ids = ids, .active_ms = -1, .unowned = c < 0};
    claim.count = some_pending(m, g, ids);
    if (g->pending_count + claim.count > MODEL_PENDING_MAX) return;
    if (c >= 0) claim.consumer = slice_of(CONSUMER_NAMES[c]);
    if (c >= 0 && one_in(m, 2)) claim.active_ms = g->active[c] = m->now_ms;
    claim.delivery_ms = m->now_ms;
    if (one_in(m, 3)) claim.delivery_ms -= (int64_t)below(m, 100);
    if (one_in(m, 50)) claim.delivery_ms = one_in(m, 2) ? 0 : INT64_MAX;
    claim.deliveries = (enum stream_deliveries)below(m, 4);
    claim.deliveries_count = one_in(m, 5) ? INT64_MAX : below(m, 5);
    for (size_t i = 0; i < claim.count; i++) {
        struct model_pending p = {.deliveries = 1};
        if (is_pending(g, ids[i])) p = g->pending[find_pending(g, ids[i])];
        if (claim.deliveries == STREAM_DELIVERIES_SET) p.deliveries = claim.deliveries_count;
        else if (claim.deliveries == STREAM_DELIVERIES_INCREMENT && p.deliveries < INT64_MAX)
            p.deliveries++;
        else if (claim.deliveries == STREAM_DELIVERIES_DECREMENT && p.deliveries > 0)
            p.deliveries--;
        p.id = ids[i];
        p.delivery_ms = claim.delivery_ms;
        p.consumer = c;
        put_pending(g, p);
    }
    stream_group_claim(m->stream, &claim);
}

/* ---- reading groups ---- */

static void expect_pending(const struct stream_pending *p, const struct model_pending *expected)
{
    assert_true(same(p->id, expected->id));
    assert_int_equal(p->delivery_ms, expected->delivery_ms);
    assert_int_equal(p->deliveries, expected->deliveries);
    assert_int_equal(p->consumer == NULL, expected->consumer < 0);
    if (p->consumer != NULL)
        assert_true(slice_equal(stream_consumer_name(p->consumer),
                                slice_of(CONSUMER_NAMES[expected->consumer])));
}

static void do_pending_walk(struct model *m, size_t n)
{
    struct model_group *g = &m->groups[n];
    const struct stream_group *group = stream_group_find(m->stream, group_name(n));
    struct stream_range range =
        one_in(m, 3) ? (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX} : some_range(m);
    int c = one_in(m, 2) ? -1 : some_consumer(m, g);
    const struct stream_consumer *consumer = NULL;
    if (c >= 0) consumer = stream_consumer_find(group, slice_of(CONSUMER_NAMES[c]));
    int64_t max_ms = one_in(m, 2) ? INT64_MAX : m->now_ms - (int64_t)below(m, 200);
    struct stream_pending_walk w;
    stream_pending_walk_begin(&w, group, consumer, range);
    if (max_ms != INT64_MAX) stream_pending_walk_idle(&w, max_ms);
    for (size_t i = 0; i < g->pending_count; i++) {
        const struct model_pending *p = &g->pending[i];
        if (less(p->id, range.first) || less(range.last, p->id)) continue;
        if (c >= 0 && p->consumer != c) continue;
        if (p->consumer >= 0 && p->delivery_ms > max_ms) continue;
        assert_true(stream_pending_walk_next(&w));
        expect_pending(&w.entry, p);
    }
    assert_false(stream_pending_walk_next(&w));
}

static int compare_age(const void *left, const void *right)
{
    const struct model_pending *a = left;
    const struct model_pending *b = right;
    if ((a->consumer < 0) != (b->consumer < 0)) return a->consumer < 0 ? -1 : 1;
    if (a->delivery_ms != b->delivery_ms) return a->delivery_ms < b->delivery_ms ? -1 : 1;
    return stream_id_compare(a->id, b->id);
}

static void do_oldest(struct model *m, size_t n)
{
    struct model_group *g = &m->groups[n];
    const struct stream_group *group = stream_group_find(m->stream, group_name(n));
    struct stream_pending pending[200];
    size_t limit = below(m, 200);
    int64_t max_ms = one_in(m, 2) ? INT64_MAX : m->now_ms - (int64_t)below(m, 200);
    struct model_pending *sorted = memory_allocate((g->pending_count + 1) * sizeof *sorted);
    size_t count = 0;
    for (size_t i = 0; i < g->pending_count; i++)
        if (g->pending[i].consumer < 0 || g->pending[i].delivery_ms <= max_ms)
            sorted[count++] = g->pending[i];
    qsort(sorted, count, sizeof *sorted, compare_age);
    size_t expected = count < limit ? count : limit;
    assert_int_equal(stream_pending_list_oldest(group, max_ms, pending, limit), expected);
    for (size_t i = 0; i < expected; i++) expect_pending(&pending[i], &sorted[i]);
    if (max_ms == INT64_MAX) {
        assert_int_equal(stream_pending_oldest(group, &pending[0]), count > 0);
        if (count > 0) expect_pending(&pending[0], &sorted[0]);
    }
    memory_free(sorted, (g->pending_count + 1) * sizeof *sorted);
}

static void check_consumers(const struct model_group *g, const struct stream_group *group)
{
    size_t consumers = 0;
    size_t unowned = 0;
    for (int c = 0; c < MODEL_CONSUMERS; c++) {
        const struct stream_consumer *consumer =
            stream_consumer_find(group, slice_of(CONSUMER_NAMES[c]));
        assert_int_equal(consumer != NULL, g->consumers[c]);
        if (consumer == NULL) continue;
        size_t owned = 0;
        for (size_t i = 0; i < g->pending_count; i++) owned += g->pending[i].consumer == c;
        assert_int_equal(stream_consumer_pending_count(consumer), owned);
        assert_int_equal(stream_consumer_seen_ms(consumer), g->seen[c]);
        assert_int_equal(stream_consumer_active_ms(consumer), g->active[c]);
        consumers++;
    }
    for (size_t i = 0; i < g->pending_count; i++) unowned += g->pending[i].consumer < 0;
    assert_int_equal(stream_group_unowned_count(group), unowned);
    assert_int_equal(stream_consumers_count(group), consumers);
    const struct stream_consumer *previous = NULL;
    const struct stream_consumer *c;
    for (; (c = stream_consumer_next(group, previous)) != NULL; previous = c, consumers--)
        if (previous != NULL)
            assert_true(slice_compare(stream_consumer_name(previous), stream_consumer_name(c)) < 0);
    assert_int_equal(consumers, 0);
}

static void do_group_facts(struct model *m)
{
    size_t groups = 0;
    struct stream_id id = some_id(m);
    bool referenced = false;
    for (size_t n = 0; n < MODEL_GROUPS; n++) {
        const struct model_group *g = &m->groups[n];
        const struct stream_group *group = stream_group_find(m->stream, group_name(n));
        assert_int_equal(group != NULL, g->exists);
        if (!g->exists) continue;
        groups++;
        assert_true(slice_equal(stream_group_name(group), group_name(n)));
        assert_true(same(stream_group_last_delivered(group), g->last_delivered));
        assert_int_equal(stream_group_entries_read(m->stream, group), g->entries_read);
        assert_int_equal(stream_group_entries_read_exact(group), g->exact);
        assert_int_equal(stream_group_pending_count(group), g->pending_count);
        struct stream_range after = {g->last_delivered, STREAM_ID_MAX};
        uint64_t lag = stream_id_increment(&after.first) ? model_count(m, after) : 0;
        assert_int_equal(stream_group_lag(m->stream, group), lag);
        check_consumers(g, group);
        referenced = referenced || less(g->last_delivered, id) || is_pending(g, id);
        struct stream_pending p;
        assert_int_equal(stream_pending_find(group, id, &p), is_pending(g, id));
        if (is_pending(g, id)) expect_pending(&p, &g->pending[find_pending(g, id)]);
    }
    assert_int_equal(stream_groups_count(m->stream), groups);
    struct stream_id first, last;
    assert_int_equal(stream_is_referenced(m->stream, id, NULL), referenced);
    assert_int_equal(stream_referenced_bounds(m->stream, &first, &last), groups > 0);
    assert_true(referenced ? !less(id, first) : groups == 0 || !less(last, id));
    const struct stream_group *group = NULL;
    while ((group = stream_group_next(m->stream, group)) != NULL) groups--;
    assert_int_equal(groups, 0);
}

/* ---- the run ---- */

static void do_something_with_a_group(struct model *m)
{
    size_t n = below(m, MODEL_GROUPS);
    if (!m->groups[n].exists) {
        do_group(m);
        return;
    }
    switch (below(m, 12)) {
    case 0: do_group(m); break;
    case 1: do_consumer(m, n); break;
    case 2:
    case 3:
    case 4: do_deliver(m, n); break;
    case 5:
    case 6: do_acknowledge(m, n); break;
    case 7:
    case 8: do_claim(m, n); break;
    case 9: do_pending_walk(m, n); break;
    case 10: do_oldest(m, n); break;
    default: do_group_facts(m); break;
    }
}

static void do_something(struct model *m)
{
    m->now_ms += (int64_t)below(m, 3);
    uint64_t choice = below(m, 1000);
    if (choice < 450) do_append(m);
    else if (choice < 560) do_delete(m);
    else if (choice < 570) do_trim(m);
    else if (choice < 575) do_counters(m);
    else if (choice < 577) do_limits(m);
    else if (choice < 590) do_walk(m);
    else if (choice < 620) do_count(m);
    else if (choice < 630) do_facts(m);
    else if (choice < 640) do_view(m);
    else do_something_with_a_group(m);
}

static void begin(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->random.state = seed;
    m->stream = stream_create();
    m->limits = (struct stream_block_limits){4096, 100};
    m->now_ms = 1700000000000;
    if (!one_in(m, 3)) m->last_id.ms = 1700000000000;
    stream_set_last_id(m->stream, m->last_id);
    if (one_in(m, 2)) do_limits(m);
}

static void end(struct model *m)
{
    for (size_t i = 0; i < MODEL_VIEWS; i++) {
        if (m->views[i].view == NULL) continue;
        /* Half of the views outlive the stream. */
        if (i % 2 == 0) check_view(&m->views[i], false);
    }
    stream_check(m->stream);
    stream_destroy(m->stream);
    for (size_t i = 0; i < MODEL_VIEWS; i++) {
        if (m->views[i].view != NULL) check_view(&m->views[i], true);
        close_view(&m->views[i]);
    }
}

/* Whatever is done to a stream and its groups, they answer as the naive arrays do, frozen views
 * keep their content, and every invariant holds. */
static void test_stream_answers_as_the_model(void **state)
{
    (void)state;
    const char *seed_text = getenv("IRMAK_SEED");
    const char *operations_text = getenv("IRMAK_OPERATIONS");
    uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 10) : 1;
    uint64_t operations = operations_text != NULL ? strtoull(operations_text, NULL, 10) : 200000;
    struct model *m = memory_allocate(sizeof *m);
    for (uint64_t done = 0; done < operations; seed++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)seed);
        begin(m, seed);
        for (size_t i = 0; i < MODEL_LIFE; i++, done++) {
            do_something(m);
            if (i % 37 == 0) stream_check(m->stream);
        }
        end(m);
    }
    fprintf(stderr, "\n%llu operations\n", (unsigned long long)operations);
    memory_free(m, sizeof *m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stream_answers_as_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
