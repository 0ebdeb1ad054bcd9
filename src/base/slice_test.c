/* Tests of slice.h. */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_equal(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE("a\0b"), (struct slice){"a\0b", 3}));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equal(SLICE("a"), SLICE("ab")));
    assert_true(slice_equal((struct slice){NULL, 0}, SLICE("")));
    assert_true(slice_equal(slice_of("abc"), SLICE("abc")));
}

/* Bytes are unsigned, and a prefix stands before what it begins. */
static void test_compare(void **state)
{
    (void)state;
    static const struct slice ordered[] = {{NULL, 0},   {"\0", 1},   {"\0\0", 2}, {"A", 1},
                                           {"a", 1},    {"a\0", 2},  {"aa", 2},   {"b", 1},
                                           {"\x7f", 1}, {"\x80", 1}, {"\xff", 1}};
    enum { COUNT = sizeof ordered / sizeof ordered[0] };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            int order = slice_compare(ordered[i], ordered[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void test_ignoring_case(void **state)
{
    (void)state;
    assert_true(slice_equal_ignoring_case(SLICE("MaxLen9"), SLICE("mAXlEN9")));
    assert_false(slice_equal_ignoring_case(SLICE("maxlen"), SLICE("maxle")));
    /* Neighbours of the letters, and bytes above ASCII, have no case. */
    assert_false(slice_equal_ignoring_case(SLICE("@"), SLICE("`")));
    assert_false(slice_equal_ignoring_case(SLICE("["), SLICE("{")));
    assert_false(slice_equal_ignoring_case(SLICE("\xc4"), SLICE("\xe4")));
    assert_true(slice_equal_ignoring_case((struct slice){NULL, 0}, SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal), cmocka_unit_test(test_compare),
                                       cmocka_unit_test(test_ignoring_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
