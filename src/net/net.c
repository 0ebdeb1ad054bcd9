/* The turn. What is ready is taken in the order in which epoll reported it; each connection gives
 * a bounded amount, and what the arena cannot hold waits at the front of the next turn, so nobody
 * starves. epoll is level-triggered: what was left in a socket is reported again. */
#include "base/memory.h"
#include "net/net_state.h"

#include <errno.h>
#include <unistd.h>

struct net *net_create(const struct net_options *options)
{
    CHECK(options->callbacks.opened != NULL);
    CHECK(options->callbacks.closed != NULL);
    struct net *n = memory_allocate_zeroed(sizeof *n);
    n->callbacks = options->callbacks;
    n->backlog = options->backlog;
    n->keepalive_seconds = options->keepalive_seconds;
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(n->epoll >= 0);
    n->spare_descriptor = dup(n->epoll);
    list_init(&n->live);
    list_init(&n->dead);
    list_init(&n->listeners);
    list_init(&n->watches);
    n->events = memory_allocate(NET_EVENTS_MAX * sizeof *n->events);
    n->arena = memory_allocate(NET_ARENA_BYTES);
    return n;
}

void net_destroy(struct net *n)
{
    net_stop_listening(n);
    while (!list_empty(&n->live))
        connection_close(CONTAINER_OF(n->live.next, struct connection, list));
    connection_free_dead(n);
    while (!list_empty(&n->watches)) {
        struct watch *w = CONTAINER_OF(n->watches.next, struct watch, list);
        list_remove(&w->list);
        memory_free(w, sizeof *w);
    }
    if (n->spare_descriptor >= 0) close(n->spare_descriptor);
    close(n->epoll);
    memory_free(n->arena, NET_ARENA_BYTES);
    memory_free(n->events, NET_EVENTS_MAX * sizeof *n->events);
    memory_free(n, sizeof *n);
}

bool target_watch(struct net *n, struct target *t, uint32_t events)
{
    CHECK(t->descriptor >= 0);
    struct epoll_event event = {.events = events, .data.ptr = t};
    if (epoll_ctl(n->epoll, EPOLL_CTL_ADD, t->descriptor, &event) == 0) return true;
    CHECK(errno == ENOMEM || errno == ENOSPC);
    return false;
}

void target_rewatch(struct net *n, struct target *t, uint32_t events)
{
    CHECK(t->descriptor >= 0);
    struct epoll_event event = {.events = events, .data.ptr = t};
    int result = epoll_ctl(n->epoll, EPOLL_CTL_MOD, t->descriptor, &event);
    CHECK(result == 0);
}

void net_watch(struct net *n, int descriptor, net_watch_function *ready, void *context)
{
    CHECK(descriptor >= 0);
    CHECK(ready != NULL);
    struct watch *w = memory_allocate_zeroed(sizeof *w);
    w->target = (struct target){TARGET_WATCH, descriptor};
    w->ready = ready;
    w->context = context;
    list_init(&w->list);
    list_append(&n->watches, &w->list);
    bool watched = target_watch(n, &w->target, EPOLLIN);
    CHECK(watched);
}

void net_measure(const struct net *n, struct net_figures *figures)
{
    *figures = n->figures;
}

/* The array of events is used up: no event points to a dead connection any more. */
static void wait_for_events(struct net *n, int timeout_ms)
{
    CHECK(n->events_next == n->events_count);
    connection_free_dead(n);
    if (n->accepting_paused && (timeout_ms < 0 || timeout_ms > NET_ACCEPT_PAUSE_MS))
        timeout_ms = NET_ACCEPT_PAUSE_MS;
    int count = epoll_wait(n->epoll, n->events, NET_EVENTS_MAX, timeout_ms);
    CHECK(count >= 0 || errno == EINTR);
    n->events_next = 0;
    n->events_count = count < 0 ? 0 : (size_t)count;
    if (count == 0 && n->accepting_paused) listener_pause(n, false);
}

static void take_event(struct net *n, const struct epoll_event *event)
{
    struct target *t = event->data.ptr;
    if (t == NULL) return; /* a listener that was closed meanwhile */
    switch (t->kind) {
    case TARGET_CONNECTION: connection_turn((struct connection *)t, event->events); break;
    case TARGET_LISTENER: listener_accept(n, (const struct listener *)t); break;
    case TARGET_WATCH: {
        const struct watch *w = (const struct watch *)t;
        w->ready(w->context);
        break;
    }
    }
}

bool net_turn(struct net *n, int timeout_ms)
{
    n->arena_used = 0;
    if (n->events_next == n->events_count) wait_for_events(n, timeout_ms);
    if (n->callbacks.woken != NULL) n->callbacks.woken(n->callbacks.context);
    bool ready = n->events_count > 0;
    while (n->events_next < n->events_count) {
        if (NET_ARENA_BYTES - n->arena_used < NET_RECEIVE_BYTES_MIN) break;
        take_event(n, &n->events[n->events_next++]);
    }
    return ready;
}
