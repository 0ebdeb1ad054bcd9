/* scan.h - walking through the batches of one segment as long as they hold together.
 *
 * Knows nothing of other segments and decides nothing: it says where the good batches end, and
 * whether a header behind that place proves that more had been there. */
#ifndef WAL_SCAN_H
#define WAL_SCAN_H

#include "wal/batch.h"
#include "wal/segment.h"

struct scan {
    struct segment_reader reader;
    struct segment_header header;
    uint64_t offset;     /* where the next batch should begin */
    uint64_t chain_hash; /* what it should say of the one before */
    lsn_t expected_lsn;  /* its first */
    lsn_t synced_lsn;    /* the greatest that a good batch or the segment's header proves */
};

enum scan_open_result { SCAN_OPEN_OK, SCAN_OPEN_INVALID, SCAN_OPEN_NEWER, SCAN_OPEN_DISK };

/* Opens the file and reads its header. *status says what the disk did. Except with
 * SCAN_OPEN_DISK, scan_close is due. */
enum scan_open_result scan_open(struct scan *s, struct disk *disk, uint64_t number,
                                uint64_t file_size, enum disk_status *status);
void scan_close(struct scan *s);

enum scan_result {
    SCAN_BATCH, /* a good batch; the scan has moved behind it */
    SCAN_END,   /* no good batch begins here; the scan has not moved */
    SCAN_DISK,
};

/* The bytes are borrowed until the next call. */
enum scan_result scan_next(struct scan *s, struct batch_header *h, struct slice *batch,
                           enum disk_status *status);

struct scan_proof {
    bool found;
    uint64_t offset;   /* of the header that proves it */
    lsn_t synced_lsn;  /* what it says */
    uint64_t torn_end; /* behind the last block that a batch of this segment left; 0: none */
};

/* Looks at every block from the scan's place to the end of the file for a batch header of this
 * segment that says that 'lsn' was on stable storage. In a file that began as zeros, whatever is
 * not zero was left by a batch; in a recycled one, only what has a header of this segment, or at
 * the scan's place the rest of one. */
enum disk_status scan_prove(struct scan *s, lsn_t lsn, struct scan_proof *proof);

#endif
