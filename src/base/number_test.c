/* Tests of number.c: strict parsing, exact texts. */
#include "base/number.h"

#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A number with a random count of bits, so that every size of text is met. */
static uint64_t random_number(struct random *r)
{
    return random_next(r) >> random_below(r, 64);
}

/* Formatting writes what printf writes, and parsing reads it back. */
static void test_integers_round_trip(void **state)
{
    (void)state;
    struct random random = {1};
    char text[NUMBER_INTEGER_TEXT_MAX], expected[32];
    for (int i = 0; i < 100000; i++) {
        uint64_t value = random_number(&random), unsigned_back = ~value;
        int64_t number = (int64_t)value * (i % 2 == 0 ? 1 : -1), back = ~number;

        size_t size = number_format_u64(value, text);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(text, expected, size);
        assert_true(number_parse_u64((struct slice){text, size}, &unsigned_back));
        assert_true(unsigned_back == value);

        size = number_format_i64(number, text);
        snprintf(expected, sizeof expected, "%lld", (long long)number);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(text, expected, size);
        assert_true(number_parse_i64((struct slice){text, size}, &back));
        assert_true(back == number);
    }
}

/* The same at every power of ten and at the ends of the range, one below and one above. */
static void test_integer_edges(void **state)
{
    (void)state;
    char text[NUMBER_INTEGER_TEXT_MAX], expected[32];
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        for (uint64_t value = power - 1; value != power + 2; value++) {
            size_t size = number_format_u64(value, text);
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
            assert_int_equal(size, strlen(expected));
            assert_memory_equal(text, expected, size);
        }
    }
    assert_int_equal(number_format_i64(INT64_MIN, text), 20);
    assert_memory_equal(text, "-9223372036854775808", 20);
    assert_int_equal(number_format_u64(UINT64_MAX, text), 20);
    assert_memory_equal(text, "18446744073709551615", 20);
}

static void test_parse_i64(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          "-",
                                          "-0",
                                          "00",
                                          "007",
                                          "-01",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "1.0",
                                          "0x1",
                                          "1e3",
                                          "--1",
                                          "9223372036854775808",
                                          "a",
                                          "1a",
                                          "a1",
                                          "1\n",
                                          "/",
                                          ":",
                                          "-9223372036854775809",
                                          "99999999999999999999",
                                          "12345678901234567890123",
                                          "-99999999999999999999"};
    int64_t value = 77;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(number_parse_i64(slice_of(refused[i]), &value));
    assert_false(number_parse_i64(SLICE("1\0"), &value));
    assert_int_equal(value, 77);

    assert_true(number_parse_i64(SLICE("0"), &value));
    assert_int_equal(value, 0);
    assert_true(number_parse_i64(SLICE("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    assert_true(number_parse_i64(SLICE("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
}

static void test_parse_u64(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "-",
                                          "0x1",
                                          "1a",
                                          "18446744073709551616",
                                          "99999999999999999999",
                                          "1844674407370955161a",
                                          "100000000000000000000"};
    uint64_t value = 77;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(number_parse_u64(slice_of(refused[i]), &value));
    assert_int_equal(value, 77);
    assert_true(number_parse_u64(SLICE("000"), &value));
    assert_int_equal(value, 0);
    assert_true(number_parse_u64(SLICE("00018446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(number_parse_u64(SLICE("18446744073709551609"), &value));
    assert_true(value == UINT64_MAX - 6);
}

/* As string2ld of Redis 7.0. */
static void test_parse_float(void **state)
{
    (void)state;
    static const char *const refused[] = {"",         " 1", "1 ",  "nan",     "-NaN", "1.2.3",
                                          "abc",      "1e", "\t1", "1,5",     "--1",  "1e99999",
                                          "-1e99999", "0x", ".",   "1e-99999"};
    long double value = 7;
    double narrow = 7;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_false(number_parse_float(slice_of(refused[i]), &value));
        assert_false(number_parse_double(slice_of(refused[i]), &narrow));
    }
    assert_false(number_parse_float(SLICE("1\0"), &value));
    assert_true(value == 7 && narrow == 7);

    static const struct {
        const char *text;
        double value;
    } accepted[] = {
        {"3", 3},         {"-3.5", -3.5}, {".5", .5}, {"5.", 5},         {"1e3", 1000},
        {"0x10", 16},     {"+2", 2},      {"007", 7}, {"inf", INFINITY}, {"-Infinity", -INFINITY},
        {"1e-10", 1e-10}, {"-0", 0}};
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        assert_true(number_parse_double(slice_of(accepted[i].text), &narrow));
        assert_true(narrow == accepted[i].value);
        assert_true(number_parse_float(slice_of(accepted[i].text), &value));
        assert_true((double)value == accepted[i].value);
    }
    assert_false(number_parse_double(SLICE("1e400"), &narrow));
    assert_true(number_parse_float(SLICE("1e400"), &value));

    /* One byte less than the limit is read, the limit is not. */
    static char digits[NUMBER_FLOAT_TEXT_MAX];
    memset(digits, '0', sizeof digits);
    assert_true(number_parse_float((struct slice){digits, sizeof digits - 1}, &value));
    assert_false(number_parse_float((struct slice){digits, sizeof digits}, &value));
}

static void check_float(long double value, const char *expected)
{
    char text[NUMBER_FLOAT_TEXT_MAX];
    size_t size = number_format_float(value, text);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

/* As ld2string(LD_STR_HUMAN) of Redis 7.0: what INCRBYFLOAT answers. */
static void test_format_float(void **state)
{
    (void)state;
    check_float(0, "0");
    check_float(-0.0L, "0");
    check_float(3, "3");
    check_float(100, "100");
    check_float(-1.5L, "-1.5");
    check_float(10.50L + 0.1L, "10.6");
    check_float(5.0e3L + 2.0e2L, "5200");
    check_float(-0.3L, "-0.3");
    check_float(1e-17L, "0.00000000000000001");
    check_float(1e-18L, "0");
    check_float(-1e-18L, "0");
    check_float(1e20L, "100000000000000000000");
    check_float(INFINITY, "inf");
    check_float(-INFINITY, "-inf");
    char text[NUMBER_FLOAT_TEXT_MAX];
    assert_int_equal(number_format_float(-__LDBL_MAX__, text), 1 + 4933);
}

static void test_arithmetic(void **state)
{
    (void)state;
    int64_t result = 7;
    assert_false(number_add_i64(INT64_MAX, 1, &result));
    assert_false(number_add_i64(INT64_MIN, -1, &result));
    assert_false(number_multiply_i64(INT64_MIN, -1, &result));
    assert_false(number_multiply_i64(INT64_MAX / 2 + 1, 2, &result));
    assert_int_equal(result, 7);
    assert_true(number_add_i64(INT64_MAX, INT64_MIN, &result));
    assert_int_equal(result, -1);
    assert_true(number_multiply_i64(INT64_MIN / 2, 2, &result));
    assert_true(result == INT64_MIN);
}

static void test_parse_size(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } accepted[] = {{"0", 0},           {"100", 100},
                    {"5b", 5},          {"5k", 5000},
                    {"5kb", 5120},      {"1m", 1000000},
                    {"64mb", 64 << 20}, {"1G", 1000000000},
                    {"1Gb", 1 << 30},   {"18446744073709551615", UINT64_MAX}};
    static const char *const refused[] = {"",
                                          "k",
                                          "-1",
                                          "1t",
                                          "1kbb",
                                          "1 k",
                                          "1.5g",
                                          "mb",
                                          "18446744073709551615b1",
                                          "18446744073709551616",
                                          "18446744073709552k",
                                          "17179869184gb"};
    uint64_t bytes = 7;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(number_parse_size(slice_of(refused[i]), &bytes));
    assert_int_equal(bytes, 7);
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        assert_true(number_parse_size(slice_of(accepted[i].text), &bytes));
        assert_true(bytes == accepted[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_round_trip), cmocka_unit_test(test_integer_edges),
        cmocka_unit_test(test_parse_i64),           cmocka_unit_test(test_parse_u64),
        cmocka_unit_test(test_parse_float),         cmocka_unit_test(test_format_float),
        cmocka_unit_test(test_arithmetic),          cmocka_unit_test(test_parse_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
