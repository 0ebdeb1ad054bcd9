/* Strings as values, against what Redis answers and against a naive model. */
#include "string/string_value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct string_view bytes_view(struct slice bytes)
{
    return (struct string_view){.bytes = bytes};
}

static struct string_view integer_view(int64_t integer)
{
    return (struct string_view){.is_integer = true, .integer = integer};
}

/* An integer reads as its decimal text, bytes as themselves; STRLEN is the size of that. */
static void reads_as_bytes(void **state)
{
    (void)state;
    static const struct {
        int64_t integer;
        const char *text;
    } cases[] = {{0, "0"},
                 {-1, "-1"},
                 {1234567, "1234567"},
                 {INT64_MAX, "9223372036854775807"},
                 {INT64_MIN, "-9223372036854775808"}};
    char text[NUMBER_INTEGER_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct string_view v = integer_view(cases[i].integer);
        assert_true(slice_equal(string_bytes(&v, text), slice_of(cases[i].text)));
        assert_int_equal(string_size(&v), strlen(cases[i].text));
    }
    struct string_view v = bytes_view(SLICE("a\0b"));
    assert_ptr_equal(string_bytes(&v, text).data, v.bytes.data);
    assert_int_equal(string_size(&v), 3);
    v = bytes_view(SLICE(""));
    assert_int_equal(string_size(&v), 0);
}

/* Only the canonical decimal form of an int64 counts as an integer. */
static void recognises_integers(void **state)
{
    (void)state;
    int64_t value = 5;
    struct string_view v = integer_view(-7);
    assert_true(string_integer(&v, &value));
    assert_int_equal(value, -7);
    v = bytes_view(SLICE("42"));
    assert_true(string_integer(&v, &value));
    assert_int_equal(value, 42);
    static const char *const others[] = {"",   " 1", "1 ",  "+1",
                                         "01", "-0", "1.0", "9223372036854775808"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        v = bytes_view(slice_of(others[i]));
        assert_false(string_integer(&v, &value));
    }
}

/* Position i of the string is in the range when a naive reading of the two ends says so. */
static bool is_in_range(int64_t i, int64_t size, int64_t start, int64_t end)
{
    int64_t first = start < 0 ? start + size : start, last = end < 0 ? end + size : end;
    return i >= first && i <= last;
}

/* Every pair of ends around every small string gives exactly the positions between them. */
static void cuts_ranges(void **state)
{
    (void)state;
    for (int64_t size = 0; size <= 6; size++) {
        for (int64_t start = -9; start <= 9; start++) {
            for (int64_t end = -9; end <= 9; end++) {
                size_t first = 0, count = 0;
                bool any = string_range((size_t)size, start, end, &first, &count);
                assert_int_equal(any, count > 0);
                for (int64_t i = 0; i < size; i++)
                    assert_int_equal(is_in_range(i, size, start, end),
                                     i >= (int64_t)first && i < (int64_t)(first + count));
            }
        }
    }
    size_t first, count;
    assert_true(string_range(STRING_BYTES_MAX, INT64_MIN, INT64_MAX, &first, &count));
    assert_int_equal(first, 0);
    assert_int_equal(count, STRING_BYTES_MAX);
    assert_false(string_range(STRING_BYTES_MAX, INT64_MAX, INT64_MAX, &first, &count));
    assert_false(string_range(STRING_BYTES_MAX, INT64_MIN, INT64_MIN, &first, &count));
    assert_false(string_range(5, 0, -100, &first, &count));
}

/* INCR: absent counts as 0, both forms count, the range of int64 is not left. */
static void increments_integers(void **state)
{
    (void)state;
    int64_t result = 99;
    assert_int_equal(string_increment(NULL, -3, &result), STRING_OK);
    assert_int_equal(result, -3);
    struct string_view v = integer_view(INT64_MAX - 1);
    assert_int_equal(string_increment(&v, 1, &result), STRING_OK);
    assert_true(result == INT64_MAX);
    assert_int_equal(string_increment(&v, 2, &result), STRING_OVERFLOW);
    assert_true(result == INT64_MAX);
    v = bytes_view(SLICE("-9223372036854775808"));
    assert_int_equal(string_increment(&v, -1, &result), STRING_OVERFLOW);
    assert_int_equal(string_increment(&v, INT64_MAX, &result), STRING_OK);
    assert_int_equal(result, -1);
    v = bytes_view(SLICE("10 "));
    assert_int_equal(string_increment(&v, 1, &result), STRING_NOT_INTEGER);
    assert_int_equal(result, -1);
}

static void assert_float(const struct string_view *v, long double increment, const char *expected)
{
    char text[NUMBER_FLOAT_TEXT_MAX];
    size_t size = 0;
    assert_int_equal(string_increment_float(v, increment, text, &size), STRING_OK);
    assert_true(slice_equal((struct slice){text, size}, slice_of(expected)));
}

/* INCRBYFLOAT: the examples of its documentation, and what is not a number or leads to none. */
static void increments_floats(void **state)
{
    (void)state;
    struct string_view v = bytes_view(SLICE("10.50"));
    assert_float(&v, 0.1L, "10.6");
    assert_float(&v, -5L, "5.5");
    v = bytes_view(SLICE("5.0e3"));
    assert_float(&v, 2.0e2L, "5200");
    v = integer_view(3);
    assert_float(&v, 0.25L, "3.25");
    assert_float(NULL, 1.5L, "1.5");
    char text[NUMBER_FLOAT_TEXT_MAX];
    size_t size = 7;
    static const char *const others[] = {"", "abc", " 1", "1 ", "nan", "1\0"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        v = bytes_view(i == 5 ? SLICE("1\0") : slice_of(others[i]));
        assert_int_equal(string_increment_float(&v, 1, text, &size), STRING_NOT_FLOAT);
    }
    v = bytes_view(SLICE("1"));
    assert_int_equal(string_increment_float(&v, (long double)INFINITY, text, &size), STRING_NAN);
    v = bytes_view(SLICE("inf"));
    assert_int_equal(string_increment_float(&v, -(long double)INFINITY, text, &size), STRING_NAN);
    assert_int_equal(string_increment_float(&v, 1, text, &size), STRING_NAN);
    assert_int_equal(size, 7);
}

/* 512 MiB is allowed, one byte more is not, and no sum of the two overflows. */
static void limits_sizes(void **state)
{
    (void)state;
    assert_int_equal(string_check_size(0, 0), STRING_OK);
    assert_int_equal(string_check_size(0, STRING_BYTES_MAX), STRING_OK);
    assert_int_equal(string_check_size(STRING_BYTES_MAX, 0), STRING_OK);
    assert_int_equal(string_check_size(STRING_BYTES_MAX - 1, 1), STRING_OK);
    assert_int_equal(string_check_size(STRING_BYTES_MAX, 1), STRING_TOO_LARGE);
    assert_int_equal(string_check_size(1, STRING_BYTES_MAX), STRING_TOO_LARGE);
    assert_int_equal(string_check_size(STRING_BYTES_MAX + 1, 0), STRING_TOO_LARGE);
    assert_int_equal(string_check_size(UINT64_MAX, 2), STRING_TOO_LARGE);
    assert_int_equal(string_check_size(2, UINT64_MAX), STRING_TOO_LARGE);
    assert_int_equal(string_check_size(UINT64_MAX, UINT64_MAX), STRING_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_as_bytes),    cmocka_unit_test(recognises_integers),
        cmocka_unit_test(cuts_ranges),       cmocka_unit_test(increments_integers),
        cmocka_unit_test(increments_floats), cmocka_unit_test(limits_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
