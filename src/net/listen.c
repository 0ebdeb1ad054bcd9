/* Listeners: TCP over IPv4 and IPv6, unix sockets, and the accept loop, which goes on after every
 * error (CVE-2025-48367, CVE-2023-45145). */
#include "base/memory.h"
#include "net/net_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
};

enum { KEEPALIVE_PROBES = 3, SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) };

static void set_option(int descriptor, int level, int name, int value)
{
    /* None of the options that we set is needed to serve; a kernel without one serves as well. */
    (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

/* Linux hands these down from the listener to what it accepts: no call for each connection. */
static void set_inherited_options(const struct net *n, int descriptor)
{
    int seconds = n->keepalive_seconds;
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
    if (seconds <= 0) return;
    int interval = seconds / KEEPALIVE_PROBES;
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, interval > 0 ? interval : 1);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

void net_set_keepalive(struct net *n, int seconds)
{
    CHECK(seconds >= 0);
    n->keepalive_seconds = seconds;
    for (struct list *i = n->listeners.next; i != &n->listeners; i = i->next) {
        struct listener *l = CONTAINER_OF(i, struct listener, list);
        if (l->unix_path == NULL) set_inherited_options(n, l->target.descriptor);
    }
}

static struct listener *add_listener(struct net *n, int descriptor)
{
    struct listener *l = memory_allocate_zeroed(sizeof *l);
    l->target = (struct target){TARGET_LISTENER, descriptor};
    list_init(&l->list);
    list_append(&n->listeners, &l->list);
    bool watched = target_watch(n, &l->target, EPOLLIN);
    CHECK(watched);
    return l;
}

/* Says what was wanted and why it cannot be. */
static bool refuse(struct buf *problem, const char *what, const char *reason)
{
    buf_append_format(problem, "cannot listen on %s: %s", what, reason);
    return false;
}

/* The errno of the first thing that failed, or 0. */
static int listen_at(struct net *n, const struct addrinfo *at)
{
    int descriptor = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return errno;
    set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (at->ai_family == AF_INET6) set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_inherited_options(n, descriptor);
    if (bind(descriptor, at->ai_addr, at->ai_addrlen) != 0 || listen(descriptor, n->backlog) != 0) {
        int error = errno;
        close(descriptor);
        return error;
    }
    add_listener(n, descriptor);
    return 0;
}

/* As redis.conf has it: a protocol that the machine does not speak is skipped in silence, an
 * address that it does not have only when it is marked with '-'. */
static bool may_skip(int error, bool optional)
{
    switch (error) {
    case EADDRNOTAVAIL: return optional;
    case ENOPROTOOPT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case EPFNOSUPPORT:
    case EAFNOSUPPORT: return true;
    default: return false;
    }
}

bool net_listen_tcp(struct net *n, const char *address, uint16_t port, struct buf *problem)
{
    bool optional = address[0] == '-';
    const char *host = address + optional;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (strcmp(host, "*") == 0) {
        hints.ai_family = AF_INET;
        host = NULL;
    } else if (strcmp(host, "::*") == 0) {
        hints.ai_family = AF_INET6;
        host = NULL;
    }
    char what[128];
    snprintf(what, sizeof what, "%s port %u", address + optional, port);
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo *found = NULL;
    int result = getaddrinfo(host, service, &hints, &found);
    if (result != 0) return optional || refuse(problem, what, gai_strerror(result));

    /* A name with an address of each family is listened on at both. */
    bool listening = true;
    for (const struct addrinfo *at = found; at != NULL && listening; at = at->ai_next) {
        int error = listen_at(n, at);
        if (error != 0 && !may_skip(error, optional))
            listening = refuse(problem, what, strerror(error));
    }
    freeaddrinfo(found);
    return listening;
}

/* True when the path is free now: it was, or it was a socket that nobody listens on. */
static bool clear_socket_path(const union address *at, socklen_t size, struct buf *problem)
{
    const char *path = at->local.sun_path;
    struct stat status;
    if (lstat(path, &status) != 0) return errno == ENOENT || refuse(problem, path, strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return refuse(problem, path, "there is a file of that name which is no socket");
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) return refuse(problem, path, strerror(errno));
    int error = connect(probe, &at->any, size) == 0 ? 0 : errno;
    close(probe);
    if (error != ECONNREFUSED) return refuse(problem, path, "another server listens there");
    if (unlink(path) != 0) return refuse(problem, path, strerror(errno));
    return true;
}

bool net_listen_unix(struct net *n, const char *path, unsigned mode, struct buf *problem)
{
    union address at = {.local = {.sun_family = AF_UNIX}};
    size_t path_size = strlen(path) + 1;
    if (path_size > SOCKET_PATH_MAX) return refuse(problem, path, "the path is too long");
    memcpy(at.local.sun_path, path, path_size);
    socklen_t size = sizeof at.local;
    if (!clear_socket_path(&at, size, problem)) return false;

    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return refuse(problem, path, strerror(errno));
    if (bind(descriptor, &at.any, size) != 0) {
        refuse(problem, path, strerror(errno));
        close(descriptor);
        return false;
    }
    /* Nobody can connect before listen: the mode is never too wide for anybody who could. */
    if ((mode != 0 && chmod(path, mode) != 0) || listen(descriptor, n->backlog) != 0) {
        refuse(problem, path, strerror(errno));
        unlink(path);
        close(descriptor);
        return false;
    }
    struct listener *l = add_listener(n, descriptor);
    l->unix_path = memory_allocate(path_size);
    l->unix_path_size = path_size;
    memcpy(l->unix_path, path, path_size);
    return true;
}

/* Events that wait for the next turn must not lead to a listener that is freed. */
static void forget_events(struct net *n, const struct target *t)
{
    for (size_t i = n->events_next; i < n->events_count; i++)
        if (n->events[i].data.ptr == t) n->events[i].data.ptr = NULL;
}

void net_stop_listening(struct net *n)
{
    while (!list_empty(&n->listeners)) {
        struct listener *l = CONTAINER_OF(n->listeners.next, struct listener, list);
        list_remove(&l->list);
        forget_events(n, &l->target);
        close(l->target.descriptor);
        if (l->unix_path != NULL) {
            unlink(l->unix_path);
            memory_free(l->unix_path, l->unix_path_size);
        }
        memory_free(l, sizeof *l);
    }
    n->accepting_paused = false;
}

/* "127.0.0.1:6379", "[::1]:6379"; sets 'loopback' for addresses of this machine only. */
static void format_address(const union address *at, char text[128], bool *loopback)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (at->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &at->v6.sin6_addr, host, sizeof host);
        snprintf(text, 128, "[%s]:%u", host, ntohs(at->v6.sin6_port));
        *loopback = IN6_IS_ADDR_LOOPBACK(&at->v6.sin6_addr);
    } else {
        inet_ntop(AF_INET, &at->v4.sin_addr, host, sizeof host);
        snprintf(text, 128, "%s:%u", host, ntohs(at->v4.sin_port));
        *loopback = ntohl(at->v4.sin_addr.s_addr) >> 24 == 127;
    }
}

uint16_t net_port(const struct net *n)
{
    for (struct list *i = n->listeners.next; i != &n->listeners; i = i->next) {
        const struct listener *l = CONTAINER_OF(i, struct listener, list);
        union address at = {0};
        socklen_t size = sizeof at;
        if (l->unix_path != NULL || getsockname(l->target.descriptor, &at.any, &size) != 0)
            continue;
        return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
    }
    return 0;
}

static void accepted(struct net *n, const struct listener *l, int descriptor,
                     const union address *remote)
{
    struct connection_addresses addresses = {.descriptor = descriptor};
    bool ignored;
    union address local = {0};
    socklen_t size = sizeof local;
    if (l->unix_path != NULL) {
        addresses.unix_socket = addresses.loopback = true;
        snprintf(addresses.remote, sizeof addresses.remote, "%s:0", l->unix_path);
        snprintf(addresses.local, sizeof addresses.local, "%s:0", l->unix_path);
    } else {
        (void)getsockname(descriptor, &local.any, &size);
        format_address(remote, addresses.remote, &addresses.loopback);
        format_address(&local, addresses.local, &ignored);
    }
    n->figures.accepted++;
    connection_create(n, descriptor, &addresses);
}

enum accept_failure { ACCEPT_AGAIN, ACCEPT_DRY, ACCEPT_PAUSE };

/* No descriptor is left. Giving up the spare one for a moment lets us accept and close, so that
 * the peer sees a refusal at once and epoll does not report the same connection for ever. */
static enum accept_failure refuse_with_spare(struct net *n, int listening)
{
    if (n->spare_descriptor < 0) return ACCEPT_PAUSE;
    close(n->spare_descriptor);
    int descriptor = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    int error = errno;
    if (descriptor >= 0) close(descriptor);
    n->spare_descriptor = dup(n->epoll);
    if (descriptor >= 0) return ACCEPT_AGAIN;
    return error == EAGAIN ? ACCEPT_DRY : ACCEPT_PAUSE;
}

static enum accept_failure judge_failure(struct net *n, int error, int listening)
{
    if (error == EAGAIN) return ACCEPT_DRY;
    n->figures.accept_errors++;
    switch (error) {
    case EMFILE:
    case ENFILE: return refuse_with_spare(n, listening);
    case ENOBUFS:
    case ENOMEM: return ACCEPT_PAUSE;
    default: return ACCEPT_AGAIN; /* the network's error, of that one connection: accept(2) */
    }
}

void listener_pause(struct net *n, bool paused)
{
    n->accepting_paused = paused;
    for (struct list *i = n->listeners.next; i != &n->listeners; i = i->next) {
        struct listener *l = CONTAINER_OF(i, struct listener, list);
        target_rewatch(n, &l->target, paused ? 0 : EPOLLIN);
    }
}

void listener_accept(struct net *n, const struct listener *l)
{
    int listening = l->target.descriptor;
    for (size_t count = 0; count < NET_ACCEPTS_MAX; count++) {
        union address remote = {0};
        socklen_t size = sizeof remote;
        int descriptor = accept4(listening, &remote.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            accepted(n, l, descriptor, &remote);
            continue;
        }
        enum accept_failure failure = judge_failure(n, errno, listening);
        if (failure == ACCEPT_PAUSE) listener_pause(n, true);
        if (failure != ACCEPT_AGAIN) return;
    }
}
