/* referenced_test.c - what no group refers to: the same as a walk over everything finds, without
 * looking at anything twice. */
#include "base/random.h"
#include "stream/stream_group.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { STEPS = 20000, PAGE = 7 };
static const struct stream_block_limits LIMITS = {4096, 10};
static const struct slice GROUPS[2] = {{"one", 3}, {"two", 3}};
static const struct slice CONSUMERS[2] = {{"ann", 3}, {"bob", 3}};

static void append(struct stream *s)
{
    struct slice items[2] = {SLICE("f"), SLICE("v")};
    struct stream_id id = {stream_last_id(s).ms + 1, 0};
    stream_append(s, id, items, 2, &LIMITS);
}

static void create_group(struct stream *s, struct slice name, uint64_t last_ms)
{
    stream_group_create(s, name, (struct stream_id){last_ms, 0}, STREAM_ENTRIES_READ_EXACT);
    for (int i = 0; i < 2; i++) stream_consumer_create(s, name, CONSUMERS[i], 1);
}

static void deliver(struct stream *s, struct slice group, struct slice consumer, bool no_ack)
{
    struct stream_walk w;
    const struct stream_group *g = stream_group_find(s, group);
    struct stream_range range = {stream_group_last_delivered(g), STREAM_ID_MAX};
    struct stream_delivery d = {
        .group = group, .consumer = consumer, .now_ms = 1, .no_ack = no_ack};
    assert_true(stream_id_increment(&range.first));
    stream_walk_begin(&w, s, range, false);
    for (; d.count < 5 && stream_walk_next(&w); d.count++) d.last_id = w.id;
    if (d.count > 0) assert_true(stream_group_deliver(s, &d));
}

/* The range that all groups have passed. */
static struct stream_range passed(const struct stream *s)
{
    struct stream_range range;
    assert_true(stream_referenced_bounds(s, &range.first, &range.last));
    return range;
}

/* Deletes up to 'count' entries that nobody refers to, and expects the first ones of a walk. */
static void trim(struct stream *s, struct stream_range range, size_t count)
{
    struct stream_id ids[PAGE];
    struct stream_unreferenced list = {.range = range, .looks = UINT64_MAX, .ids = ids};
    list.capacity = count;
    struct stream_walk w;
    size_t found = 0;
    bool more = stream_list_unreferenced(s, &list);
    stream_walk_begin(&w, s, range, false);
    while (found < count && stream_walk_next(&w)) {
        if (stream_is_referenced(s, w.id, NULL)) continue;
        assert_true(found < list.count);
        assert_int_equal(stream_id_compare(w.id, ids[found]), 0);
        found++;
    }
    assert_int_equal(found, list.count);
    assert_int_equal(more, found == count);
    for (size_t i = 0; i < found; i++) assert_true(stream_delete(s, ids[i]));
}

static void change(struct stream *s, struct random *r)
{
    struct slice group = GROUPS[random_below(r, 2)], consumer = CONSUMERS[random_below(r, 2)];
    struct stream_id id = {random_below(r, stream_last_id(s).ms + 1), 0};
    switch (random_below(r, 40)) {
    case 0:
        stream_destroy(stream_cut_group(s, group));
        create_group(s, group, id.ms);
        break;
    case 1: stream_group_set_id(s, group, id, STREAM_ENTRIES_READ_EXACT); break;
    case 2:
        stream_consumer_destroy(s, group, consumer);
        stream_consumer_create(s, group, consumer, 1);
        break;
    case 3: stream_trim_before(s, (struct stream_id){id.ms / 4, 0}); break;
    case 4: stream_delete(s, id); break;
    case 5: {
        struct stream_claim claim = {.group = group, .consumer = consumer, .ids = &id, .count = 1};
        if (stream_contains(s, id)) stream_group_claim(s, &claim);
        break;
    }
    default:
        if (random_below(r, 2) == 0) append(s);
        else deliver(s, group, consumer, random_below(r, 4) == 0);
    }
}

/* Whatever happens in between, a listing is what a walk over the range finds. */
static void test_lists_what_a_walk_finds(void **state)
{
    (void)state;
    struct stream *s = stream_create();
    struct random r = {5};
    for (int i = 0; i < 2; i++) create_group(s, GROUPS[i], 0);
    for (int step = 0; step < STEPS; step++) {
        struct stream_id ids[2] = {{random_below(&r, stream_last_id(s).ms + 1), 0}, {0, 0}};
        ids[1].ms = ids[0].ms + 1;
        switch (random_below(&r, 3)) {
        case 0: change(s, &r); break;
        case 1:
            stream_group_acknowledge(s, GROUPS[random_below(&r, 2)], ids, 1 + (step & 1));
            break;
        default: {
            struct stream_range range = passed(s);
            if (random_below(&r, 3) == 0) range.first = ids[0];
            if (random_below(&r, 3) == 0 && ids[0].ms < range.last.ms) range.last = ids[0];
            trim(s, range, 1 + (size_t)random_below(&r, PAGE));
        }
        }
        if (step % 16 == 0) stream_check(s);
    }
    stream_check(s);
    stream_destroy(s);
}

/* What was found to be referenced is not looked at again, unless it was acknowledged. */
static void test_nothing_is_looked_at_twice(void **state)
{
    (void)state;
    enum { ENTRIES = 5000, LOOKS = 10000 };
    struct stream *s = stream_create();
    struct stream_id ids[PAGE];
    create_group(s, GROUPS[0], 0);
    for (int i = 0; i < ENTRIES; i++) append(s);
    for (int i = 0; i < ENTRIES / 5; i++) deliver(s, GROUPS[0], CONSUMERS[0], false);
    struct stream_unreferenced list = {
        .range = passed(s), .looks = LOOKS, .ids = ids, .capacity = PAGE};
    assert_false(stream_list_unreferenced(s, &list));
    assert_int_equal(list.count, 0);
    assert_int_equal(list.looks, LOOKS - ENTRIES);
    list.looks = LOOKS;
    assert_false(stream_list_unreferenced(s, &list));
    assert_int_equal(list.looks, LOOKS);

    struct stream_id some[2] = {{ENTRIES / 2, 0}, {ENTRIES, 0}};
    assert_int_equal(stream_group_acknowledge(s, GROUPS[0], some, 2), 2);
    assert_false(stream_list_unreferenced(s, &list));
    assert_int_equal(list.looks, LOOKS);
    assert_int_equal(list.count, 2);
    for (int i = 0; i < 2; i++) assert_int_equal(stream_id_compare(ids[i], some[i]), 0);
    for (int i = 0; i < 2; i++) assert_true(stream_delete(s, ids[i]));
    stream_check(s);

    /* So many that they are not worth a list: everything is looked at once more. */
    size_t found = 0;
    for (uint64_t ms = 1; ms < ENTRIES; ms += 2) {
        struct stream_id id = {ms, 0};
        assert_int_equal(stream_group_acknowledge(s, GROUPS[0], &id, 1), 1);
    }
    do {
        assert_int_equal(list.range.first.ms, 1);
        if (stream_list_unreferenced(s, &list)) assert_int_equal(list.count, PAGE);
        for (size_t i = 0; i < list.count; i++) assert_true(stream_delete(s, ids[i]));
        found += list.count;
    } while (list.count > 0);
    assert_int_equal(found, ENTRIES / 2);
    assert_in_range(list.looks, 1, LOOKS - ENTRIES / 2);
    stream_check(s);
    stream_destroy(s);
}

/* A bound on the looks ends a listing, and the next one goes on there. */
static void test_goes_on_after_its_bound(void **state)
{
    (void)state;
    enum { ENTRIES = 100 };
    struct stream *s = stream_create();
    struct stream_id ids[PAGE];
    create_group(s, GROUPS[0], 0);
    for (int i = 0; i < ENTRIES; i++) append(s);
    for (int i = 0; i < ENTRIES / 5; i++) deliver(s, GROUPS[0], CONSUMERS[0], i == ENTRIES / 5 - 1);
    struct stream_unreferenced list = {.range = passed(s), .ids = ids, .capacity = PAGE};
    for (int i = 0; i < 3; i++) {
        list.looks = 30;
        assert_false(stream_list_unreferenced(s, &list));
        assert_int_equal(list.count, 0);
    }
    list.looks = 30;
    assert_false(stream_list_unreferenced(s, &list));
    assert_int_equal(list.count, 5);
    assert_int_equal(ids[0].ms, ENTRIES - 4);
    stream_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_what_a_walk_finds),
        cmocka_unit_test(test_nothing_is_looked_at_twice),
        cmocka_unit_test(test_goes_on_after_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
