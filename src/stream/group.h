/* group.h - what a consumer group is made of (private to the room). */
#ifndef STREAM_GROUP_H
#define STREAM_GROUP_H

#include "stream/name_index.h"
#include "stream/pending.h"
#include "stream/stream_group.h"
#include "stream/stream_state.h"

struct stream_consumer {
    struct name_entry entry; /* first: members of a name_index begin with it */
    struct pending_owner owner;
    int64_t seen_ms;
    int64_t active_ms; /* -1: never */
};

struct stream_group {
    struct name_entry entry; /* first */
    struct stream_id last_delivered;
    uint64_t entries_read;
    bool entries_read_exact;
    struct pending_list pending;
    struct name_index consumers;
    struct stream_bookmark bookmark; /* where the last delivery ended */
    size_t consumers_bytes;          /* of the consumers and their names */
    uint32_t image; /* number of the image that has it, or that it is younger than */
};

/* For loaders (stream_load.c): a consumer and pending entries as they were. The name is not there
 * yet and comes after those that are; owners are numbers of consumers, IDs rise. */
struct stream_consumer *group_restore_consumer(struct stream *s, struct stream_group *g,
                                               struct slice name, int64_t seen_ms,
                                               int64_t active_ms);
void group_restore_pending(struct stream *s, struct stream_group *g,
                           const struct pending_item *items, size_t count);

/* A copy for another stream, which has no group of that name. */
void group_copy(const struct stream_group *g, struct stream *to);

/* Frees up to *steps parts of a group that no stream has any more, which is lowered by what was
 * done; true when it is gone. After the first call nothing else is allowed. */
bool group_dismantle(struct stream_group *g, size_t *steps);

#endif
