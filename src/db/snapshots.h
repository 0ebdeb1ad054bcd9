/* snapshots.h - when a snapshot begins, how fast it goes, and when it counts. Private to db/.
 *
 *   IDLE --start--> WALKING --the walk ends--> WRITING --whole on the disk--> PUBLISHING --> IDLE
 *
 * In WALKING, each tick encodes a bounded portion (save.h), paced by the clock; blocks go to the
 * file by jobs, on any one other thread. PUBLISHING waits for the log: a snapshot counts when the
 * log is on stable storage up to its last LSN and the manifest names it. Whatever fails before
 * that leaves the snapshots and the log that there were. */
#ifndef DB_SNAPSHOTS_H
#define DB_SNAPSHOTS_H

#include "db/db.h"
#include "db/save.h"

struct snapshots;

struct snapshots_options {
    const struct store *store;
    struct wal *wal;
    const struct trace *trace;
    uint64_t seed; /* the store's */
};

struct snapshots *snapshots_create(const struct snapshots_options *options);
void snapshots_destroy(struct snapshots *x); /* no job may be under way; drops what is not whole */

bool snapshots_start(struct snapshots *x, int64_t now_ms); /* false: one is under way */
bool snapshots_running(const struct snapshots *x);

/* How fast the walk may go; 0, as it is at first: as fast as the disk takes it. */
void snapshots_set_pace(struct snapshots *x, uint64_t bytes_per_second);

/* Between batches. True: a snapshot has ended just now, well or not. */
bool snapshots_step(struct snapshots *x, int64_t now_ms);
int64_t snapshots_due_ms(const struct snapshots *x); /* of the next step; INT64_MAX: none */

struct snapshot_job *snapshots_begin(struct snapshots *x);
void snapshots_end(struct snapshots *x, struct snapshot_job *job);

/* NULL: there is no walk that a moved key could matter to. */
struct save *snapshots_walk(const struct snapshots *x);

void snapshots_measure(const struct snapshots *x, struct snapshot_figures *figures);

#endif
