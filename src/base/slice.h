/* slice.h - a borrowed view of bytes. A slice never owns what it points to. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data; /* may be NULL only when size is 0 */
    size_t size;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): data is NULL only when size is 0 */
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Order of bytes as unsigned, a prefix before its extensions: <0, 0, >0. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline char slice_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Equal when ASCII letters are compared without case; every other byte is compared exactly. */
static inline bool slice_equal_ignoring_case(struct slice a, struct slice b)
{
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++)
        if (slice_lower(a.data[i]) != slice_lower(b.data[i])) return false;
    return true;
}

#endif
