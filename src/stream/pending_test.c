/* pending_test.c - the list of pending entries where the model test seldom comes: chunks that
 * become wide and narrow again, split and merge; what an entry costs. */
#include "base/memory.h"
#include "base/random.h"
#include "stream/pending_chunk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { OWNERS = 3, BASE_MS = 1700000000 };

struct fixture {
    struct pending_list list;
    struct pending_owner owners[OWNERS];
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    for (int i = 0; i < OWNERS; i++) pending_owner_add(&f->list, &f->owners[i]);
}

static void put(struct fixture *f, uint64_t ms, uint32_t owner, int64_t delivery_ms)
{
    struct pending_item item = {{ms, 0}, delivery_ms, 1, owner};
    pending_put(&f->list, &item);
}

static void drop(struct pending_list *p)
{
    size_t all = SIZE_MAX;
    assert_true(pending_dismantle(p, &all));
}

static void finish(struct fixture *f)
{
    pending_check(&f->list);
    drop(&f->list);
}

static void expect(const struct fixture *f, const struct pending_item *expected)
{
    struct pending_item item;
    assert_true(pending_get(&f->list, expected->id, &item));
    assert_int_equal(item.delivery_ms, expected->delivery_ms);
    assert_int_equal(item.deliveries, expected->deliveries);
    assert_int_equal(item.owner, expected->owner);
}

/* What does not fit the narrow columns is kept exactly, among entries that fit. */
static void test_nothing_is_too_large(void **state)
{
    (void)state;
    static const struct pending_item ODD[] = {
        {{0, 1}, 0, 1, 0},
        {{0, UINT64_MAX}, INT64_MAX, INT64_MAX, 1},
        {{BASE_MS, (uint64_t)UINT32_MAX + 1}, INT64_MIN, 0, 2},
        {{BASE_MS + 7, UINT32_MAX}, 5, UINT16_MAX, PENDING_UNOWNED},
        {{BASE_MS + 9, 1}, 5, UINT16_MAX + 1, 1},
        {{BASE_MS + ((uint64_t)1 << 40), 0}, 5, 1, 1},
        {{UINT64_MAX, UINT64_MAX}, -1, UINT64_MAX, 0},
    };
    enum { COUNT = sizeof ODD / sizeof ODD[0] };
    for (int from = 0; from < 2; from++) { /* odd ones first, or last */
        struct fixture f;
        begin(&f);
        for (int part = 0; part < 2; part++) {
            if (part == from)
                for (size_t i = 0; i < COUNT; i++) pending_put(&f.list, &ODD[i]);
            else
                for (uint64_t i = 0; i < 500; i++) put(&f, BASE_MS + 2 * i, 0, BASE_MS);
            pending_check(&f.list);
        }
        assert_int_equal(f.list.count, 500 + COUNT);
        for (size_t i = 0; i < COUNT; i++) expect(&f, &ODD[i]);
        struct stream_id missing = {BASE_MS, (uint64_t)UINT32_MAX + 2};
        struct pending_item item;
        assert_false(pending_get(&f.list, missing, &item));
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(pending_remove(&f.list, &ODD[i].id, 1), 1);
        assert_int_equal(f.list.count, 500);
        finish(&f);
    }
}

/* Seeking an ID whose sequence no narrow key can hold finds the first entry that is not below. */
static void test_seeking_between_keys(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pending_item item = {{BASE_MS, UINT32_MAX}, 5, 1, 0};
    pending_put(&f.list, &item);
    put(&f, BASE_MS + 1, 0, 5);
    struct stream_id between = {BASE_MS, (uint64_t)UINT32_MAX + 1};
    struct pending_place place = pending_seek(&f.list.chunks, between);
    assert_true(pending_next(&place, INT64_MAX, &item));
    assert_int_equal(item.id.ms, BASE_MS + 1);
    assert_false(pending_next(&place, INT64_MAX, &item));
    finish(&f);
}

/* An entry that comes before all others, again and again, splits chunks and keeps the order. */
static void test_falling_ids(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t i = 1000; i > 0; i--) put(&f, i, (uint32_t)(i % OWNERS), 5);
    pending_check(&f.list);
    struct pending_place place = pending_seek(&f.list.chunks, STREAM_ID_MIN);
    struct pending_item item;
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_true(pending_next(&place, INT64_MAX, &item));
        assert_int_equal(item.id.ms, i);
        assert_int_equal(item.owner, i % OWNERS);
    }
    assert_false(pending_next(&place, INT64_MAX, &item));
    finish(&f);
}

/* A pending entry costs 40 bytes at most: delivered in order, and after random acknowledgements
 * of three quarters of them. */
static void test_memory_of_an_entry(void **state)
{
    (void)state;
    enum { COUNT = 20011 }; /* prime */
    struct fixture f;
    begin(&f);
    for (uint64_t i = 0; i < COUNT; i++)
        put(&f, BASE_MS + i, (uint32_t)(i / 10 % OWNERS), BASE_MS + (int64_t)i);
    assert_true(f.list.memory_bytes <= 20 * f.list.count);
    for (uint64_t i = 0; i < COUNT * 3 / 4; i++) {
        struct stream_id id = {BASE_MS + i * 7919 % COUNT, 0};
        assert_int_equal(pending_remove(&f.list, &id, 1), 1);
        if (i % 1000 == 0) pending_check(&f.list);
    }
    assert_true(f.list.memory_bytes <= 40 * f.list.count);
    uint64_t left = f.owners[1].count;
    uint64_t count = f.list.count;
    assert_int_equal(pending_remove_owned(&f.list, &f.owners[1]), left);
    assert_int_equal(f.list.count, count - left);
    finish(&f);
}

/* The oldest come in the order of delivery whatever their IDs; unowned ones before all. */
static void test_order_of_delivery(void **state)
{
    (void)state;
    enum { COUNT = 1009 };
    struct fixture f;
    begin(&f);
    for (uint64_t i = 0; i < COUNT; i++) put(&f, i + 1, 0, (int64_t)(i * 31 % COUNT));
    put(&f, 500, PENDING_UNOWNED, 100000);
    put(&f, 900, PENDING_UNOWNED, 99999);
    struct pending_item *items = memory_allocate(COUNT * sizeof *items);
    for (size_t limit = 0; limit <= COUNT; limit += 63) {
        size_t found = pending_oldest(&f.list, INT64_MAX, items, limit);
        assert_int_equal(found, limit);
        for (size_t i = 1; i < found; i++)
            assert_true(pending_compare_age(&items[i - 1], &items[i]) < 0);
        if (found >= 2) {
            assert_int_equal(items[0].id.ms, 900);
            assert_int_equal(items[1].id.ms, 500);
        }
        if (found >= 3) assert_int_equal(items[2].delivery_ms, 0);
    }
    /* Two of the eleven entries of the times 0 to 10 may have become unowned. */
    size_t found = pending_oldest(&f.list, 10, items, COUNT);
    assert_true(found >= 11 && found <= 13);
    memory_free(items, COUNT * sizeof *items);
    finish(&f);
}

/* ---- a watch ---- */

struct watcher {
    struct pending_watch watch; /* first */
    struct pending_list seen;   /* what it was shown */
    struct pending_owner owners[OWNERS];
};

static void note(struct pending_watch *watch, const struct pending_chunk *c)
{
    struct watcher *w = (struct watcher *)(void *)watch;
    for (uint32_t i = 0; i < c->count; i++) {
        struct pending_item item, twice;
        chunk_get(c, i, &item);
        assert_false(pending_get(&w->seen, item.id, &twice));
        pending_put(&w->seen, &item);
    }
}

/* Odd seeds make the list grow, also at its ends. */
static void change(struct fixture *f, struct random *r, uint64_t ids, bool grows)
{
    uint64_t ms = ids / 4 + random_below(r, ids / 2);
    uint64_t run = random_below(r, 8) == 0 ? 40 : 1;
    if (grows && random_below(r, 8) == 0) ms = 1 + random_below(r, ids);
    bool removes = random_below(r, grows ? 9 : 2) == 0, owned = random_below(r, 9) > 0;
    for (uint64_t i = 0; i < run; i++) {
        struct stream_id id = {ms + i, 0};
        if (removes) pending_remove(&f->list, &id, 1);
        else put(f, ms + i, owned ? (uint32_t)random_below(r, OWNERS) : PENDING_UNOWNED, 5);
    }
    if (random_below(r, 500) == 0) pending_remove_owned(&f->list, &f->owners[1]);
}

/* Whatever changes, and when: who watches has seen, at the end of his steps, exactly what was there
 * when he began. */
static void test_watch(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 100; seed++) {
        struct random r = {seed};
        struct fixture f;
        struct stream_id from = STREAM_ID_MIN;
        struct pending_item item, seen;
        uint64_t ids = 20 + random_below(&r, 3000), count = 0;
        begin(&f);
        for (uint64_t i = 0; i < ids / (1 + seed % 2 * 8); i++) change(&f, &r, ids, seed % 2);
        struct watcher w = {.watch = {(uint32_t)seed, note}};
        for (int i = 0; i < OWNERS; i++) pending_owner_add(&w.seen, &w.owners[i]);
        struct pending_item *before = memory_allocate(ids * 2 * sizeof *before);
        struct pending_place place = pending_seek(&f.list.chunks, STREAM_ID_MIN);
        while (pending_next(&place, INT64_MAX, &item)) before[count++] = item;
        f.list.watch = &w.watch;
        do {
            for (uint64_t i = random_below(&r, 1 + ids / 2); i > 0; i--)
                change(&f, &r, ids, seed % 2);
        } while (pending_show(&f.list, &from, (uint32_t)random_below(&r, 3)));
        f.list.watch = NULL;
        assert_int_equal(w.seen.count, count);
        for (uint64_t i = 0; i < count; i++) {
            assert_true(pending_get(&w.seen, before[i].id, &seen));
            assert_int_equal(pending_compare_age(&seen, &before[i]), 0);
            assert_int_equal(seen.owner, before[i].owner);
        }
        memory_free(before, ids * 2 * sizeof *before);
        drop(&w.seen);
        finish(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_too_large), cmocka_unit_test(test_seeking_between_keys),
        cmocka_unit_test(test_falling_ids),          cmocka_unit_test(test_memory_of_an_entry),
        cmocka_unit_test(test_order_of_delivery),    cmocka_unit_test(test_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
