#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

/* abort rather than exit: the core shows the state that the check did not expect, and no exit
 * function gets a chance to write anything. */
void check_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, expression);
    abort();
}
