/* writer.h - the segment that is being written: batches at its end, and the step to the next one.
 *
 * It belongs to one thread at a time: to the opener, then to whoever runs a flush.
 *
 * The step to a new segment is made so that a crash at any point leaves either the old log or the
 * new one, and so that a full disk is met before anything was changed:
 *   1. a file of the right size exists            (may find the disk full)
 *   2. the new manifest exists under another name (may find the disk full)
 *   3. the file gets its header, and on a start of the server the batches that are copied into it
 *   4. the file is synced, gets its name, the name is synced
 *   5. the manifest is switched: from here on the segment is the newest of the log
 * Steps 1 to 3 are writer_prepare and writer_append, 4 and 5 writer_activate. */
#ifndef WAL_WRITER_H
#define WAL_WRITER_H

#include "base/random.h"
#include "wal/batch.h"
#include "wal/manifest.h"
#include "wal/segment.h"

struct writer {
    struct disk *disk;
    struct random random; /* for salts */
    uint64_t segment_bytes;
    struct manifest manifest; /* as last prepared */
    struct disk_file *file;   /* NULL before the first segment */
    struct segment_header header;
    struct segment_name spare_name; /* of the file until it is activated */
    uint64_t size;                  /* of the file */
    uint64_t offset;                /* where the next batch goes */
    uint64_t chain_hash;            /* what the next batch says of the one before */
    bool unsynced;                  /* something was written since the last sync */
    uint64_t sync_ns;               /* that the last sync took */
};

/* What the next segment is to be. */
struct segment_plan {
    struct manifest manifest; /* that names it: newest is its number, epoch its epoch */
    uint64_t previous_number;
    uint64_t previous_hash;
    lsn_t first_lsn;
    uint64_t batch_bytes; /* padded, that must fit */
    uint64_t spare;       /* number of a spare of segment_bytes; 0: there is none */
    uint64_t fresh;       /* number for a file that has to be made: it is never called a spare */
    bool small;           /* one that has to be made may be: a start does not wait for zeros */
};

enum { SEGMENT_SMALL_BYTES = 1024 * 1024 };

/* The plan of the segment that follows the present one, for a batch of these bytes. */
struct segment_plan writer_next_plan(const struct writer *w, lsn_t first_lsn, uint64_t batch_bytes);

/* Whether the plan's spare serves; otherwise one is made. */
bool writer_takes_spare(const struct writer *w, const struct segment_plan *plan);

/* Steps 1 to 3. *full: the disk is full, the status says DISK_FULL, and nothing was changed: the
 * plan can be tried again, a lent spare is still one. The present file must be synced. */
enum disk_status writer_prepare(struct writer *w, const struct segment_plan *plan, bool *full);
enum disk_status writer_activate(struct writer *w);

bool writer_fits(const struct writer *w, uint64_t batch_bytes);

/* Seals the batch and writes it. The caller sets count, first_lsn and synced_lsn of h. */
enum disk_status writer_append(struct writer *w, struct buf *batch, struct batch_header *h);

enum disk_status writer_sync(struct writer *w);

void writer_close(struct writer *w);

#endif
