/* trace.h - diagnostics for the operator, one line each; the log is something else (wal/).
 *
 * The sink is given by the owner: server/ writes lines to the logfile, tests collect them. A
 * trace with a NULL sink is silent. */
#ifndef ENV_TRACE_H
#define ENV_TRACE_H

enum trace_level { TRACE_DEBUG, TRACE_VERBOSE, TRACE_NOTICE, TRACE_WARNING };

struct trace {
    void (*line)(void *context, enum trace_level level, const char *text);
    void *context;
};

/* printf into one line (cut at 1,023 bytes) for the sink. trace may be NULL. */
void trace_write(const struct trace *trace, enum trace_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
