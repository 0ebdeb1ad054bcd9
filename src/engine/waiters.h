/* waiters.h - who waits for which key, and until when. Private to engine/.
 *
 * A waiter is a command that returned OUTCOME_WAIT: its wait, a copy of its arguments (so that its
 * plan may hold indexes into them) and one node in the list of each key that it waits for. Lists
 * are first in, first out: a waiter that is woken and finds nothing keeps its place.
 *
 * It never knows sessions: the owner of a waiter is a pointer that is handed back.
 *
 * Invariants: a key has a record exactly while somebody waits for it; a waiter has at most one
 * node in a list; a waiter with a deadline is in the heap at heap_index. */
#ifndef ENGINE_WAITERS_H
#define ENGINE_WAITERS_H

#include "base/list.h"
#include "command/command.h"

struct waiter_key;

struct waiter_node {
    struct list link; /* in waiter_key.nodes */
    struct waiter *waiter;
    struct waiter_key *key;
};

struct waiter {
    void *owner;
    struct wait wait;
    struct slice *arguments; /* one allocation: slices, then their bytes */
    size_t arguments_count;
    size_t arguments_bytes; /* size of that allocation */
    struct waiter_node *nodes;
    size_t nodes_count;
    size_t nodes_capacity;
    size_t heap_index;
    struct list link; /* in waiters.all */
};

struct waiters {
    uint64_t seed;
    struct waiter_key **buckets;
    size_t buckets_count; /* a power of two, or 0 */
    size_t keys_count;
    struct waiter **heap; /* by deadline */
    size_t heap_count;
    size_t heap_capacity;
    struct list all; /* in order of arrival */
    size_t count;
};

void waiters_init(struct waiters *w, uint64_t seed);
void waiters_deinit(struct waiters *w); /* nobody waits any more */

/* Takes wait->plan; copies the arguments of the request that waits. */
struct waiter *waiters_add(struct waiters *w, void *owner, const struct wait *wait,
                           const struct command_context *request);
void waiters_remove(struct waiters *w, struct waiter *waiter); /* frees it */

/* Calls 'wake' for each waiter of a key, oldest first; it may remove that waiter, and no other. */
typedef void waiters_wake_function(void *context, struct waiter *waiter);
void waiters_wake(struct waiters *w, const struct db_touched *touched, waiters_wake_function *wake,
                  void *context);

/* The waiter whose deadline is earliest, if it is <= now_ms; else NULL. */
struct waiter *waiters_due(const struct waiters *w, int64_t now_ms);
int64_t waiters_due_ms(const struct waiters *w); /* INT64_MAX: no deadline */

#endif
