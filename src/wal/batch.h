/* batch.h - one group commit as bytes: a header, frames, and zeros up to the block boundary.
 *
 *   offset  size  field
 *        0     8  hash          XXH3-64 of bytes 8 .. padded end, seeded with the segment's salt
 *        8     8  header_hash   XXH3-64 of bytes 16 .. 72, same seed
 *       16     4  magic         "IrBa"
 *       20     4  count         frames; 0 is the marker that an idle log writes
 *       24     8  size          header and frames, without padding
 *       32     8  first_lsn     of the first frame; of the next one to come when count is 0
 *       40     8  synced_lsn    all frames up to it were on stable storage when this was written
 *       48     8  epoch         as in the segment's header
 *       56     8  offset        of this batch in its file
 *       64     8  previous_hash hash of the batch before, of the segment's header for the first
 *       72        frames        each: u32 size, bytes
 *                 zeros         up to a multiple of DISK_BLOCK_BYTES
 *
 * All numbers are little-endian. A batch begins at a block boundary, so a block that was once
 * acknowledged is never written again. The salt is random and never leaves the server: a client
 * cannot write a value that looks like a batch.
 *
 * The header has a hash of its own, because its synced_lsn is what proves corruption: one block of
 * a batch is enough to know that the ones before it had been synced. */
#ifndef WAL_BATCH_H
#define WAL_BATCH_H

#include "base/buf.h"
#include "wal/wal.h"

enum { BATCH_HEADER_BYTES = 72, BATCH_FRAME_HEADER_BYTES = 4 };

struct batch_header {
    uint64_t hash;
    uint32_t count;
    uint64_t size;
    lsn_t first_lsn;
    lsn_t synced_lsn;
    uint64_t epoch;
    uint64_t offset;
    uint64_t previous_hash;
};

/* The bytes that a batch takes on the disk. */
uint64_t batch_padded_size(uint64_t size);

/* Pads the buffer, which begins with BATCH_HEADER_BYTES of room, and writes the header into that
 * room. Sets h->size and h->hash; the other fields are the caller's. */
void batch_seal(struct buf *b, struct batch_header *h, uint64_t salt);

/* Reads the header in the first bytes of 'block' (at least BATCH_HEADER_BYTES). False: no header
 * of this salt stands there. h->size is not yet compared with anything. */
bool batch_read_header(struct slice block, uint64_t salt, struct batch_header *h);

/* Whether the whole batch, padding included, is what h->hash says. */
bool batch_whole(struct slice batch, const struct batch_header *h, uint64_t salt);

/* The last LSN in the batch; first_lsn - 1 for a marker. */
static inline lsn_t batch_last_lsn(const struct batch_header *h)
{
    return h->first_lsn + h->count - 1;
}

/* The frames of a batch whose hash was right. */
struct reader batch_frames(struct slice batch, const struct batch_header *h);

/* The next frame, borrowed; false when the bytes that are left hold none. */
bool batch_next_frame(struct reader *frames, struct slice *frame);

/* Whether the frames are exactly h->count and end where the size says. */
bool batch_frames_ok(struct slice batch, const struct batch_header *h);

#endif
