/* waiters.h - who waits for which key, in which group of it, and until when. Private to engine/.
 *
 * A waiter is a command that returned OUTCOME_WAIT: its wait, a copy of its arguments (so that its
 * plan may hold indexes into them) and one node in the list of each key that it waits for. Lists
 * are first in, first out: a waiter that is woken and finds nothing keeps its place.
 *
 * Waiters for a group of a key (wait.cohort_argument) stand in cohorts, one for each group and
 * number. New entries are offered to the oldest waiter of a group, in whichever cohort, then to the
 * next, until one finds nothing: with 10,000 waiters that is one or two tries for each entry. Only
 * the head of a cohort is on a timer (wait.wake_ms); the next is timed when it becomes the head.
 *
 * It never knows sessions: the owner of a waiter is a pointer that is handed back.
 *
 * Invariants: a key has a record exactly while somebody waits for it; a waiter has at most one
 * node in a list; no cohort is empty; a waiter with a deadline or a timer is in the heap at
 * heap_index, which is ordered by what is due first, then by arrival. */
#ifndef ENGINE_WAITERS_H
#define ENGINE_WAITERS_H

#include "base/hash_table.h"
#include "base/list.h"
#include "command/command.h"

struct waiter_key;
struct waiter_cohort;

struct waiter_node {
    struct list link; /* in the nodes of the cohort, or of the key */
    struct waiter *waiter;
    struct waiter_key *key;
    struct waiter_cohort *cohort; /* NULL: none */
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
    int64_t timer_ms; /* when it is tried although no key changed; 0: never */
    int64_t due_ms;   /* the deadline or the timer, whichever is first; INT64_MAX: neither */
    uint64_t arrival;
    size_t heap_index;
    struct list link;   /* in waiters.all */
    struct list synced; /* in waiters.synced, if it waits for the log */
};

struct waiters {
    uint64_t seed;
    struct hash_table keys;
    struct waiter **heap; /* by due_ms, then arrival */
    size_t heap_count;
    size_t heap_capacity;
    struct list all;    /* in order of arrival */
    struct list synced; /* those that wait until the log is synced so far */
    size_t count;
    size_t pending_count; /* of those that wait for pending entries, too */
    uint64_t arrivals;
};

void waiters_init(struct waiters *w, uint64_t seed);
void waiters_deinit(struct waiters *w); /* nobody waits any more */

/* Takes wait->plan; copies the arguments of the request that waits. */
struct waiter *waiters_add(struct waiters *w, void *owner, const struct wait *wait,
                           const struct command_context *request);
void waiters_remove(struct waiters *w, struct waiter *waiter); /* frees it */

/* Calls 'wake' for the waiters of a key, oldest first, of each group until one stays; it may remove
 * that waiter, and no other, and settles it if not. */
typedef void waiters_wake_function(void *context, struct waiter *waiter);
void waiters_wake(struct waiters *w, const struct db_touched *touched, waiters_wake_function *wake,
                  void *context);

/* Calls 'wake' for those whose wait.synced_lsn is reached, oldest first; as waiters_wake. */
void waiters_wake_synced(struct waiters *w, lsn_t synced_lsn, waiters_wake_function *wake,
                         void *context);

/* Calls 'wake' for those who wait for an errand of the host, oldest first; as waiters_wake. */
void waiters_wake_errands(struct waiters *w, waiters_wake_function *wake, void *context);

/* The waiter was tried and stays: its wake_ms was set anew. */
void waiters_settle(struct waiters *w, struct waiter *waiter);

/* The waiter that is due first, if that is <= now_ms; else NULL. It is to be tried when its timer
 * is due, else its deadline has passed. */
struct waiter *waiters_due(const struct waiters *w, int64_t now_ms);
int64_t waiters_due_ms(const struct waiters *w); /* INT64_MAX: nothing is due */
static inline bool waiter_is_timed(const struct waiter *waiter, int64_t now_ms)
{
    return waiter->timer_ms != 0 && waiter->timer_ms <= now_ms;
}

#endif
