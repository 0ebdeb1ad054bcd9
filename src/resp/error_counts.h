/* error_counts.h - how many errors of each kind were sent: the first word of the text, "ERR",
 * "WRONGTYPE" (INFO errorstats).
 *
 * Bounded: an error whose kind finds no room is counted in the total only. Zeroed memory counts
 * nothing yet. The kinds are in order of their bytes. */
#ifndef RESP_ERROR_COUNTS_H
#define RESP_ERROR_COUNTS_H

#include "base/slice.h"

#include <stdint.h>

enum {
    ERROR_KINDS_MAX = 128, /* as Redis 7.2 */
    ERROR_KIND_BYTES_MAX = 31,
};

struct error_kind {
    char name[ERROR_KIND_BYTES_MAX + 1];
    uint64_t count;
};

struct error_counts {
    uint64_t total;
    size_t kinds_count;
    struct error_kind kinds[ERROR_KINDS_MAX];
};

/* The text of an error without its "-". One without a first word of its own counts as "ERR". */
void error_counts_add(struct error_counts *e, struct slice message);

#endif
