/* oracle_history.h - a small history for the tests of the oracle, and its state with room to be
 * made wrong. */
#ifndef INTEGRATION_ORACLE_HISTORY_H
#define INTEGRATION_ORACLE_HISTORY_H

#include "crash_oracle.h"

enum { CLIENTS = 3, WRITER = 0, PRODUCER = 1, CONSUMER = 2 };

struct oracle_id id_of(uint64_t ms);
void answered_ok(struct crash_oracle *oracle, uint32_t client);
bool has_violation(const struct crash_oracle *oracle, enum oracle_violation_kind kind);

/* A whole state of stream 0. */
struct shown {
    struct oracle_entry entries[8];
    struct oracle_pending pending[8];
    struct oracle_recovered_stream stream;
};

/* After entries 1 to 4, of which 1 to 3 were delivered to CONSUMER, and 1 acknowledged. */
void show_history(struct shown *shown);

/* One judgement of stream 0 and nothing else. */
bool judge_shown(struct crash_oracle *oracle, struct shown *shown);

#endif
