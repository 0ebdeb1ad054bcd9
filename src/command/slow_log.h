/* slow_log.h - the requests that took longest, newest first (SLOWLOG): what was asked, by whom,
 * when, and how long it ran.
 *
 * It never knows what a command does, and keeps no secret: the caller says which arguments are.
 * Bounded: entries_max entries, each of at most SLOW_LOG_ARGUMENTS_MAX arguments of
 * SLOW_LOG_ARGUMENT_BYTES_MAX bytes; what is left out is said in words, as Redis does. */
#ifndef COMMAND_SLOW_LOG_H
#define COMMAND_SLOW_LOG_H

#include "base/list.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    SLOW_LOG_ARGUMENTS_MAX = 32,
    SLOW_LOG_ARGUMENT_BYTES_MAX = 128,
    SLOW_LOG_ENTRIES_MAX = 128 * 1024, /* what slowlog-max-len may be */
};

/* One allocation: the entry, its slices, their bytes. */
struct slow_entry {
    struct list link;
    uint64_t id; /* from 0, never reused */
    int64_t time_s;
    int64_t duration_us;
    struct slice address; /* these borrow from the entry */
    struct slice name;
    size_t arguments_count;
    size_t allocated_bytes;
    struct slice arguments[];
};

struct slow_log {
    struct list entries; /* newest first */
    size_t count;
    size_t entries_max;
    uint64_t next_id;
};

void slow_log_init(struct slow_log *log, size_t entries_max);
void slow_log_reset(struct slow_log *log); /* no entries; IDs go on */
void slow_log_set_max(struct slow_log *log, size_t entries_max);

/* What is to be noted; borrowed for the call. */
struct slow_request {
    const struct slice *arguments;
    size_t arguments_count;
    uint32_t secrets; /* bit i: argument i is shown as "(redacted)" */
    struct slice address;
    struct slice name;
    int64_t time_s;
    int64_t duration_us;
};
void slow_log_add(struct slow_log *log, const struct slow_request *request);

#endif
