/* Integers are formatted two digits at a time out of a table and parsed without library calls:
 * every reply and every INCR passes here. Floats go through libc's long double, because Redis
 * does and its texts must come out byte for byte the same. */
#include "base/number.h"

#include "base/check.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* 19 digits always fit in 64 bits; the 20th may not. */
enum { DIGITS_SAFE = 19, DIGITS_MAX = 20 };

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* The value of at most DIGITS_SAFE digits. */
static bool parse_safe_digits(const char *digits, size_t count, uint64_t *value)
{
    uint64_t result = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned char)(digits[i] - '0');
        if (digit > 9) return false;
        result = result * 10 + digit;
    }
    *value = result;
    return true;
}

bool number_parse_i64(struct slice text, int64_t *value)
{
    if (text.size == 0) return false;
    bool negative = text.data[0] == '-';
    const char *digits = text.data + negative;
    size_t count = text.size - negative;
    if (count == 1 && digits[0] == '0' && !negative) {
        *value = 0;
        return true;
    }
    if (count == 0 || count > DIGITS_SAFE || digits[0] == '0') return false;

    uint64_t magnitude;
    if (!parse_safe_digits(digits, count, &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + negative) return false;
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

bool number_parse_u64(struct slice text, uint64_t *value)
{
    if (text.size == 0) return false;
    while (text.size > 1 && text.data[0] == '0') {
        text.data++;
        text.size--;
    }
    if (text.size > DIGITS_MAX) return false;

    size_t safe = text.size < DIGITS_SAFE ? text.size : DIGITS_SAFE;
    uint64_t result;
    if (!parse_safe_digits(text.data, safe, &result)) return false;
    if (text.size == DIGITS_MAX) {
        char last = text.data[DIGITS_SAFE];
        if (!is_digit(last)) return false;
        if (__builtin_mul_overflow(result, (uint64_t)10, &result)) return false;
        if (__builtin_add_overflow(result, (uint64_t)(last - '0'), &result)) return false;
    }
    *value = result;
    return true;
}

/* strtold and strtod want a terminator, which a slice does not have. */
static bool copy_terminated(struct slice text, char copy[NUMBER_FLOAT_TEXT_MAX])
{
    if (text.size == 0 || text.size >= NUMBER_FLOAT_TEXT_MAX) return false;
    if (isspace((unsigned char)text.data[0])) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return true;
}

bool number_parse_float(struct slice text, long double *value)
{
    char copy[NUMBER_FLOAT_TEXT_MAX];
    if (!copy_terminated(text, copy)) return false;
    char *end;
    errno = 0;
    long double result = strtold(copy, &end);
    if ((size_t)(end - copy) != text.size || isnan(result)) return false;
    /* Overflow and underflow to zero are refused; a denormal result is as good as any. */
    if (errno == ERANGE && (isinf(result) || result == 0)) return false;
    *value = result;
    return true;
}

bool number_parse_double(struct slice text, double *value)
{
    char copy[NUMBER_FLOAT_TEXT_MAX];
    if (!copy_terminated(text, copy)) return false;
    char *end;
    errno = 0;
    double result = strtod(copy, &end);
    if ((size_t)(end - copy) != text.size || isnan(result)) return false;
    if (errno == ERANGE && (isinf(result) || result == 0)) return false;
    *value = result;
    return true;
}

/* log10 is log2 times 0.30103, here 1233 / 4096: at most one too large, which the table shows. */
static size_t count_digits(uint64_t value)
{
    static const uint64_t powers[DIGITS_MAX] = {
        0u, /* so that zero has one digit, like one */
        10u,
        100u,
        1000u,
        10000u,
        100000u,
        1000000u,
        10000000u,
        100000000u,
        1000000000u,
        10000000000u,
        100000000000u,
        1000000000000u,
        10000000000000u,
        100000000000000u,
        1000000000000000u,
        10000000000000000u,
        100000000000000000u,
        1000000000000000000u,
        10000000000000000000u,
    };
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned estimate = bits * 1233 >> 12;
    return estimate + (value >= powers[estimate]);
}

static size_t write_digits(uint64_t value, char *text)
{
    size_t size = count_digits(value);
    char *out = text + size;
    while (value >= 100) {
        out -= 2;
        memcpy(out, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) memcpy(text, digit_pairs + value * 2, 2);
    else text[0] = (char)('0' + value);
    return size;
}

size_t number_format_u64(uint64_t value, char text[NUMBER_INTEGER_TEXT_MAX])
{
    return write_digits(value, text);
}

size_t number_format_i64(int64_t value, char text[NUMBER_INTEGER_TEXT_MAX])
{
    if (value >= 0) return write_digits((uint64_t)value, text);
    text[0] = '-';
    return 1 + write_digits(0 - (uint64_t)value, text + 1);
}

size_t number_format_float(long double value, char text[NUMBER_FLOAT_TEXT_MAX])
{
    CHECK(!isnan(value));
    if (isinf(value)) {
        struct slice name = value > 0 ? SLICE("inf") : SLICE("-inf");
        memcpy(text, name.data, name.size);
        return name.size;
    }
    int printed = snprintf(text, NUMBER_FLOAT_TEXT_MAX, "%.17Lf", value);
    CHECK(printed > 0);
    CHECK(printed < NUMBER_FLOAT_TEXT_MAX);
    size_t size = (size_t)printed;
    /* "%.17Lf" always writes a point, so the zeros after it end there. */
    while (text[size - 1] == '0') size--;
    if (text[size - 1] == '.') size--;
    if (size == 2 && text[0] == '-' && text[1] == '0') {
        text[0] = '0';
        size = 1;
    }
    return size;
}

bool number_add_i64(int64_t a, int64_t b, int64_t *result)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return false;
    *result = sum;
    return true;
}

bool number_multiply_i64(int64_t a, int64_t b, int64_t *result)
{
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *result = product;
    return true;
}

bool number_parse_size(struct slice text, uint64_t *bytes)
{
    static const struct {
        struct slice unit;
        uint64_t bytes;
    } units[] = {
        {{"", 0}, 1},
        {{"b", 1}, 1},
        {{"k", 1}, 1000},
        {{"kb", 2}, 1024},
        {{"m", 1}, 1000 * 1000},
        {{"mb", 2}, 1024 * 1024},
        {{"g", 1}, 1000 * 1000 * 1000},
        {{"gb", 2}, 1024 * 1024 * 1024},
    };
    size_t digits = 0;
    while (digits < text.size && is_digit(text.data[digits])) digits++;
    uint64_t value;
    if (!number_parse_u64((struct slice){text.data, digits}, &value)) return false;

    struct slice unit = {text.data + digits, text.size - digits};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!slice_equal_ignoring_case(unit, units[i].unit)) continue;
        uint64_t product;
        if (__builtin_mul_overflow(value, units[i].bytes, &product)) return false;
        *bytes = product;
        return true;
    }
    return false;
}
