/* string_value.c - see string_value.h. Nothing here allocates or keeps anything: what becomes of a
 * string is decided here and carried out by db/. */
#include "string/string_value.h"

#include "base/check.h"

#include <math.h>

struct slice string_bytes(const struct string_view *v, char text[NUMBER_INTEGER_TEXT_MAX])
{
    if (!v->is_integer) return v->bytes;
    size_t size = number_format_i64(v->integer, text);
    CHECK(size <= NUMBER_INTEGER_TEXT_MAX);
    return (struct slice){text, size};
}

size_t string_size(const struct string_view *v)
{
    char text[NUMBER_INTEGER_TEXT_MAX];
    return string_bytes(v, text).size;
}

bool string_integer(const struct string_view *v, int64_t *value)
{
    if (!v->is_integer) return number_parse_i64(v->bytes, value);
    *value = v->integer;
    return true;
}

/* As Redis 8: an end that lies before the string leaves nothing. (Redis 7 took it for the first
 * byte: GETRANGE key 0 -100 answered one byte.) */
bool string_range(size_t size, int64_t start, int64_t end, size_t *first, size_t *count)
{
    CHECK(size <= STRING_BYTES_MAX);
    int64_t signed_size = (int64_t)size;
    if (start < 0) start += signed_size;
    if (end < 0) end += signed_size;
    if (start < 0) start = 0;
    if (end >= signed_size) end = signed_size - 1;
    if (start > end) return false;
    *first = (size_t)start;
    *count = (size_t)(end - start) + 1;
    CHECK(*first + *count <= size);
    return true;
}

enum string_result string_increment(const struct string_view *v, int64_t increment, int64_t *result)
{
    int64_t value = 0;
    if (v != NULL && !string_integer(v, &value)) return STRING_NOT_INTEGER;
    return number_add_i64(value, increment, result) ? STRING_OK : STRING_OVERFLOW;
}

enum string_result string_increment_float(const struct string_view *v, long double increment,
                                          char text[NUMBER_FLOAT_TEXT_MAX], size_t *size)
{
    long double value = 0;
    if (v != NULL && v->is_integer) value = (long double)v->integer;
    else if (v != NULL && !number_parse_float(v->bytes, &value)) return STRING_NOT_FLOAT;
    value += increment;
    if (isnan(value) || isinf(value)) return STRING_NAN;
    *size = number_format_float(value, text);
    CHECK(*size > 0);
    CHECK(*size <= NUMBER_FLOAT_TEXT_MAX);
    return STRING_OK;
}

enum string_result string_check_size(uint64_t offset, uint64_t size)
{
    if (offset > STRING_BYTES_MAX) return STRING_TOO_LARGE;
    return size <= STRING_BYTES_MAX - offset ? STRING_OK : STRING_TOO_LARGE;
}
