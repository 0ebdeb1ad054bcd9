#include "server/trace_sink.h"

#include "base/check.h"
#include "env/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void write_line(void *context, enum trace_level level, const char *text)
{
    static const char marks[] = {
        [TRACE_DEBUG] = '.', [TRACE_VERBOSE] = '-', [TRACE_NOTICE] = '*', [TRACE_WARNING] = '#'};
    const struct trace_sink *sink = context;
    if ((int)level < sink->level) return;

    int64_t now_us = clock_unix_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm local;
    localtime_r(&seconds, &local);
    char when[64], line[TRACE_SINK_LINE_MAX];
    strftime(when, sizeof when, "%d %b %Y %H:%M:%S", &local);
    int size = snprintf(line, sizeof line, "%d:M %s.%03d %c %s\n", getpid(), when,
                        (int)(now_us / 1000 % 1000), marks[level], text);
    CHECK(size > 0);
    if ((size_t)size >= sizeof line) {
        size = sizeof line;
        line[size - 1] = '\n';
    }
    /* A trace that cannot be written has nobody to be told to. */
    ssize_t written = write(sink->descriptor, line, (size_t)size);
    (void)written;
}

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

bool trace_sink_open(struct trace_sink *sink, const char *path, struct buf *problem)
{
    *sink = (struct trace_sink){.descriptor = STDOUT_FILENO, .level = TRACE_NOTICE, .path = path};
    sink->trace = (struct trace){write_line, sink};
    if (path[0] == '\0') return true;
    sink->descriptor = open_path(path);
    if (sink->descriptor >= 0) return true;
    buf_append_format(problem, "logfile %s: %s", path, strerror(errno));
    sink->descriptor = STDOUT_FILENO;
    return false;
}

void trace_sink_close(struct trace_sink *sink)
{
    if (sink->descriptor != STDOUT_FILENO) close(sink->descriptor);
    sink->descriptor = STDOUT_FILENO;
}

void trace_sink_reopen(struct trace_sink *sink)
{
    if (sink->path[0] == '\0') return;
    int fresh = open_path(sink->path);
    if (fresh < 0) {
        trace_write(&sink->trace, TRACE_WARNING, "logfile %s: %s", sink->path, strerror(errno));
        return;
    }
    /* The number stays the same, so other threads go on writing without noticing. */
    if (dup3(fresh, sink->descriptor, O_CLOEXEC) < 0)
        trace_write(&sink->trace, TRACE_WARNING, "logfile %s: %s", sink->path, strerror(errno));
    close(fresh);
}
