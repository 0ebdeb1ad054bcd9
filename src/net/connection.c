/* One connection: receiving into the arena or the owner's memory, sending what a chain released.
 * A send is tried at once; epoll is asked for writability only while the kernel is full. */
#include "base/memory.h"
#include "net/net_state.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_dead(const struct connection *c)
{
    return c->target.descriptor < 0;
}

static void bury(struct connection *c)
{
    CHECK(!is_dead(c));
    close(c->target.descriptor);
    c->target.descriptor = -1;
    c->output = NULL;
    list_remove(&c->list);
    list_append(&c->net->dead, &c->list);
}

/* The peer is gone: the owner hears of it, once. */
static void report_closed(struct connection *c)
{
    void *owner = c->owner;
    struct net_callbacks *callbacks = &c->net->callbacks;
    bury(c);
    callbacks->closed(callbacks->context, owner);
}

void connection_create(struct net *n, int descriptor, const struct connection_addresses *addresses)
{
    CHECK(descriptor >= 0);
    struct connection *c = memory_allocate_zeroed(sizeof *c);
    c->target = (struct target){TARGET_CONNECTION, descriptor};
    c->net = n;
    c->reading = true;
    c->events = EPOLLIN;
    list_init(&c->list);
    list_append(&n->live, &c->list);

    struct slice refusal = {0};
    if (target_watch(n, &c->target, c->events))
        c->owner = n->callbacks.opened(n->callbacks.context, c, addresses, &refusal);
    if (c->owner != NULL) return;
    CHECK(!is_dead(c));
    if (refusal.size > 0) send(descriptor, refusal.data, refusal.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    bury(c);
}

void connection_close(struct connection *c)
{
    bury(c);
}

void connection_free_dead(struct net *n)
{
    while (!list_empty(&n->dead)) {
        struct connection *c = CONTAINER_OF(n->dead.next, struct connection, list);
        CHECK(is_dead(c));
        list_remove(&c->list);
        memory_free(c, sizeof *c);
    }
}

static void update_events(struct connection *c)
{
    CHECK(!is_dead(c));
    uint32_t events = 0;
    if (c->reading && !c->ended) events |= EPOLLIN;
    if (!c->reading && !c->ended && c->noticing_end) events |= EPOLLRDHUP;
    if (c->output != NULL) events |= EPOLLOUT;
    if (events == c->events) return;
    c->events = events;
    target_rewatch(c->net, &c->target, events);
}

void connection_set_reading(struct connection *c, bool reading)
{
    if (c->reading == reading) return;
    c->reading = reading;
    update_events(c);
}

void connection_set_noticing_end(struct connection *c, bool noticing)
{
    if (c->noticing_end == noticing) return;
    c->noticing_end = noticing;
    update_events(c);
}

static void peer_ended(struct connection *c)
{
    const struct net_callbacks *callbacks = &c->net->callbacks;
    c->ended = true;
    if (callbacks->ended == NULL || !callbacks->ended(callbacks->context, c->owner))
        report_closed(c);
    else if (!is_dead(c)) update_events(c);
}

static void receive(struct connection *c)
{
    struct net *n = c->net;
    const struct net_callbacks *callbacks = &n->callbacks;
    size_t size = 0;
    char *space = NULL;
    if (callbacks->input_space != NULL)
        space = callbacks->input_space(callbacks->context, c->owner, &size);
    bool into_space = space != NULL;
    if (into_space) {
        CHECK(size > 0);
        if (size > NET_RECEIVE_SPACE_BYTES_MAX) size = NET_RECEIVE_SPACE_BYTES_MAX;
    } else {
        space = n->arena + n->arena_used;
        size = NET_ARENA_BYTES - n->arena_used;
        if (size > NET_RECEIVE_BYTES_MAX) size = NET_RECEIVE_BYTES_MAX;
    }

    ssize_t result = recv(c->target.descriptor, space, size, 0);
    if (result > 0) {
        struct slice bytes = {space, (size_t)result};
        if (!into_space) n->arena_used += bytes.size;
        CHECK(n->arena_used <= NET_ARENA_BYTES);
        n->figures.received_bytes += bytes.size;
        n->figures.receives++;
        callbacks->received(callbacks->context, c->owner, bytes, into_space);
    } else if (result == 0) {
        peer_ended(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        report_closed(c);
    }
}

enum send_result { SEND_ALL, SEND_FULL, SEND_FAILED };

/* One vector is by far the most frequent, and send(2) is a little cheaper than sendmsg(2). */
static ssize_t send_vectors(int descriptor, struct iovec *vectors, size_t count)
{
    if (count == 1) return send(descriptor, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
    return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

static enum send_result send_released(struct connection *c, struct chain *output)
{
    struct iovec vectors[NET_VECTORS_MAX];
    for (size_t calls = 0; calls < NET_SENDS_MAX && chain_sendable(output); calls++) {
        size_t count = chain_vectors(output, vectors, NET_VECTORS_MAX);
        CHECK(count > 0);
        ssize_t size = send_vectors(c->target.descriptor, vectors, count);
        if (size < 0 && errno == EAGAIN) return SEND_FULL;
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return SEND_FAILED;
        c->net->figures.sends++;
        c->net->figures.sent_bytes += (uint64_t)size;
        chain_consume(output, (size_t)size);
    }
    return chain_sendable(output) ? SEND_FULL : SEND_ALL;
}

void connection_send(struct connection *c, struct chain *output)
{
    CHECK(!is_dead(c));
    if (c->output != NULL) return; /* the kernel was full; it goes out by itself */
    /* A failure is found again in the next turn, because epoll reports such a socket as writable:
     * the owner, who is in the middle of something, hears of it then. */
    if (send_released(c, output) != SEND_ALL) c->output = output;
    update_events(c);
}

static void go_on_sending(struct connection *c)
{
    const struct net_callbacks *callbacks = &c->net->callbacks;
    switch (send_released(c, c->output)) {
    case SEND_ALL: c->output = NULL; break;
    case SEND_FULL: break;
    case SEND_FAILED: report_closed(c); return;
    }
    update_events(c);
    if (callbacks->sent != NULL) callbacks->sent(callbacks->context, c->owner);
}

void connection_turn(struct connection *c, uint32_t events)
{
    if (is_dead(c)) return;
    if ((events & EPOLLOUT) != 0 && c->output != NULL) {
        go_on_sending(c);
        if (is_dead(c)) return;
    }
    if (c->reading && !c->ended) {
        if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive(c);
        return;
    }
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) report_closed(c);
    else if ((events & EPOLLRDHUP) != 0 && !c->ended) peer_ended(c);
}
