/* name_index.h - pointers to named things, sorted by name as bytes (private to the room).
 *
 * A sorted array: a stream has few groups and a group has tens to thousands of consumers, which
 * are found on every command and created once. The members begin with a struct name_entry and are
 * owned by whoever fills the index. */
#ifndef STREAM_NAME_INDEX_H
#define STREAM_NAME_INDEX_H

#include "base/slice.h"

#include <stdint.h>

struct name_entry {
    struct slice name; /* owned: allocated with the size of the name, NULL when empty */
};

struct name_index {
    struct name_entry **members;
    uint32_t count;
    uint32_t capacity;
};

void name_index_deinit(struct name_index *x); /* not the members */

void name_entry_init(struct name_entry *e, struct slice name); /* copies the name */
void name_entry_deinit(struct name_entry *e);

/* The position of the name, or where it would stand. */
bool name_index_find(const struct name_index *x, struct slice name, uint32_t *position);

struct name_entry *name_index_get(const struct name_index *x, struct slice name); /* or NULL */

/* The member after 'previous' (NULL: the first), or NULL. */
struct name_entry *name_index_next(const struct name_index *x, const struct name_entry *previous);

void name_index_insert(struct name_index *x, struct name_entry *member); /* not there yet */
void name_index_remove(struct name_index *x, struct name_entry *member); /* there */

size_t name_index_memory_bytes(const struct name_index *x); /* of the array */
void name_index_check(const struct name_index *x);

#endif
