/* idempotence.h - what idempotent producers have sent: XADD with IDMP and IDMPAUTO.
 *
 * A producer names each message with an idempotent ID (iid). The stream remembers, for each
 * producer, which iids came and which entry each of them became, so that a message that is sent
 * twice is stored once. It forgets an iid when its entry is older than the duration, and the oldest
 * when a producer has more than count_max.
 *
 * It never knows what time it is: 'now_ms' of a lookup is the caller's, and a record forgets by the
 * milliseconds of its own ID, so that a log that is replayed forgets the same.
 *
 * Structure: producers sorted by name; each has a ring of its iids, oldest first, and an open hash
 * table of places in that ring. A stream without producers has none of it. Every record looks after
 * one other producer as well, so that those which went silent are forgotten too.
 *
 * Redis 8.6: XADD IDMP, XCFGSET; 8.8: XIDMPRECORD. */
#ifndef STREAM_IDEMPOTENCE_H
#define STREAM_IDEMPOTENCE_H

#include "stream/stream.h"

enum {
    STREAM_IDMP_DURATION_S_MAX = 86400,
    STREAM_IDMP_COUNT_MAX = 10000, /* iids of one producer */
    STREAM_IDMP_DURATION_S_DEFAULT = 100,
    STREAM_IDMP_COUNT_DEFAULT = 100,
};

/* What a stream was told by XCFGSET, or what the configuration says for all others. */
struct stream_idmp_limits {
    uint32_t duration_s; /* 1 .. STREAM_IDMP_DURATION_S_MAX; 0 in a stream: the configuration's */
    uint32_t count_max;  /* 1 .. STREAM_IDMP_COUNT_MAX; 0 in a stream: the configuration's */
};
struct stream_idmp_limits stream_idmp_limits(const struct stream *s);

struct stream_idmp_figures {
    uint64_t producers;  /* that are remembered */
    uint64_t iids;       /* that are remembered, of all of them */
    uint64_t added;      /* iids that ever came */
    uint64_t duplicates; /* how often one came again */
};
void stream_idmp_measure(const struct stream *s, struct stream_idmp_figures *figures);

/* The entry that the message became, if it came and its entry's milliseconds are > after_ms (now
 * minus the duration; -1: whatever its age). */
bool stream_idmp_find(const struct stream *s, struct slice producer, struct slice iid,
                      int64_t after_ms, struct stream_id *id);

/* A walk over all that is remembered: producers by name, of each the oldest first. The stream must
 * not change meanwhile. Begin with {0}. */
struct stream_idmp_walk {
    struct slice producer; /* borrowed from the stream */
    struct slice iid;
    struct stream_id id;
    /* private */
    uint32_t producer_next;
    uint32_t iid_next;
};
bool stream_idmp_walk_next(const struct stream *s, struct stream_idmp_walk *w);

/* For images (image.h): gives the image the producers after the one of the name in *after (empty:
 * from the first), looking at up to 'count'. True: there are more. */
struct buf;
bool stream_idmp_show(struct stream *s, struct buf *after, uint32_t count);

/* ---- changes; the caller is db/ ---- */

/* The message has become the entry 'id'; an older entry of the same iid is forgotten. */
struct stream_idmp_record {
    struct slice producer; /* not empty; copied */
    struct slice iid;      /* not empty; copied */
    struct stream_id id;
    struct stream_idmp_limits limits; /* neither is 0 */
};
void stream_idmp_record(struct stream *s, const struct stream_idmp_record *record);

void stream_idmp_count_duplicate(struct stream *s);

/* XCFGSET: 'clear' forgets all producers. The figures 'added' and 'duplicates' stay. */
void stream_idmp_configure(struct stream *s, struct stream_idmp_limits limits, bool clear);

/* For loaders: the figures that cannot be counted from what is remembered. */
void stream_idmp_restore(struct stream *s, uint64_t added, uint64_t duplicates);

/* For loaders, in the order of the walk. False, and nothing changed: the producer has it, or has
 * too many, or a name is empty. */
bool stream_idmp_restore_iid(struct stream *s, struct slice producer, struct slice iid,
                             struct stream_id id);

/* Which producer is looked after next: what is forgotten when depends on it. */
bool stream_idmp_is_kept(const struct stream *s); /* has it anything of all this? */
uint32_t stream_idmp_sweep(const struct stream *s);
void stream_idmp_restore_sweep(struct stream *s, uint32_t sweep);

#endif
