/* chain.h - a queue of bytes that leaves through writev.
 *
 * Replies are appended at the end, small ones copied into blocks, large values by reference
 * (shared.h). Positions count all bytes ever appended; bytes up to 'released' may leave, the ones
 * after it wait for the log. The owner of the socket takes iovecs of released bytes and says how
 * much the kernel took.
 *
 *      sent ........ released ........ appended
 *      | may leave   | waits for LSN   |
 *
 * A reply may be far larger than its request, and whether it is too large is asked when it is
 * complete. So a chain with a limit keeps no more than that: what is appended beyond it only
 * counts, the memory is used again and again. Such a chain is spoilt: it is truncated to where it
 * was before, or never sent.
 *
 * Invariants: sent <= released <= appended; a chain whose bytes were all consumed holds no memory
 * beyond the struct; a spoilt chain has no vectors. */
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H

#include "base/check.h"
#include "base/shared.h"
#include "base/slice.h"

#include <stdint.h>
#include <sys/uio.h>

enum {
    CHAIN_BLOCK_BYTES_MIN = 1024,
    CHAIN_BLOCK_BYTES_MAX = 64 * 1024,
    CHAIN_SHARED_BYTES_MIN = 16 * 1024, /* below this a copy is cheaper than a reference */
};

struct chain_block; /* private to chain.c */

/* All zero is an empty chain. */
struct chain {
    struct chain_block *first;
    struct chain_block *last;
    char *end;   /* where the next byte goes: in the last block, if room > 0 */
    size_t room; /* contiguous bytes at 'end' */
    uint64_t sent;
    uint64_t released;
    uint64_t appended;
    size_t memory_bytes; /* of blocks and of referenced values, for output limits */
    uint64_t unsent_max; /* set by the owner; 0: no limit */
    bool spoilt;         /* more than unsent_max bytes were appended, and are not all kept */
};

void chain_deinit(struct chain *c);

/* The slow half of chain_reserve: a new last block with at least 'size' bytes of room. */
char *chain_extend(struct chain *c, size_t size);

/* At least 'size' (<= CHAIN_BLOCK_BYTES_MAX) contiguous bytes at the end; then chain_advance says
 * how many of them were written. This is how a reply is built in place. */
static inline char *chain_reserve(struct chain *c, size_t size)
{
    return __builtin_expect(c->room > size, 1) ? c->end : chain_extend(c, size);
}

static inline void chain_advance(struct chain *c, size_t size)
{
    CHECK(size <= c->room);
    c->end += size;
    c->room -= size;
    c->appended += size;
}

void chain_append(struct chain *c, struct slice bytes);

/* Appends the part [bytes.data, +size) of 's', acquiring a reference if it is large. */
void chain_append_shared(struct chain *c, struct shared *s, struct slice bytes);

/* Bytes up to this position may leave. position must not go back nor beyond 'appended'. */
void chain_release(struct chain *c, uint64_t position);

/* Drops the unreleased bytes after 'position' (>= released): a reply that is not to be sent. If the
 * chain is spoilt, position is from before. */
void chain_truncate(struct chain *c, uint64_t position);

/* Fills up to 'count' iovecs with released bytes; returns how many. Valid until chain_consume. */
size_t chain_vectors(const struct chain *c, struct iovec *vectors, size_t count);
void chain_consume(struct chain *c, size_t size); /* the kernel took 'size' released bytes */

static inline bool chain_sendable(const struct chain *c)
{
    return c->sent < c->released;
}

#endif
