/* recovery.h - reading the log back: what is whole, what was torn, what is corrupt.
 *
 *   1. The manifest is read; the segments are found backwards from the newest by the previous
 *      numbers in their headers. All of them must be there, valid and of this directory.
 *      The newest snapshot that is whole is loaded, else the one before it; then the log is read
 *      from the segment on that holds the first frame which is needed beside the snapshot.
 *   2. Forwards, batches are applied while everything holds: both hashes under the segment's salt,
 *      offset, epoch, first LSN, hash of the batch before. A segment that has a successor must end
 *      exactly where the successor's header says (LSN and hash); what follows there was copied.
 *   3. At the first bad batch of the newest segment, with expected LSN e, it is corruption if the
 *      manifest says that e was synced, or if any block after it begins with a batch header of
 *      this segment with synced_lsn >= e. Otherwise the tail was torn by the crash and is cut.
 *   4. Files beyond the newest segment hold nothing, by the order in which a segment is activated;
 *      if one does, the manifest is not the last one that was written, and that is corruption too.
 *   5. Until here nothing was changed. recovery_restart then writes a new segment (new salt, next
 *      epoch) that begins after the last batch which is proven to be on stable storage: what is
 *      behind it was read, but perhaps only from the cache of the disk, and is copied. A newest
 *      segment that is at most half full is copied whole and is then no longer needed, so that a
 *      server that is started often does not leave a trail of nearly empty segments.
 *
 * Input is never trusted: every size is compared with the file before it is used, every loop ends
 * with the file or the directory, and memory is bounded by the largest file. */
#ifndef WAL_RECOVERY_H
#define WAL_RECOVERY_H

#include "wal/generations.h"
#include "wal/spares.h"
#include "wal/writer.h"

struct recovery {
    const struct wal_options *options;
    struct wal_recovery *report;
    struct inventory *inventory; /* the files of the directory, private to recovery.c */

    /* What was found: */
    struct manifest manifest;
    bool new_directory;           /* there was no manifest */
    struct segment_header newest; /* number 0: the log has no segment yet */
    uint64_t newest_size;
    uint64_t end_offset; /* behind the last good batch of the newest segment */
    lsn_t last_lsn;
    lsn_t proven_lsn;     /* what is proven to be on stable storage */
    uint64_t said_ns;     /* when a line of progress was last traced */
    uint64_t bytes_done;  /* of files that were read: a snapshot, segments */
    uint64_t bytes_total; /* ... that are needed */
    lsn_t from_lsn;       /* the first frame that is needed; 1 without a snapshot */

    /* What is left for the owner: */
    struct spares spares;
    uint64_t next_snapshot;
    lsn_t first_lsn;                /* of the oldest segment */
    struct generations generations; /* taken by the owner, or freed by recovery_deinit */
};

/* Steps 1 to 4. recovery_deinit is due afterwards in any case. */
enum wal_open_status recovery_read(struct recovery *r, const struct wal_options *options,
                                   wal_visit *visit, void *context);

/* Step 5: makes 'w' the writer of the new segment. Not DISK_OK: report->problem says what failed;
 * the next recovery finds the same log. */
enum disk_status recovery_restart(struct recovery *r, struct writer *w);

void recovery_deinit(struct recovery *r);

#endif
