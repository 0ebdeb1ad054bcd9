/* generations.h - which segments and snapshots there are, and which of them nobody needs any more.
 *
 * Bookkeeping only: no disk. Two generations of snapshots are kept, with the log that the older one
 * needs; while there is only one, all of the log. */
#ifndef WAL_GENERATIONS_H
#define WAL_GENERATIONS_H

#include "wal/manifest.h"
#include "wal/snapshot.h"

struct generation_segment {
    uint64_t number;
    lsn_t first_lsn;
    uint64_t bytes;
};

/* A file that nobody needs any more. */
struct leftover {
    struct snapshot_name name; /* names of segments fit, too */
    uint64_t segment_bytes;    /* of a segment, which may be recycled; 0: it is none */
};

struct generations {
    struct generation_segment *segments; /* of the log, oldest first */
    size_t segments_count;
    size_t segments_capacity;
    struct wal_snapshot snapshots[MANIFEST_SNAPSHOTS_MAX]; /* good ones, newest first */
    size_t snapshots_count;
    struct leftover *doomed; /* not removed yet */
    size_t doomed_count;
    size_t doomed_capacity;
};

void generations_deinit(struct generations *g);

void generations_add_segment(struct generations *g, uint64_t number, lsn_t first_lsn,
                             uint64_t bytes);

/* Forgets the newest segment: a start has copied it into the one that is added next. */
void generations_drop_newest(struct generations *g);

/* What the manifest shall say once it names s, too: its snapshots and its oldest segment. */
void generations_plan(const struct generations *g, const struct wal_snapshot *s,
                      struct manifest *m);

/* The manifest has been switched from 'before' to 'after', planned as above. */
void generations_switched(struct generations *g, const struct manifest *before,
                          const struct manifest *after);

/* A snapshot that is whole, but that the manifest could not name. */
void generations_doom_snapshot(struct generations *g, uint64_t number);

/* A spare beyond those that are wanted. */
void generations_doom_spare(struct generations *g, uint64_t number);

uint64_t generations_log_bytes(const struct generations *g);
uint64_t generations_snapshot_bytes(const struct generations *g);

/* The next file to be recycled or removed; false: there is none. */
bool generations_take_doomed(struct generations *g, struct leftover *leftover);

#endif
