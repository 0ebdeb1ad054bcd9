/* stream_group.h - consumer groups: what was delivered to whom and is not acknowledged yet.
 *
 * A pending entry (of the PEL) is an ID that was delivered, its owner, the time of the last
 * delivery and how often it was delivered. One ordered structure per group by ID and an order by
 * delivery time serve XPENDING, XAUTOCLAIM and XCLAIM without scanning what they do not return; a
 * consumer's own entries are found without scanning the others'.
 *
 * Times are Unix milliseconds, decided by the caller. Groups and consumers are ordered by name as
 * bytes, which is how Redis lists them.
 *
 * Invariants: a pending entry has exactly one owner, or none (XNACK); the group's pending count is
 * the sum over its consumers plus the unowned ones; every chunk is sorted.
 *
 * Entries-read is the ordinal of the last entry that was delivered: what was trimmed or deleted
 * before it counts as read, as in Redis 8. A figure that XGROUP ENTRIESREAD set is kept and grows
 * by the number of entries of each delivery. The lag is counted, and exact either way. */
#ifndef STREAM_STREAM_GROUP_H
#define STREAM_STREAM_GROUP_H

#include "stream/stream.h"

struct stream_group;
struct stream_consumer;
struct chunk_array; /* private */

struct stream_pending {
    struct stream_id id;
    int64_t delivery_ms;                    /* of the last delivery */
    uint64_t deliveries;                    /* times delivered */
    const struct stream_consumer *consumer; /* NULL: unowned (XNACK) */
};

/* ---- reading ---- */

size_t stream_groups_count(const struct stream *s);
size_t stream_groups_memory_bytes(const struct stream *s); /* O(1) */
const struct stream_group *stream_group_find(const struct stream *s, struct slice name);
/* The group after 'previous' in order of names; NULL starts; NULL ends. */
const struct stream_group *stream_group_next(const struct stream *s,
                                             const struct stream_group *previous);
struct slice stream_group_name(const struct stream_group *g);
struct stream_id stream_group_last_delivered(const struct stream_group *g);
/* entries-read: how many entries of the stream the group has passed. Kept as set by XGROUP
 * ENTRIESREAD, else exact from the ordinals. */
uint64_t stream_group_entries_read(const struct stream_group *g);
/* Is the figure above exact, not set by ENTRIESREAD? A snapshot keeps both. */
bool stream_group_entries_read_exact(const struct stream_group *g);
uint64_t stream_group_lag(const struct stream *s, const struct stream_group *g);
uint64_t stream_group_pending_count(const struct stream_group *g);
uint64_t stream_group_unowned_count(const struct stream_group *g);

size_t stream_consumers_count(const struct stream_group *g);
const struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct slice name);
const struct stream_consumer *stream_consumer_next(const struct stream_group *g,
                                                   const struct stream_consumer *previous);
struct slice stream_consumer_name(const struct stream_consumer *c);
uint64_t stream_consumer_pending_count(const struct stream_consumer *c);
int64_t stream_consumer_seen_ms(const struct stream_consumer *c);
int64_t stream_consumer_active_ms(const struct stream_consumer *c); /* -1: never */

bool stream_pending_find(const struct stream_group *g, struct stream_id id,
                         struct stream_pending *pending);

/* The smallest and the largest pending ID; false when nothing is pending. O(1). */
bool stream_pending_bounds(const struct stream_group *g, struct stream_id *first,
                           struct stream_id *last);

/* A walk by ID over the pending entries of a group, or of one consumer (not NULL). The group must
 * not change meanwhile. */
struct stream_pending_walk {
    struct stream_pending entry; /* valid after next returned true */
    /* private, see pending_walk.c */
    const struct stream_group *group;
    const struct stream_consumer *consumer;
    struct stream_range range;
    int64_t delivered_max_ms;
    const struct chunk_array *chunks;
    uint32_t chunk;
    uint32_t position;
};
void stream_pending_walk_begin(struct stream_pending_walk *w, const struct stream_group *g,
                               const struct stream_consumer *consumer, struct stream_range range);
/* After begin: only what was delivered at or before this time, and what is unowned (XPENDING IDLE,
 * XAUTOCLAIM). Runs of younger entries are skipped without looking at them. */
void stream_pending_walk_idle(struct stream_pending_walk *w, int64_t delivered_max_ms);
bool stream_pending_walk_next(struct stream_pending_walk *w);
/* The walk goes on over what was copied from its group just now (stream_copy.h). */
void stream_pending_walk_move(struct stream_pending_walk *w, const struct stream_group *to);

/* The pending entry that was delivered longest ago (unowned first), for XREADGROUP CLAIM and the
 * timer of its waiters; false when nothing is pending. */
bool stream_pending_oldest(const struct stream_group *g, struct stream_pending *pending);

/* Up to 'count' pending entries that were delivered at or before this time, longest ago first;
 * unowned ones come before all others, whatever their time. Returns how many; looks only at what
 * it returns and its neighbours. For XREADGROUP CLAIM. */
size_t stream_pending_list_oldest(const struct stream_group *g, int64_t delivered_max_ms,
                                  struct stream_pending *pending, size_t count);

/* Is the entry referenced: above some group's last-delivered ID, or pending in some group other
 * than 'acknowledged' (NULL: in any)? For ACKED of XDELEX, XACKDEL and XTRIM. */
bool stream_is_referenced(const struct stream *s, struct stream_id id,
                          const struct stream_group *acknowledged);

/* Of the IDs, none below *first is referenced and all above *last are; what is between has to be
 * looked at. False: there is no group, so nothing is referenced. O(groups). */
bool stream_referenced_bounds(const struct stream *s, struct stream_id *first,
                              struct stream_id *last);

/* Entries of a range that no group refers to; all groups have passed the range. */
struct stream_unreferenced {
    struct stream_range range;
    uint64_t looks;        /* how many entries may be looked at; counts down */
    struct stream_id *ids; /* out, 'capacity' of them: the first ones, rising */
    size_t capacity;
    size_t count; /* out */
};
/* Looks only at entries that it has not looked at before and at those that were acknowledged since.
 * What it lists has to be deleted next. True: there may be more, behind the last one. */
bool stream_list_unreferenced(const struct stream *s, struct stream_unreferenced *list);

/* ---- changes; the caller is db/ ---- */

enum { STREAM_ENTRIES_READ_EXACT = -1 }; /* entries_read: derive it from the ordinals */

/* The name is copied; no group of that name exists. */
void stream_group_create(struct stream *s, struct slice name, struct stream_id last_delivered,
                         int64_t entries_read);
void stream_group_set_id(struct stream *s, struct slice name, struct stream_id last_delivered,
                         int64_t entries_read);
/* For loaders: the figure and whether it is exact, as they were when they were saved. */
void stream_group_restore_entries_read(struct stream *s, struct slice name, uint64_t entries_read,
                                       bool exact);
/* Takes the group, which is there, out of the stream, whatever is pending in it: as a stream of
 * which nothing is allowed but stream_dismantle. The caller owns it; NULL: it belongs to an image
 * (stream_image.h). */
struct stream *stream_cut_group(struct stream *s, struct slice name);

/* No consumer of that name exists in the group. */
void stream_consumer_create(struct stream *s, struct slice group, struct slice name,
                            int64_t now_ms);
/* Destroys the consumer and its pending entries; returns how many there were. */
uint64_t stream_consumer_destroy(struct stream *s, struct slice group, struct slice name);
void stream_consumer_seen(struct stream *s, struct slice group, struct slice name, int64_t now_ms);

/* One XREADGROUP > of one stream: the group passes the live entries after its last-delivered ID up
 * to and including last_id, 'count' of them. Unless no_ack, each becomes pending of the consumer
 * with one delivery (an entry that was pending already moves to the consumer). */
struct stream_delivery {
    struct slice group;
    struct slice consumer; /* exists */
    struct stream_id last_id;
    uint64_t count;
    int64_t now_ms;
    bool no_ack;
};
/* False, and nothing changed, when the stream does not have exactly these entries. */
bool stream_group_deliver(struct stream *s, const struct stream_delivery *delivery);

/* Removes pending entries; returns how many of the IDs were pending. */
uint64_t stream_group_acknowledge(struct stream *s, struct slice group, const struct stream_id *ids,
                                  size_t count);

/* XCLAIM and XAUTOCLAIM: makes each ID pending of the consumer. An ID that was not pending becomes
 * so (FORCE: the command has decided). */
struct stream_claim {
    struct slice group;
    struct slice consumer; /* exists */
    bool unowned;          /* XNACK: the entries get no owner; consumer is ignored */
    int64_t delivery_ms;
    enum stream_deliveries {
        STREAM_DELIVERIES_KEEP = 0,
        STREAM_DELIVERIES_INCREMENT = 1,
        STREAM_DELIVERIES_SET = 2,
        STREAM_DELIVERIES_DECREMENT = 3, /* not below 0 */
    } deliveries;
    uint64_t deliveries_count; /* STREAM_DELIVERIES_SET */
    int64_t active_ms;         /* the consumer's new active time; -1 leaves it */
    const struct stream_id *ids;
    size_t count;
};
void stream_group_claim(struct stream *s, const struct stream_claim *claim);

#endif
