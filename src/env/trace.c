#include "env/trace.h"

#include "base/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum { TRACE_LINE_BYTES = 1024 };

void trace_write(const struct trace *trace, enum trace_level level, const char *format, ...)
{
    CHECK(format != NULL);
    if (trace == NULL || trace->line == NULL) return;
    char line[TRACE_LINE_BYTES];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(line, sizeof(line), format, list);
    va_end(list);
    CHECK(size >= 0);
    trace->line(trace->context, level, line);
}
