/* group_test.c - which entries groups refer to, and deliveries that are counted down. */
#include "stream/stream_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct stream_block_limits LIMITS = {4096, 100};

static struct stream_id id_of(uint64_t ms)
{
    return (struct stream_id){ms, 0};
}

/* Entries 1-0 .. 5-0; group a has been delivered the first 'a' of them, b the first 'b'. */
static struct stream *delivered(uint64_t a, uint64_t b)
{
    struct slice items[2] = {SLICE("field"), SLICE("value")};
    struct slice names[2] = {SLICE("a"), SLICE("b")};
    struct stream *s = stream_create();
    for (uint64_t i = 1; i <= 5; i++) stream_append(s, id_of(i), items, 2, &LIMITS);
    for (size_t g = 0; g < 2; g++) {
        uint64_t count = g == 0 ? a : b;
        stream_group_create(s, names[g], STREAM_ID_MIN, STREAM_ENTRIES_READ_EXACT);
        stream_consumer_create(s, names[g], SLICE("c"), 7);
        struct stream_delivery d = {.group = names[g],
                                    .consumer = SLICE("c"),
                                    .last_id = id_of(count),
                                    .count = count,
                                    .now_ms = 7};
        if (count > 0) assert_true(stream_group_deliver(s, &d));
    }
    return s;
}

static void acknowledge(struct stream *s, struct slice group, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        struct stream_id id = id_of(i);
        assert_int_equal(stream_group_acknowledge(s, group, &id, 1), 1);
    }
}

static void expect_bounds(const struct stream *s, struct stream_id first, struct stream_id last)
{
    struct stream_id from, to;
    assert_true(stream_referenced_bounds(s, &from, &to));
    assert_int_equal(stream_id_compare(from, first), 0);
    assert_int_equal(stream_id_compare(to, last), 0);
}

static void finish(struct stream *s)
{
    stream_check(s);
    stream_destroy(s);
}

/* An entry is free when every group has passed it and none has it pending; the pending entry of
 * the group that acknowledges does not count, its position does. */
static void test_references_of_groups(void **state)
{
    (void)state;
    struct stream *s = delivered(4, 3);
    const struct stream_group *a = stream_group_find(s, SLICE("a"));
    acknowledge(s, SLICE("a"), 1, 2);
    acknowledge(s, SLICE("b"), 1, 3);
    assert_false(stream_is_referenced(s, id_of(1), NULL));
    assert_false(stream_is_referenced(s, id_of(2), NULL));
    assert_true(stream_is_referenced(s, id_of(3), NULL)); /* pending in a */
    assert_false(stream_is_referenced(s, id_of(3), a));
    assert_true(stream_is_referenced(s, id_of(4), a)); /* b has not read it */
    stream_group_set_id(s, SLICE("a"), id_of(1), STREAM_ENTRIES_READ_EXACT);
    assert_true(stream_is_referenced(s, id_of(3), a)); /* a will read it again */
    finish(s);
}

/* Below the first bound nothing is referenced, above the last everything. */
static void test_bounds_of_references(void **state)
{
    (void)state;
    struct stream_id first, last;
    struct stream *s = delivered(4, 3);
    expect_bounds(s, id_of(1), id_of(3));
    acknowledge(s, SLICE("a"), 1, 2);
    acknowledge(s, SLICE("b"), 1, 1);
    expect_bounds(s, id_of(2), id_of(3));
    acknowledge(s, SLICE("b"), 2, 3);
    expect_bounds(s, id_of(3), id_of(3));
    acknowledge(s, SLICE("a"), 3, 4);
    expect_bounds(s, (struct stream_id){3, 1}, id_of(3));
    stream_group_set_id(s, SLICE("a"), STREAM_ID_MAX, STREAM_ENTRIES_READ_EXACT);
    stream_group_set_id(s, SLICE("b"), STREAM_ID_MAX, STREAM_ENTRIES_READ_EXACT);
    expect_bounds(s, STREAM_ID_MAX, STREAM_ID_MAX);
    stream_destroy(stream_cut_group(s, SLICE("a")));
    stream_destroy(stream_cut_group(s, SLICE("b")));
    assert_false(stream_referenced_bounds(s, &first, &last));
    finish(s);
}

/* XNACK SILENT takes back the count of a delivery, and never below zero. */
static void test_deliveries_are_counted_down(void **state)
{
    (void)state;
    struct stream *s = delivered(1, 0);
    const struct stream_group *a = stream_group_find(s, SLICE("a"));
    struct stream_id id = id_of(1);
    struct stream_claim claim = {.group = SLICE("a"),
                                 .unowned = true,
                                 .delivery_ms = 9,
                                 .deliveries = STREAM_DELIVERIES_DECREMENT,
                                 .active_ms = -1,
                                 .ids = &id,
                                 .count = 1};
    struct stream_pending pending;
    for (int i = 0; i < 2; i++) {
        stream_group_claim(s, &claim);
        assert_true(stream_pending_find(a, id, &pending));
        assert_int_equal(pending.deliveries, 0);
        assert_null(pending.consumer);
        assert_int_equal(pending.delivery_ms, 9);
    }
    assert_int_equal(stream_group_unowned_count(a), 1);
    finish(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_of_groups),
        cmocka_unit_test(test_bounds_of_references),
        cmocka_unit_test(test_deliveries_are_counted_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
