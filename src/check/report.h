/* report.h - the result of an examination: in words, or as members of a JSON object. */
#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include "check/examine.h"

/* What the log holds and what a start of the server would do. */
void report_show(const struct examination *x, struct output *out);

/* Why: the steps of docs/format/wal.md with the figures of this directory. Text mode only. */
void report_explain(const struct examination *x, struct output *out);

#endif
