/* Tests of random.h: the sequence is fixed, the bound holds. */
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The first values of SplitMix64 from seed 1234567, as its authors' program prints them. */
static void test_sequence(void **state)
{
    (void)state;
    struct random random = {1234567};
    assert_true(random_next(&random) == 6457827717110365317u);
    assert_true(random_next(&random) == 3203168211198807973u);
    assert_true(random_next(&random) == 9817491932198370423u);
}

/* Every value below the bound comes, and none at or above it. */
static void test_below(void **state)
{
    (void)state;
    struct random random = {0};
    static const uint64_t bounds[] = {1, 2, 3, 10, 100};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        int seen[100] = {0};
        for (int round = 0; round < 20000; round++) {
            uint64_t value = random_below(&random, bounds[i]);
            assert_true(value < bounds[i]);
            seen[value]++;
        }
        for (uint64_t value = 0; value < bounds[i]; value++)
            assert_true(seen[value] > 20000 / (int)bounds[i] / 2);
    }
    for (int round = 0; round < 1000; round++)
        assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequence),
                                       cmocka_unit_test(test_below)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
