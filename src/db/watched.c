/* watched.c - a hash table of watched keys, each with a list of watches; each watch is also in the
 * list of its watcher. */
#include "db/watched.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/memory.h"

struct watched_key {
    struct hash_node node; /* in watched.keys */
    struct list watches;
    size_t watches_count;
    uint16_t slot;
    uint8_t database;
    size_t name_size;
    char name[];
};

struct watch {
    struct list link;   /* in the key's watches */
    struct watch *next; /* of the owner */
    struct watcher *owner;
    struct watched_key *key;
    bool expired; /* the key is stored, but its deadline had passed when WATCH came */
};

void watched_deinit(struct watched *w)
{
    hash_table_deinit(&w->keys);
}

/* ---- keys ---- */

static struct watched_key *member_of(struct hash_node *node)
{
    return CONTAINER_OF(node, struct watched_key, node);
}

static struct store_key key_of(const struct watched_key *k)
{
    return (struct store_key){.name = {k->name, k->name_size},
                              .hash = k->node.hash,
                              .slot = k->slot,
                              .database = k->database};
}

static struct watched_key *find_key(const struct watched *w, const struct store_key *key)
{
    struct hash_node *at = hash_table_find(&w->keys, key->hash);
    for (; at != NULL; at = hash_table_find_next(at)) {
        struct store_key found = key_of(member_of(at));
        if (found.database == key->database && slice_equal(found.name, key->name))
            return member_of(at);
    }
    return NULL;
}

static struct watched_key *create_key(struct watched *w, const struct store_key *key)
{
    struct watched_key *k = memory_allocate(sizeof *k + key->name.size);
    *k = (struct watched_key){.node.hash = key->hash,
                              .slot = key->slot,
                              .database = key->database,
                              .name_size = key->name.size};
    if (key->name.size > 0) memcpy(k->name, key->name.data, key->name.size);
    list_init(&k->watches);
    hash_table_insert(&w->keys, &k->node);
    return k;
}

static void destroy_key(struct watched *w, struct watched_key *k)
{
    CHECK(list_empty(&k->watches));
    hash_table_remove(&w->keys, &k->node);
    memory_free(k, sizeof *k + k->name_size);
}

/* ---- watching ---- */

/* Is it stored, and has its deadline passed? */
static bool has_expired(const struct watched *w, const struct store_key *key, int64_t now_ms)
{
    struct value value;
    int64_t expiry_ms;
    return store_get(w->store, key, &value, &expiry_ms) && expiry_ms <= now_ms;
}

static bool is_stored(const struct watched *w, const struct store_key *key)
{
    struct value value;
    return store_get(w->store, key, &value, NULL);
}

/* In the shorter of the two lists: neither a key that all clients watch nor a client that watches
 * all keys makes WATCH slow. */
static bool watches(const struct watched_key *k, const struct watcher *owner)
{
    if (owner->count < k->watches_count) {
        const struct watch *watch = owner->first;
        while (watch != NULL && watch->key != k) watch = watch->next;
        return watch != NULL;
    }
    for (struct list *at = k->watches.next; at != &k->watches; at = at->next)
        if (CONTAINER_OF(at, struct watch, link)->owner == owner) return true;
    return false;
}

bool watched_add(struct watched *w, struct watcher *owner, const struct store_key *key,
                 int64_t now_ms)
{
    struct watched_key *k = find_key(w, key);
    if (k != NULL && watches(k, owner)) return true;
    size_t bytes = sizeof(struct watch) + sizeof(struct watched_key) + key->name.size;
    if (owner->bytes + bytes > WATCHED_BYTES_MAX) return false;
    if (k == NULL) k = create_key(w, key);
    struct watch *watch = memory_allocate(sizeof *watch);
    *watch = (struct watch){
        .next = owner->first, .owner = owner, .key = k, .expired = has_expired(w, key, now_ms)};
    list_init(&watch->link);
    list_append(&k->watches, &watch->link);
    k->watches_count++;
    owner->first = watch;
    owner->count++;
    owner->bytes += bytes;
    return true;
}

void watched_release(struct watched *w, struct watcher *owner)
{
    struct watch *next;
    for (struct watch *watch = owner->first; watch != NULL; watch = next) {
        struct watched_key *k = watch->key;
        next = watch->next;
        CHECK(watch->owner == owner);
        owner->count--;
        k->watches_count--;
        list_remove(&watch->link);
        memory_free(watch, sizeof *watch);
        if (list_empty(&k->watches)) destroy_key(w, k);
    }
    CHECK(owner->count == 0);
    *owner = (struct watcher){0};
}

bool watched_any_expired(const struct watched *w, const struct watcher *owner, int64_t now_ms)
{
    for (const struct watch *watch = owner->first; watch != NULL; watch = watch->next) {
        struct store_key key = key_of(watch->key);
        if (!watch->expired && has_expired(w, &key, now_ms)) return true;
    }
    return false;
}

/* ---- changes ---- */

static void break_watch(const struct watch *watch, lsn_t lsn)
{
    struct watcher *owner = watch->owner;
    CHECK(lsn >= owner->broken_lsn);
    if (!owner->broken) owner->broken_lsn = lsn;
    owner->broken = true;
}

/* What is stored under the key goes: for a watch that saw nothing there, that is no change. */
static void note_removal(struct watched_key *k, lsn_t lsn)
{
    for (struct list *at = k->watches.next; at != &k->watches; at = at->next) {
        struct watch *watch = CONTAINER_OF(at, struct watch, link);
        if (!watch->expired) break_watch(watch, lsn);
        watch->expired = false;
    }
}

static void note_change(const struct watched_key *k, lsn_t lsn)
{
    for (struct list *at = k->watches.next; at != &k->watches; at = at->next)
        break_watch(CONTAINER_OF(at, struct watch, link), lsn);
}

void watched_touch(struct watched *w, const struct store_key *key, bool expiry, lsn_t lsn)
{
    struct watched_key *k = find_key(w, key);
    if (k == NULL) return;
    if (expiry) note_removal(k, lsn);
    else note_change(k, lsn);
}

void watched_flush(struct watched *w, unsigned database, lsn_t lsn)
{
    struct hash_node *at = NULL;
    while ((at = hash_table_next(&w->keys, at)) != NULL) {
        struct store_key key = key_of(member_of(at));
        if (key.database == database && is_stored(w, &key)) note_removal(member_of(at), lsn);
    }
}

/* The key of a watch is, after the swap, what 'there' is now. */
static void note_swap(struct watched *w, struct watched_key *k, uint8_t place,
                      const struct watched_swap *swap)
{
    struct store_key here = key_of(k), there = here;
    there.database = place;
    bool was = is_stored(w, &here), will = is_stored(w, &there);
    bool expired = has_expired(w, &there, swap->now_ms);
    k->database = place;
    if (!was && !will) return;
    for (struct list *at = k->watches.next; at != &k->watches; at = at->next) {
        struct watch *watch = CONTAINER_OF(at, struct watch, link);
        bool absent = !was || watch->expired; /* when WATCH came */
        if (!absent || (will && !expired)) break_watch(watch, swap->lsn);
        watch->expired = absent && expired;
    }
}

void watched_swap(struct watched *w, const struct watched_swap *swap)
{
    CHECK(swap->place != swap->other);
    struct hash_node *at = NULL;
    while ((at = hash_table_next(&w->keys, at)) != NULL) {
        struct watched_key *k = member_of(at);
        if (k->database == swap->place) note_swap(w, k, swap->other, swap);
        else if (k->database == swap->other) note_swap(w, k, swap->place, swap);
    }
}
