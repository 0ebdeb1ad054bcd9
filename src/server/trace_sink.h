/* trace_sink.h - where diagnostics go: the logfile, or standard output, one line each in the form
 * that operators know from redis-server:
 *
 *     4711:M 21 Nov 2026 00:39:01.123 * Ready to accept connections
 *
 * Each line has at most TRACE_SINK_LINE_MAX bytes; any thread may trace. Until trace_sink_start a
 * line is written by whoever traces it. From then on a thread writes, because a logfile on a disk
 * that stalls, or a pipe that nobody reads, must not stall commands: lines wait in memory, up to
 * TRACE_SINK_QUEUE_BYTES; what is beyond is dropped and counted in a line of its own. When a check
 * fails or memory ends, the process waits up to a second for these lines and one that says why. */
#ifndef SERVER_TRACE_SINK_H
#define SERVER_TRACE_SINK_H

#include "base/buf.h"
#include "env/trace.h"

#include <stdatomic.h>

enum { TRACE_SINK_LINE_MAX = 2048, TRACE_SINK_QUEUE_BYTES = 256 * 1024 };

struct trace_queue;

struct trace_sink {
    struct trace trace; /* what others are given; its context is the sink, so do not move it */
    int descriptor;
    atomic_int level; /* enum trace_level; above TRACE_WARNING: nothing. CONFIG SET changes it */
    const char *path; /* borrowed; empty: standard output */
    struct trace_queue *queue; /* NULL: no thread writes yet */
};

/* False with the reason in 'problem'. */
bool trace_sink_open(struct trace_sink *sink, const char *path, struct buf *problem);
void trace_sink_start(struct trace_sink *sink);

/* Waits until what was traced is written. */
void trace_sink_close(struct trace_sink *sink);

/* The same for a process that ends at once, but no longer than a second. */
void trace_sink_hurry(struct trace_sink *sink);

/* After the file was moved away (SIGHUP): opens the path anew, behind the lines that were traced
 * before. On failure the old file stays in use, and says so. */
void trace_sink_reopen(struct trace_sink *sink);

#endif
