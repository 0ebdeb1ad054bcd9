/* random.h - a small deterministic generator (SplitMix64, Steele et al. 2014): the same seed gives
 * the same sequence everywhere. Not for secrets: those come from env/entropy.h. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Uniform in 0 .. bound-1, bound > 0, up to a bias of bound / 2^64. */
static inline uint64_t random_below(struct random *r, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)random_next(r) * bound) >> 64);
}

#endif
