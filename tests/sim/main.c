/* main.c - the simulator: the real engine, db and log over a simulated disk and clock, in one
 * thread, repeatable.
 *
 *   irmak-sim crash [--seed S] [--states N] [--disk-faults on|off] [--twice] [--jobs N]
 *   irmak-sim scenario FILE...
 *
 * It speaks TAP: `ok` and `not ok` lines, comments behind '#'. The status is 1 when a case failed,
 * 2 when the arguments are wrong. */
#include "crash_run.h"
#include "scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: irmak-sim crash [--seed S] [--states N] [--disk-faults on|off] [--twice] [--jobs N]\n"
    "       irmak-sim scenario FILE...\n";

static bool parse_number(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

static bool parse_option(struct crash_options *options, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0) return parse_number(value, &options->seed);
    if (strcmp(name, "--states") == 0) return parse_number(value, &options->states);
    if (strcmp(name, "--jobs") == 0)
        return parse_number(value, &options->jobs) && options->jobs >= 1 &&
               options->jobs <= CRASH_JOBS_MAX;
    if (strcmp(name, "--disk-faults") != 0) return false;
    options->disk_faults = strcmp(value, "on") == 0;
    return options->disk_faults || strcmp(value, "off") == 0;
}

static int run_crash(int count, char **arguments)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct crash_options options = {.seed = 1, .states = 10000, .disk_faults = true, .jobs = 1};
    if (processors > 1)
        options.jobs = processors < CRASH_JOBS_MAX ? (uint64_t)processors : CRASH_JOBS_MAX;
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--twice") == 0) {
            options.twice = true;
            continue;
        }
        if (i + 1 < count && parse_option(&options, arguments[i], arguments[i + 1])) {
            i++;
            continue;
        }
        fprintf(stderr, "irmak-sim: '%s' cannot be understood\n%s", arguments[i], usage);
        return 2;
    }
    return crash_run(&options) ? 0 : 1;
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count >= 2 && strcmp(arguments[1], "crash") == 0)
        return run_crash(count - 2, arguments + 2);
    if (count >= 3 && strcmp(arguments[1], "scenario") == 0)
        return scenario_run(arguments + 2, (size_t)(count - 2)) ? 0 : 1;
    fputs(usage, stderr);
    return 2;
}
