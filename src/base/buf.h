/* buf.h - a growing byte buffer that owns its memory, and the encoding of numbers in it.
 *
 * Numbers are little-endian or varints (LEB128: seven bits a byte, the top bit says "more").
 * The read side checks every bound and returns false past the end, without moving.
 *
 * Invariant: size <= capacity; data is NULL exactly when capacity is 0. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

#include <stdint.h>

enum { VARINT_BYTES_MAX = 10 };

struct buf {
    char *data;
    size_t size;
    size_t capacity;
};

void buf_deinit(struct buf *b);

/* Makes room for at least 'size' more bytes and returns where they go; size stays. */
char *buf_reserve(struct buf *b, size_t size);

/* Says that 'size' reserved bytes were written. */
void buf_advance(struct buf *b, size_t size);

void buf_append(struct buf *b, struct slice bytes);
void buf_append_byte(struct buf *b, uint8_t value);
void buf_append_u32(struct buf *b, uint32_t value);
void buf_append_u64(struct buf *b, uint64_t value);
void buf_append_varint(struct buf *b, uint64_t value);
void buf_append_zigzag(struct buf *b, int64_t value);     /* small magnitudes stay short */
void buf_append_bytes(struct buf *b, struct slice bytes); /* varint size, then the bytes */
void buf_append_text(struct buf *b, const char *text);

/* printf into the buffer: for diagnostics and INFO, not for the hot path. */
void buf_append_format(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void buf_consume(struct buf *b, size_t size); /* drops a prefix, moves the rest down */

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data, b->size};
}

/* Reads from the front of 'rest', which shrinks. On false nothing was consumed. */
struct reader {
    struct slice rest;
};

bool read_byte(struct reader *r, uint8_t *value);
bool read_u32(struct reader *r, uint32_t *value);
bool read_u64(struct reader *r, uint64_t *value);
bool read_varint(struct reader *r, uint64_t *value); /* false too when over 64 bits */
bool read_zigzag(struct reader *r, int64_t *value);
bool read_bytes(struct reader *r, struct slice *bytes); /* borrows from what r reads */

/* For parts of a fixed size, of which the caller knows that they are there: CHECKed. */
uint32_t take_u32(struct reader *r);
uint64_t take_u64(struct reader *r);

#endif
