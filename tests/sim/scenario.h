/* scenario.h - runs text scenarios (tests/scenario/README.md) on the real engine. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

/* Runs every file; one `ok` or `not ok` line each. True: all are ok. */
bool scenario_run(char **files, size_t count);

#endif
