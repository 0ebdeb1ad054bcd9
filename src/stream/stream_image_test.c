/* stream_image_test.c - a stream comes back from its pieces as it was when it was frozen, and
 * pieces that were changed or left out make no stream, or a sound one. */
#include "stream/stream_image.h"

#include "base/memory.h"
#include "stream/idempotence.h"
#include "stream/items_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SEEDS = 60, GROUPS = 3, CONSUMERS = 4, STEPS_MAX = 600, PIECES_MAX = 4096 };

static const char *const groups[GROUPS] = {"", "readers", "workers"};
static const char *const consumers[CONSUMERS] = {"alice", "", "bob", "carol with a longer name"};

/* ---- random streams ---- */

static struct slice group_name(struct random *r)
{
    return slice_of(groups[random_below(r, GROUPS)]);
}

static void deliver(struct stream *s, struct random *r, struct slice group, struct slice consumer)
{
    const struct stream_group *g = stream_group_find(s, group);
    struct stream_range range = {stream_group_last_delivered(g), STREAM_ID_MAX};
    struct stream_delivery d = {.group = group,
                                .consumer = consumer,
                                .now_ms = (int64_t)random_below(r, 1 << 20),
                                .no_ack = random_below(r, 8) == 0};
    struct stream_walk w;
    if (!stream_id_increment(&range.first)) return;
    uint64_t wanted = 1 + random_below(r, 300);
    stream_walk_begin(&w, s, range, false);
    while (d.count < wanted && stream_walk_next(&w)) {
        d.last_id = w.id;
        d.count++;
    }
    if (d.count > 0) assert_true(stream_group_deliver(s, &d));
}

static void change_pending(struct stream *s, struct random *r, struct slice group,
                           struct slice consumer)
{
    struct stream_id ids[20];
    size_t count = 0;
    struct stream_pending_walk w;
    stream_pending_walk_begin(&w, stream_group_find(s, group), NULL,
                              (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX});
    while (count < 20 && stream_pending_walk_next(&w))
        if (random_below(r, 3) > 0) ids[count++] = w.entry.id;
    if (random_below(r, 2) == 0) {
        stream_group_acknowledge(s, group, ids, count);
        return;
    }
    bool large = random_below(r, 4) == 0; /* what does not fit a narrow chunk */
    struct stream_claim claim = {.group = group,
                                 .consumer = consumer,
                                 .unowned = random_below(r, 3) == 0,
                                 .delivery_ms = large ? -5 : 77,
                                 .deliveries = STREAM_DELIVERIES_SET,
                                 .deliveries_count = large ? UINT64_MAX : random_below(r, 9),
                                 .active_ms = -1,
                                 .ids = ids,
                                 .count = count};
    stream_group_claim(s, &claim);
}

static void change_group(struct stream *s, struct random *r)
{
    struct slice group = group_name(r);
    struct slice consumer = slice_of(consumers[random_below(r, CONSUMERS)]);
    const struct stream_group *g = stream_group_find(s, group);
    if (g == NULL) {
        int64_t read = random_below(r, 2) == 0 ? STREAM_ENTRIES_READ_EXACT : 3;
        stream_group_create(s, group, STREAM_ID_MIN, read);
    } else if (stream_consumer_find(g, consumer) == NULL) {
        stream_consumer_create(s, group, consumer, (int64_t)random_below(r, 99));
    } else if (random_below(r, 40) == 0) {
        stream_consumer_destroy(s, group, consumer);
    } else if (random_below(r, 2) == 0) {
        deliver(s, r, group, consumer);
    } else {
        change_pending(s, r, group, consumer);
    }
}

static void record_message(struct stream *s, struct random *r)
{
    char producer[16], iid[16];
    snprintf(producer, sizeof producer, "p%d", (int)random_below(r, 3));
    snprintf(iid, sizeof iid, "i%d", (int)random_below(r, 400));
    struct stream_idmp_record record = {
        slice_of(producer), slice_of(iid), stream_last_id(s), {STREAM_IDMP_DURATION_S_MAX, 300}};
    stream_idmp_record(s, &record);
    if (random_below(r, 5) == 0) stream_idmp_count_duplicate(s);
}

static void remove_entries(struct stream *s, struct random *r)
{
    struct stream_id id;
    uint64_t skip = random_below(r, 30);
    if (!stream_first_id(s, &id)) return;
    struct stream_walk w;
    stream_walk_begin(&w, s, (struct stream_range){id, STREAM_ID_MAX}, random_below(r, 2) == 0);
    while (stream_walk_next(&w) && skip-- > 0) id = w.id;
    if (random_below(r, 12) == 0) stream_trim_before(s, id);
    else stream_delete(s, id);
}

static void append(struct stream *s, struct random *r)
{
    static const struct stream_block_limits limits = {600, 20};
    struct items items;
    struct stream_id id = next_id(r, stream_last_id(s));
    if (stream_id_compare(id, stream_last_id(s)) <= 0) return;
    make_items(random_next(r), &items);
    stream_append(s, id, items.slices, items.count, &limits);
}

static struct stream *random_stream(uint64_t seed)
{
    struct random r = {seed};
    struct stream *s = stream_create();
    uint64_t steps = random_below(&r, STEPS_MAX);
    bool producers = seed % 3 != 1;
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t kind = random_below(&r, 10);
        if (kind < 5) append(s, &r);
        else if (kind < 8) change_group(s, &r);
        else remove_entries(s, &r);
        if (producers && kind == 9) record_message(s, &r);
    }
    if (seed % 7 == 0) stream_trim_before(s, STREAM_ID_MIN); /* an empty stream with a past */
    stream_check(s);
    return s;
}

/* ---- pieces ---- */

struct pieces {
    struct buf bytes;
    size_t starts[PIECES_MAX + 1];
    size_t count;
};

static struct slice piece_at(const struct pieces *p, size_t i)
{
    return (struct slice){p->bytes.data + p->starts[i], p->starts[i + 1] - p->starts[i]};
}

static void take_pieces(struct stream_image *image, struct pieces *p)
{
    struct slice body;
    *p = (struct pieces){0};
    while (stream_image_next(image, &p->bytes, &body)) {
        buf_append(&p->bytes, body);
        assert_true(++p->count <= PIECES_MAX);
        p->starts[p->count] = p->bytes.size;
    }
}

static void take_stream(const struct stream *s, struct pieces *p)
{
    struct stream_image *image = stream_image_create(s);
    take_pieces(image, p);
    stream_image_destroy(image);
}

/* Each piece in memory of exactly its size: a read past its end is seen by ASan. */
static bool add(struct stream_loader *l, struct slice piece)
{
    char *copy = memory_allocate(piece.size + 1);
    if (piece.size > 0) memcpy(copy, piece.data, piece.size);
    copy = memory_resize(copy, piece.size + 1, piece.size > 0 ? piece.size : 1);
    bool taken = stream_loader_add(l, (struct slice){copy, piece.size});
    memory_free(copy, piece.size > 0 ? piece.size : 1);
    return taken;
}

/* NULL: they make no stream. */
static struct stream *load(const struct pieces *p)
{
    struct stream_loader *l = stream_loader_create();
    bool good = true;
    for (size_t i = 0; i < p->count && good; i++) {
        assert_null(stream_loader_take(l));
        good = add(l, piece_at(p, i));
    }
    struct stream *s = good ? stream_loader_take(l) : NULL;
    stream_loader_destroy(l);
    return s;
}

static void assert_same_entries(const struct stream *a, const struct stream *b)
{
    struct stream_walk x, y;
    struct stream_range all = {STREAM_ID_MIN, STREAM_ID_MAX};
    stream_walk_begin(&x, a, all, false);
    stream_walk_begin(&y, b, all, false);
    while (stream_walk_next(&x)) {
        struct slice left, right;
        assert_true(stream_walk_next(&y));
        assert_int_equal(stream_id_compare(x.id, y.id), 0);
        while (stream_walk_field(&x, &left)) {
            assert_true(stream_walk_field(&y, &right));
            assert_true(slice_equal(left, right));
        }
        assert_false(stream_walk_field(&y, &right));
    }
    assert_false(stream_walk_next(&y));
    assert_int_equal(stream_length(a), stream_length(b));
    assert_int_equal(stream_entries_added(a), stream_entries_added(b));
    assert_int_equal(stream_id_compare(stream_last_id(a), stream_last_id(b)), 0);
}

/* What comes back is sound, has the same entries, and the same image byte for byte. */
static void test_round_trip(void **state)
{
    (void)state;
    uint64_t blocks = 0, pending = 0, iids = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stream *s = random_stream(seed), *back;
        struct pieces once, twice;
        struct stream_idmp_figures figures;
        take_stream(s, &once);
        back = load(&once);
        assert_non_null(back);
        stream_check(back);
        assert_same_entries(s, back);
        take_stream(back, &twice);
        assert_int_equal(once.count, twice.count);
        assert_true(slice_equal(buf_slice(&once.bytes), buf_slice(&twice.bytes)));
        blocks += stream_blocks_count(s);
        for (const struct stream_group *g = NULL; (g = stream_group_next(back, g)) != NULL;)
            pending += stream_group_pending_count(g);
        stream_idmp_measure(back, &figures);
        iids += figures.iids;
        buf_deinit(&once.bytes);
        buf_deinit(&twice.bytes);
        stream_destroy(s);
        stream_destroy(back);
    }
    assert_true(blocks > 200 && pending > 1000 && iids > 40);
}

/* An image shows the stream as it was when it was made, and what comes back goes on like it. */
static void test_frozen(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < SEEDS; seed++) {
        struct stream *s = random_stream(seed), *back;
        struct stream_image *image = stream_image_create(s);
        struct pieces before, after;
        take_stream(s, &before);
        struct random one = {seed + 1000}, other = one;
        for (int i = 0; i < 100; i++) append(s, &one);
        for (int i = 0; i < 50; i++) remove_entries(s, &one);
        take_pieces(image, &after);
        stream_image_destroy(image);
        assert_true(slice_equal(buf_slice(&before.bytes), buf_slice(&after.bytes)));
        back = load(&after);
        for (int i = 0; i < 100; i++) append(back, &other);
        for (int i = 0; i < 50; i++) remove_entries(back, &other);
        stream_check(back);
        assert_same_entries(s, back);
        stream_destroy(back);
        stream_destroy(s);
        buf_deinit(&before.bytes);
        buf_deinit(&after.bytes);
    }
}

/* Without one of its pieces, with one twice, or with one that is cut, there is no stream. */
static void test_pieces_that_lack(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 24; seed++) {
        struct stream *s = random_stream(seed);
        struct pieces p;
        take_stream(s, &p);
        for (size_t without = 0; without < p.count; without++) {
            struct stream_loader *l = stream_loader_create();
            bool good = true;
            for (size_t i = 0; i < p.count && good; i++)
                if (i != without) good = add(l, piece_at(&p, i));
            assert_null(good ? stream_loader_take(l) : NULL);
            stream_loader_destroy(l);
        }
        for (size_t cut = 0; cut < p.count; cut++) {
            struct slice piece = piece_at(&p, cut);
            struct stream_loader *l = stream_loader_create();
            for (size_t i = 0; i < cut; i++) assert_true(add(l, piece_at(&p, i)));
            piece.size = piece.size * (seed % 7) / 7;
            assert_false(add(l, piece));
            stream_loader_destroy(l);
        }
        stream_destroy(s);
        buf_deinit(&p.bytes);
    }
}

/* With any one bit flipped there is no stream, or a sound one that is not the same. */
static void test_flipped_bits(void **state)
{
    (void)state;
    uint64_t refused = 0, taken = 0;
    for (uint64_t seed = 3; seed < 40; seed += 3) {
        struct stream *s = random_stream(seed);
        struct pieces p;
        take_stream(s, &p);
        struct random r = {seed};
        for (int i = 0; i < 400; i++) {
            size_t at = (size_t)random_below(&r, p.bytes.size);
            char bit = (char)(1 << random_below(&r, 8));
            p.bytes.data[at] ^= bit;
            struct stream *back = load(&p);
            p.bytes.data[at] ^= bit;
            if (back == NULL) {
                refused++;
                continue;
            }
            stream_check(back);
            stream_destroy(back);
            taken++;
        }
        stream_destroy(s);
        buf_deinit(&p.bytes);
    }
    assert_true(refused > 500 && taken > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_pieces_that_lack),
        cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
