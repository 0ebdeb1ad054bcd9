/* coverage.h - what a snapshot holds of each key: the LSN as of which it is exact. Private to db/.
 *
 * It is the one of the section that the key's position falls into (save.h). Effects up to that LSN
 * are in the snapshot already, and recovery skips them for this key. */
#ifndef DB_COVERAGE_H
#define DB_COVERAGE_H

#include "db/save.h"

struct coverage_section {
    uint64_t end; /* the first position behind it */
    lsn_t as_of;
};

struct coverage {
    uint64_t seed;
    struct coverage_section *sections; /* without a gap, as_of never falls */
    size_t sections_count;
    size_t sections_capacity;
};

void coverage_deinit(struct coverage *c);

/* False: it does not follow the one before. */
bool coverage_add_section(struct coverage *c, struct coverage_section section);

bool coverage_is_whole(const struct coverage *c); /* do the sections cover all there is? */

lsn_t coverage_lsn(const struct coverage *c, const struct store_key *key);

#endif
