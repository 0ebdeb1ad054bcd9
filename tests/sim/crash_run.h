/* crash_run.h - the crash simulation over many seeds, in several processes. */
#ifndef SIM_CRASH_RUN_H
#define SIM_CRASH_RUN_H

#include <stdbool.h>
#include <stdint.h>

enum { CRASH_JOBS_MAX = 64 };

struct crash_options {
    uint64_t seed;   /* the first; the next ones follow */
    uint64_t states; /* crash states to judge, at least */
    uint64_t jobs;   /* processes */
    bool disk_faults;
    bool twice; /* every seed, to see that it repeats; without it only the first few */
};

/* Prints TAP. A failure names the seed, its last events, and how to repeat it. */
bool crash_run(const struct crash_options *options);

#endif
