/* hash_table.h - an intrusive hash table: the node lives inside the member, only the buckets are
 * allocated. It knows hashes and no keys: who looks for a key walks the nodes with its hash and
 * compares.
 *
 *   buckets  [0] -> NULL   [1] -> node -> node -> NULL   ...   a node is in bucket hash % buckets
 *
 * It is for what stands beside the data, thousands of members that come and go with clients. Who
 * has another need has another structure: the keys themselves are millions, and no command may wait
 * until all have moved (store/table.h); the names in a stream are listed in order
 * (stream/name_index.h); the iids of a producer are a ring that must be dense
 * (stream/idempotence.c).
 *
 * Costs: all are O(1) with a good hash, but that an insertion sometimes doubles the buckets and
 * moves every node. Buckets are never given back before the end.
 *
 * Invariants: buckets_count is 0 or a power of two, and at least count. The owner of a member
 * changes neither its hash nor its place in memory while it is in the table. */
#ifndef BASE_HASH_TABLE_H
#define BASE_HASH_TABLE_H

#include "base/container.h"

#include <stdint.h>

struct hash_node {
    struct hash_node *next; /* in its bucket */
    uint64_t hash;
};

struct hash_table { /* all zero: empty */
    struct hash_node **buckets;
    size_t buckets_count;
    size_t count;
};

void hash_table_deinit(struct hash_table *t); /* empty */

/* node->hash is set, and the node is in no table. */
void hash_table_insert(struct hash_table *t, struct hash_node *node);
void hash_table_remove(struct hash_table *t, struct hash_node *node); /* is there */

/* The first member with this hash, and the next one with the same; NULL: there is none. */
struct hash_node *hash_table_find(const struct hash_table *t, uint64_t hash);
struct hash_node *hash_table_find_next(const struct hash_node *node);

/* The member after 'node' (NULL: the first), or NULL, in no order that means anything. The table
 * must not change on the way. */
struct hash_node *hash_table_next(const struct hash_table *t, const struct hash_node *node);

#endif
