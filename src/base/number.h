/* number.h - numbers as the text that Redis clients send and expect.
 *
 * Parsing is strict: no blank, no plus sign, no leading zero, nothing after the digits. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/slice.h"

#include <stdint.h>

enum {
    NUMBER_INTEGER_TEXT_MAX = 21, /* "-9223372036854775808" and "18446744073709551615" */
    NUMBER_FLOAT_TEXT_MAX = 5120, /* Redis' MAX_LONG_DOUBLE_CHARS */
};

/* False unless the text is exactly the canonical decimal form of an int64 ("-0" and "007" are
 * not), as string2ll of Redis: such a text can be stored as an integer and printed back. */
bool number_parse_i64(struct slice text, int64_t *value);

/* Digits only, leading zeros allowed (stream IDs have them); false when empty or above 2^64-1. */
bool number_parse_u64(struct slice text, uint64_t *value);

/* As INCRBYFLOAT reads its arguments: decimal, exponent, inf, hexadecimal as strtold takes them;
 * false when anything is left over, when empty, when it begins with a blank, or for NaN. */
bool number_parse_float(struct slice text, long double *value);
bool number_parse_double(struct slice text, double *value);

/* Writes the decimal text without a terminator; returns its size. */
size_t number_format_i64(int64_t value, char text[NUMBER_INTEGER_TEXT_MAX]);
size_t number_format_u64(uint64_t value, char text[NUMBER_INTEGER_TEXT_MAX]);

/* As INCRBYFLOAT answers: "%.17Lf" without trailing zeros, never an exponent. */
size_t number_format_float(long double value, char text[NUMBER_FLOAT_TEXT_MAX]);

/* a + b and a * b, false (and *result untouched) when they leave the range. */
bool number_add_i64(int64_t a, int64_t b, int64_t *result);
bool number_multiply_i64(int64_t a, int64_t b, int64_t *result);

/* A size as redis.conf writes it: "100", "64mb", "1gb" (1024), "1g" (1000), "5k"; false else. */
bool number_parse_size(struct slice text, uint64_t *bytes);

#endif
