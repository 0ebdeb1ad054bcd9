/* pending_chunk.h - one chunk of pending entries, and arrays of chunks (private to pending.c and
 * its neighbours). Formats and invariants are in pending.h. Functions that allocate or free say by
 * how much in *memory_bytes. */
#ifndef STREAM_PENDING_CHUNK_H
#define STREAM_PENDING_CHUNK_H

#include "stream/pending.h"

/* A chunk for these items (1..128, sorted), narrow if they fit. 'capacity' is at least what it
 * will hold without moving; 0: what suits the count. */
struct pending_chunk *chunk_create(const struct pending_item *items, uint32_t count,
                                   uint32_t capacity, size_t *memory_bytes);
struct pending_chunk *chunk_copy(const struct pending_chunk *c, size_t *memory_bytes); /* unseen */
void chunk_destroy(struct pending_chunk *c, size_t *memory_bytes);

/* Replaces the content; 'first' and the heap position stay. */
void chunk_store(struct pending_chunk *c, const struct pending_item *items, uint32_t count,
                 uint32_t capacity, size_t *memory_bytes);
void chunk_load(const struct pending_chunk *c, struct pending_item items[PENDING_CHUNK_ENTRIES]);
void chunk_get(const struct pending_chunk *c, uint32_t i, struct pending_item *item);
struct stream_id chunk_id(const struct pending_chunk *c, uint32_t i);
uint32_t chunk_owner(const struct pending_chunk *c, uint32_t i);

/* How many IDs are below 'id'. */
uint32_t chunk_lower_bound(const struct pending_chunk *c, struct stream_id id);

bool chunk_has_owner(const struct pending_chunk *c, uint32_t owner);

/* Appends in place, the ID being above all others; false when there is no room for it or it does
 * not fit the columns. The chunk's oldest delivery follows. */
bool chunk_append(struct pending_chunk *c, const struct pending_item *item);

/* Replaces entry i (same ID) in place; false when it does not fit. The oldest does not follow. */
bool chunk_replace(struct pending_chunk *c, uint32_t i, const struct pending_item *item);

/* Removes the entries whose bit is set; at least one must remain. The oldest does not follow. */
void chunk_remove(struct pending_chunk *c, const uint64_t gone[2]);

void chunk_refresh_oldest(struct pending_chunk *c);
int chunk_compare_age(const struct pending_chunk *a, const struct pending_chunk *b);

/* ---- arrays of chunks ---- */

void chunk_array_deinit(struct chunk_array *a, size_t *memory_bytes);

static inline struct pending_chunk *chunk_at(const struct chunk_array *a, uint32_t i)
{
    return a->chunks[a->start + i];
}

/* How many chunks have first <= id. */
uint32_t chunk_array_upper_bound(const struct chunk_array *a, struct stream_id id);
void chunk_array_insert(struct chunk_array *a, uint32_t i, struct pending_chunk *c,
                        size_t *memory_bytes);
void chunk_array_remove(struct chunk_array *a, uint32_t i, size_t *memory_bytes);

#endif
