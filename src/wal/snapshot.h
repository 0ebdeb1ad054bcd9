/* snapshot.h - the file of a snapshot: a header, numbered and chained blocks of items, a footer.
 *
 *   0            4096        69632                                        (drawn in
 *   +------------+-----------+-----------+- - - - - -+-----------+         docs/format/snapshot.md)
 *   | header     | block 0   | block 1   |           | footer    |
 *   +------------+-----------+-----------+- - - - - -+-----------+
 *
 * A block is 64 KiB: a header of 32 bytes and whole items, each a kind (1 byte), a size (varint)
 * and its bytes. What an item means is its owner's business (db/snapshot.h). Each block has a hash
 * seeded with the file's salt over its number, its content and the hash of the block before, so a
 * block that is damaged, misplaced, left out or of another file is noticed, and the hash of the
 * footer stands for the whole file: the manifest names it.
 *
 * The event loop puts items into memory; writing is a job, moved from begin (event loop) through
 * run (any one thread at a time) to end (event loop), as a flush of the log is. The file has
 * another name until it is whole and on stable storage, and means nothing until the manifest names
 * it. */
#ifndef WAL_SNAPSHOT_H
#define WAL_SNAPSHOT_H

#include "wal/wal.h"

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_HEADER_BYTES = DISK_BLOCK_BYTES,
    SNAPSHOT_BLOCK_BYTES = 64 * 1024,
    SNAPSHOT_BLOCK_HEADER_BYTES = 32,
    SNAPSHOT_PAYLOAD_BYTES = SNAPSHOT_BLOCK_BYTES - SNAPSHOT_BLOCK_HEADER_BYTES,
    SNAPSHOT_ITEM_BYTES_MAX = 32 * 1024, /* so that little of a block is left empty */
    SNAPSHOT_NAME_BYTES = 40,
};

struct snapshot_name {
    char text[SNAPSHOT_NAME_BYTES];
};

/* "snapshot-N", or "new-snapshot-N" while it is written; 16 digits. */
struct snapshot_name snapshot_name(uint64_t number, bool whole);
bool snapshot_parse_name(struct slice name, uint64_t *number, bool *whole);

struct snapshot_header {
    uint64_t hash;
    uint64_t node_id; /* of the directory */
    uint64_t number;  /* as in the name */
    uint64_t salt;    /* seeds the hashes of the blocks */
    int64_t created_ms;
};

/* ---- writing ---- */

struct snapshot_writer;
struct snapshot_job;

/* Allocates two buffers of blocks; touches no disk. */
struct snapshot_writer *snapshot_writer_create(struct disk *disk, const struct snapshot_header *h);

/* No job may be under way. One that failed has removed its file; that of a snapshot which is given
 * up is removed here. */
void snapshot_writer_destroy(struct snapshot_writer *w);

/* Adds an item of head and body, together at most SNAPSHOT_ITEM_BYTES_MAX. */
void snapshot_put(struct snapshot_writer *w, uint8_t kind, struct slice head, struct slice body);
size_t snapshot_staged_bytes(const struct snapshot_writer *w);    /* in memory, for the next job */
uint64_t snapshot_written_bytes(const struct snapshot_writer *w); /* on the disk */

/* Nothing more is put: the next job writes the rest, the footer, and gives the file its name. */
void snapshot_finish(struct snapshot_writer *w, lsn_t from_lsn, lsn_t last_lsn);

/* NULL: nothing worth writing, a job is under way, or it is done. */
struct snapshot_job *snapshot_begin(struct snapshot_writer *w);
void snapshot_run(struct snapshot_job *job);

/* Not DISK_OK: the snapshot has failed, for ever. *whole: it is on stable storage under its name,
 * and what the manifest is to say of it is in *s. */
enum disk_status snapshot_end(struct snapshot_writer *w, struct snapshot_job *job, bool *whole,
                              struct wal_snapshot *s);

/* ---- reading ---- */

enum snapshot_verdict {
    SNAPSHOT_OK,
    SNAPSHOT_INVALID,
    SNAPSHOT_NEWER,
    SNAPSHOT_UNREADABLE, /* the disk did not give its bytes */
    SNAPSHOT_CANCELLED,
};

struct snapshot_source {
    struct disk *disk;
    const struct trace *trace; /* a line each second */
    uint64_t node_id;
    uint64_t file_size;
    const struct wal_snapshot *expected; /* what the manifest says */
    const struct wal_observer *observer; /* NULL: nobody watches */
    uint64_t bytes_total;                /* for it: of the file and what is read after it */
};

/* Gives every block to the loader, each after its hash held. Not SNAPSHOT_OK: 'problem' says why,
 * and the loader has been told to forget. */
enum snapshot_verdict snapshot_read(const struct snapshot_source *source,
                                    const struct wal_loader *loader, char *problem,
                                    size_t problem_size);

#endif
