/* watched.h - the keys that WATCH has named, and whether they have changed since: what EXEC is
 * optimistic about.
 *
 * A watcher is one client's: a list of what it watches, and 'broken', which is set for good (until
 * watched_release) when one of those keys changes. Whoever changes a key says so here before the
 * change is applied, because a flush touches only keys that are there. It costs one hash table
 * lookup for each change while anybody watches anything, and a comparison while nobody does.
 *
 * What counts as a change is what Redis counts (touch.h: effect_breaks_watches): the value, its
 * deadline, its coming and going, but not what happens inside consumer groups. A key whose deadline
 * passes has changed when EXEC comes, removed or not; one whose deadline had passed when WATCH came
 * was absent then, so its removal is no change ('expired').
 *
 * It never knows clients or commands. Private to db/, but for struct watcher, which lives in
 * command/client.h, and is all zero when it watches nothing.
 *
 * Invariants: a key has a record exactly while somebody watches it; a watcher has at most one watch
 * of a key. */
#ifndef DB_WATCHED_H
#define DB_WATCHED_H

#include "base/hash_table.h"
#include "store/store.h"
#include "wal/wal.h"

struct watch;       /* one watcher's of one key */
struct watched_key; /* with its watches */

struct watcher {
    struct watch *first;
    size_t count;
    size_t bytes; /* of memory for what it watches */
    bool broken;
    lsn_t broken_lsn; /* the change that broke it: who hears of it must wait for that LSN */
};

struct watched {
    const struct store *store;
    struct hash_table keys;
};

void watched_deinit(struct watched *w); /* nobody watches any more */

/* False: the watcher watches all that it may. A key that it watches already stays as it is. */
bool watched_add(struct watched *w, struct watcher *owner, const struct store_key *key,
                 int64_t now_ms);

/* The watcher forgets its keys, and that it was broken. */
void watched_release(struct watched *w, struct watcher *owner);

/* Has the deadline of a watched key passed that had not when WATCH came? */
bool watched_any_expired(const struct watched *w, const struct watcher *owner, int64_t now_ms);

/* The batch of this LSN changes the key; 'expiry': it only removes what had expired. */
void watched_touch(struct watched *w, const struct store_key *key, bool expiry, lsn_t lsn);

/* ... removes every key of a database. */
void watched_flush(struct watched *w, unsigned database, lsn_t lsn);

/* ... gives the places of two databases to each other. A watch stays with the number that its
 * client named; the key has changed unless it was absent and is. */
struct watched_swap {
    uint8_t place;
    uint8_t other;
    int64_t now_ms;
    lsn_t lsn;
};
void watched_swap(struct watched *w, const struct watched_swap *swap);

#endif
