/* crash_run.c - workers take every n-th seed; a seed is finished by the process that began it, so
 * what a seed does never depends on how many there are. A worker that stops in a failed CHECK
 * leaves its journal in shared memory, for the parent to print. */
#include "crash_run.h"

#include "base/check.h"
#include "crash_world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TWICE_SEEDS = 4 }; /* of each worker, when not all of them */

static bool run_seed(struct journal *j, const struct crash_options *options, uint64_t seed,
                     bool twice)
{
    if (!crash_run_seed(j, seed, options->disk_faults)) return false;
    if (!twice) return true;
    struct journal before = *j;
    bool good = crash_run_seed(j, seed, options->disk_faults);
    j->states = before.states;
    j->seeds = before.seeds;
    if (good && j->hash == before.hash) return true;
    journal_fail(j, "run twice, it differs: event hash %016" PRIx64 ", then %016" PRIx64,
                 before.hash, j->hash);
    return false;
}

static bool run_worker(struct journal *j, const struct crash_options *options, uint64_t worker)
{
    uint64_t share = (options->states + options->jobs - 1) / options->jobs;
    for (uint64_t i = 0; j->states < share; i++) {
        uint64_t seed = options->seed + worker + i * options->jobs;
        if (!run_seed(j, options, seed, options->twice || i < TWICE_SEEDS)) return false;
    }
    return true;
}

static void print_failure(const struct journal *j, int status)
{
    char verdict[64];
    const char *why = j->verdict;
    if (!j->failed) {
        snprintf(verdict, sizeof verdict, "the process stopped (wait status %d), see above",
                 status);
        why = verdict;
    }
    printf("not ok crash simulation, seed %" PRIu64 ": %s\n", j->seed, why);
    uint64_t first = j->lines_count > JOURNAL_LINES ? j->lines_count - JOURNAL_LINES : 0;
    printf("# its last events (event hash %016" PRIx64 "):\n", j->hash);
    for (uint64_t i = first; i < j->lines_count; i++)
        printf("#   %s\n", j->lines[i % JOURNAL_LINES]);
    printf("# repeat it: make sim SEED=%" PRIu64 " STATES=1\n", j->seed);
}

/* Waits for the workers; the first failure ends the others. */
static bool wait_for(pid_t *workers, struct journal *journals, uint64_t count)
{
    bool good = true;
    for (uint64_t left = count; left > 0; left--) {
        int status;
        pid_t ended = wait(&status);
        CHECK(ended > 0);
        uint64_t i = 0;
        while (i < count && workers[i] != ended) i++;
        CHECK(i < count);
        workers[i] = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        if (good) print_failure(&journals[i], status);
        for (uint64_t k = 0; good && k < count; k++)
            if (workers[k] != 0) kill(workers[k], SIGTERM);
        good = false;
    }
    return good;
}

static void print_success(const struct crash_options *options, const struct journal *journals)
{
    struct journal sum = {0};
    for (uint64_t i = 0; i < options->jobs; i++) {
        sum.states += journals[i].states;
        sum.seeds += journals[i].seeds;
        sum.lives += journals[i].lives;
        sum.operations += journals[i].operations;
        sum.unknown += journals[i].unknown;
        sum.refusals += journals[i].refusals;
        sum.snapshots += journals[i].snapshots;
        sum.recycled += journals[i].recycled;
        sum.hash += journals[i].hash;
    }
    printf("ok crash simulation: %" PRIu64 " crash states\n", sum.states);
    printf("# seeds %" PRIu64 " to %" PRIu64 "; %" PRIu64 " lives judged by the oracle; %" PRIu64
           " answers; %" PRIu64 " unknown operations; %" PRIu64 " damaged disks refused; %" PRIu64
           " recoveries from a snapshot; %" PRIu64
           " segments in recycled files; event hash %016" PRIx64 "\n",
           options->seed, options->seed + sum.seeds - 1, sum.lives, sum.operations, sum.unknown,
           sum.refusals, sum.snapshots, sum.recycled, sum.hash);
}

bool crash_run(const struct crash_options *options)
{
    pid_t workers[CRASH_JOBS_MAX];
    size_t bytes = options->jobs * sizeof(struct journal);
    CHECK(options->jobs >= 1 && options->jobs <= CRASH_JOBS_MAX);
    struct journal *journals =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(journals != MAP_FAILED);
    fflush(stdout);
    for (uint64_t i = 0; i < options->jobs; i++) {
        workers[i] = fork();
        CHECK(workers[i] >= 0);
        if (workers[i] == 0) exit(run_worker(&journals[i], options, i) ? 0 : 1);
    }
    bool good = wait_for(workers, journals, options->jobs);
    if (good) print_success(options, journals);
    munmap(journals, bytes);
    return good;
}
