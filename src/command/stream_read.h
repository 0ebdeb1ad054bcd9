/* stream_read.h - the plan of XREAD and XREADGROUP, and its first pass over the keys: what is
 * there, and what groups deliver. Private to stream_read.c and command_stream_read.c. */
#ifndef COMMAND_STREAM_READ_H
#define COMMAND_STREAM_READ_H

#include "command/stream_answer.h"

/* After this ID a group reads what was never delivered: ">". */
#define READ_NEW STREAM_ID_MAX

struct read_plan {
    bool grouped; /* XREADGROUP */
    bool no_ack;
    bool blocking;
    bool waited;  /* this is a wake-up */
    size_t group; /* arguments of GROUP */
    size_t consumer;
    uint64_t count_max;    /* COUNT: of each key; UINT64_MAX: all */
    uint64_t entries_max;  /* MAXCOUNT: of all keys together; UINT64_MAX: no limit */
    uint64_t bytes_max;    /* MAXSIZE: of names and values; one entry always fits */
    int64_t claim_idle_ms; /* CLAIM: pending entries that are idle for so long, too; -1: none */
    int64_t block_ms;      /* 0: for ever */
    size_t keys_first;
    size_t keys_count;
    struct stream_id after[]; /* keys_count: read what comes after it */
};

/* Fills in keys_count parts and applies what is delivered; returns how many keys answer
 * something. The keys, groups and types were checked. */
size_t read_look_at_keys(struct command_context *c, const struct read_plan *plan,
                         struct stream_part *parts);

/* When the first pending entry will be idle enough for CLAIM; later than now; 0: there is none. */
int64_t read_wake_ms(struct command_context *c, const struct read_plan *plan);

#endif
