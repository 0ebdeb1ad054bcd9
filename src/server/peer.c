/* A peer is a connection and its session: bytes go from one to the other, and this file decides
 * who may connect, who is read from, and when a connection ends.
 *
 * Time costs nothing per request: a peer that is heard of moves to the end of a list, at most
 * once a second, so that the idle ones are at its front. */
#include "base/memory.h"
#include "env/clock.h"
#include "server/server_state.h"

static const char too_many_text[] = "-ERR max number of clients reached\r\n";

/* Redis' text, so that people find what it is about. */
static const char denied_text[] =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the default user. In this mode connections are only accepted from the loopback "
    "interface. If you want to connect from external computers to Redis you may adopt one of the "
    "following solutions: 1) Just disable protected mode sending the command 'CONFIG SET "
    "protected-mode no' from the loopback interface by connecting to Redis from the same host the "
    "server is running, however MAKE SURE Redis is not publicly accessible from internet if you "
    "do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just "
    "disable the protected mode by editing the Redis configuration file, and setting the "
    "protected mode option to 'no', and then restarting the server. 3) If you started the server "
    "manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an "
    "authentication password for the default user. NOTE: You only need to do one of the above "
    "things in order for the server to start accepting connections from the outside.\r\n";

static bool is_denied(const struct server *s, const struct connection_addresses *addresses)
{
    return config_number(s->config, CONFIG_PROTECTED_MODE) != 0 &&
           config_text(s->config, CONFIG_REQUIREPASS).size == 0 && !addresses->loopback;
}

static void touch(struct server *s, struct peer *p)
{
    /* Within a second the order does not matter: timeout counts seconds. */
    if (s->now_ms - p->active_ms < 1000) return;
    p->active_ms = s->now_ms;
    list_remove(&p->active);
    list_append(&s->active, &p->active);
}

static void *opened(void *context, struct connection *connection,
                    const struct connection_addresses *addresses, struct slice *refusal)
{
    struct server *s = context;
    if (s->phase > SERVER_RUNNING) return NULL;
    if (s->peers_count >= (size_t)config_number(s->config, CONFIG_MAXCLIENTS)) {
        s->rejected_connections++;
        *refusal = slice_of(too_many_text);
        return NULL;
    }
    if (is_denied(s, addresses)) {
        s->refused_connections++;
        *refusal = slice_of(denied_text);
        return NULL;
    }
    struct peer *p = memory_allocate_zeroed(sizeof *p);
    p->server = s;
    p->connection = connection;
    list_init(&p->active);
    list_init(&p->login);
    list_init(&p->ended);
    p->active_ms = p->opened_ms = s->now_ms;
    list_append(&s->active, &p->active);
    if (config_text(s->config, CONFIG_REQUIREPASS).size > 0) list_append(&s->login, &p->login);
    struct session_options options = {
        .address = addresses->remote,
        .local_address = addresses->local,
        .descriptor = addresses->descriptor,
        .unix_socket = addresses->unix_socket,
        .owner = p,
    };
    p->session = engine_open_session(s->engine, &options, s->now_ms);
    s->peers_count++;
    return p;
}

/* The connection is closed or about to be: everything else of the peer goes. */
static void release(struct peer *p)
{
    struct server *s = p->server;
    CHECK(s->peers_count > 0);
    engine_close_session(s->engine, p->session);
    list_remove(&p->active);
    list_remove(&p->login);
    list_remove(&p->ended);
    s->peers_count--;
    memory_free(p, sizeof *p);
}

static void drop(struct peer *p)
{
    connection_close(p->connection);
    release(p);
}

static void closed(void *context, void *owner)
{
    (void)context;
    release(owner);
}

static char *input_space(void *context, void *owner, size_t *size)
{
    (void)context;
    const struct peer *p = owner;
    return session_input_space(p->session, size);
}

static void set_reading(struct peer *p)
{
    bool reading = session_wants_input(p->session);
    connection_set_reading(p->connection, reading);
    connection_set_noticing_end(p->connection, session_client(p->session)->blocked);
}

static void received(void *context, void *owner, struct slice bytes, bool into_space)
{
    struct peer *p = owner;
    touch(context, p);
    if (into_space) session_input_received(p->session, bytes.size);
    else session_feed(p->session, bytes);
    if (!session_wants_input(p->session)) set_reading(p);
}

/* Nothing is left that the peer could be waiting for. One that waits for other clients' doings is
 * gone for good, with all that stands behind. */
static bool is_served(const struct peer *p)
{
    const struct chain *output = session_output(p->session);
    bool executed = session_client(p->session)->blocked || session_executed(p->session);
    return executed && output->sent == output->appended;
}

/* A peer that closes its side right after its requests still gets the replies: some may not be
 * made yet, and with `always` they may be waiting for the disk. */
static bool ended(void *context, void *owner)
{
    struct server *s = context;
    struct peer *p = owner;
    if (is_served(p)) return false;
    if (list_empty(&p->ended)) list_append(&s->ended, &p->ended);
    return true;
}

static void sent(void *context, void *owner)
{
    struct peer *p = owner;
    touch(context, p);
    peer_serve(p);
}

static void woken(void *context)
{
    struct server *s = context;
    s->now_us = tick_clock_advance(&s->clock, clock_unix_us(), clock_monotonic_ns());
    s->now_ms = s->now_us / 1000;
}

struct net_callbacks peer_callbacks(struct server *s)
{
    return (struct net_callbacks){
        .context = s,
        .opened = opened,
        .input_space = input_space,
        .received = received,
        .ended = ended,
        .sent = sent,
        .closed = closed,
        .woken = woken,
    };
}

void peer_serve(struct peer *p)
{
    struct chain *output = session_output(p->session);
    if (!session_finished(p->session) && chain_sendable(output))
        connection_send(p->connection, output);
    if (session_finished(p->session)) drop(p);
    else set_reading(p);
}

/* ---- what time brings ---- */

static void close_ended(struct server *s)
{
    struct list *next;
    for (struct list *i = s->ended.next; i != &s->ended; i = next) {
        struct peer *p = CONTAINER_OF(i, struct peer, ended);
        next = i->next;
        if (is_served(p)) drop(p);
    }
}

static void close_idle(struct server *s)
{
    int64_t timeout_ms = config_number(s->config, CONFIG_TIMEOUT) * 1000;
    if (timeout_ms == 0) return;
    while (!list_empty(&s->active)) {
        struct peer *p = CONTAINER_OF(s->active.next, struct peer, active);
        if (s->now_ms - p->active_ms < timeout_ms) return;
        if (session_client(p->session)->blocked) {
            touch(s, p); /* it waits, and may; BLOCK has a timeout of its own */
        } else {
            s->idle_closes++;
            drop(p);
        }
    }
}

static void close_without_login(struct server *s)
{
    while (!list_empty(&s->login)) {
        struct peer *p = CONTAINER_OF(s->login.next, struct peer, login);
        bool authenticated = session_client(p->session)->authenticated ||
                             config_text(s->config, CONFIG_REQUIREPASS).size == 0;
        if (!authenticated && s->now_ms - p->opened_ms < LOGIN_SECONDS * 1000) return;
        if (authenticated) list_remove(&p->login);
        else drop(p);
    }
}

/* The soft half of client-output-buffer-limit: above it for too long. Once a second, and only when
 * it is configured. */
static void close_above_soft(struct server *s, const struct config_output_limit *limit)
{
    struct list *next;
    for (struct list *i = s->active.next; i != &s->active; i = next) {
        struct peer *p = CONTAINER_OF(i, struct peer, active);
        const struct chain *output = session_output(p->session);
        next = i->next;
        if (output->appended - output->sent <= limit->soft_bytes) {
            p->above_soft_ms = 0;
        } else if (p->above_soft_ms == 0) {
            p->above_soft_ms = s->now_ms;
        } else if (s->now_ms - p->above_soft_ms >= (int64_t)limit->soft_seconds * 1000) {
            trace_write(&s->sink.trace, TRACE_WARNING,
                        "client %s is closed: its output is above the soft limit",
                        session_client(p->session)->address);
            drop(p);
        }
    }
}

void peers_check(struct server *s)
{
    if (!list_empty(&s->ended)) close_ended(s);
    close_idle(s);
    close_without_login(s);
    if (s->now_ms < s->soft_check_ms) return;
    struct config_output_limit limit = config_output_limit_normal(s->config);
    s->soft_check_ms = limit.soft_bytes > 0 ? s->now_ms + 1000 : INT64_MAX;
    if (limit.soft_bytes > 0) close_above_soft(s, &limit);
}

int64_t peers_due_ms(const struct server *s)
{
    int64_t due = s->soft_check_ms;
    int64_t timeout_ms = config_number(s->config, CONFIG_TIMEOUT) * 1000;
    if (timeout_ms > 0 && !list_empty(&s->active)) {
        const struct peer *p = CONTAINER_OF(s->active.next, struct peer, active);
        if (p->active_ms + timeout_ms < due) due = p->active_ms + timeout_ms;
    }
    if (!list_empty(&s->login)) {
        const struct peer *p = CONTAINER_OF(s->login.next, struct peer, login);
        int64_t login_due = p->opened_ms + LOGIN_SECONDS * 1000;
        if (login_due < due) due = login_due;
    }
    return due;
}
