/* wal_owner.h - a stand-in for db/ and server/: it appends frames, flushes them, remembers what it
 * was promised, and after each recovery compares what came back. The oracle of the log's tests.
 *
 * Every frame's bytes follow from a tag that is never used twice, so a frame that was lost and
 * comes back later, or stands at another LSN, is noticed. Its snapshots hold nothing but a hash of
 * the tags up to an LSN: that of the state which they stand for.
 *
 * Invariants: promised_lsn <= written_lsn <= appended_lsn; tags hold the frames that may still
 * come back. */
#ifndef SIM_WAL_OWNER_H
#define SIM_WAL_OWNER_H

#include "base/random.h"
#include "sim_disk.h"
#include "wal/snapshot.h"

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
    lsn_t seen_lsn;     /* the last frame of the recovery under way */
    uint64_t wrong;     /* frames that are not what was appended at their LSN, or not announced */
    uint64_t announced; /* of the recovery under way: frames that were said to come next, */
    uint64_t visited;   /* and that came */
    bool quiet;         /* all that was ever written into the log had been synced */
    bool torn_wrongly;  /* and yet the recovery saw a torn tail */
    struct snapshot_writer *snapshot;
    bool naming; /* a snapshot waits for its place in the manifest */
    uint64_t loaded_hash;
    uint64_t recycled; /* segments begun in recycled files, in all lives */
    uint64_t recycled_seen;
    uint64_t renamed; /* segments that became spares */
    uint64_t named;   /* snapshots */
};

/* From IRMAK_SEED, 0 without: tests add their own small numbers to it. */
uint64_t owner_seed_base(void);

/* One on a new disk, which belongs to it as to all its copies theirs; not open. */
struct wal_owner *owner_create(uint64_t seed);

/* What a crashed process had been promised, with a copy of its disk; the seed decides what a power
 * cut takes. Not open. */
struct wal_owner *owner_clone(const struct wal_owner *o, uint64_t seed);

/* Whether it is open or not; its disk goes too. */
void owner_destroy(struct wal_owner *o);

/* Recovers. True: the log is open. What was seen is compared in any case; *lost: frames that were
 * promised and did not come back (only when open). */
bool owner_open(struct wal_owner *o, enum wal_policy policy, uint64_t *lost);

/* Under the policy 'always': it is open, nothing is lost, and nothing wrong. */
void owner_must_open(struct wal_owner *o);

void owner_append(struct wal_owner *o);
bool owner_flush(struct wal_owner *o);      /* false: nothing to do, or the log failed */
void owner_must_flush(struct wal_owner *o); /* there is something to do, and it succeeds */
void owner_make_spare(struct wal_owner *o);

/* A step of a snapshot: begun, written, named, done. */
void owner_move_snapshot(struct wal_owner *o);

/* A whole one. False: the disk did not let it. */
bool owner_save(struct wal_owner *o);

/* Some time of a server's life: appends, flushes, spares, snapshots, idle times, other policies. */
void owner_live(struct wal_owner *o, unsigned steps);

/* A short life without surprises: append, flush, make spares, sixty frames. */
void owner_work(struct wal_owner *o);

/* Flushes all, and the idle marker. */
void owner_settle(struct wal_owner *o);

/* The process ends as it should. */
void owner_close(struct wal_owner *o);

/* The process ends as it is, without a word to the disk. */
void owner_die(struct wal_owner *o);
void owner_power_cut(struct wal_owner *o);
void owner_kill(struct wal_owner *o);

#endif
