#include "base/hash_table.h"

#include "base/check.h"
#include "base/memory.h"

enum { BUCKETS_MIN = 64 };

void hash_table_deinit(struct hash_table *t)
{
    CHECK(t->count == 0);
    memory_free(t->buckets, t->buckets_count * sizeof *t->buckets);
    *t = (struct hash_table){0};
}

static struct hash_node **bucket_of(const struct hash_table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->buckets_count - 1)];
}

static void push(struct hash_node **bucket, struct hash_node *node)
{
    node->next = *bucket;
    *bucket = node;
}

static void grow(struct hash_table *t)
{
    struct hash_table old = *t;
    t->buckets_count = old.buckets_count == 0 ? BUCKETS_MIN : old.buckets_count * 2;
    t->buckets = memory_allocate_zeroed(t->buckets_count * sizeof *t->buckets);
    for (size_t i = 0; i < old.buckets_count; i++) {
        struct hash_node *next;
        for (struct hash_node *node = old.buckets[i]; node != NULL; node = next) {
            next = node->next;
            push(bucket_of(t, node->hash), node);
        }
    }
    memory_free(old.buckets, old.buckets_count * sizeof *old.buckets);
}

void hash_table_insert(struct hash_table *t, struct hash_node *node)
{
    if (t->count == t->buckets_count) grow(t);
    CHECK(t->count < t->buckets_count);
    push(bucket_of(t, node->hash), node);
    t->count++;
}

void hash_table_remove(struct hash_table *t, struct hash_node *node)
{
    CHECK(t->count > 0);
    struct hash_node **at = bucket_of(t, node->hash);
    while (*at != node) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    t->count--;
}

static struct hash_node *with_hash(struct hash_node *node, uint64_t hash)
{
    while (node != NULL && node->hash != hash) node = node->next;
    return node;
}

struct hash_node *hash_table_find(const struct hash_table *t, uint64_t hash)
{
    return t->count == 0 ? NULL : with_hash(*bucket_of(t, hash), hash);
}

struct hash_node *hash_table_find_next(const struct hash_node *node)
{
    return with_hash(node->next, node->hash);
}

struct hash_node *hash_table_next(const struct hash_table *t, const struct hash_node *node)
{
    if (t->count == 0) return NULL;
    if (node != NULL && node->next != NULL) return node->next;
    size_t bucket = node == NULL ? 0 : (node->hash & (t->buckets_count - 1)) + 1;
    while (bucket < t->buckets_count && t->buckets[bucket] == NULL) bucket++;
    return bucket < t->buckets_count ? t->buckets[bucket] : NULL;
}
