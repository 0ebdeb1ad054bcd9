/* shared.h - immutable bytes shared by reference count (docs/decisions/0009).
 *
 * A large string value is one of these: the key space holds one reference, and each reply that is
 * still on its way to a slow client another, so that the value leaves through writev without a
 * copy and a change of the key never waits for a client. One thread only: counts are plain.
 *
 * Invariants: references >= 1 while anybody can see it; size <= capacity; bytes change only in
 * shared_reserve, and only while references == 1. */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include "base/slice.h"

/* Growth beyond the capacity doubles it, but spends no more than this on room for later. */
enum { SHARED_SPARE_BYTES_MAX = 1024 * 1024 };

struct shared {
    size_t references;
    size_t size;
    size_t capacity; /* of data */
    char data[];
};

/* A new one with one reference, owned by the caller. */
struct shared *shared_create(struct slice bytes);
struct shared *shared_create_sized(size_t size, size_t capacity); /* bytes not set yet */

struct shared *shared_acquire(struct shared *s); /* one more reference; returns s */
void shared_release(struct shared *s);           /* one less; the last one frees */

/* For a change: Takes the caller's reference and returns one to bytes that nobody else sees, with
 * the old content up to min(size, old size) and room for 'size' bytes. New bytes are not set. */
struct shared *shared_reserve(struct shared *s, size_t size);

static inline struct slice shared_slice(const struct shared *s)
{
    return (struct slice){s->data, s->size};
}

#endif
