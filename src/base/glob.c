/* The greedy matcher: only the last star can ever have to take more text, because an earlier one
 * that took more would only leave less for the same rest of the pattern. So one place to go back
 * to is enough, there is no recursion, and the work is at most pattern * text.
 *
 * That product is still too much for a hostile pattern, hence the budget. A step is one byte of
 * the pattern looked at; every pattern and text whose product of sizes is within the constant part
 * of the budget is always decided exactly, which every honest pattern is.
 *
 * A class follows Redis' stringmatchlen: "[]" is empty, "[^]" is any byte, a range may be written
 * backwards, a backslash makes the next byte plain, and a class that is not closed ends with the
 * pattern. Bytes are unsigned here (Redis' ranges are wrong above 0x7f on signed chars). */
#include "base/glob.h"

#include <stdint.h>

enum {
    GLOB_STEPS_CONSTANT = 16 * 1024,
    GLOB_STEPS_PER_BYTE = 4,
};

struct glob {
    struct slice pattern;
    bool ignoring_case;
    size_t steps_left;
};

static unsigned fold(const struct glob *g, char c)
{
    return (unsigned char)(g->ignoring_case ? slice_lower(c) : c);
}

static bool in_range(const struct glob *g, const char *bounds, char c)
{
    unsigned low = fold(g, bounds[0]);
    unsigned high = fold(g, bounds[2]);
    if (low > high) {
        unsigned swapped = low;
        low = high;
        high = swapped;
    }
    return fold(g, c) >= low && fold(g, c) <= high;
}

/* Is c in the class that begins behind its '[' at 'at'? *end is set behind the class. */
static bool in_class(const struct glob *g, size_t at, char c, size_t *end)
{
    const char *pattern = g->pattern.data;
    size_t size = g->pattern.size;
    bool negated = at < size && pattern[at] == '^';
    if (negated) at++;
    bool found = false;
    while (at < size && pattern[at] != ']') {
        size_t left = size - at;
        if (pattern[at] == '\\' && left >= 2) {
            found |= fold(g, pattern[at + 1]) == fold(g, c);
            at += 2;
        } else if (left >= 3 && pattern[at + 1] == '-') {
            found |= in_range(g, pattern + at, c);
            at += 3;
        } else {
            found |= fold(g, pattern[at]) == fold(g, c);
            at++;
        }
    }
    *end = at < size ? at + 1 : size;
    return found != negated;
}

/* Does the element of the pattern at 'at' (not a star) take c? *end is set behind the element. */
static bool takes(const struct glob *g, size_t at, char c, size_t *end)
{
    const char *pattern = g->pattern.data;
    switch (pattern[at]) {
    case '?': *end = at + 1; return true;
    case '[': return in_class(g, at + 1, c, end);
    case '\\':
        if (at + 1 < g->pattern.size) at++;
        break;
    default: break;
    }
    *end = at + 1;
    return fold(g, pattern[at]) == fold(g, c);
}

static bool spend(struct glob *g, size_t steps)
{
    if (steps > g->steps_left) return false;
    g->steps_left -= steps;
    return true;
}

bool glob_match(struct slice pattern, struct slice text, bool ignoring_case)
{
    size_t budget = GLOB_STEPS_CONSTANT + GLOB_STEPS_PER_BYTE * (pattern.size + text.size);
    struct glob g = {pattern, ignoring_case, budget};
    size_t at = 0, position = 0;
    size_t after_star = SIZE_MAX, star_took_to = 0; /* SIZE_MAX: no star yet */

    while (position < text.size) {
        if (at < pattern.size && pattern.data[at] == '*') {
            after_star = ++at;
            star_took_to = position;
            if (at == pattern.size) return true;
            if (!spend(&g, 1)) return false;
            continue;
        }
        size_t end = at;
        if (at < pattern.size && takes(&g, at, text.data[position], &end)) {
            if (!spend(&g, end - at)) return false;
            at = end;
            position++;
            continue;
        }
        if (after_star == SIZE_MAX || !spend(&g, end - at + 1)) return false;
        at = after_star;
        position = ++star_took_to;
    }
    while (at < pattern.size && pattern.data[at] == '*') at++;
    return at == pattern.size;
}
