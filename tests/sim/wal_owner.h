/* wal_owner.h - a stand-in for db/ and server/: it appends frames, flushes them, remembers what it
 * was promised, and after each recovery compares what came back. The oracle of the log's tests.
 *
 * Every frame's bytes follow from a tag that is never used twice, so a frame that was lost and
 * comes back later, or stands at another LSN, is noticed.
 *
 * Invariants: promised_lsn <= written_lsn <= appended_lsn; tags hold the frames that may still
 * come back. */
#ifndef SIM_WAL_OWNER_H
#define SIM_WAL_OWNER_H

#include "base/random.h"
#include "sim_disk.h"
#include "wal/wal.h"

enum { OWNER_FRAMES_MAX = 2048, OWNER_SEGMENT_BYTES = 8 * DISK_BLOCK_BYTES };

struct wal_owner {
    struct sim_disk *disk;
    struct wal *wal;
    struct random random;
    int64_t now_ms;
    uint64_t tag_next;
    uint64_t tags[OWNER_FRAMES_MAX + 1]; /* of LSN n at n; of what may come back */
    lsn_t appended_lsn;
    lsn_t promised_lsn; /* survives a power cut */
    lsn_t written_lsn;  /* survives a kill; back to promised_lsn after a power cut */
    lsn_t loaded_lsn;   /* by the last recovery */
    bool failed;        /* the log is dead */
    bool always;        /* the policy has been 'always' since the log was opened */
    struct wal_recovery recovery;
    enum wal_open_status status;
    lsn_t seen_lsn; /* the last frame of the recovery under way */
    uint64_t wrong; /* frames that are not what was appended at their LSN */
};

/* From IRMAK_SEED, 0 without: tests add their own small numbers to it. */
uint64_t owner_seed_base(void);

void owner_init(struct wal_owner *o, struct sim_disk *disk, uint64_t seed);

/* Recovers. True: the log is open. What was seen is compared in any case; *lost: frames that were
 * promised and did not come back (only when open). */
bool owner_open(struct wal_owner *o, enum wal_policy policy, uint64_t *lost);

void owner_append(struct wal_owner *o);
bool owner_flush(struct wal_owner *o); /* false: nothing to do, or the log failed */
void owner_make_spare(struct wal_owner *o);

/* Some time of a server's life: appends, flushes, spares, idle times, changes of policy. */
void owner_live(struct wal_owner *o, unsigned steps);

/* A short life without surprises: append, flush, make spares, sixty frames. */
void owner_work(struct wal_owner *o);

/* Flushes all, and the idle marker. */
void owner_settle(struct wal_owner *o);

/* The process ends as it is, without a word to the disk. */
void owner_die(struct wal_owner *o);
void owner_power_cut(struct wal_owner *o);
void owner_kill(struct wal_owner *o);

#endif
