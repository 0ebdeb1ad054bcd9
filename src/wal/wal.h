/* wal.h - the write-ahead log: an append-only sequence of opaque frames in segments on a disk.
 *
 * The log knows frames, batches, segments, hashes and LSNs. It never knows what a frame means, and
 * it has no thread: the owner moves a flush from begin (event loop) through run (any one thread at
 * a time) to end (event loop). LSN n is the n-th frame ever appended; 0 means "nothing".
 *
 * The byte format and the proof of recovery stand in docs/format/wal.md and at the top of
 * wal/batch.h and wal/segment.h.
 *
 * Invariants: synced_lsn <= written_lsn <= appended_lsn; synced_lsn <= durable_lsn <= appended_lsn,
 * durable_lsn never goes back, and moves only with synced_lsn while the policy is 'always'; a batch
 * is never rewritten; nothing is ever appended to a segment that was recovered; after the first
 * failed write or sync of the log, or sync of the directory, whatever it was for, nothing is
 * acknowledged any more and the owner stops the process (docs/decisions/0003, 0026). */
#ifndef WAL_WAL_H
#define WAL_WAL_H

#include "base/buf.h"
#include "env/disk.h"
#include "env/trace.h"
#include "wal/wal_figures.h"

typedef uint64_t lsn_t;

struct wal;
struct wal_flush; /* one group commit on its way to the disk */

enum wal_policy {
    WAL_SYNC_ALWAYS,   /* durable_lsn moves when a batch is on stable storage */
    WAL_SYNC_EVERYSEC, /* batches are written at once and synced about once a second */
    WAL_SYNC_NO,       /* batches are written; the kernel syncs when it likes */
};

/* A snapshot: the state at some LSNs, so that a recovery needs the log only from from_lsn on. */
struct wal_snapshot {
    uint64_t number;
    lsn_t from_lsn; /* the first frame that is needed beside it */
    lsn_t last_lsn; /* the last frame that is in it, in part or as a whole */
    uint64_t bytes; /* of the file */
    uint64_t hash;  /* of its footer, which stands for all of it */
    int64_t created_ms;
};

/* Who understands a snapshot: told of each before the log is read. False: it contradicts itself. */
struct wal_loader {
    void *context;
    bool (*block)(void *context, struct slice items); /* borrowed for the call; see snapshot.h */
    bool (*end)(void *context, lsn_t from_lsn, lsn_t last_lsn);
    void (*forget)(void *context); /* it is not whole: drop all of it; another one may come */
    /* Of the log: the frames that come next. Only a hint; NULL: not wanted. */
    void (*ahead)(void *context, const struct slice *frames, size_t count);
};
enum { WAL_AHEAD_MAX = 16 };

/* Who watches a recovery: told after each batch and each block of a snapshot how many of the bytes
 * that are there to be read are behind it. False: give up. */
struct wal_observer {
    void *context;
    bool (*progress)(void *context, uint64_t bytes, uint64_t bytes_total);
};

struct wal_options {
    struct disk *disk;
    const struct trace *trace;
    enum wal_policy policy;
    uint64_t segment_bytes; /* SEGMENT_BYTES, smaller in tests; a multiple of DISK_BLOCK_BYTES */
    uint64_t random_seed;   /* for salts and the node id of a new directory */
    const struct wal_loader *loader;     /* NULL: a log that needs a snapshot is refused */
    const struct wal_observer *observer; /* NULL: nobody watches */
};

enum wal_open_status {
    WAL_OPEN_OK,
    WAL_OPEN_CORRUPT,   /* the log contradicts itself: nothing was changed; 'problem' says where */
    WAL_OPEN_NEWER,     /* a directory of a newer version */
    WAL_OPEN_DISK,      /* the disk failed; 'problem' says how */
    WAL_OPEN_REFUSED,   /* visit returned false: a frame that cannot be applied */
    WAL_OPEN_CANCELLED, /* the observer did: nothing was changed */
};

/* What recovery did, for the operator and for INFO. */
struct wal_recovery {
    char problem[512]; /* empty when WAL_OPEN_OK */
    uint64_t segments;
    uint64_t batches;
    uint64_t frames;
    uint64_t bytes;
    uint64_t torn_bytes; /* of the tail that was cut; 0: the log ended cleanly */
    lsn_t last_lsn;
    struct wal_snapshot snapshot; /* that was loaded; number 0: none */
    uint64_t snapshots_refused;   /* that the manifest names and that were not whole */
};

/* Called for each frame in order; false stops the recovery. The frame is borrowed for the call. */
typedef bool wal_visit(void *context, lsn_t lsn, struct slice frame);

/* Recovers the log in the directory (an empty directory gets a new log), cuts a torn tail, opens a
 * new segment and makes it durable: after WAL_OPEN_OK frames can be appended. NULL otherwise. */
struct wal *wal_open(const struct wal_options *options, wal_visit *visit, void *context,
                     struct wal_recovery *recovery, enum wal_open_status *status);

/* Closes the files; neither a flush nor a spare may be under way. Frames that were not flushed are
 * lost: flush first. Unless the log has failed, what was written is synced and the manifest says
 * how far, so that the next start can tell a damaged end from a log that was closed. */
void wal_close(struct wal *w);

/* ---- appending: on the event loop, never touches the disk ---- */

/* The open frame's bytes go to the end of the returned buffer; nothing else may be appended to it
 * until wal_frame_end (gives the frame the next LSN) or wal_frame_cancel (forgets it). */
struct buf *wal_frame_begin(struct wal *w);
size_t wal_frame_size(const struct wal *w); /* of the open frame so far */
lsn_t wal_frame_end(struct wal *w);
void wal_frame_cancel(struct wal *w);

lsn_t wal_appended_lsn(const struct wal *w);
lsn_t wal_durable_lsn(const struct wal *w); /* replies up to it may leave, by the policy */
lsn_t wal_synced_lsn(const struct wal *w);  /* on stable storage, whatever the policy */
size_t wal_pending_bytes(const struct wal *w);

/* ---- group commit ---- */

/* Seals what was appended since the last begin into one batch. NULL: there is nothing to do, or a
 * flush is under way (then its end is the moment to call again). With an idle log and now_ms at
 * least 10 ms after the last batch, the flush is the empty batch that carries the final
 * synced_lsn; with WAL_SYNC_EVERYSEC it may be only the sync that is due. */
struct wal_flush *wal_flush_begin(struct wal *w, int64_t now_ms);

/* Writes and, by the policy, syncs. On any one thread; touches nothing that the event loop uses. */
void wal_flush_run(struct wal_flush *f);

struct wal_flush_times {
    uint64_t write_ns; /* and opening a new segment, and the manifest */
    uint64_t sync_ns;  /* 0: it did not sync */
};                     /* known after its run */
struct wal_flush_times wal_flush_times(const struct wal_flush *f);

/* Not DISK_OK: the log is dead, for ever; the process must stop acknowledging, even what a flush
 * that is under way has written. The end of a flush, of a spare or of a snapshot may be that. */
enum disk_status wal_status(const struct wal *w);

/* Moves durable_lsn; returns wal_status. A full disk is no end: if the batch needs a segment that
 * cannot be made, it is kept, no LSN of it moves (those before it are synced then), wal_has_room is
 * false, and wal_flush_begin lends the same flush again a second later. */
enum disk_status wal_flush_end(struct wal *w, struct wal_flush *f);

/* When wal_flush_begin should next be called although nothing was appended (idle marker, sync that
 * is due); INT64_MAX: never. */
int64_t wal_flush_due_ms(const struct wal *w);

/* ---- spare segments, made ahead of need on another thread, or recycled (wal/spares.h) ---- */

struct wal_spare;
/* NULL: enough spares, or one is being made, or the disk was full within the last second. */
struct wal_spare *wal_spare_begin(struct wal *w, int64_t now_ms);
void wal_spare_run(struct wal_spare *s); /* slow: it fills a file; on any one other thread */
enum disk_status wal_spare_end(struct wal *w, struct wal_spare *s, int64_t now_ms); /* of the job */

/* False while no further segment could be made (disk full): the owner refuses writes before they
 * execute, and they resume when this becomes true again. */
bool wal_has_room(const struct wal *w);

/* Whatever the policy, the log is synced up to this LSN as soon as can be (WAITAOF). The frame that
 * is open, as in EXEC, has none yet. */
void wal_request_sync(struct wal *w, lsn_t lsn);

/* From a weaker policy to 'always', durable_lsn stands still until everything that was only written
 * is synced too; wal_flush_due_ms asks for that flush at once. Whoever must know when that has
 * happened (CONFIG SET) waits until wal_synced_lsn has reached the present wal_appended_lsn.
 * An open frame, as in EXEC, goes by the policy at its end. */
void wal_set_policy(struct wal *w, enum wal_policy policy);

/* ---- snapshots: see snapshot.h for how one is written ---- */

struct snapshot_writer *wal_snapshot_create(struct wal *w, int64_t now_ms); /* the caller's */

/* Its file could not be written. On a full disk spare jobs remove what waits only to be recycled;
 * names that are lost are the end of the log. */
void wal_snapshot_failed(struct wal *w, enum disk_status status);

/* Asks for the snapshot, which is whole on stable storage, to be named in the manifest: the next
 * flush syncs the log up to its last LSN and switches the manifest. Two generations are named; the
 * log that the older one does not need is then recycled by spare jobs, a third snapshot removed. */
void wal_snapshot_publish(struct wal *w, const struct wal_snapshot *s);

/* True, once: what was asked for is done. Not DISK_OK: it could not be named (the disk is full). */
bool wal_snapshot_published(struct wal *w, enum disk_status *status);
const struct wal_snapshot *wal_snapshot_newest(const struct wal *w); /* NULL: there is none */

void wal_measure(const struct wal *w, struct wal_figures *figures);

#endif
