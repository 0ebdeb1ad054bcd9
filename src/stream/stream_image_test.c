/* stream_image_test.c - a stream comes back from its pieces as it was when it was frozen, and
 * pieces that were changed or left out make no stream, or a sound one. */
#include "stream/stream_image.h"

#include "base/memory.h"
#include "stream/idempotence.h"
#include "stream/items_fixture.h"
#include "stream/stream_copy.h"

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
    } else if (random_below(r, 80) == 0) {
        struct stream *cut = stream_cut_group(s, group);
        if (cut != NULL) stream_destroy(cut);
    } else if (random_below(r, 40) == 0) {
        stream_consumer_destroy(s, group, consumer);
    } else if (random_below(r, 20) == 0) {
        stream_consumer_seen(s, group, consumer, (int64_t)random_below(r, 99));
    } else if (random_below(r, 2) == 0) {
        deliver(s, r, group, consumer);
    } else {
        change_pending(s, r, group, consumer);
    }
}

static void record_message(struct stream *s, struct random *r)
{
    char producer[16], iid[16];
    if (random_below(r, 60) == 0) {
        struct stream_idmp_limits limits = {(uint32_t)random_below(r, 9), 0};
        stream_idmp_configure(s, limits, random_below(r, 2) == 0);
    }
    snprintf(producer, sizeof producer, "p%d", (int)random_below(r, 12));
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

static void change(struct stream *s, struct random *r, bool producers)
{
    uint64_t kind = random_below(r, 10);
    if (kind < 5) append(s, r);
    else if (kind < 8) change_group(s, r);
    else remove_entries(s, r);
    if (producers && kind >= 8) record_message(s, r);
}

/* A third of them have no producers. */
static struct stream *random_stream(uint64_t seed)
{
    struct random r = {seed};
    struct stream *s = stream_create();
    uint64_t steps = random_below(&r, STEPS_MAX);
    for (uint64_t i = 0; i < steps; i++) change(s, &r, seed % 3 != 1);
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

/* False: there is none any more. */
static bool take_piece(struct stream_image *image, struct pieces *p)
{
    struct slice body;
    if (!stream_image_next(image, &p->bytes, &body)) return false;
    buf_append(&p->bytes, body);
    if (p->bytes.size == p->starts[p->count]) return true; /* none this time */
    assert_true(++p->count <= PIECES_MAX);
    p->starts[p->count] = p->bytes.size;
    return true;
}

static void take_image(struct stream *s, uint32_t number, struct pieces *p)
{
    struct stream_image *image = stream_image_create(s, number);
    *p = (struct pieces){0};
    while (take_piece(image, p)) continue;
    stream_image_destroy(image);
}

static void take_stream(struct stream *s, struct pieces *p)
{
    static uint32_t number = 1000; /* of the images of all tests */
    take_image(s, ++number, p);
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

/* ---- all that a client can see of a stream, as bytes ---- */

static void show_id(struct buf *out, struct stream_id id)
{
    buf_append_u64(out, id.ms);
    buf_append_u64(out, id.seq);
}

static void show_group(struct buf *out, const struct stream_group *g)
{
    const struct stream_range all = {STREAM_ID_MIN, STREAM_ID_MAX};
    buf_append_bytes(out, stream_group_name(g));
    show_id(out, stream_group_last_delivered(g));
    buf_append_varint(out, stream_group_entries_read(g));
    buf_append_byte(out, stream_group_entries_read_exact(g));
    buf_append_varint(out, stream_group_pending_count(g));
    for (const struct stream_consumer *c = NULL; (c = stream_consumer_next(g, c)) != NULL;) {
        buf_append_bytes(out, stream_consumer_name(c));
        buf_append_varint(out, stream_consumer_pending_count(c));
        buf_append_zigzag(out, stream_consumer_seen_ms(c));
        buf_append_zigzag(out, stream_consumer_active_ms(c));
    }
    struct stream_pending_walk w;
    stream_pending_walk_begin(&w, g, NULL, all);
    while (stream_pending_walk_next(&w)) {
        show_id(out, w.entry.id);
        buf_append_zigzag(out, w.entry.delivery_ms);
        buf_append_varint(out, w.entry.deliveries);
        buf_append_byte(out, w.entry.consumer != NULL);
        if (w.entry.consumer != NULL) buf_append_bytes(out, stream_consumer_name(w.entry.consumer));
    }
}

static void show_producers(struct buf *out, const struct stream *s)
{
    struct stream_idmp_figures figures;
    stream_idmp_measure(s, &figures);
    buf_append_varint(out, figures.producers);
    buf_append_varint(out, figures.added);
    buf_append_varint(out, figures.duplicates);
    buf_append_varint(out, stream_idmp_limits(s).duration_s);
    buf_append_varint(out, stream_idmp_limits(s).count_max);
    buf_append_varint(out, stream_idmp_sweep(s));
    for (struct stream_idmp_walk w = {0}; stream_idmp_walk_next(s, &w);) {
        buf_append_bytes(out, w.producer);
        buf_append_bytes(out, w.iid);
        show_id(out, w.id);
    }
}

static struct buf show(const struct stream *s)
{
    struct buf out = {0};
    struct stream_walk w;
    struct slice item;
    stream_walk_begin(&w, s, (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}, false);
    while (stream_walk_next(&w)) {
        show_id(&out, w.id);
        while (stream_walk_field(&w, &item)) buf_append_bytes(&out, item);
    }
    buf_append_varint(&out, stream_length(s));
    buf_append_varint(&out, stream_entries_added(s));
    show_id(&out, stream_last_id(s));
    show_id(&out, stream_max_deleted_id(s));
    for (const struct stream_group *g = NULL; (g = stream_group_next(s, g)) != NULL;)
        show_group(&out, g);
    show_producers(&out, s);
    return out;
}

static void assert_shows(const struct stream *s, struct buf *expected)
{
    struct buf shown = show(s);
    assert_true(slice_equal(buf_slice(&shown), buf_slice(expected)));
    buf_deinit(&shown);
    buf_deinit(expected);
}

/* What comes back is sound, and shows the same. */
static void test_round_trip(void **state)
{
    (void)state;
    uint64_t blocks = 0, pending = 0, iids = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stream *s = random_stream(seed), *back;
        struct pieces p;
        struct stream_idmp_figures figures;
        take_stream(s, &p);
        back = load(&p);
        assert_non_null(back);
        stream_check(back);
        struct buf before = show(s);
        assert_shows(back, &before);
        blocks += stream_blocks_count(s);
        for (const struct stream_group *g = NULL; (g = stream_group_next(back, g)) != NULL;)
            pending += stream_group_pending_count(g);
        stream_idmp_measure(back, &figures);
        iids += figures.iids;
        buf_deinit(&p.bytes);
        stream_destroy(s);
        stream_destroy(back);
    }
    assert_true(blocks > 200 && pending > 1000 && iids > 40);
}

/* An image shows the stream as it was when it was made, whatever happens to the stream between two
 * of its pieces, and what comes back goes on like it. */
static void test_frozen(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 4 * SEEDS; seed++) {
        struct stream *s = random_stream(seed), *back;
        struct random r = {seed + 1000};
        struct buf before = show(s);
        struct pieces p = {0};
        bool producers = seed % 2 == 0, destroyed = false, taken = true;
        uint64_t pace = 1 + random_below(&r, 20); /* changes for a piece */
        uint64_t end = seed % 4 == 0 ? random_below(&r, 40) : UINT64_MAX;
        struct stream_image *image = stream_image_create(s, (uint32_t)seed);
        for (uint64_t turn = 0; taken; turn++) {
            for (uint64_t i = random_below(&r, pace); i > 0 && !destroyed; i--)
                change(s, &r, producers);
            if (turn == end) {
                stream_destroy(s);
                destroyed = true;
            } else if (!destroyed) {
                stream_check(s);
            }
            taken = take_piece(image, &p);
        }
        stream_image_destroy(image);
        back = load(&p);
        assert_non_null(back);
        stream_check(back);
        assert_shows(back, &before);
        stream_destroy(back);
        if (!destroyed) stream_destroy(s);
        buf_deinit(&p.bytes);
    }
}

/* A copy shows the same, whatever image is being made of the stream, and stays so when the stream
 * changes and goes; the next copy shows what is there then, and so does the image. What a copy
 * becomes, the stream does not, and an image of the copy may have the number of the stream's. */
static void test_copy(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < SEEDS; seed++) {
        struct stream *s = random_stream(seed);
        struct random r = {seed + 3000};
        struct pieces p = {.count = 0};
        struct buf frozen = show(s), first, second;
        struct stream_image *image = stream_image_create(s, 1);
        for (uint64_t j = random_below(&r, 12); j > 0; j--) take_piece(image, &p);
        for (uint64_t j = random_below(&r, 60); j > 0; j--) change(s, &r, true);
        first = show(s);
        struct stream *one = stream_copy(s);
        for (uint64_t j = random_below(&r, 60); j > 0; j--) change(s, &r, true);
        second = show(s);
        struct stream *two = stream_copy(s), *three = stream_copy(s);
        for (uint64_t j = random_below(&r, 90); j > 0; j--) change(three, &r, true);
        struct buf other = show(three);
        for (uint64_t j = random_below(&r, 90); j > 0; j--) change(s, &r, true);
        stream_check(s);
        stream_destroy(s);
        while (take_piece(image, &p)) continue;
        stream_image_destroy(image);
        struct stream *back = load(&p);
        assert_non_null(back);
        stream_check(one);
        stream_check(two);
        stream_check(three);
        assert_shows(one, &first);
        struct pieces again;
        take_image(two, 1, &again);
        struct stream *loaded = load(&again);
        struct buf same = show(two);
        assert_shows(loaded, &same);
        stream_destroy(loaded);
        assert_shows(two, &second);
        buf_deinit(&again.bytes);
        assert_shows(three, &other);
        assert_shows(back, &frozen);
        stream_destroy(one);
        stream_destroy(two);
        stream_destroy(three);
        stream_destroy(back);
        buf_deinit(&p.bytes);
    }
}

/* Of two images of a stream each shows what it should; one that is given up leaves no trace in the
 * stream, nor in the image after it. */
static void test_several_images(void **state)
{
    (void)state;
    uint32_t number = 0;
    for (uint64_t seed = 1; seed < SEEDS; seed++) {
        struct stream *s = random_stream(seed);
        struct random r = {seed + 2000};
        struct stream_image *images[3];
        struct pieces p[3] = {{.count = 0}};
        struct buf shown[3];
        for (int i = 0; i < 3; i++) {
            for (uint64_t j = random_below(&r, 60); j > 0; j--) change(s, &r, true);
            shown[i] = show(s);
            images[i] = stream_image_create(s, ++number);
            for (uint64_t j = random_below(&r, 12); j > 0; j--) take_piece(images[i], &p[i]);
            for (uint64_t j = random_below(&r, 60); j > 0; j--) change(s, &r, true);
            if (i == 1) stream_image_destroy(images[i]);
        }
        if (seed % 5 == 0) stream_destroy(s);
        for (int i = 0; i < 3; i += 2) {
            while (take_piece(images[i], &p[i])) continue;
            stream_image_destroy(images[i]);
            struct stream *back = load(&p[i]);
            assert_non_null(back);
            assert_shows(back, &shown[i]);
            stream_destroy(back);
        }
        for (int i = 0; i < 3; i++) buf_deinit(&p[i].bytes);
        buf_deinit(&shown[1]);
        if (seed % 5 == 0) continue;
        stream_check(s);
        stream_destroy(s);
    }
}

/* A stream that was loaded goes on like the one that was saved. */
static void test_going_on(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < SEEDS; seed++) {
        struct stream *s = random_stream(seed);
        struct pieces p;
        take_stream(s, &p);
        struct stream *back = load(&p);
        assert_non_null(back);
        struct random one = {seed + 1000}, other = one;
        for (int i = 0; i < 200; i++) change(s, &one, true);
        for (int i = 0; i < 200; i++) change(back, &other, true);
        stream_check(back);
        struct buf expected = show(s);
        assert_shows(back, &expected);
        stream_destroy(back);
        stream_destroy(s);
        buf_deinit(&p.bytes);
    }
}

/* A stream is freed bit by bit, each time about as much as was allowed. */
static void test_dismantle(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < SEEDS; seed++) {
        struct stream *s = random_stream(seed);
        size_t calls = 1, steps = 5;
        for (; !stream_dismantle(s, &steps); calls++) {
            assert_int_equal(steps, 0);
            steps = 5;
        }
        if (seed == 2) assert_true(calls > 3);
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

/* Names of any length: a piece takes no more of them when it is large. */
static void test_long_names(void **state)
{
    (void)state;
    enum { NAMES = 20, NAME_BYTES = 40 * 1024 };
    static char name[NAME_BYTES];
    struct stream *s = stream_create();
    struct pieces p;
    append(s, &(struct random){1});
    stream_group_create(s, SLICE("group"), STREAM_ID_MIN, STREAM_ENTRIES_READ_EXACT);
    for (int i = 0; i < NAMES; i++) {
        name[0] = (char)i;
        struct slice long_name = {name, NAME_BYTES};
        struct stream_idmp_record record = {SLICE("p"), long_name, {1, 1}, {100, NAMES}};
        stream_consumer_create(s, SLICE("group"), long_name, 5);
        stream_idmp_record(s, &record);
    }
    take_stream(s, &p);
    for (size_t i = 0; i < p.count; i++)
        assert_in_range(piece_at(&p, i).size, 0, 2 * NAME_BYTES + 100);
    struct stream *back = load(&p);
    assert_non_null(back);
    struct buf before = show(s);
    assert_shows(back, &before);
    buf_deinit(&p.bytes);
    stream_destroy(s);
    stream_destroy(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_several_images), cmocka_unit_test(test_going_on),
        cmocka_unit_test(test_dismantle),      cmocka_unit_test(test_pieces_that_lack),
        cmocka_unit_test(test_flipped_bits),   cmocka_unit_test(test_copy),
        cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
