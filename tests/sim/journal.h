/* journal.h - what a seed did: the last events in words, and a hash of all of them.
 *
 * It lies in memory that the parent of a worker shares, so that it can still be read when a failed
 * CHECK has ended the worker. */
#ifndef SIM_JOURNAL_H
#define SIM_JOURNAL_H

#include "base/slice.h"

#include <stdint.h>

enum { JOURNAL_LINES = 48, JOURNAL_LINE_BYTES = 200, JOURNAL_VERDICT_BYTES = 1000 };

struct journal {
    uint64_t seed; /* that runs now */
    uint64_t hash; /* of its events so far */
    uint64_t lines_count;
    uint64_t states; /* crash states judged, over all seeds */
    uint64_t seeds;  /* that ran to their end */
    uint64_t lives;
    uint64_t operations; /* answered */
    uint64_t refusals;   /* recoveries of a damaged disk that refused, as they must */
    uint64_t snapshots;  /* recoveries that began with one */
    uint64_t recycled;   /* segments begun in a file that had been one before */
    uint64_t unknown;    /* operations whose answer a crash took */
    bool failed;
    char verdict[JOURNAL_VERDICT_BYTES]; /* why */
    char lines[JOURNAL_LINES][JOURNAL_LINE_BYTES];
};

void journal_begin(struct journal *j, uint64_t seed);
void journal_note(struct journal *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
void journal_hash(struct journal *j, struct slice bytes);
void journal_hash_number(struct journal *j, uint64_t number);

/* The first failure counts. */
void journal_fail(struct journal *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
