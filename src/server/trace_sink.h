/* trace_sink.h - where diagnostics go: the logfile, or standard output, one line each in the form
 * that operators know from redis-server:
 *
 *     4711:M 21 Nov 2026 00:39:01.123 * Ready to accept connections
 *
 * Each line is one write of at most TRACE_SINK_LINE_MAX bytes to a descriptor opened for
 * appending, so that any thread may trace. */
#ifndef SERVER_TRACE_SINK_H
#define SERVER_TRACE_SINK_H

#include "base/buf.h"
#include "env/trace.h"

#include <stdatomic.h>

enum { TRACE_SINK_LINE_MAX = 2048 };

struct trace_sink {
    struct trace trace; /* what others are given; its context is the sink, so do not move it */
    int descriptor;
    atomic_int level; /* enum trace_level; above TRACE_WARNING: nothing. CONFIG SET changes it */
    const char *path; /* borrowed; empty: standard output */
};

/* False with the reason in 'problem'. */
bool trace_sink_open(struct trace_sink *sink, const char *path, struct buf *problem);
void trace_sink_close(struct trace_sink *sink);

/* After the file was moved away (SIGHUP): opens the path anew. On failure the old file stays in
 * use, and says so. */
void trace_sink_reopen(struct trace_sink *sink);

#endif
