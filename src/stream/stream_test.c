/* stream_test.c - the borders of streams: IDs and deltas at the ends of their range, entries that
 * are empty, huge, binary or wide, blocks that are shared, rewritten and dropped, memory. */
#include "stream/stream.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct stream_block_limits LIMITS = {4096, 100};
static const struct stream_range ALL = {{0, 0}, {UINT64_MAX, UINT64_MAX}};

static void append(struct stream *s, uint64_t ms, uint64_t seq)
{
    struct slice items[2] = {SLICE("field"), SLICE("value")};
    stream_append(s, (struct stream_id){ms, seq}, items, 2, &LIMITS);
}

/* A stream of entries 1-0, 2-0, ... count-0. */
static struct stream *fill(uint64_t count)
{
    struct stream *s = stream_create();
    for (uint64_t i = 1; i <= count; i++) append(s, i, 0);
    return s;
}

static void finish(struct stream *s)
{
    stream_check(s);
    stream_destroy(s);
}

static void expect_ids(const struct stream *s, const struct stream_id *ids, size_t count)
{
    struct stream_walk w;
    for (int reverse = 0; reverse < 2; reverse++) {
        stream_walk_begin(&w, s, ALL, reverse != 0);
        for (size_t i = 0; i < count; i++) {
            assert_true(stream_walk_next(&w));
            size_t n = reverse ? count - 1 - i : i;
            assert_int_equal(stream_id_compare(w.id, ids[n]), 0);
        }
        assert_false(stream_walk_next(&w));
    }
}

/* IDs keep their value whatever the distance between neighbours. */
static void test_ids_at_the_borders(void **state)
{
    (void)state;
    static const struct stream_id IDS[] = {
        {0, 1},
        {0, 2},
        {0, UINT64_MAX},
        {1, 0},
        {29, 5},
        {58, 5},
        {88, 0},
        {88, UINT64_MAX - 1},
        {(uint64_t)1 << 63, 0},
        {((uint64_t)1 << 63) + 1, UINT64_MAX},
        {UINT64_MAX, 0},
        {UINT64_MAX, UINT64_MAX - 1},
        {UINT64_MAX, UINT64_MAX},
    };
    size_t count = sizeof IDS / sizeof IDS[0];
    struct stream *s = stream_create();
    for (size_t i = 0; i < count; i++) append(s, IDS[i].ms, IDS[i].seq);
    expect_ids(s, IDS, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(stream_contains(s, IDS[i]));
        assert_int_equal(stream_count_after(s, IDS[i]), count - 1 - i);
        assert_int_equal(stream_ordinal(s, IDS[i]), i + 1);
    }
    assert_true(stream_delete(s, STREAM_ID_MAX));
    assert_false(stream_delete(s, STREAM_ID_MAX));
    assert_true(stream_delete(s, IDS[0]));
    expect_ids(s, IDS + 1, count - 2);
    finish(s);
}

/* A distance of more than 2^63 milliseconds is a number like others, also after a rewrite. */
static void test_distances_survive_a_rewrite(void **state)
{
    (void)state;
    static const struct stream_id KEPT[] = {{1, 0}, {UINT64_MAX - 5, 3}, {UINT64_MAX - 5, 900}};
    struct stream *s = stream_create();
    append(s, 1, 0);
    for (uint64_t i = 2; i < 50; i++) append(s, i, i);
    append(s, UINT64_MAX - 5, 3);
    for (uint64_t i = 4; i < 30; i++) append(s, UINT64_MAX - 5, i);
    append(s, UINT64_MAX - 5, 900);
    for (uint64_t i = 2; i < 50; i++) {
        assert_true(stream_delete(s, (struct stream_id){i, i}));
        stream_check(s);
    }
    for (uint64_t i = 4; i < 30; i++) {
        assert_true(stream_delete(s, (struct stream_id){UINT64_MAX - 5, i}));
        stream_check(s);
    }
    expect_ids(s, KEPT, 3);
    assert_int_equal(stream_ordinal(s, KEPT[0]), 49); /* what was deleted after it has passed */
    assert_int_equal(stream_ordinal(s, KEPT[1]), 76);
    assert_int_equal(stream_ordinal(s, KEPT[2]), 77);
    finish(s);
}

static void expect_items(const struct stream *s, struct stream_id id, const struct slice *items,
                         size_t count)
{
    struct stream_walk w;
    struct slice item;
    stream_walk_begin(&w, s, (struct stream_range){id, id}, false);
    assert_true(stream_walk_next(&w));
    assert_int_equal(w.fields_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(stream_walk_field(&w, &item));
        assert_true(slice_equal(item, items[i]));
    }
    assert_false(stream_walk_field(&w, &item));
}

/* Names and values are bytes: empty, with zeros, and with sizes around the steps of a varint. */
static void test_values_are_bytes(void **state)
{
    (void)state;
    static const size_t SIZES[] = {0, 1, 127, 128, 129, 16383, 16384, 70000, 10 << 20};
    size_t largest = SIZES[sizeof SIZES / sizeof SIZES[0] - 1];
    char *bytes = memory_allocate(largest);
    for (size_t i = 0; i < largest; i++) bytes[i] = (char)(i * 7 + (i >> 8));
    struct stream *s = stream_create();
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
            struct slice items[4] = {
                {bytes, round * SIZES[i]}, {bytes, SIZES[i]}, {NULL, 0}, SLICE("\0\r\n\xff")};
            struct stream_id id = {round + 1, i};
            stream_append(s, id, items, 4, &LIMITS);
            expect_items(s, id, items, 4);
            stream_check(s);
        }
    }
    assert_true(stream_memory_bytes(s) > 3 * largest);
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        assert_true(stream_delete(s, (struct stream_id){2, i}));
        stream_check(s);
    }
    memory_free(bytes, largest);
    finish(s);
}

/* An entry of thousands of fields has them all, first in its block or among others. */
static void test_thousands_of_fields(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    static char text[COUNT][8];
    static struct slice items[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        items[i] = (struct slice){text[i], (size_t)snprintf(text[i], 8, "%zu", i)};
    static const struct stream_block_limits WIDE = {0, 0};
    struct stream *s = stream_create();
    stream_append(s, (struct stream_id){1, 1}, items, COUNT, &WIDE);
    stream_append(s, (struct stream_id){1, 2}, items, COUNT, &WIDE);
    stream_append(s, (struct stream_id){1, 3}, items, 2, &WIDE);
    stream_append(s, (struct stream_id){1, 4}, items, COUNT - 2, &WIDE);
    assert_int_equal(stream_blocks_count(s), 1);
    expect_items(s, (struct stream_id){1, 1}, items, COUNT);
    expect_items(s, (struct stream_id){1, 2}, items, COUNT);
    expect_items(s, (struct stream_id){1, 3}, items, 2);
    expect_items(s, (struct stream_id){1, 4}, items, COUNT - 2);
    finish(s);
}

/* A block is full by entries or by bytes, as the limits say; without limits by the room's own. */
static void test_limits_of_blocks(void **state)
{
    (void)state;
    struct slice items[2] = {SLICE("field"), SLICE("value")};
    static const struct {
        struct stream_block_limits limits;
        size_t blocks; /* of 3000 entries */
    } CASES[] = {{{4096, 100}, 30}, {{0, 1000}, 3}, {{1, 0}, 3000}, {{0, 1}, 3000}, {{0, 0}, 3}};
    for (size_t c = 0; c < sizeof CASES / sizeof CASES[0]; c++) {
        struct stream *s = stream_create();
        for (uint64_t i = 1; i <= 3000; i++)
            stream_append(s, (struct stream_id){i, 0}, items, 2, &CASES[c].limits);
        assert_int_equal(stream_blocks_count(s), CASES[c].blocks);
        finish(s);
    }
}

/* Deleting everything, in whatever order, leaves no block and no memory but the stream's own. */
static void test_deleted_entries_leave_nothing(void **state)
{
    (void)state;
    size_t empty = 0;
    for (uint64_t step = 1; step < 5000; step += 1237) {
        struct stream *s = stream_create();
        empty = stream_memory_bytes(s);
        for (uint64_t i = 1; i <= 5003; i++) append(s, i, 0);
        size_t full = stream_memory_bytes(s);
        for (uint64_t i = 0; i < 5003; i++) { /* 5003 is prime */
            assert_true(stream_delete(s, (struct stream_id){i * step % 5003 + 1, 0}));
            if (i == 2501) assert_true(stream_memory_bytes(s) < full * 3 / 4);
        }
        assert_int_equal(stream_length(s), 0);
        assert_int_equal(stream_blocks_count(s), 0);
        assert_int_equal(stream_memory_bytes(s), empty);
        assert_int_equal(stream_entries_added(s), 5003);
        append(s, 6000, 0);
        assert_int_equal(stream_ordinal(s, (struct stream_id){6000, 0}), 5004);
        finish(s);
    }
}

/* When XSETID sets fewer entries-added than deletions allow for, an ordinal still counts what is
 * there, and when it sets more, the first of them count as gone. */
static void test_ordinals_follow_entries_added(void **state)
{
    (void)state;
    struct stream *s = fill(5);
    assert_true(stream_delete(s, (struct stream_id){3, 0}));
    assert_true(stream_delete(s, (struct stream_id){4, 0}));
    assert_int_equal(stream_ordinal(s, (struct stream_id){1, 0}), 1);
    assert_int_equal(stream_ordinal(s, (struct stream_id){2, 0}), 4);
    stream_set_counters(s, 3, (struct stream_id){4, 0});
    assert_int_equal(stream_ordinal(s, (struct stream_id){1, 0}), 1);
    assert_int_equal(stream_ordinal(s, (struct stream_id){2, 0}), 2);
    assert_int_equal(stream_ordinal(s, (struct stream_id){5, 0}), 3);
    stream_set_counters(s, 105, (struct stream_id){4, 0});
    assert_int_equal(stream_ordinal(s, STREAM_ID_MIN), 100);
    assert_int_equal(stream_ordinal(s, (struct stream_id){1, 0}), 101);
    finish(s);
}

/* After the last entries were deleted and XSETID went back, their IDs can come again. */
static void test_last_id_can_go_back_over_deleted_entries(void **state)
{
    (void)state;
    static const struct stream_id IDS[] = {{1, 0}, {2, 0}, {3, 0}, {5, 0}};
    struct stream *s = fill(10);
    for (uint64_t i = 3; i <= 10; i++) assert_true(stream_delete(s, (struct stream_id){i, 0}));
    stream_set_last_id(s, (struct stream_id){2, 0});
    stream_set_counters(s, 2, STREAM_ID_MIN);
    append(s, 3, 0);
    append(s, 5, 0);
    expect_ids(s, IDS, 4);
    assert_int_equal(stream_ordinal(s, (struct stream_id){5, 0}), 4);
    finish(s);
}

/* A frozen view keeps every entry while the stream appends, deletes, trims and goes away. */
static void test_views_do_not_change(void **state)
{
    (void)state;
    struct stream *s = fill(30000); /* more than one leaf */
    struct stream *v = stream_freeze(s);
    size_t before = stream_memory_bytes(s);
    append(s, 40000, 0);
    assert_true(stream_memory_bytes(s) < before + 8192);
    for (uint64_t i = 1; i < 30000; i += 2) assert_true(stream_delete(s, (struct stream_id){i, 0}));
    assert_int_equal(stream_trim_before(s, (struct stream_id){20000, 0}), 9999);
    stream_check(s);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct stream_walk w;
        stream_walk_begin(&w, v, ALL, reverse != 0);
        for (uint64_t i = 1; i <= 30000; i++) {
            assert_true(stream_walk_next(&w));
            assert_int_equal(w.id.ms, reverse ? 30001 - i : i);
        }
        assert_false(stream_walk_next(&w));
        if (!reverse) finish(s);
    }
    assert_int_equal(stream_length(v), 30000);
    stream_destroy(v);
}

/* A seek finds exactly what is there, in any order of IDs, and goes on over a view. */
static void test_seeks(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct stream *s = fill(COUNT);
    struct stream_walk w;
    for (uint64_t i = 1; i <= COUNT; i += 3)
        assert_true(stream_delete(s, (struct stream_id){i, 0}));
    for (uint64_t step = 1; step < COUNT; step += 97) { /* 1: rising; else about anywhere */
        struct stream *v = NULL;
        stream_walk_begin(&w, s, ALL, false);
        for (uint64_t i = 0; i < COUNT; i++) {
            uint64_t ms = i * step % (COUNT + 5) + 1;
            if (i == COUNT / 2) {
                v = stream_freeze(s);
                stream_walk_move(&w, v);
            }
            bool there = ms <= COUNT && ms % 3 != 1;
            assert_int_equal(stream_walk_seek(&w, (struct stream_id){ms, 0}), there);
            assert_false(stream_walk_seek(&w, (struct stream_id){ms, 1}));
            if (!there || step == 1) continue;
            assert_true(stream_walk_seek(&w, (struct stream_id){ms, 0}));
            assert_int_equal(w.id.ms, ms);
            assert_int_equal(w.fields_count, 2);
        }
        stream_destroy(v);
    }
    finish(s);
    s = stream_create();
    stream_walk_begin(&w, s, ALL, false);
    assert_false(stream_walk_seek(&w, (struct stream_id){1, 0}));
    finish(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_at_the_borders),
        cmocka_unit_test(test_distances_survive_a_rewrite),
        cmocka_unit_test(test_values_are_bytes),
        cmocka_unit_test(test_thousands_of_fields),
        cmocka_unit_test(test_limits_of_blocks),
        cmocka_unit_test(test_deleted_entries_leave_nothing),
        cmocka_unit_test(test_ordinals_follow_entries_added),
        cmocka_unit_test(test_last_id_can_go_back_over_deleted_entries),
        cmocka_unit_test(test_views_do_not_change),
        cmocka_unit_test(test_seeks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
