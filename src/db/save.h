/* save.h - one snapshot while it is made: the walk over the key space, and what it puts into the
 * file as items (wal/snapshot.h). Private to db/; the way back is replay.h.
 *
 * The key space has an order: database, slot, top 32 bits of the key's hash. A place in it is a
 * *position*, a number of 50 bits:
 *
 *      | database (4) | slot (14) | hash (32) |
 *
 * The walk goes through it in steps between commands. What one step finds, or several between which
 * nothing was changed, is a *section*: a run of positions with the LSN *as of* which it is exact.
 * Sections follow each other without a gap, so every key there may ever be belongs to one section,
 * in empty slots too, and a slot with millions of keys is several sections. Small values are
 * encoded at once. A large string is shared and a stream frozen (stream_image.h): they show what
 * they were, and are written in the steps that follow, before the walk goes on.
 *
 * A value that moves to a position that the walk has passed, from one that it has not, would be in
 * no section. So it is written once more, as of the LSN of the move ("moved"): recovery puts that
 * version where the log says that the value moved. docs/decisions/0011.
 *
 * Items; numbers are varints, "bytes" are a size and bytes:
 *
 *   HEAD      version | seed (8 bytes) of the hashes in positions
 *   DATABASE  place (1 byte): of the keys that follow. A "database" is a place everywhere here
 *   PLACES    of databases 0 to 15 (1 byte each, store.h), as of the first section; before it. Left
 *             out while no SWAPDB has changed them
 *   STRING    flags (1 byte) | expiry_ms (8 bytes, if EXPIRES) | key (bytes) | the value: a signed
 *             number if INTEGER, else all that is left
 *   STREAM    flags | expiry_ms | key
 *   PIECE     of the stream before it (stream_image.h); the piece END is the last one
 *   PART      of the bytes of an item that is larger than an item may be; the item's own kind
 *             comes with the last part
 *   SECTION   end: the first position behind it (8 bytes) | as_of | keys. Stands behind its keys.
 *   MOVED     lsn | exists (1 byte) | key: if it exists, the key that follows is what it held as of
 *             this LSN, not what its section holds
 *   END       keys | sections | moved
 *
 * Times, LSNs and what must be done are the caller's; it never touches a disk. */
#ifndef DB_SAVE_H
#define DB_SAVE_H

#include "store/store.h"
#include "wal/snapshot.h"

enum save_item {
    SAVE_HEAD = 1,
    SAVE_DATABASE = 2,
    SAVE_STRING = 3,
    SAVE_STREAM = 4,
    SAVE_PIECE = 5,
    SAVE_PART = 6,
    SAVE_SECTION = 7,
    SAVE_MOVED = 8,
    SAVE_END = 9,
    SAVE_PLACES = 10,
};

enum { SAVE_VERSION = 2, SAVE_EXPIRES = 1, SAVE_INTEGER = 2 };

enum { POSITION_SLOT_SHIFT = 32, POSITION_DATABASE_SHIFT = 46 };

static inline uint64_t save_position(unsigned database, uint16_t slot, uint64_t hash)
{
    return (uint64_t)database << POSITION_DATABASE_SHIFT | (uint64_t)slot << POSITION_SLOT_SHIFT |
           hash >> 32;
}

struct save;

/* The walk begins. 'seed' is the store's. The writer is borrowed, and *images: how many images of
 * streams were made since the store is there, in all walks. */
struct save *save_create(const struct store *store, uint64_t seed, struct snapshot_writer *writer,
                         uint32_t *images);
void save_destroy(struct save *s);

/* Puts about 'bytes' more into the writer, the state being that of this LSN. True: that was the
 * last of it; the writer is finished. */
bool save_step(struct save *s, lsn_t lsn, size_t bytes);

/* Has the walk passed the key? */
bool save_passed(const struct save *s, const struct store_key *key);

/* The key, which the walk has passed, has got its value (or none) from a key that it has not, in
 * the batch of this LSN, which is complete. */
void save_moved(struct save *s, const struct store_key *key, lsn_t lsn);

struct save_figures {
    uint64_t keys;       /* written */
    uint64_t keys_total; /* when it began */
    uint64_t moved;
    lsn_t last_lsn;
};
void save_measure(const struct save *s, struct save_figures *figures);

#endif
