/* segment.h - one file of the log: its names, its header, making it and reading it.
 *
 * A segment is a header block and then batches, one after the other (wal/batch.h); behind the
 * last batch there are zeros, or, if the file is recycled, what an earlier life of it left, which
 * no hash fits because the salt is another. The header:
 *
 *   offset  size  field
 *        0     8  hash             XXH3-64 of bytes 8 .. 4096, seed 0
 *        8     8  magic            "IrmakLog"
 *       16     4  version          SEGMENT_VERSION
 *       20     4  block            DISK_BLOCK_BYTES
 *       24     8  node_id          of the directory: a file of another server is not ours
 *       32     8  number           as in the name
 *       40     8  previous_number  of the segment before; 0: this is the first there ever was
 *       48     8  salt             random, seeds the hashes of the batches
 *       56     8  first_lsn        all frames before it were synced when this was written
 *       64     8  epoch            grows by one with each start of the server
 *       72     8  previous_hash    of the last batch of the segment before that counts (of its
 *                                  header if none does): where that segment ends
 *       80     8  recycled         0: the file had been filled with zeros; 1: it may hold batches
 *                                  of an earlier life
 *       88        zeros            up to 4096
 *
 * Names: log-NNNNNNNNNNNNNNNN (decimal) is a segment; spare-N is a whole file, of zeros or of what
 * it held as a segment, that waits to become one; new-N is one that is being filled. */
#ifndef WAL_SEGMENT_H
#define WAL_SEGMENT_H

#include "wal/wal.h"

enum { SEGMENT_HEADER_BYTES = DISK_BLOCK_BYTES, SEGMENT_VERSION = 1 };

struct segment_header {
    uint64_t hash;
    uint64_t node_id;
    uint64_t number;
    uint64_t previous_number;
    uint64_t salt;
    lsn_t first_lsn;
    uint64_t epoch;
    uint64_t previous_hash;
    bool recycled;
};

enum segment_kind { SEGMENT_LOG, SEGMENT_SPARE, SEGMENT_NEW, SEGMENT_KINDS_COUNT };

enum { SEGMENT_NAME_BYTES = 32 };

struct segment_name {
    char text[SEGMENT_NAME_BYTES];
};

struct segment_name segment_name(enum segment_kind kind, uint64_t number);

/* False: the name is not one of ours. */
bool segment_parse_name(struct slice name, enum segment_kind *kind, uint64_t *number);

/* Fills the block; sets h->hash. */
void segment_write_header(char block[SEGMENT_HEADER_BYTES], struct segment_header *h);

enum segment_verdict { SEGMENT_OK, SEGMENT_INVALID, SEGMENT_NEWER };
enum segment_verdict segment_read_header(const char block[SEGMENT_HEADER_BYTES],
                                         struct segment_header *h);

/* Makes a file: 'size' bytes of zeros on stable storage; its name is not. On failure nothing is
 * left behind, unless the disk does not even let it be removed: then the next recovery removes a
 * new-N and takes a spare-N. */
enum disk_status segment_make(struct disk *disk, const char *name, uint64_t size);

/* Makes spare-N so, by way of new-N; its name is on stable storage. */
enum disk_status segment_make_spare(struct disk *disk, uint64_t number, uint64_t size);

/* Makes spare-N of a segment that no manifest on stable storage needs: its bytes stay. Not DISK_OK:
 * it is still there under one of the two names, and no spare before the next recovery. */
enum disk_status segment_recycle(struct disk *disk, const char *name, uint64_t number);

/* Whether the file has ever been a segment; one that is filled with zeros has not. */
enum disk_status segment_was_used(struct disk *disk, struct disk_file *file, bool *used);

/* Reads a file in large direct portions, wherever the reader wants to be. */
struct segment_reader {
    struct disk *disk;
    struct disk_file *file;
    uint64_t size; /* of the file, whole blocks */
    char *window;  /* at a block boundary */
    size_t window_capacity;
    uint64_t window_offset;
    size_t window_size; /* bytes in it */
};

enum disk_status segment_reader_open(struct segment_reader *r, struct disk *disk, const char *name,
                                     uint64_t file_size);
void segment_reader_close(struct segment_reader *r);

/* The header alone, without filling the window. */
enum disk_status segment_reader_header(struct segment_reader *r, struct segment_header *h,
                                       enum segment_verdict *verdict);

/* 'size' bytes at offset (a block boundary); fewer only at the end of the file. Borrowed until the
 * next call. */
enum disk_status segment_reader_at(struct segment_reader *r, uint64_t offset, uint64_t size,
                                   struct slice *bytes);

#endif
