/* model_stream_fixture.c - the model of a stream's entries, its counters and its frozen views. */
#include "base/memory.h"
#include "stream/items_fixture.h"
#include "stream/model_fixture.h"
#include "stream/stream_copy.h"

static void expect_entry(struct stream_walk *w, const struct model_entry *e, bool fields)
{
    struct items items;
    struct slice item;
    assert_true(id_same(w->id, e->id));
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

struct stream_id model_some_id(struct model *m)
{
    struct stream_id id = {0, 0};
    if (m->count > 0) id = m->entries[model_below(m, m->count)].id;
    switch (model_below(m, 12)) {
    case 0: return STREAM_ID_MIN;
    case 1: return STREAM_ID_MAX;
    case 2: (void)stream_id_decrement(&id); return id;
    case 3: (void)stream_id_increment(&id); return id;
    case 4: return m->last_id;
    case 5: return (struct stream_id){model_below(m, m->last_id.ms + 2), model_below(m, 4)};
    default: return id;
    }
}

struct stream_range model_some_range(struct model *m)
{
    struct stream_range range = {model_some_id(m), model_some_id(m)};
    if (id_less(range.last, range.first) && !model_one_in(m, 10))
        range = (struct stream_range){range.last, range.first};
    return range;
}

static bool in_range(const struct model_entry *e, struct stream_range range)
{
    return e->live && !id_less(e->id, range.first) && !id_less(range.last, e->id);
}

uint64_t model_count(const struct model *m, struct stream_range range)
{
    uint64_t count = 0;
    for (size_t i = 0; i < m->count; i++) count += in_range(&m->entries[i], range);
    return count;
}

uint64_t model_shown(const struct model *m, uint64_t ordinal, struct stream_id id)
{
    uint64_t after = m->appended - ordinal;
    uint64_t shown = m->entries_added > after ? m->entries_added - after : 0;
    uint64_t least = model_count(m, (struct stream_range){STREAM_ID_MIN, id});
    return shown > least ? shown : least;
}

uint64_t model_ordinal(const struct model *m, struct stream_id id)
{
    if (!id_less(id, m->last_id)) return m->entries_added;
    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i].live && id_less(id, m->entries[i].id))
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
    if (!id_less(m->last_id, id)) return; /* the sequence was exhausted */
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
    struct stream_id id = model_some_id(m);
    bool expected = false;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->entries[i].live || !id_same(m->entries[i].id, id)) continue;
        forget(m, i);
        expected = true;
        if (id_less(m->max_deleted, id)) m->max_deleted = id;
    }
    assert_int_equal(stream_delete(m->stream, id), expected);
}

static void trim_before(struct model *m, struct stream_id first_kept, uint64_t count)
{
    uint64_t dropped = 0;
    bool all = id_same(first_kept, STREAM_ID_MIN);
    for (size_t i = 0; i < m->count; i++) {
        if (!m->entries[i].live || (!all && !id_less(m->entries[i].id, first_kept))) continue;
        forget(m, i);
        dropped++;
    }
    assert_int_equal(dropped, count);
    assert_int_equal(stream_trim_before(m->stream, first_kept), dropped);
}

static void do_trim(struct model *m)
{
    struct stream_trim trim = {.by = model_one_in(m, 2) ? STREAM_TRIM_LENGTH : STREAM_TRIM_ID};
    uint64_t keep = model_one_in(m, 4) ? model_below(m, m->length + 2)
                                       : m->length - model_below(m, m->length / 8 + 1);
    trim.length_max = model_one_in(m, 30) ? 0 : keep;
    trim.id_min = model_some_id(m);
    if (trim.by == STREAM_TRIM_ID && m->count > 0 && !model_one_in(m, 5))
        trim.id_min =
            m->entries[m->count - m->length + model_below(m, m->length / 6 + 1) - (m->length == 0)]
                .id;
    trim.approximate = model_one_in(m, 2);
    if (trim.approximate && model_one_in(m, 2)) trim.entries_removed_max = model_below(m, 40);

    struct stream_id first_kept;
    uint64_t count = 0;
    bool planned = stream_trim_plan(m->stream, &trim, &first_kept, &count);
    uint64_t wanted = 0;
    if (trim.by == STREAM_TRIM_LENGTH && m->length > trim.length_max)
        wanted = m->length - trim.length_max;
    if (trim.by == STREAM_TRIM_ID)
        for (size_t i = 0; i < m->count; i++)
            wanted += m->entries[i].live && id_less(m->entries[i].id, trim.id_min);
    if (!trim.approximate) assert_int_equal(planned ? count : 0, wanted);
    else assert_true(!planned || (count > 0 && count <= wanted));
    if (trim.entries_removed_max > 0 && planned) assert_true(count <= trim.entries_removed_max);
    if (planned) trim_before(m, first_kept, count);
}

static void do_counters(struct model *m)
{
    if (model_one_in(m, 2)) {
        struct stream_id last = m->last_id;
        for (size_t i = m->count; i > 0; i--) {
            if (!m->entries[i - 1].live) continue;
            last = m->entries[i - 1].id;
            break;
        }
        if (model_one_in(m, 2)) {
            last = m->last_id;
            last.ms += model_below(m, 100);
        }
        m->last_id = last;
        stream_set_last_id(m->stream, last);
    } else {
        m->entries_added = m->length + model_below(m, 2 * m->length + 3);
        m->max_deleted = model_some_id(m);
        stream_set_counters(m->stream, m->entries_added, m->max_deleted);
    }
}

static void do_limits(struct model *m)
{
    static const size_t ENTRIES[] = {0, 1, 2, 7, 100, 100, 100};
    static const size_t BYTES[] = {0, 1, 200, 1000, 4096, 4096, 4096};
    m->limits.entries_max = ENTRIES[model_below(m, 7)];
    m->limits.bytes_max = BYTES[model_below(m, 7)];
}

/* ---- reading ---- */

static void do_walk(struct model *m)
{
    struct stream_range range = model_one_in(m, 8)
                                    ? (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}
                                    : model_some_range(m);
    bool reverse = model_one_in(m, 2);
    bool fields = model_one_in(m, 2);
    uint64_t stop = model_one_in(m, 2) ? UINT64_MAX : model_below(m, 20);
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
    struct stream_range range = model_some_range(m);
    uint64_t expected = model_count(m, range);
    assert_int_equal(stream_count(m->stream, range, UINT64_MAX), expected);
    uint64_t limit = model_below(m, 30);
    assert_int_equal(stream_count(m->stream, range, limit), expected < limit ? expected : limit);

    struct stream_id id = model_some_id(m);
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
        if (id_same(first, STREAM_ID_MIN)) first = m->entries[i].id;
        last = m->entries[i].id;
    }
    assert_int_equal(stream_length(m->stream), m->length);
    assert_int_equal(stream_entries_added(m->stream), m->entries_added);
    assert_true(id_same(stream_last_id(m->stream), m->last_id));
    assert_true(id_same(stream_max_deleted_id(m->stream), m->max_deleted));
    assert_int_equal(stream_first_id(m->stream, &id), m->length > 0);
    if (m->length > 0) assert_true(id_same(id, first));
    assert_int_equal(stream_last_live_id(m->stream, &id), m->length > 0);
    if (m->length > 0) assert_true(id_same(id, last));
    assert_true(stream_memory_bytes(m->stream) > 0);
    assert_true(stream_blocks_count(m->stream) <= m->length);
}

/* ---- views ---- */

static void close_view(struct model_view *v)
{
    if (v->view == NULL) return;
    stream_destroy(v->view);
    if (v->count > 0) memory_free(v->entries, v->count * sizeof *v->entries);
    *v = (struct model_view){0};
}

/* 'view' has the entries of the model, and nobody will change it. */
static void open_view(struct model *m, struct model_view *v, struct stream *view)
{
    v->view = view;
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
    stream_check(v->view);
    assert_int_equal(stream_length(v->view), v->count);
    stream_walk_begin(&w, v->view, (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}, reverse);
    for (size_t i = 0; i < v->count; i++) {
        assert_true(stream_walk_next(&w));
        expect_entry(&w, &v->entries[reverse ? v->count - 1 - i : i], true);
    }
    assert_false(stream_walk_next(&w));
}

/* Life goes on in the stream or in its copy; the other one stays as it is. */
static struct stream *copy(struct model *m)
{
    struct stream *other = stream_copy(m->stream);
    if (model_one_in(m, 2)) return other;
    struct stream *before = m->stream;
    m->stream = other;
    return before;
}

static void do_view(struct model *m)
{
    struct model_view *v = &m->views[model_below(m, MODEL_VIEWS)];
    if (v->view == NULL) {
        open_view(m, v, model_one_in(m, 2) ? copy(m) : stream_freeze(m->stream));
        return;
    }
    check_view(v, model_one_in(m, 2));
    if (model_one_in(m, 2)) close_view(v);
}

/* ---- the whole ---- */

void model_begin(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->random.state = seed;
    m->stream = stream_create();
    m->limits = (struct stream_block_limits){4096, 100};
    m->now_ms = 1700000000000;
    if (!model_one_in(m, 3)) m->last_id.ms = 1700000000000;
    stream_set_last_id(m->stream, m->last_id);
    if (model_one_in(m, 2)) do_limits(m);
}

void model_end(struct model *m)
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

void model_use(struct model *m)
{
    m->now_ms += (int64_t)model_below(m, 3);
    uint64_t choice = model_below(m, 1000);
    if (choice < 450) do_append(m);
    else if (choice < 560) do_delete(m);
    else if (choice < 570) do_trim(m);
    else if (choice < 575) do_counters(m);
    else if (choice < 577) do_limits(m);
    else if (choice < 590) do_walk(m);
    else if (choice < 620) do_count(m);
    else if (choice < 630) do_facts(m);
    else if (choice < 640) do_view(m);
    else model_use_group(m);
}
