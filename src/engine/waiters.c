#include "engine/waiters.h"

#include "base/hash.h"
#include "base/memory.h"

enum { WAITERS_HEAP_MIN = 64 };
#define HEAP_NONE SIZE_MAX
#define TIMER_NOW ((int64_t)1) /* long ago */

struct waiter_key {
    struct hash_node node; /* in waiters.keys */
    struct list nodes;     /* of waiters that are in no cohort */
    struct list cohorts;   /* those of one group follow each other */
    bool waking;           /* a walk over 'nodes' is under way: it frees the record when it ends */
    unsigned database;
    size_t name_size;
    char name[];
};

struct waiter_cohort {
    struct list link; /* in waiter_key.cohorts */
    struct list nodes;
    int64_t number;
    size_t group_size;
    char group[];
};

void waiters_init(struct waiters *w, uint64_t seed)
{
    *w = (struct waiters){.seed = seed};
    list_init(&w->all);
    list_init(&w->synced);
}

void waiters_deinit(struct waiters *w)
{
    CHECK(w->count == 0);
    hash_table_deinit(&w->keys);
    memory_free(w->heap, w->heap_capacity * sizeof *w->heap);
}

/* ---- keys ---- */

static uint64_t hash_of(const struct waiters *w, unsigned database, struct slice name)
{
    return hash_bytes(name, w->seed + database);
}

static struct waiter_key *find_key(const struct waiters *w, unsigned database, struct slice name)
{
    if (w->keys.count == 0) return NULL;
    struct hash_node *at = hash_table_find(&w->keys, hash_of(w, database, name));
    for (; at != NULL; at = hash_table_find_next(at)) {
        struct waiter_key *key = CONTAINER_OF(at, struct waiter_key, node);
        if (key->database != database) continue;
        if (slice_equal((struct slice){key->name, key->name_size}, name)) return key;
    }
    return NULL;
}

static struct waiter_key *find_or_create_key(struct waiters *w, unsigned database,
                                             struct slice name)
{
    struct waiter_key *key = find_key(w, database, name);
    if (key != NULL) return key;
    key = memory_allocate_zeroed(sizeof *key + name.size);
    list_init(&key->nodes);
    list_init(&key->cohorts);
    key->node.hash = hash_of(w, database, name);
    key->database = database;
    key->name_size = name.size;
    if (name.size > 0) memcpy(key->name, name.data, name.size);
    hash_table_insert(&w->keys, &key->node);
    return key;
}

static void drop_key_if_unused(struct waiters *w, struct waiter_key *key)
{
    if (key->waking || !list_empty(&key->nodes) || !list_empty(&key->cohorts)) return;
    hash_table_remove(&w->keys, &key->node);
    memory_free(key, sizeof *key + key->name_size);
}

/* ---- cohorts ---- */

static struct waiter_cohort *cohort_of(struct list *link)
{
    return CONTAINER_OF(link, struct waiter_cohort, link);
}

static struct slice group_of(const struct waiter_cohort *cohort)
{
    return (struct slice){cohort->group, cohort->group_size};
}

static struct waiter_cohort *find_or_create_cohort(struct waiter_key *key, struct slice group,
                                                   int64_t number)
{
    struct list *before = &key->cohorts; /* the new one stands behind those of its group */
    for (struct list *at = key->cohorts.next; at != &key->cohorts; at = at->next) {
        if (!slice_equal(group_of(cohort_of(at)), group)) continue;
        if (cohort_of(at)->number == number) return cohort_of(at);
        before = at->next;
    }
    struct waiter_cohort *cohort = memory_allocate_zeroed(sizeof *cohort + group.size);
    list_init(&cohort->nodes);
    list_init(&cohort->link);
    cohort->number = number;
    cohort->group_size = group.size;
    if (group.size > 0) memcpy(cohort->group, group.data, group.size);
    list_append(before, &cohort->link); /* which is: in front of 'before' */
    return cohort;
}

static void drop_cohort_if_empty(const struct waiter_key *key, struct waiter_cohort *cohort)
{
    if (key->waking || !list_empty(&cohort->nodes)) return;
    list_remove(&cohort->link);
    memory_free(cohort, sizeof *cohort + cohort->group_size);
}

static struct waiter *head_of(const struct waiter_cohort *cohort)
{
    CHECK(!list_empty(&cohort->nodes));
    return CONTAINER_OF(cohort->nodes.next, struct waiter_node, link)->waiter;
}

static bool is_head(const struct waiter *waiter)
{
    for (size_t i = 0; i < waiter->nodes_count; i++) {
        const struct waiter_node *node = &waiter->nodes[i];
        if (node->cohort == NULL || node->cohort->nodes.next == &node->link) return true;
    }
    return false;
}

/* ---- what is due: a binary heap ---- */

static bool is_due_before(const struct waiter *a, const struct waiter *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->arrival < b->arrival;
}

static void heap_place(struct waiters *w, size_t index, struct waiter *waiter)
{
    w->heap[index] = waiter;
    waiter->heap_index = index;
}

static void heap_rise(struct waiters *w, size_t index, struct waiter *waiter)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!is_due_before(waiter, w->heap[parent])) break;
        heap_place(w, index, w->heap[parent]);
        index = parent;
    }
    heap_place(w, index, waiter);
}

static void heap_sink(struct waiters *w, size_t index, struct waiter *waiter)
{
    for (size_t child; (child = 2 * index + 1) < w->heap_count; index = child) {
        if (child + 1 < w->heap_count && is_due_before(w->heap[child + 1], w->heap[child])) child++;
        if (!is_due_before(w->heap[child], waiter)) break;
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

/* Sets the timer; the heap follows. */
static void set_timer(struct waiters *w, struct waiter *waiter, int64_t timer_ms)
{
    int64_t due_ms = waiter->wait.deadline_ms == 0 ? INT64_MAX : waiter->wait.deadline_ms;
    waiter->timer_ms = timer_ms;
    if (timer_ms != 0 && timer_ms < due_ms) due_ms = timer_ms;
    if (due_ms == waiter->due_ms && waiter->heap_index != HEAP_NONE) return;
    if (waiter->heap_index != HEAP_NONE) heap_remove(w, waiter);
    waiter->due_ms = due_ms;
    if (due_ms != INT64_MAX) heap_add(w, waiter);
}

void waiters_settle(struct waiters *w, struct waiter *waiter)
{
    bool timed = waiter->wait.wake_ms != 0 && is_head(waiter);
    set_timer(w, waiter, timed ? waiter->wait.wake_ms : 0);
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
static bool is_last(const struct waiter *waiter, const struct list *nodes)
{
    if (list_empty(nodes)) return false;
    return CONTAINER_OF(nodes->previous, struct waiter_node, link)->waiter == waiter;
}

static void join_key(struct waiters *w, struct waiter *waiter, struct slice name)
{
    const struct wait *wait = &waiter->wait;
    struct waiter_key *key = find_or_create_key(w, wait->database, name);
    struct waiter_cohort *cohort = NULL;
    if (wait->cohort_argument != 0)
        cohort = find_or_create_cohort(key, waiter->arguments[wait->cohort_argument],
                                       wait->cohort_number);
    struct list *nodes = cohort == NULL ? &key->nodes : &cohort->nodes;
    if (is_last(waiter, nodes)) return;
    CHECK(waiter->nodes_count < waiter->nodes_capacity);
    struct waiter_node *node = &waiter->nodes[waiter->nodes_count++];
    *node = (struct waiter_node){.waiter = waiter, .key = key, .cohort = cohort};
    list_init(&node->link);
    list_append(nodes, &node->link);
}

static bool waits_for_pending(const struct waiter *waiter)
{
    return waiter->wait.cohort_argument != 0 && waiter->wait.cohort_number >= 0;
}

struct waiter *waiters_add(struct waiters *w, void *owner, const struct wait *wait,
                           const struct command_context *request)
{
    CHECK(wait->again != NULL);
    CHECK(wait->keys_first + wait->keys_count <= request->arguments_count);
    struct waiter *waiter = memory_allocate_zeroed(sizeof *waiter);
    waiter->owner = owner;
    waiter->wait = *wait;
    waiter->heap_index = HEAP_NONE;
    copy_arguments(waiter, request->arguments, request->arguments_count);
    waiter->nodes_capacity = wait->keys_count;
    if (wait->keys_count > 0)
        waiter->nodes = memory_allocate(wait->keys_count * sizeof *waiter->nodes);
    for (size_t i = 0; i < wait->keys_count; i++)
        join_key(w, waiter, waiter->arguments[wait->keys_first + i]);
    waiter->arrival = w->arrivals++;
    waiter->due_ms = INT64_MAX;
    waiters_settle(w, waiter);
    list_init(&waiter->link);
    list_append(&w->all, &waiter->link);
    list_init(&waiter->synced);
    if (wait->synced_lsn > 0) list_append(&w->synced, &waiter->synced);
    w->count++;
    if (waits_for_pending(waiter)) w->pending_count++;
    return waiter;
}

static void leave_key(struct waiters *w, struct waiter_node *node)
{
    struct waiter_cohort *cohort = node->cohort;
    bool was_head = cohort != NULL && cohort->nodes.next == &node->link;
    list_remove(&node->link);
    if (was_head && cohort->number >= 0 && !list_empty(&cohort->nodes))
        set_timer(w, head_of(cohort), TIMER_NOW); /* it does not know yet when to be tried */
    if (cohort != NULL) drop_cohort_if_empty(node->key, cohort);
    drop_key_if_unused(w, node->key);
}

void waiters_remove(struct waiters *w, struct waiter *waiter)
{
    CHECK(w->count > 0);
    for (size_t i = 0; i < waiter->nodes_count; i++) leave_key(w, &waiter->nodes[i]);
    if (waiter->heap_index != HEAP_NONE) heap_remove(w, waiter);
    list_remove(&waiter->link);
    list_remove(&waiter->synced);
    w->count--;
    if (waits_for_pending(waiter)) w->pending_count--;
    if (waiter->wait.plan != NULL) memory_free(waiter->wait.plan, waiter->wait.plan_size);
    memory_free(waiter->arguments, waiter->arguments_bytes);
    memory_free(waiter->nodes, waiter->nodes_capacity * sizeof *waiter->nodes);
    memory_free(waiter, sizeof *waiter);
}

/* ---- waking ---- */

/* Tries the head of a cohort; false: it stays. */
static bool wake_head(struct waiter_cohort *cohort, waiters_wake_function *wake, void *context)
{
    const struct list *head = cohort->nodes.next;
    wake(context, head_of(cohort));
    return cohort->nodes.next != head;
}

/* The cohort, of those of the group that begin at 'first', whose head has waited longest; NULL: all
 * are empty. *next is left behind the group. */
static struct waiter_cohort *oldest_cohort(struct waiter_key *key, struct list *first,
                                           struct list **next)
{
    struct waiter_cohort *oldest = NULL;
    struct list *at = first;
    for (; at != &key->cohorts; at = at->next) {
        struct waiter_cohort *cohort = cohort_of(at);
        if (!slice_equal(group_of(cohort), group_of(cohort_of(first)))) break;
        if (list_empty(&cohort->nodes)) continue;
        if (oldest == NULL || head_of(cohort)->arrival < head_of(oldest)->arrival) oldest = cohort;
    }
    *next = at;
    return oldest;
}

/* What is new is offered to each group, oldest waiter first. */
static void wake_groups(struct waiter_key *key, waiters_wake_function *wake, void *context)
{
    struct list *next;
    for (struct list *at = key->cohorts.next; at != &key->cohorts; at = next) {
        struct waiter_cohort *oldest;
        while ((oldest = oldest_cohort(key, at, &next)) != NULL)
            if (!wake_head(oldest, wake, context)) break;
    }
}

/* What is pending is due at other times than it was. */
static void wake_for_pending(struct waiter_key *key, waiters_wake_function *wake, void *context)
{
    for (struct list *at = key->cohorts.next; at != &key->cohorts; at = at->next) {
        struct waiter_cohort *cohort = cohort_of(at);
        if (cohort->number < 0) continue;
        while (!list_empty(&cohort->nodes))
            if (!wake_head(cohort, wake, context)) break;
    }
}

static void wake_each(struct waiter_key *key, waiters_wake_function *wake, void *context)
{
    struct list *next;
    for (struct list *at = key->nodes.next; at != &key->nodes; at = next) {
        next = at->next; /* 'wake' may free this node, and only this one */
        wake(context, CONTAINER_OF(at, struct waiter_node, link)->waiter);
    }
}

static void end_waking(struct waiters *w, struct waiter_key *key)
{
    struct list *next;
    key->waking = false;
    for (struct list *at = key->cohorts.next; at != &key->cohorts; at = next) {
        next = at->next;
        drop_cohort_if_empty(key, cohort_of(at));
    }
    drop_key_if_unused(w, key);
}

void waiters_wake(struct waiters *w, const struct db_touched *touched, waiters_wake_function *wake,
                  void *context)
{
    if (!touched->all) {
        struct waiter_key *key = find_key(w, touched->database, touched->name);
        if (key == NULL) return;
        CHECK(!key->waking);
        key->waking = true;
        if (touched->pending_only) {
            wake_for_pending(key, wake, context);
        } else {
            wake_each(key, wake, context);
            wake_groups(key, wake, context);
        }
        end_waking(w, key);
        return;
    }
    struct list *next;
    for (struct list *at = w->all.next; at != &w->all; at = next) {
        struct waiter *waiter = CONTAINER_OF(at, struct waiter, link);
        next = at->next;
        if (waiter->wait.database == touched->database) wake(context, waiter);
    }
}

void waiters_wake_synced(struct waiters *w, lsn_t synced_lsn, waiters_wake_function *wake,
                         void *context)
{
    struct list *next;
    for (struct list *at = w->synced.next; at != &w->synced; at = next) {
        struct waiter *waiter = CONTAINER_OF(at, struct waiter, synced);
        next = at->next; /* 'wake' may free this one, and only this one */
        if (waiter->wait.synced_lsn > synced_lsn) continue;
        list_remove(at); /* there is nothing more to hear from the log */
        wake(context, waiter);
    }
}

void waiters_wake_errands(struct waiters *w, waiters_wake_function *wake, void *context)
{
    struct list *next;
    for (struct list *at = w->all.next; at != &w->all; at = next) {
        struct waiter *waiter = CONTAINER_OF(at, struct waiter, link);
        next = at->next; /* 'wake' may free this one, and only this one */
        if (waiter->wait.errand > 0) wake(context, waiter);
    }
}

struct waiter *waiters_due(const struct waiters *w, int64_t now_ms)
{
    return waiters_due_ms(w) <= now_ms ? w->heap[0] : NULL;
}

int64_t waiters_due_ms(const struct waiters *w)
{
    return w->heap_count == 0 ? INT64_MAX : w->heap[0]->due_ms;
}
