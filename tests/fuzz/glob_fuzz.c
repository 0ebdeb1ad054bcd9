/* Fuzz target: a pattern and a text, cut where the first byte says, matched as a plain table of
 * (element of the pattern, byte of the text) says. Sizes within the budget of glob.c, so that it
 * must decide. */
#include "base/check.h"
#include "base/glob.h"

#include <stdint.h>
#include <string.h>

enum { SIZE_BOTH_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct element {
    bool star;
    bool takes[256];
};

static unsigned fold(unsigned c, bool ignoring_case)
{
    return ignoring_case && c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static void take_range(struct element *e, unsigned low, unsigned high, bool folding)
{
    unsigned a = fold(low, folding), b = fold(high, folding);
    for (unsigned c = a < b ? a : b; c <= a || c <= b; c++)
        if (fold(c, folding) == c) e->takes[c] = true;
    for (unsigned c = 'A'; folding && c <= 'Z'; c++)
        if (e->takes[fold(c, true)]) e->takes[c] = true;
}

/* The class behind a '['; where it ends. */
static const uint8_t *read_class(const uint8_t *p, const uint8_t *end, struct element *e,
                                 bool folding)
{
    bool negated = p < end && *p == '^';
    if (negated) p++;
    while (p < end && *p != ']') {
        if (*p == '\\' && end - p >= 2) {
            take_range(e, p[1], p[1], folding);
            p += 2;
        } else if (end - p >= 3 && p[1] == '-') {
            take_range(e, p[0], p[2], folding);
            p += 3;
        } else {
            take_range(e, *p, *p, folding);
            p++;
        }
    }
    for (unsigned c = 0; c < 256; c++) e->takes[c] = e->takes[c] != negated;
    return p < end ? p + 1 : p;
}

static size_t read_pattern(const uint8_t *p, const uint8_t *end, struct element *elements,
                           bool folding)
{
    size_t count = 0;
    while (p < end) {
        struct element *e = &elements[count++];
        *e = (struct element){.star = *p == '*'};
        if (*p == '[') {
            p = read_class(p + 1, end, e, folding);
            continue;
        }
        bool any = *p == '?';
        if (*p == '\\' && p + 1 < end) p++;
        take_range(e, any ? 0 : *p, any ? 255 : *p, folding && !any);
        p++;
    }
    return count;
}

static bool matches(const struct element *elements, size_t count, struct slice text)
{
    static bool reached[SIZE_BOTH_MAX + 2];
    memset(reached, 0, sizeof reached);
    reached[0] = true;
    for (size_t at = 0; at <= text.size; at++) {
        for (size_t i = 0; i < count; i++) /* a star may take nothing */
            if (elements[i].star && reached[i]) reached[i + 1] = true;
        if (at == text.size) break;
        unsigned char c = (unsigned char)text.data[at];
        for (size_t i = count + 1; i-- > 0;) {
            bool stays = i < count && elements[i].star && reached[i];
            bool comes =
                i > 0 && !elements[i - 1].star && reached[i - 1] && elements[i - 1].takes[c];
            reached[i] = stays || comes;
        }
    }
    return reached[count];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct element elements[SIZE_BOTH_MAX];
    if (size < 2 || size - 2 > SIZE_BOTH_MAX) return 0;
    bool folding = bytes[0] & 1;
    size_t cut = bytes[1] % (size - 1);
    const uint8_t *begin = bytes + 2, *end = begin + cut;
    struct slice pattern = {(const char *)begin, cut};
    struct slice text = {(const char *)end, size - 2 - cut};
    size_t count = read_pattern(begin, end, elements, folding);
    CHECK(glob_match(pattern, text, folding) == matches(elements, count, text));
    return 0;
}
