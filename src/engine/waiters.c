#include "engine/waiters.h"

#include "base/hash.h"
#include "base/memory.h"

enum { WAITERS_BUCKETS_MIN = 64, WAITERS_HEAP_MIN = 64 };
#define HEAP_NONE SIZE_MAX

struct waiter_key {
    struct waiter_key *next; /* in its bucket */
    struct list nodes;
    uint64_t hash;
    bool waking; /* a walk over 'nodes' is under way: it frees the record when it ends */
    unsigned database;
    size_t name_size;
    char name[];
};

void waiters_init(struct waiters *w, uint64_t seed)
{
    *w = (struct waiters){.seed = seed};
    list_init(&w->all);
}

void waiters_deinit(struct waiters *w)
{
    CHECK(w->count == 0);
    CHECK(w->keys_count == 0);
    memory_free(w->buckets, w->buckets_count * sizeof *w->buckets);
    memory_free(w->heap, w->heap_capacity * sizeof *w->heap);
}

/* ---- keys ---- */

static uint64_t hash_of(const struct waiters *w, unsigned database, struct slice name)
{
    return hash_bytes(name, w->seed + database);
}

static struct waiter_key *find_key(const struct waiters *w, unsigned database, struct slice name)
{
    if (w->keys_count == 0) return NULL;
    uint64_t hash = hash_of(w, database, name);
    struct waiter_key *key = w->buckets[hash & (w->buckets_count - 1)];
    for (; key != NULL; key = key->next) {
        if (key->hash != hash || key->database != database) continue;
        if (slice_equal((struct slice){key->name, key->name_size}, name)) return key;
    }
    return NULL;
}

static void grow_buckets(struct waiters *w)
{
    size_t old_count = w->buckets_count;
    struct waiter_key **old = w->buckets;
    w->buckets_count = old_count == 0 ? WAITERS_BUCKETS_MIN : old_count * 2;
    w->buckets = memory_allocate_zeroed(w->buckets_count * sizeof *w->buckets);
    for (size_t i = 0; i < old_count; i++) {
        struct waiter_key *next;
        for (struct waiter_key *key = old[i]; key != NULL; key = next) {
            struct waiter_key **bucket = &w->buckets[key->hash & (w->buckets_count - 1)];
            next = key->next;
            key->next = *bucket;
            *bucket = key;
        }
    }
    memory_free(old, old_count * sizeof *old);
}

static struct waiter_key *find_or_create_key(struct waiters *w, unsigned database,
                                             struct slice name)
{
    struct waiter_key *key = find_key(w, database, name);
    if (key != NULL) return key;
    if (w->keys_count >= w->buckets_count) grow_buckets(w);
    key = memory_allocate_zeroed(sizeof *key + name.size);
    list_init(&key->nodes);
    key->hash = hash_of(w, database, name);
    key->database = database;
    key->name_size = name.size;
    if (name.size > 0) memcpy(key->name, name.data, name.size);
    struct waiter_key **bucket = &w->buckets[key->hash & (w->buckets_count - 1)];
    key->next = *bucket;
    *bucket = key;
    w->keys_count++;
    return key;
}

static void drop_key_if_unused(struct waiters *w, struct waiter_key *key)
{
    if (key->waking || !list_empty(&key->nodes)) return;
    struct waiter_key **at = &w->buckets[key->hash & (w->buckets_count - 1)];
    while (*at != key) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = key->next;
    CHECK(w->keys_count > 0);
    w->keys_count--;
    memory_free(key, sizeof *key + key->name_size);
}

/* ---- deadlines: a binary heap ---- */

static void heap_place(struct waiters *w, size_t index, struct waiter *waiter)
{
    w->heap[index] = waiter;
    waiter->heap_index = index;
}

static void heap_rise(struct waiters *w, size_t index, struct waiter *waiter)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (w->heap[parent]->wait.deadline_ms <= waiter->wait.deadline_ms) break;
        heap_place(w, index, w->heap[parent]);
        index = parent;
    }
    heap_place(w, index, waiter);
}

static void heap_sink(struct waiters *w, size_t index, struct waiter *waiter)
{
    for (size_t child; (child = 2 * index + 1) < w->heap_count; index = child) {
        if (child + 1 < w->heap_count &&
            w->heap[child + 1]->wait.deadline_ms < w->heap[child]->wait.deadline_ms)
            child++;
        if (w->heap[child]->wait.deadline_ms >= waiter->wait.deadline_ms) break;
        heap_place(w, index, w->heap[child]);
    }
    heap_place(w, index, waiter);
}

static void heap_add(struct waiters *w, struct waiter *waiter)
{
    if (w->heap_count == w->heap_capacity) {
        size_t capacity = w->heap_capacity == 0 ? WAITERS_HEAP_MIN : w->heap_capacity * 2;
        w->heap =
            memory_resize(w->heap, w->heap_capacity * sizeof *w->heap, capacity * sizeof *w->heap);
        w->heap_capacity = capacity;
    }
    w->heap_count++;
    heap_rise(w, w->heap_count - 1, waiter);
}

static void heap_remove(struct waiters *w, struct waiter *waiter)
{
    size_t index = waiter->heap_index;
    CHECK(index < w->heap_count);
    CHECK(w->heap[index] == waiter);
    struct waiter *last = w->heap[--w->heap_count];
    waiter->heap_index = HEAP_NONE;
    if (last == waiter) return;
    heap_sink(w, index, last);
    heap_rise(w, last->heap_index, last);
}

/* ---- waiters ---- */

static void copy_arguments(struct waiter *waiter, const struct slice *arguments, size_t count)
{
    size_t bytes = count * sizeof *arguments;
    for (size_t i = 0; i < count; i++) bytes += arguments[i].size;
    waiter->arguments = memory_allocate(bytes);
    waiter->arguments_count = count;
    waiter->arguments_bytes = bytes;
    char *at = (char *)(waiter->arguments + count);
    for (size_t i = 0; i < count; i++) {
        if (arguments[i].size > 0) memcpy(at, arguments[i].data, arguments[i].size);
        waiter->arguments[i] = (struct slice){at, arguments[i].size};
        at += arguments[i].size;
    }
}

/* A waiter joins the lists of its keys at their ends, so if it waits for this one already, because
 * the request names it twice, it is the last there. */
static bool waits_for(const struct waiter *waiter, const struct waiter_key *key)
{
    if (list_empty(&key->nodes)) return false;
    return LIST_MEMBER(key->nodes.previous, struct waiter_node, link)->waiter == waiter;
}

struct waiter *waiters_add(struct waiters *w, void *owner, const struct wait *wait,
                           const struct command_context *request)
{
    CHECK(wait->again != NULL);
    CHECK(wait->keys_count > 0);
    CHECK(wait->keys_first + wait->keys_count <= request->arguments_count);
    struct waiter *waiter = memory_allocate_zeroed(sizeof *waiter);
    waiter->owner = owner;
    waiter->wait = *wait;
    waiter->heap_index = HEAP_NONE;
    copy_arguments(waiter, request->arguments, request->arguments_count);
    waiter->nodes_capacity = wait->keys_count;
    waiter->nodes = memory_allocate(wait->keys_count * sizeof *waiter->nodes);
    for (size_t i = 0; i < wait->keys_count; i++) {
        struct waiter_key *key =
            find_or_create_key(w, wait->database, waiter->arguments[wait->keys_first + i]);
        if (waits_for(waiter, key)) continue; /* the same key named twice */
        struct waiter_node *node = &waiter->nodes[waiter->nodes_count++];
        node->waiter = waiter;
        node->key = key;
        list_init(&node->link);
        list_append(&key->nodes, &node->link);
    }
    if (wait->deadline_ms != 0) heap_add(w, waiter);
    list_init(&waiter->link);
    list_append(&w->all, &waiter->link);
    w->count++;
    return waiter;
}

void waiters_remove(struct waiters *w, struct waiter *waiter)
{
    CHECK(w->count > 0);
    for (size_t i = 0; i < waiter->nodes_count; i++) {
        list_remove(&waiter->nodes[i].link);
        drop_key_if_unused(w, waiter->nodes[i].key);
    }
    if (waiter->heap_index != HEAP_NONE) heap_remove(w, waiter);
    list_remove(&waiter->link);
    w->count--;
    if (waiter->wait.plan != NULL) memory_free(waiter->wait.plan, waiter->wait.plan_size);
    memory_free(waiter->arguments, waiter->arguments_bytes);
    memory_free(waiter->nodes, waiter->nodes_capacity * sizeof *waiter->nodes);
    memory_free(waiter, sizeof *waiter);
}

static void wake_key(struct waiters *w, struct waiter_key *key, waiters_wake_function *wake,
                     void *context)
{
    struct list *next;
    CHECK(!key->waking);
    key->waking = true;
    for (struct list *at = key->nodes.next; at != &key->nodes; at = next) {
        next = at->next; /* 'wake' may free this node, and only this one */
        wake(context, LIST_MEMBER(at, struct waiter_node, link)->waiter);
    }
    key->waking = false;
    drop_key_if_unused(w, key);
}

void waiters_wake(struct waiters *w, const struct db_touched *touched, waiters_wake_function *wake,
                  void *context)
{
    if (!touched->all) {
        struct waiter_key *key = find_key(w, touched->database, touched->name);
        if (key != NULL) wake_key(w, key, wake, context);
        return;
    }
    struct list *next;
    for (struct list *at = w->all.next; at != &w->all; at = next) {
        struct waiter *waiter = LIST_MEMBER(at, struct waiter, link);
        next = at->next;
        if (waiter->wait.database == touched->database) wake(context, waiter);
    }
}

struct waiter *waiters_due(const struct waiters *w, int64_t now_ms)
{
    return waiters_due_ms(w) <= now_ms ? w->heap[0] : NULL;
}

int64_t waiters_due_ms(const struct waiters *w)
{
    return w->heap_count == 0 ? INT64_MAX : w->heap[0]->wait.deadline_ms;
}
