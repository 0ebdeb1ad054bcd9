/* Percentiles against a sorted array. */
#include "base/histogram.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VALUES = 4993 };

/* Every value lies in the bucket whose bounds hold it, and buckets follow each other. */
static void test_buckets(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t max = histogram_bucket_max(i);
        assert_int_equal(histogram_bucket(max), i);
        assert_int_equal(histogram_bucket(max + 1), i + 1);
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket_max(HISTOGRAM_BUCKETS - 1), UINT64_MAX);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Never below the true percentile, at most an eighth above it, never above the maximum. */
static void test_percentiles(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    struct random random = {11};
    struct histogram h = {0};
    assert_int_equal(histogram_percentile(&h, 500), 0);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = random_next(&random) >> (1 + random_below(&random, 60));
        histogram_add(&h, values[i]);
    }
    qsort(values, VALUES, sizeof(*values), compare);
    static const unsigned permilles[] = {1, 10, 500, 900, 990, 999, 1000};
    for (size_t i = 0; i < sizeof(permilles) / sizeof(*permilles); i++) {
        uint64_t exact = values[(VALUES * permilles[i] + 999) / 1000 - 1];
        uint64_t told = histogram_percentile(&h, permilles[i]);
        assert_true(told >= exact);
        assert_true(told <= exact + exact / 8);
        assert_true(told <= h.max);
    }
    assert_int_equal(h.max, values[VALUES - 1]);
    assert_int_equal(histogram_percentile(&h, 1000), h.max);
}

/* Of few values, exactly. */
static void test_small_values(void **state)
{
    (void)state;
    struct histogram h = {0};
    for (uint64_t value = 1; value <= 3; value++) histogram_add(&h, value);
    assert_int_equal(histogram_percentile(&h, 1), 1);
    assert_int_equal(histogram_percentile(&h, 333), 1);
    assert_int_equal(histogram_percentile(&h, 334), 2);
    assert_int_equal(histogram_percentile(&h, 500), 2);
    assert_int_equal(histogram_percentile(&h, 667), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_small_values),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
