/* latency_text.h - latency in words and characters, for people: LATENCY GRAPH and DOCTOR. */
#ifndef COMMAND_LATENCY_TEXT_H
#define COMMAND_LATENCY_TEXT_H

#include "base/buf.h"
#include "command/monitor.h"
#include "db/db.h"

/* The samples of an event that has some, as columns; how long ago each was is written below it. */
void latency_graph(enum latency_event event, const struct latency_series *s, int64_t now_s,
                   struct buf *out);

/* What was slow, whether the disk is the bottleneck, and what to do about it. */
void latency_doctor(const struct monitor *m, const struct db_figures *figures, int64_t now_s,
                    struct buf *out);

#endif
