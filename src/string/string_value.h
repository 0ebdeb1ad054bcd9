/* string_value.h - strings as values: which form they take, and what APPEND, SETRANGE, GETRANGE
 * and INCR make of them. Pure: it knows bytes and numbers, never keys, clients or the log. */
#ifndef STRING_STRING_VALUE_H
#define STRING_STRING_VALUE_H

#include "base/limits.h"
#include "base/number.h"
#include "base/slice.h"

/* A string as a reader sees it: bytes or an integer, lent by its owner. */
struct string_view {
    bool is_integer;
    int64_t integer;    /* is_integer */
    struct slice bytes; /* else */
    void *shared;       /* struct shared * behind 'bytes' for replies without a copy, or NULL */
};

/* The bytes of the view; an integer is printed into 'text', which must outlive the result. */
struct slice string_bytes(const struct string_view *v, char text[NUMBER_INTEGER_TEXT_MAX]);

size_t string_size(const struct string_view *v); /* STRLEN */

/* Does the string hold an integer (in either form)? For INCR. */
bool string_integer(const struct string_view *v, int64_t *value);

/* GETRANGE: the inclusive range start..end (negative counts from the end) of a string of 'size'
 * bytes, cut to it. False: nothing is in it. */
bool string_range(size_t size, int64_t start, int64_t end, size_t *first, size_t *count);

enum string_result {
    STRING_OK,
    STRING_NOT_INTEGER,
    STRING_OVERFLOW, /* "increment or decrement would overflow" */
    STRING_NOT_FLOAT,
    STRING_NAN,       /* "increment would produce NaN or Infinity" */
    STRING_TOO_LARGE, /* "string exceeds maximum allowed size (512MB)" */
};

/* v may be NULL: an absent key counts as 0. */
enum string_result string_increment(const struct string_view *v, int64_t increment,
                                    int64_t *result);

/* INCRBYFLOAT: writes the new text and its size. */
enum string_result string_increment_float(const struct string_view *v, long double increment,
                                          char text[NUMBER_FLOAT_TEXT_MAX], size_t *size);

/* May 'size' bytes be added to a string at 'offset'? STRING_OK or STRING_TOO_LARGE; no overflow. */
enum string_result string_check_size(uint64_t offset, uint64_t size);

#endif
