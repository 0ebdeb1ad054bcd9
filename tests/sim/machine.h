/* machine.h - a whole server in one thread: the real engine, db and log over a simulated disk, a
 * clock that moves when it is told to, and connections that are function calls.
 *
 * One step of it is one tick of the server (architecture.md): machine_tick, then the flush, whose
 * parts the caller may spread over several ticks as the sync thread does, then machine_release.
 * It never knows what is tested with it.
 *
 * Ownership: the disk belongs to the caller and outlives the machine, as disks do. Links belong to
 * the machine and end with it.
 *
 * A snapshot, once begun, goes on by itself in each tick (engine_tick); only its jobs are moved by
 * the caller, as those of the flush.
 *
 * Invariants: flush_ran implies flush != NULL, and the same of the snapshot's job; after log_status
 * is not DISK_OK nothing is released any more. */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "base/random.h"
#include "engine/engine.h"
#include "sim_disk.h"

enum { MACHINE_LINKS_MAX = 64 };
#define MACHINE_EPOCH_US INT64_C(1700000000000000) /* what the clock shows at first */

/* One connection, as its client sees it. */
struct machine_link {
    struct session *session; /* NULL: closed by the server, or never opened */
    struct buf outgoing;     /* not received by the server yet */
    struct buf incoming;     /* replies that have left; the caller consumes them */
    struct buf lent;         /* fed to the session until the tick returns */
    bool deaf;               /* its client does not read: what the server sends stays unsent */
};

struct machine_options {
    struct sim_disk *disk; /* NULL: appendonly no */
    enum wal_policy policy;
    uint64_t segment_bytes;
    struct stream_block_limits stream_block;
    size_t transaction_bytes_max; /* 0: as db_options has it */
    struct engine_limits limits;
    uint64_t seed;
    int64_t now_us;
};

struct machine {
    struct machine_options options;
    struct db *db;
    struct engine *engine;
    struct host host;
    struct random random;
    int64_t now_us;
    struct machine_link links[MACHINE_LINKS_MAX];
    struct wal_flush *flush; /* under way */
    bool flush_ran;
    struct snapshot_job *snapshot; /* under way */
    bool snapshot_ran;
    enum disk_status log_status; /* the first failure */
    bool stop_asked;             /* SHUTDOWN */
    bool out_of_memory;          /* what the host answers */
    char password[64];
};

/* Recovers and starts. False: *recovery says why, and the machine is off. */
bool machine_start(struct machine *m, const struct machine_options *options,
                   struct wal_recovery *recovery, enum wal_open_status *status);

/* The process ends as it is: not a word to the disk, which then awaits sim_disk_kill or
 * sim_disk_power_cut. */
void machine_die(struct machine *m);

/* The process ends as it should: nothing more executes, the log is flushed until it is quiet, all
 * that may leave leaves. False: the disk did not let it. */
bool machine_shut_down(struct machine *m);

/* ---- connections ---- */

void machine_connect(struct machine *m, size_t link);
void machine_disconnect(struct machine *m, size_t link);

/* A request for the next tick: words between blanks, sent as an array of bulk strings. */
void machine_send(struct machine *m, size_t link, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void machine_send_words(struct machine *m, size_t link, const struct slice *words, size_t count);

/* What the server has answered on this connection and still holds back: for a judge only. */
void machine_withheld(const struct machine *m, size_t link, struct buf *out);

/* ---- the tick ---- */

/* Feeds what was sent (all of it, or a random part when 'in_pieces') and ticks once. */
void machine_tick(struct machine *m, bool in_pieces);

void machine_flush_begin(struct machine *m); /* nothing if one is under way or none is due */
void machine_flush_run(struct machine *m);   /* nothing if there is none, or it ran */
bool machine_flush_end(struct machine *m);   /* false: the log failed */
void machine_make_spare(struct machine *m);

void machine_snapshot_begin(struct machine *m); /* nothing if there is nothing to write */
void machine_snapshot_run(struct machine *m);
void machine_snapshot_end(struct machine *m);

/* Replies that may leave go to their links. */
void machine_release(struct machine *m);

/* Tick, flush and release until nothing is left to do now. False: the log failed. */
bool machine_settle(struct machine *m);

#endif
