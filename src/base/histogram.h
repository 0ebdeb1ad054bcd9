/* histogram.h - how a figure is distributed, in fixed memory: percentiles within an eighth.
 *
 * Values below 16 have a bucket each; above, each power of two is divided into eight. A percentile
 * is the largest value of its bucket, so it is never told too small, and at most 1/8 too large; it
 * is never more than the maximum, which is exact. Zeroed memory is an empty histogram. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_PARTS = 8,
    HISTOGRAM_EXACT = 2 * HISTOGRAM_PARTS,
    HISTOGRAM_EXACT_BITS = 4,
    HISTOGRAM_BUCKETS = HISTOGRAM_EXACT + (64 - HISTOGRAM_EXACT_BITS) * HISTOGRAM_PARTS,
};

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline size_t histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_EXACT) return (size_t)value;
    size_t top = 63 - (size_t)__builtin_clzll(value); /* the highest bit that is set, >= 4 */
    size_t part = (size_t)(value >> (top - 3)) & (HISTOGRAM_PARTS - 1);
    return HISTOGRAM_EXACT + (top - HISTOGRAM_EXACT_BITS) * HISTOGRAM_PARTS + part;
}

/* The largest value of a bucket. */
static inline uint64_t histogram_bucket_max(size_t bucket)
{
    CHECK(bucket < HISTOGRAM_BUCKETS);
    if (bucket < HISTOGRAM_EXACT) return bucket;
    size_t above = bucket - HISTOGRAM_EXACT;
    size_t shift = above / HISTOGRAM_PARTS + HISTOGRAM_EXACT_BITS - 3;
    uint64_t first = (uint64_t)(HISTOGRAM_PARTS + above % HISTOGRAM_PARTS) << shift;
    return first + (((uint64_t)1 << shift) - 1);
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
    h->count++;
    h->buckets[histogram_bucket(value)]++;
    if (value > h->max) h->max = value;
}

/* The value that at least 'rank' of them are not above; 0 of an empty histogram. */
static inline uint64_t histogram_value_at(const struct histogram *h, uint64_t rank)
{
    uint64_t seen = 0;
    CHECK(rank <= h->count);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen < rank || seen == 0) continue;
        uint64_t value = histogram_bucket_max(i);
        return value < h->max ? value : h->max;
    }
    return 0;
}

/* The value that at least 'permille' thousandths of all are not above; 0 of an empty histogram. */
static inline uint64_t histogram_percentile(const struct histogram *h, unsigned permille)
{
    CHECK(permille <= 1000);
    return histogram_value_at(h, h->count / 1000 * permille +
                                     (h->count % 1000 * permille + 999) / 1000);
}

#endif
