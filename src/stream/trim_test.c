/* trim_test.c - what a trim plan drops, as XTRIM of Redis 7.0 does with blocks of ten entries. */
#include "stream/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct stream_block_limits TEN = {4096, 10};

/* A stream of entries 1-0, 2-0, ... count-0 in blocks of ten. */
static struct stream *fill(uint64_t count)
{
    struct stream *s = stream_create();
    struct slice items[2] = {SLICE("field"), SLICE("value")};
    for (uint64_t i = 1; i <= count; i++)
        stream_append(s, (struct stream_id){i, 0}, items, 2, &TEN);
    return s;
}

/* Plans and trims; returns how many went, having seen that the plan told the truth. */
static uint64_t trim(struct stream *s, struct stream_trim t)
{
    struct stream_id first_kept;
    uint64_t count;
    uint64_t length = stream_length(s);
    if (!stream_trim_plan(s, &t, &first_kept, &count)) return 0;
    assert_true(count > 0);
    assert_int_equal(stream_trim_before(s, first_kept), count);
    assert_int_equal(stream_length(s), length - count);
    stream_check(s);
    return count;
}

static uint64_t by_length(struct stream *s, uint64_t length, bool approximate, uint64_t limit)
{
    return trim(s, (struct stream_trim){.by = STREAM_TRIM_LENGTH,
                                        .length_max = length,
                                        .approximate = approximate,
                                        .entries_removed_max = limit});
}

static uint64_t by_id(struct stream *s, uint64_t ms, bool approximate, uint64_t limit)
{
    return trim(s, (struct stream_trim){.by = STREAM_TRIM_ID,
                                        .id_min = {ms, 0},
                                        .approximate = approximate,
                                        .entries_removed_max = limit});
}

/* An exact trim leaves exactly what it was told to. */
static void test_exact(void **state)
{
    (void)state;
    struct stream *s = fill(100);
    assert_int_equal(by_length(s, 100, false, 0), 0);
    assert_int_equal(by_length(s, 99, false, 0), 1);
    assert_int_equal(by_length(s, 55, false, 0), 44);
    assert_int_equal(by_id(s, 46, false, 0), 0);
    assert_int_equal(by_id(s, 47, false, 0), 1);
    assert_int_equal(by_id(s, 91, false, 0), 44);
    assert_int_equal(by_length(s, 0, false, 0), 10);
    assert_int_equal(by_length(s, 0, false, 0), 0);
    assert_int_equal(stream_blocks_count(s), 0);
    stream_destroy(s);
}

/* An approximate trim drops whole blocks, and never too many entries. */
static void test_approximate(void **state)
{
    (void)state;
    struct stream *s = fill(100);
    assert_int_equal(by_length(s, 91, true, 0), 0);
    assert_int_equal(by_length(s, 90, true, 0), 10);
    assert_int_equal(by_length(s, 55, true, 0), 30);
    assert_int_equal(by_id(s, 50, true, 0), 0);
    assert_int_equal(by_id(s, 51, true, 0), 10);
    assert_int_equal(by_id(s, 1000, true, 0), 50);
    stream_destroy(s);
}

/* LIMIT stops before the block that would exceed it (Redis: XTRIM MAXLEN ~ 55 LIMIT 30). */
static void test_limit(void **state)
{
    (void)state;
    struct stream *s = fill(100);
    assert_int_equal(by_length(s, 55, true, 9), 0);
    assert_int_equal(by_length(s, 55, true, 30), 30);
    assert_int_equal(by_length(s, 55, true, 30), 10);
    assert_int_equal(by_id(s, 1000, true, 25), 20);
    stream_destroy(s);
}

/* Deleted entries count neither for the length nor for the limit. */
static void test_deleted_entries_do_not_count(void **state)
{
    (void)state;
    struct stream *s = fill(30);
    for (uint64_t i = 1; i <= 30; i += 3) assert_true(stream_delete(s, (struct stream_id){i, 0}));
    assert_int_equal(stream_length(s), 20);
    assert_int_equal(by_length(s, 14, true, 6), 6);
    assert_int_equal(by_length(s, 13, false, 0), 1);
    struct stream_id first;
    assert_true(stream_first_id(s, &first));
    assert_int_equal(first.ms, 12);
    assert_int_equal(by_id(s, 29, true, 0), 6);
    assert_int_equal(by_id(s, 30, false, 0), 6);
    stream_destroy(s);
}

/* Thousands of blocks are trimmed as few are, wherever the borders of the index's leaves (256
 * blocks) are; what is cut off at once is most of it, and the rest follows. */
static void test_many_blocks(void **state)
{
    (void)state;
    enum { COUNT = 9000, BLOCK = 10, LEAF = 256 * BLOCK };
    static const int NEAR[] = {-11, -10, -9, -1, 0, 1, 9, 10, 11, 1000};
    for (size_t i = 0; i < 3 * sizeof NEAR / sizeof *NEAR; i++) {
        uint64_t gone = (uint64_t)((int)(i % 3 + 1) * LEAF + NEAR[i / 3]);
        uint64_t blocks = gone / BLOCK * BLOCK, limit = gone % 3 * LEAF + BLOCK;
        struct stream *s = fill(COUNT);
        assert_int_equal(by_length(s, COUNT - gone, true, limit), blocks < limit ? blocks : limit);
        assert_int_equal(by_length(s, COUNT - gone, true, 0), blocks < limit ? 0 : blocks - limit);
        assert_int_equal(by_id(s, gone + 1, true, 0), 0);
        assert_int_equal(by_id(s, gone + 1, false, 0), gone % BLOCK);
        stream_destroy(s);

        s = fill(COUNT);
        struct stream_id first_kept = {gone + 1, 0};
        struct stream *cut = stream_cut_before(s, first_kept);
        assert_int_equal(cut == NULL, gone < LEAF);
        if (cut != NULL) assert_int_equal(stream_length(cut), gone / LEAF * LEAF);
        stream_check(s);
        assert_int_equal(stream_trim_before(s, first_kept), gone % LEAF);
        if (cut != NULL) stream_destroy(cut);
        stream_destroy(s);
    }
}

/* Everything can go even when the last ID is the largest there is. */
static void test_the_largest_id(void **state)
{
    (void)state;
    struct slice items[2] = {SLICE("field"), SLICE("value")};
    struct stream *s = fill(5);
    stream_append(s, STREAM_ID_MAX, items, 2, &TEN);
    assert_int_equal(by_id(s, UINT64_MAX, false, 0), 5);
    assert_true(stream_contains(s, STREAM_ID_MAX));
    assert_int_equal(by_length(s, 0, false, 0), 1);
    stream_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),       cmocka_unit_test(test_approximate),
        cmocka_unit_test(test_limit),       cmocka_unit_test(test_deleted_entries_do_not_count),
        cmocka_unit_test(test_many_blocks), cmocka_unit_test(test_the_largest_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
