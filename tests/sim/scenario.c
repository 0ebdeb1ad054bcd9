#include "scenario.h"
bool scenario_run(char **files, size_t count)
{
    (void)files;
    return count == 0;
}
