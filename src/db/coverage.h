/* coverage.h - what a snapshot holds of each key: the LSN as of which it is exact. Private to db/.
 *
 * A key belongs to the section that its position falls into (save.h), unless it moved while the
 * snapshot was made: then the LSN of its last move counts. Effects up to that LSN are in the
 * snapshot already, and recovery skips them for this key. */
#ifndef DB_COVERAGE_H
#define DB_COVERAGE_H

#include "db/save.h"

struct coverage_section {
    uint64_t end; /* the first position behind it */
    lsn_t as_of;
};

struct coverage_moved {
    struct buf name;
    uint64_t hash; /* with the snapshot's seed */
    lsn_t lsn;
    uint8_t database;
};

struct coverage {
    uint64_t seed;
    struct coverage_section *sections; /* without a gap, as_of never falls */
    size_t sections_count;
    size_t sections_capacity;
    struct coverage_moved *moved; /* by hash once it is sealed; a key may stand there twice */
    size_t moved_count;
    size_t moved_capacity;
};

void coverage_deinit(struct coverage *c);

/* False: it does not follow the one before. */
bool coverage_add_section(struct coverage *c, struct coverage_section section);
void coverage_add_moved(struct coverage *c, const struct store_key *key, lsn_t lsn);

/* False: the sections do not cover all there is. */
bool coverage_seal(struct coverage *c);

lsn_t coverage_lsn(const struct coverage *c, const struct store_key *key);

#endif
