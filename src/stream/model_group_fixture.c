/* model_group_fixture.c - the model of consumer groups and of what is pending in them. */
#include "base/memory.h"
#include "stream/model_fixture.h"

#include <stdlib.h>

static const char *const GROUP_NAMES[MODEL_GROUPS] = {"alpha", "", "gamma"};
static const char *const CONSUMER_NAMES[MODEL_CONSUMERS] = {"c1", "c2", "c3", "a", "zz", "m"};

/* ---- groups ---- */

static struct slice group_name(size_t g)
{
    return slice_of(GROUP_NAMES[g]);
}

static void do_group(struct model *m)
{
    size_t n = model_below(m, MODEL_GROUPS);
    struct model_group *g = &m->groups[n];
    struct stream_id id = model_one_in(m, 3) ? STREAM_ID_MIN : model_some_id(m);
    int64_t entries_read =
        model_one_in(m, 2) ? STREAM_ENTRIES_READ_EXACT : (int64_t)model_below(m, 1000);
    if (g->exists && model_one_in(m, 6)) {
        stream_destroy(stream_cut_group(m->stream, group_name(n)));
        memset(g, 0, sizeof *g);
        return;
    }
    if (g->exists && !model_one_in(m, 4)) return;
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
    while (i < g->pending_count && id_less(g->pending[i].id, id)) i++;
    return i;
}

static bool is_pending(const struct model_group *g, struct stream_id id)
{
    size_t i = find_pending(g, id);
    return i < g->pending_count && id_same(g->pending[i].id, id);
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
    size_t c = model_below(m, MODEL_CONSUMERS);
    struct slice name = slice_of(CONSUMER_NAMES[c]);
    if (!g->consumers[c]) {
        stream_consumer_create(m->stream, group_name(n), name, m->now_ms);
        g->consumers[c] = true;
        g->seen[c] = m->now_ms;
        g->active[c] = -1;
    } else if (model_one_in(m, 2)) {
        stream_consumer_seen(m->stream, group_name(n), name, m->now_ms);
        g->seen[c] = m->now_ms;
    } else if (model_one_in(m, 4)) {
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
    size_t start = model_below(m, MODEL_CONSUMERS);
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
    uint64_t limit = model_one_in(m, 3) ? 1 + model_below(m, 300) : 1 + model_below(m, 5);
    struct stream_delivery d = {.group = group_name(n),
                                .consumer = slice_of(CONSUMER_NAMES[c]),
                                .now_ms = m->now_ms,
                                .no_ack = model_one_in(m, 8)};
    uint64_t ordinal = 0;
    for (size_t i = 0; i < m->count && d.count < limit; i++) {
        const struct model_entry *e = &m->entries[i];
        if (!e->live || !id_less(g->last_delivered, e->id)) continue;
        d.last_id = e->id;
        d.count++;
        ordinal = e->ordinal;
        if (!d.no_ack) put_pending(g, (struct model_pending){e->id, m->now_ms, 1, c});
    }
    if (d.count == 0) return;
    struct stream_delivery wrong = d;
    wrong.count += model_one_in(m, 2) ? 1 : UINT64_MAX;
    if (model_one_in(m, 10)) assert_false(stream_group_deliver(m->stream, &wrong));
    assert_true(stream_group_deliver(m->stream, &d));
    g->last_delivered = d.last_id;
    g->entries_read = g->exact ? model_shown(m, ordinal, d.last_id) : g->entries_read + d.count;
    g->seen[c] = g->active[c] = m->now_ms;
}

static size_t some_pending(struct model *m, const struct model_group *g, struct stream_id ids[64])
{
    size_t count = 1 + model_below(m, model_one_in(m, 3) ? 64 : 4);
    size_t at = model_one_in(m, 2) || g->pending_count == 0 ? 0 : model_below(m, g->pending_count);
    bool scattered = model_one_in(m, 3);
    for (size_t i = 0; i < count; i++) {
        if (scattered && g->pending_count > 0) at = model_below(m, g->pending_count);
        ids[i] =
            at < g->pending_count && !model_one_in(m, 10) ? g->pending[at].id : model_some_id(m);
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
    int c = model_one_in(m, 4) ? -1 : some_consumer(m, g);
    struct stream_claim claim = {
        .group = group_name(n), .ids = ids, .active_ms = -1, .unowned = c < 0};
    claim.count = some_pending(m, g, ids);
    if (g->pending_count + claim.count > MODEL_PENDING_MAX) return;
    if (c >= 0) claim.consumer = slice_of(CONSUMER_NAMES[c]);
    if (c >= 0 && model_one_in(m, 2)) claim.active_ms = g->active[c] = m->now_ms;
    claim.delivery_ms = m->now_ms;
    if (model_one_in(m, 3)) claim.delivery_ms -= (int64_t)model_below(m, 100);
    if (model_one_in(m, 50)) claim.delivery_ms = model_one_in(m, 2) ? 0 : INT64_MAX;
    claim.deliveries = (enum stream_deliveries)model_below(m, 4);
    claim.deliveries_count = model_one_in(m, 5) ? INT64_MAX : model_below(m, 5);
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
    assert_true(id_same(p->id, expected->id));
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
    struct stream_range range = model_one_in(m, 3)
                                    ? (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}
                                    : model_some_range(m);
    int c = model_one_in(m, 2) ? -1 : some_consumer(m, g);
    const struct stream_consumer *consumer = NULL;
    if (c >= 0) consumer = stream_consumer_find(group, slice_of(CONSUMER_NAMES[c]));
    int64_t max_ms = model_one_in(m, 2) ? INT64_MAX : m->now_ms - (int64_t)model_below(m, 200);
    struct stream_pending_walk w;
    stream_pending_walk_begin(&w, group, consumer, range);
    if (max_ms != INT64_MAX) stream_pending_walk_idle(&w, max_ms);
    for (size_t i = 0; i < g->pending_count; i++) {
        const struct model_pending *p = &g->pending[i];
        if (id_less(p->id, range.first) || id_less(range.last, p->id)) continue;
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
    size_t limit = model_below(m, 200);
    int64_t max_ms = model_one_in(m, 2) ? INT64_MAX : m->now_ms - (int64_t)model_below(m, 200);
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
    struct stream_id id = model_some_id(m);
    bool referenced = false;
    for (size_t n = 0; n < MODEL_GROUPS; n++) {
        const struct model_group *g = &m->groups[n];
        const struct stream_group *group = stream_group_find(m->stream, group_name(n));
        assert_int_equal(group != NULL, g->exists);
        if (!g->exists) continue;
        groups++;
        assert_true(slice_equal(stream_group_name(group), group_name(n)));
        assert_true(id_same(stream_group_last_delivered(group), g->last_delivered));
        assert_int_equal(stream_group_entries_read(group), g->entries_read);
        assert_int_equal(stream_group_entries_read_exact(group), g->exact);
        assert_int_equal(stream_group_pending_count(group), g->pending_count);
        struct stream_range after = {g->last_delivered, STREAM_ID_MAX};
        uint64_t lag = stream_id_increment(&after.first) ? model_count(m, after) : 0;
        assert_int_equal(stream_group_lag(m->stream, group), lag);
        check_consumers(g, group);
        referenced = referenced || id_less(g->last_delivered, id) || is_pending(g, id);
        struct stream_pending p;
        assert_int_equal(stream_pending_find(group, id, &p), is_pending(g, id));
        if (is_pending(g, id)) expect_pending(&p, &g->pending[find_pending(g, id)]);
    }
    assert_int_equal(stream_groups_count(m->stream), groups);
    struct stream_id first, last;
    assert_int_equal(stream_is_referenced(m->stream, id, NULL), referenced);
    assert_int_equal(stream_referenced_bounds(m->stream, &first, &last), groups > 0);
    assert_true(referenced ? !id_less(id, first) : groups == 0 || !id_less(last, id));
    const struct stream_group *group = NULL;
    while ((group = stream_group_next(m->stream, group)) != NULL) groups--;
    assert_int_equal(groups, 0);
}

void model_use_group(struct model *m)
{
    size_t n = model_below(m, MODEL_GROUPS);
    if (!m->groups[n].exists) {
        do_group(m);
        return;
    }
    switch (model_below(m, 12)) {
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
