/* snapshot_format.h - the fixed parts of a snapshot's file as bytes (private to snapshot_*.c).
 *
 * Header, the first 4,096 bytes; its hash has the seed 0:
 *
 *   offset  size  field
 *        0     8  hash         XXH3-64 of bytes 8 .. 4096
 *        8     8  magic        "IrmakSna"
 *       16     4  version      SNAPSHOT_VERSION
 *       20     4  block        SNAPSHOT_BLOCK_BYTES
 *       24     8  node_id
 *       32     8  number
 *       40     8  salt
 *       48     8  created_ms
 *       56        zeros        up to 4096
 *
 * Block:
 *        0     8  hash           XXH3-64 of bytes 8 .. 65536, seeded with the salt
 *        8     4  magic          "IrSB", of the footer "IrSF"
 *       12     4  used           bytes of items; the rest is zeros
 *       16     8  number         0, 1, 2 ...
 *       24     8  previous_hash  of the block before, of the header for the first
 *       32        items          of the footer: blocks, from_lsn, last_lsn (8 bytes each) */
#ifndef WAL_SNAPSHOT_FORMAT_H
#define WAL_SNAPSHOT_FORMAT_H

#include "wal/snapshot.h"

struct snapshot_footer {
    uint64_t blocks; /* before the footer */
    lsn_t from_lsn;
    lsn_t last_lsn;
};

/* Fills the block; sets h->hash. */
void snapshot_write_header(char block[SNAPSHOT_HEADER_BYTES], struct snapshot_header *h);
enum snapshot_verdict snapshot_read_header(const char block[SNAPSHOT_HEADER_BYTES],
                                           struct snapshot_header *h);

/* Fills a block but for what sealing adds. */
void snapshot_write_footer(char block[SNAPSHOT_BLOCK_BYTES], const struct snapshot_footer *f);
bool snapshot_read_footer(const char block[SNAPSHOT_BLOCK_BYTES], struct snapshot_footer *f);

/* Says that it is a block of items with so many bytes of them. */
void snapshot_set_used(char block[SNAPSHOT_BLOCK_BYTES], uint32_t used);

/* Writes number, chain and hash; returns the hash. */
uint64_t snapshot_seal_block(char block[SNAPSHOT_BLOCK_BYTES], uint64_t salt, uint64_t number,
                             uint64_t previous_hash);

/* False: it is not the block that must stand here. */
bool snapshot_read_block(const char block[SNAPSHOT_BLOCK_BYTES], uint64_t salt, uint64_t number,
                         uint64_t *chain_hash);

/* The items of a block that was read; false: it is a footer. */
bool snapshot_block_items(const char block[SNAPSHOT_BLOCK_BYTES], struct slice *items);

#endif
