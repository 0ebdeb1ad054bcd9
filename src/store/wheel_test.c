/* The wheel against a stupid model: an array of (time, record), searched for the earliest. */
#include "store/wheel.h"

#include "base/memory.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FILED_MAX = 3000, OPERATIONS = 400000 };

/* What is in the wheel: record n was filed with times[n], or is not there (-1). */
struct model {
    struct wheel *wheel;
    struct random random;
    int64_t now_ms;
    int64_t times[FILED_MAX];
    uint64_t count;
};

static void file(struct model *m, uint64_t record)
{
    static const int64_t spans[] = {1, 50, 1024, 3000, 70000, 2000000, 1100000000, 5000000000000};
    uint64_t span = random_below(&m->random, sizeof spans / sizeof *spans);
    int64_t time_ms =
        m->now_ms - 20 + (int64_t)random_below(&m->random, (uint64_t)spans[span] + 20);
    wheel_file(m->wheel, time_ms, record);
    m->times[record] = time_ms < m->now_ms ? m->now_ms : time_ms;
    m->count++;
}

/* Pops all that has begun. What comes out early is filed again, as due.c does, so that in the end
 * exactly the records up to now have come out for good, in the order of their times. */
static void advance(struct model *m, int64_t now_ms)
{
    uint64_t record;
    int64_t last_ms = 0;
    m->now_ms = now_ms;
    while (wheel_pop(m->wheel, now_ms, &record)) {
        assert_true(record < FILED_MAX);
        assert_true(m->times[record] >= 0);
        assert_true(wheel_time_ms(m->wheel) <= now_ms);
        if (m->times[record] > wheel_time_ms(m->wheel)) {
            wheel_file(m->wheel, m->times[record], record);
            continue;
        }
        assert_true(m->times[record] >= last_ms);
        last_ms = m->times[record];
        m->times[record] = -1;
        m->count--;
    }
    assert_true(wheel_time_ms(m->wheel) == now_ms);
}

static void assert_agrees(const struct model *m)
{
    int64_t earliest = INT64_MAX;
    for (unsigned i = 0; i < FILED_MAX; i++)
        if (m->times[i] >= 0 && m->times[i] < earliest) earliest = m->times[i];
    assert_true(earliest > m->now_ms);
    assert_true(wheel_count(m->wheel) == m->count);
    assert_true(wheel_next_ms(m->wheel) <= earliest);
    assert_true((wheel_next_ms(m->wheel) == INT64_MAX) == (earliest == INT64_MAX));
}

/* Records come out neither late nor twice, whatever the steps in which time goes on. */
static void agrees_with_model(void **state)
{
    (void)state;
    static const uint64_t steps[] = {2, 300, 5000, 2000000, 3000000000};
    struct model *m = memory_allocate_zeroed(sizeof *m);
    for (uint64_t seed = 0; seed < sizeof steps / sizeof *steps; seed++) {
        *m = (struct model){.random = {seed}, .now_ms = seed == 0 ? 0 : 1760000000000};
        m->wheel = wheel_create(m->now_ms);
        for (unsigned i = 0; i < FILED_MAX; i++) m->times[i] = -1;
        for (unsigned i = 0; i < OPERATIONS; i++) {
            uint64_t record = random_below(&m->random, FILED_MAX);
            if (m->times[record] < 0) file(m, record);
            if (i % 50 != 0) continue;
            advance(m, m->now_ms + (int64_t)random_below(&m->random, steps[seed]));
            if (i % 1000 == 0) assert_agrees(m);
        }
        wheel_destroy(m->wheel);
    }
    memory_free(m, sizeof *m);
}

/* Time stops at a higher bucket until it is empty, even when records filed from it are due. */
static void empties_a_bucket_before_time_goes_on(void **state)
{
    (void)state;
    struct wheel *w = wheel_create(0);
    uint64_t record;
    for (uint64_t i = 0; i < 100; i++) wheel_file(w, 5000 + (int64_t)i, i);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(wheel_pop(w, 1000000, &record));
        assert_int_equal(wheel_time_ms(w), 4096);
        wheel_file(w, 5000 + (int64_t)record, record);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_true(wheel_pop(w, 1000000, &record));
        assert_int_equal(record, i);
        assert_int_equal(wheel_time_ms(w), 5000 + i);
    }
    assert_false(wheel_pop(w, 1000000, &record));
    assert_int_equal(wheel_time_ms(w), 1000000);
    wheel_destroy(w);
}

/* Times before the wheel's come out at once; times beyond its end do not come out before that. */
static void times_are_clamped(void **state)
{
    (void)state;
    struct wheel *w = wheel_create(1000);
    uint64_t record;
    wheel_file(w, INT64_MIN, 1);
    wheel_file(w, INT64_MAX, 2);
    assert_int_equal(wheel_next_ms(w), 1000);
    assert_false(wheel_pop(w, 999, &record));
    assert_int_equal(wheel_time_ms(w), 1000);
    assert_true(wheel_pop(w, 1000, &record));
    assert_int_equal(record, 1);
    assert_false(wheel_pop(w, 1760000000000, &record));
    assert_true(wheel_pop(w, INT64_MAX, &record));
    assert_int_equal(record, 2);
    assert_true(wheel_next_ms(w) == INT64_MAX);
    wheel_destroy(w);
}

/* peek names the records that will come next from the same chunk, in order. */
static void peeks_ahead(void **state)
{
    (void)state;
    enum { RECORDS = 200 };
    struct wheel *w = wheel_create(0);
    uint64_t record, ahead, seen = 0;
    assert_false(wheel_peek(w, 0, &ahead));
    for (uint64_t i = 0; i < RECORDS; i++) wheel_file(w, 7, i);
    uint64_t expected[RECORDS] = {0};
    bool known[RECORDS] = {false};
    for (size_t i = 0; i < RECORDS; i++) {
        assert_true(wheel_pop(w, 7, &record));
        if (known[i]) assert_int_equal(record, expected[i]);
        seen += known[i];
        if (i + 5 >= RECORDS || !wheel_peek(w, 4, &ahead)) continue;
        known[i + 5] = true;
        expected[i + 5] = ahead;
    }
    assert_true(seen > RECORDS / 2);
    wheel_destroy(w);
}

/* A record costs little more than its eight bytes, and discarding takes them a chunk at a time. */
static void is_compact(void **state)
{
    (void)state;
    enum { RECORDS = 1000000 };
    struct memory_figures before, after;
    struct wheel *w = wheel_create(0);
    memory_measure(&before);
    for (uint64_t i = 0; i < RECORDS; i++) wheel_file(w, 1000000 + (int64_t)(i % 3600000), i);
    memory_measure(&after);
    assert_true(after.allocated_bytes - before.allocated_bytes < RECORDS * 9);
    unsigned calls = 0;
    for (; wheel_count(w) > 0; calls++) wheel_discard(w);
    assert_true(calls > RECORDS / 512);
    assert_true(calls < RECORDS / 100);
    wheel_discard(w);
    memory_measure(&after);
    assert_true(after.allocated_bytes <= before.allocated_bytes);
    wheel_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_model), cmocka_unit_test(empties_a_bucket_before_time_goes_on),
        cmocka_unit_test(times_are_clamped), cmocka_unit_test(peeks_ahead),
        cmocka_unit_test(is_compact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
