/* spares_test.c - which spares there are, and how many are wanted. The jobs are proved in tests/sim
 * (wal_recycle_test.c). */
#include "wal/spares.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* As many as were begun between two snapshots and two more, within bounds. */
static void test_wanted(void **state)
{
    static const struct {
        uint64_t segments;
        size_t wanted;
    } cases[] = {{0, 2}, {1, 3}, {13, 15}, {14, 16}, {15, 16}, {1000, 16}, {UINT64_MAX, 16}};
    (void)state;
    struct spares s = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spares_expect(&s, cases[i].segments);
        assert_int_equal(s.wanted, cases[i].wanted);
    }
}

/* Whichever is taken, the others stay. */
static void test_take(void **state)
{
    (void)state;
    for (uint64_t taken = 1; taken <= SPARES_MAX; taken++) {
        struct spares s = {.next = SPARES_MAX + 1};
        uint64_t sum = 0;
        for (uint64_t number = 1; number <= SPARES_MAX; number++) spares_add(&s, number);
        assert_int_equal(s.count, SPARES_MAX);
        spares_take(&s, taken);
        assert_int_equal(s.count, SPARES_MAX - 1);
        for (size_t i = 0; i < s.count; i++) {
            assert_int_not_equal(s.numbers[i], taken);
            sum += s.numbers[i];
        }
        assert_int_equal(sum, SPARES_MAX * (SPARES_MAX + 1) / 2 - taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wanted), cmocka_unit_test(test_take)};
    return cmocka_run_group_tests_name("spares", tests, NULL, NULL);
}
