/* manifest.h - the small file that says which segments are the log, and which snapshots there are.
 *
 *   offset  size  field
 *        0     8  hash        XXH3-64 of bytes 8 .. 4096, seed 0
 *        8     8  magic       "IrmakMan"
 *       16     4  version     MANIFEST_VERSION
 *       20     4  reserved    0
 *       24     8  node_id     made once for a directory, in every segment's header
 *       32     8  oldest      number of the first segment of the log; 0: there is none yet
 *       40     8  newest      number of the segment that is written; 0: there is none yet
 *       48     8  epoch       of the newest segment
 *       56     8  synced_lsn  all frames up to it were on stable storage when this was written
 *       64     4  snapshots   how many are named, newest first: 0 to 2 (since version 2)
 *       68     4  reserved    0
 *       72    48  snapshot    number, from_lsn, last_lsn, bytes, hash, created_ms (8 bytes each)
 *      120    48  snapshot    the one before it
 *      168        zeros       up to 4096
 *
 * A snapshot is named here only when it is whole and the log is on stable storage up to its last
 * LSN: last_lsn <= synced_lsn. 'oldest' holds the first frame that the older one needs.
 *
 * It is written whole under another name, synced, renamed, and the name synced: a crash leaves the
 * old one or the new one. A segment is named here only after its header and its name are on stable
 * storage, and gets its first batch only after it is named here. So a segment up to 'newest' that
 * is missing or has no valid header is corruption, and one beyond 'newest' holds nothing. */
#ifndef WAL_MANIFEST_H
#define WAL_MANIFEST_H

#include "wal/wal.h"

#define MANIFEST_NAME     "manifest"
#define MANIFEST_NEW_NAME "manifest.new"

enum { MANIFEST_BYTES = DISK_BLOCK_BYTES, MANIFEST_VERSION = 2, MANIFEST_SNAPSHOTS_MAX = 2 };

struct manifest {
    uint64_t node_id;
    uint64_t oldest;
    uint64_t newest;
    uint64_t epoch;
    lsn_t synced_lsn;
    uint32_t snapshots_count;
    struct wal_snapshot snapshots[MANIFEST_SNAPSHOTS_MAX]; /* newest first */
};

enum manifest_verdict { MANIFEST_OK, MANIFEST_INVALID, MANIFEST_NEWER };

void manifest_encode(const struct manifest *m, char block[MANIFEST_BYTES]);
enum manifest_verdict manifest_decode(struct slice bytes, struct manifest *m);

/* Reads the file. DISK_OK: *verdict says what stood in it. */
enum disk_status manifest_read(struct disk *disk, struct manifest *m,
                               enum manifest_verdict *verdict);

/* The two halves of a change: the first may find the disk full and has then changed nothing. */
enum disk_status manifest_prepare(struct disk *disk, const struct manifest *m);
enum disk_status manifest_switch(struct disk *disk);

#endif
