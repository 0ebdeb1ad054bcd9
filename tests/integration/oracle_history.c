#include "oracle_history.h"

struct oracle_id id_of(uint64_t ms)
{
    return (struct oracle_id){ms, 0};
}

void answered_ok(struct crash_oracle *oracle, uint32_t client)
{
    crash_oracle_answered(oracle, client, &(struct oracle_answer){0});
}

bool has_violation(const struct crash_oracle *oracle, enum oracle_violation_kind kind)
{
    for (size_t i = 0; crash_oracle_violation(oracle, i) != NULL; i++)
        if (crash_oracle_violation(oracle, i)->kind == kind) return true;
    return false;
}

void show_history(struct shown *shown)
{
    *shown = (struct shown){
        .entries = {{id_of(1), SLICE("1")},
                    {id_of(2), SLICE("2")},
                    {id_of(3), SLICE("3")},
                    {id_of(4), SLICE("4")},
                    {id_of(5), SLICE("5")},
                    {id_of(6), SLICE("6")}},
        .pending = {{id_of(2), CONSUMER, 1},
                    {id_of(3), CONSUMER, 1},
                    {id_of(4), CONSUMER, 1},
                    {id_of(5), CONSUMER, 1}},
        .stream = {.exists = true,
                   .entry_count = 4,
                   .length = 4,
                   .last_id = id_of(4),
                   .entries_added = 4,
                   .group_exists = true,
                   .last_delivered_id = id_of(3),
                   .pending_count = 2,
                   .lag = 1,
                   .entries_read = 3},
    };
}

bool judge_shown(struct crash_oracle *oracle, struct shown *shown)
{
    shown->stream.entries = shown->entries;
    shown->stream.pending = shown->pending;
    crash_oracle_judge_begin(oracle);
    crash_oracle_judge_stream(oracle, 0, &shown->stream);
    return crash_oracle_judge_end(oracle);
}
