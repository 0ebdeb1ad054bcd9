#include "base/memory.h"
#include "net/net_state.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* What the owner of a net would be: it keeps what arrived and may answer. */
enum { OWNERS_MAX = 256, TURNS_MAX = 100000, TURN_MS = 1000 };

struct house;
struct guest {
    struct house *house;
    struct connection *connection;
    struct connection_addresses addresses;
    struct buf input;
    struct chain output;
    struct guest *closes; /* at the first bytes: this guest's connection is closed */
    char *space;          /* input_space */
    size_t space_size;
    size_t largest; /* piece that arrived */
    size_t sent_calls;
    bool keeps_open; /* what 'ended' answers */
    bool ended;
    bool closed;
};

struct house {
    struct net *net;
    struct guest guests[OWNERS_MAX];
    size_t count;
    size_t wakes;
    struct slice refusal;
};

static void *opened(void *context, struct connection *connection,
                    const struct connection_addresses *addresses, struct slice *refusal)
{
    struct house *h = context;
    if (h->refusal.size > 0) {
        *refusal = h->refusal;
        return NULL;
    }
    assert_true(h->count < OWNERS_MAX);
    struct guest *g = &h->guests[h->count++];
    g->house = h;
    g->connection = connection;
    g->addresses = *addresses;
    return g;
}

static char *input_space(void *context, void *owner, size_t *size)
{
    (void)context;
    struct guest *g = owner;
    *size = g->space_size;
    return g->space;
}

static void received(void *context, void *owner, struct slice bytes, bool into_space)
{
    (void)context;
    struct guest *g = owner;
    assert_false(g->closed);
    assert_true(bytes.size > 0);
    assert_int_equal(into_space, g->space != NULL);
    if (into_space) assert_ptr_equal(bytes.data, g->space);
    if (bytes.size > g->largest) g->largest = bytes.size;
    buf_append(&g->input, bytes);
    if (g->closes == NULL) return;
    connection_close(g->closes->connection);
    g->closes->closed = true;
    g->closes->closes = NULL;
    g->closes = NULL;
}

static bool ended(void *context, void *owner)
{
    (void)context;
    struct guest *g = owner;
    g->ended = true;
    return g->keeps_open;
}

static void sent(void *context, void *owner)
{
    (void)context;
    ((struct guest *)owner)->sent_calls++;
}

static void closed(void *context, void *owner)
{
    (void)context;
    struct guest *g = owner;
    assert_false(g->closed);
    g->closed = true;
}

static void woken(void *context)
{
    ((struct house *)context)->wakes++;
}

static int set_up(void **state)
{
    struct house *h = memory_allocate_zeroed(sizeof *h);
    struct net_options options = {
        .callbacks = {h, opened, input_space, received, ended, sent, closed, woken},
        .backlog = 511,
        .keepalive_seconds = 300,
    };
    h->net = net_create(&options);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct house *h = *state;
    net_destroy(h->net);
    for (size_t i = 0; i < h->count; i++) {
        buf_deinit(&h->guests[i].input);
        chain_deinit(&h->guests[i].output);
    }
    memory_free(h, sizeof *h);
    return 0;
}

static void listen_tcp(struct house *h, const char *address, uint16_t port)
{
    struct buf problem = {0};
    if (!net_listen_tcp(h->net, address, port, &problem))
        fail_msg("%.*s", (int)problem.size, problem.data);
    buf_deinit(&problem);
}

static int connect_tcp(struct house *h)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(net_port(h->net))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    return client;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(client >= 0);
    if (connect(client, (struct sockaddr *)&at, sizeof at) == 0) return client;
    close(client);
    return -1;
}

/* Turns until 'count' guests are there. */
static void welcome(struct house *h, size_t count)
{
    for (size_t turns = 0; h->count < count && turns < TURNS_MAX; turns++)
        net_turn(h->net, TURN_MS);
    assert_int_equal(h->count, count);
}

/* A listener, one client, and the guest that it is. */
static struct guest *one_guest(struct house *h, int *client)
{
    listen_tcp(h, "127.0.0.1", 0);
    *client = connect_tcp(h);
    welcome(h, 1);
    return &h->guests[0];
}

static void turn_until(struct house *h, const bool *flag)
{
    for (size_t turns = 0; !*flag && turns < TURNS_MAX; turns++) net_turn(h->net, TURN_MS);
    assert_true(*flag);
}

static void turn_until_input(struct guest *g, size_t size)
{
    for (size_t turns = 0; g->input.size < size && turns < TURNS_MAX; turns++)
        net_turn(g->house->net, TURN_MS);
    assert_int_equal(g->input.size, size);
}

static void write_all(int client, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = send(client, bytes, size, MSG_NOSIGNAL);
        assert_true(written > 0);
        bytes += written;
        size -= (size_t)written;
    }
}

static size_t read_to_end(int client, char *bytes, size_t size)
{
    size_t total = 0;
    while (total < size) {
        ssize_t result = recv(client, bytes + total, size - total, 0);
        if (result <= 0) break;
        total += (size_t)result;
    }
    return total;
}

/* Bytes arrive as they were sent, a reply comes back, and the owner learns both addresses. */
static void test_echo(void **state)
{
    struct house *h = *state;
    int client;
    struct guest *g = one_guest(h, &client);
    assert_true(net_port(h->net) > 0);
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%u", net_port(h->net));
    assert_string_equal(g->addresses.local, expected);
    assert_memory_equal(g->addresses.remote, "127.0.0.1:", 10);
    assert_true(g->addresses.loopback);
    assert_false(g->addresses.unix_socket);

    write_all(client, "hello", 5);
    turn_until_input(g, 5);
    assert_memory_equal(g->input.data, "hello", 5);
    chain_append(&g->output, SLICE("answer, not released"));
    chain_release(&g->output, 6);
    connection_send(g->connection, &g->output);
    char reply[16];
    assert_int_equal(recv(client, reply, sizeof reply, 0), 6);
    assert_memory_equal(reply, "answer", 6);
    struct net_figures figures;
    net_measure(h->net, &figures);
    assert_int_equal(figures.accepted, 1);
    assert_int_equal(figures.received_bytes, 5);
    assert_int_equal(figures.sent_bytes, 6);
    assert_true(h->wakes > 0);
    close(client);
    turn_until(h, &g->closed);
}

/* What one turn cannot hold comes in the next ones: nobody starves, no byte is lost. */
static void test_arena_is_bounded(void **state)
{
    enum { CLIENTS = 40, BYTES = 100 * 1000 };
    struct house *h = *state;
    listen_tcp(h, "127.0.0.1", 0);
    int clients[CLIENTS];
    char *bytes = memory_allocate(BYTES);
    for (size_t i = 0; i < BYTES; i++) bytes[i] = (char)(i * 7 + i / 251);
    for (size_t i = 0; i < CLIENTS; i++) clients[i] = connect_tcp(h);
    welcome(h, CLIENTS);
    for (size_t i = 0; i < CLIENTS; i++) write_all(clients[i], bytes, BYTES);
    struct net_figures before, after;
    for (size_t turns = 0; turns < 1000; turns++) {
        net_measure(h->net, &before);
        net_turn(h->net, 0);
        net_measure(h->net, &after);
        assert_true(after.received_bytes - before.received_bytes <= NET_ARENA_BYTES);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        turn_until_input(&h->guests[i], BYTES);
        assert_true(h->guests[i].largest <= NET_RECEIVE_BYTES_MAX);
        assert_memory_equal(h->guests[i].input.data, bytes, BYTES);
        close(clients[i]);
    }
    memory_free(bytes, BYTES);
}

/* When all send more than a turn can take, all are heard in turn. */
static void test_nobody_starves(void **state)
{
    enum { CLIENTS = 40, BYTES = NET_RECEIVE_BYTES_MAX, TURNS = 10 };
    struct house *h = *state;
    listen_tcp(h, "127.0.0.1", 0);
    int clients[CLIENTS];
    char *bytes = memory_allocate_zeroed(BYTES);
    for (size_t i = 0; i < CLIENTS; i++) clients[i] = connect_tcp(h);
    welcome(h, CLIENTS);
    for (size_t turns = 0; turns < TURNS; turns++) {
        for (size_t i = 0; i < CLIENTS; i++) {
            ssize_t size = 0;
            while (size >= 0) size = send(clients[i], bytes, BYTES, MSG_DONTWAIT);
        }
        net_turn(h->net, TURN_MS);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_true(h->guests[i].input.size > 0);
        close(clients[i]);
    }
    memory_free(bytes, BYTES);
}

/* The owner's own memory is received into, and no more than it offers. */
static void test_input_space(void **state)
{
    struct house *h = *state;
    char space[100];
    int client;
    struct guest *g = one_guest(h, &client);
    g->space = space;
    g->space_size = sizeof space;
    char bytes[250];
    memset(bytes, 'x', sizeof bytes);
    write_all(client, bytes, sizeof bytes);
    turn_until_input(g, sizeof bytes);
    assert_true(g->largest <= sizeof space);
    close(client);
}

/* A connection that is closed while its event is still in the array is not touched. */
static void test_close_of_a_connection_with_pending_events(void **state)
{
    struct house *h = *state;
    listen_tcp(h, "127.0.0.1", 0);
    int first = connect_tcp(h);
    int second = connect_tcp(h);
    welcome(h, 2);
    h->guests[0].closes = &h->guests[1];
    h->guests[1].closes = &h->guests[0];
    write_all(first, "a", 1);
    write_all(second, "b", 1);
    for (size_t turns = 0; turns < 10; turns++) net_turn(h->net, 0);
    assert_int_equal(h->guests[0].closed + h->guests[1].closed, 1);
    assert_int_equal(h->guests[0].input.size + h->guests[1].input.size, 1);
    assert_true(list_empty(&h->net->dead)); /* and its memory is freed */
    close(first);
    close(second);
}

/* A large reply, partly by reference, reaches a slow reader whole and in order, by itself. */
static void test_chain_to_a_slow_reader(void **state)
{
    enum { SHARED_BYTES = 8 * 1000 * 1000, SMALL = 1000 };
    struct house *h = *state;
    int client;
    struct guest *g = one_guest(h, &client);
    struct shared *value = shared_create_sized(SHARED_BYTES, SHARED_BYTES);
    for (size_t i = 0; i < SHARED_BYTES; i++) value->data[i] = (char)(i * 31 + i / 4096);
    for (size_t i = 0; i < SMALL; i++) chain_append(&g->output, SLICE("head"));
    chain_append_shared(&g->output, value, shared_slice(value));
    chain_append(&g->output, SLICE("tail"));
    chain_release(&g->output, g->output.appended);
    connection_send(g->connection, &g->output);
    assert_true(chain_sendable(&g->output)); /* the kernel cannot take all of it */

    size_t size = SHARED_BYTES + SMALL * 4 + 4;
    char *bytes = memory_allocate(size);
    size_t total = 0;
    while (total < size) {
        ssize_t result = recv(client, bytes + total, size - total, MSG_DONTWAIT);
        if (result > 0) total += (size_t)result;
        else net_turn(h->net, TURN_MS);
    }
    assert_memory_equal(bytes, "headhead", 8);
    assert_memory_equal(bytes + SMALL * 4, value->data, SHARED_BYTES);
    assert_memory_equal(bytes + size - 4, "tail", 4);
    assert_false(chain_sendable(&g->output));
    assert_true(g->sent_calls > 0);
    assert_int_equal(value->references, 1);
    shared_release(value);
    memory_free(bytes, size);
    close(client);
}

/* More pieces than one call can send arrive all the same. */
static void test_chain_of_many_pieces(void **state)
{
    enum { PIECES = 5 * NET_VECTORS_MAX, PIECE_BYTES = CHAIN_SHARED_BYTES_MIN };
    struct house *h = *state;
    int client;
    struct guest *g = one_guest(h, &client);
    struct shared *value = shared_create_sized(PIECE_BYTES, PIECE_BYTES);
    memset(value->data, 'p', PIECE_BYTES);
    for (size_t i = 0; i < PIECES; i++) chain_append_shared(&g->output, value, shared_slice(value));
    chain_release(&g->output, g->output.appended);
    connection_send(g->connection, &g->output);
    char bytes[PIECE_BYTES];
    size_t total = 0;
    while (total < (size_t)PIECES * PIECE_BYTES) {
        ssize_t result = recv(client, bytes, sizeof bytes, MSG_DONTWAIT);
        if (result > 0) total += (size_t)result;
        else net_turn(h->net, TURN_MS);
    }
    assert_int_equal(value->references, 1);
    shared_release(value);
    close(client);
}

/* While reading is off nothing arrives; what was sent meanwhile comes when it is on again. */
static void test_reading_off_and_on(void **state)
{
    struct house *h = *state;
    int client;
    struct guest *g = one_guest(h, &client);
    connection_set_reading(g->connection, false);
    write_all(client, "later", 5);
    for (size_t turns = 0; turns < 5; turns++) net_turn(h->net, 1);
    assert_int_equal(g->input.size, 0);
    assert_int_equal(h->net->events_count, 0); /* nor does it keep us awake */
    connection_set_reading(g->connection, true);
    turn_until_input(g, 5);
    close(client);
}

/* A peer that ended its side is kept while the owner has something for it, and closed else. */
static void test_half_closed_peer(void **state)
{
    struct house *h = *state;
    int client;
    struct guest *g = one_guest(h, &client);
    g->keeps_open = true;
    write_all(client, "request", 7);
    shutdown(client, SHUT_WR);
    turn_until(h, &g->ended);
    assert_int_equal(g->input.size, 7);
    assert_false(g->closed);
    chain_append(&g->output, SLICE("reply"));
    chain_release(&g->output, 5);
    connection_send(g->connection, &g->output);
    connection_close(g->connection);
    char reply[16];
    assert_int_equal(read_to_end(client, reply, sizeof reply), 5);
    close(client);

    client = connect_tcp(h);
    welcome(h, 2);
    shutdown(client, SHUT_WR);
    turn_until(h, &h->guests[1].closed);
    assert_true(h->guests[1].ended);
    close(client);
}

/* An owner that reads nothing and waits for something else hears of a peer that went. */
static void test_noticing_the_end_while_not_reading(void **state)
{
    struct house *h = *state;
    int client;
    struct guest *g = one_guest(h, &client);
    connection_set_reading(g->connection, false);
    write_all(client, "queued", 6);
    shutdown(client, SHUT_WR);
    for (size_t turns = 0; turns < 5; turns++) net_turn(h->net, 1);
    assert_false(g->ended);
    connection_set_noticing_end(g->connection, true);
    turn_until(h, &g->closed);
    assert_int_equal(g->input.size, 0);
    close(client);
}

/* Sending to a peer that reset the connection tells the owner in a later turn, never inside. */
static void test_send_to_a_peer_that_is_gone(void **state)
{
    struct house *h = *state;
    int client;
    struct guest *g = one_guest(h, &client);
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(client);
    connection_set_reading(g->connection, false);
    for (size_t i = 0; i < 3; i++) {
        chain_append(&g->output, SLICE("to nobody"));
        chain_release(&g->output, g->output.appended);
        connection_send(g->connection, &g->output);
        assert_false(g->closed);
    }
    turn_until(h, &g->closed);
}

/* A refused connection gets the text and then the end. */
static void test_refusal(void **state)
{
    struct house *h = *state;
    h->refusal = SLICE("-ERR no\r\n");
    listen_tcp(h, "127.0.0.1", 0);
    int client = connect_tcp(h);
    struct net_figures figures = {0};
    while (figures.accepted == 0) {
        net_turn(h->net, TURN_MS);
        net_measure(h->net, &figures);
    }
    char reply[32];
    assert_int_equal(read_to_end(client, reply, sizeof reply), 9);
    assert_memory_equal(reply, "-ERR no\r\n", 9);
    close(client);
}

/* Without descriptors a peer is refused at once; when there are some again, it is served. */
static void test_accepting_survives_emfile(void **state)
{
    struct house *h = *state;
    listen_tcp(h, "127.0.0.1", 0);
    int refused = connect_tcp(h);
    int lowest = dup(0);
    close(lowest);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit tight = {(rlim_t)lowest, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (size_t turns = 0; turns < 3; turns++) net_turn(h->net, 1);
    setrlimit(RLIMIT_NOFILE, &limit);
    char byte;
    assert_true(recv(refused, &byte, 1, 0) <= 0);
    close(refused);
    struct net_figures figures;
    net_measure(h->net, &figures);
    assert_true(figures.accept_errors > 0);
    assert_false(h->net->accepting_paused);
    assert_int_equal(h->count, 0);
    int client = connect_tcp(h);
    welcome(h, 1);
    close(client);
}

/* Both families can have the same port, and each bind is of its own family only. */
static void test_both_families(void **state)
{
    struct house *h = *state;
    listen_tcp(h, "*", 0);
    listen_tcp(h, "::*", net_port(h->net));
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(net_port(h->net))};
    at.sin6_addr = in6addr_loopback;
    int client = socket(AF_INET6, SOCK_STREAM, 0);
    if (client < 0) skip();
    if (connect(client, (struct sockaddr *)&at, sizeof at) != 0) {
        close(client);
        skip();
    }
    welcome(h, 1);
    assert_memory_equal(h->guests[0].addresses.remote, "[::1]:", 6);
    assert_true(h->guests[0].addresses.loopback);
    int other = connect_tcp(h);
    welcome(h, 2);
    assert_memory_equal(h->guests[1].addresses.remote, "127.0.0.1:", 10);
    close(client);
    close(other);
}

/* What cannot be listened on is refused by name; with '-' a missing address is no failure. */
static void test_addresses_that_cannot_be(void **state)
{
    struct house *h = *state;
    struct buf problem = {0};
    listen_tcp(h, "127.0.0.1", 0);
    uint16_t port = net_port(h->net);
    assert_false(net_listen_tcp(h->net, "127.0.0.1", port, &problem));
    char expected[128];
    int size = snprintf(expected, sizeof expected,
                        "cannot listen on 127.0.0.1 port %u: Address already in use", port);
    assert_int_equal(problem.size, size);
    assert_memory_equal(problem.data, expected, problem.size);
    problem.size = 0;
    assert_false(net_listen_tcp(h->net, "192.0.2.1", 0, &problem)); /* TEST-NET-1: nobody has it */
    assert_non_null(memmem(problem.data, problem.size, "192.0.2.1", 9));
    problem.size = 0;
    assert_true(net_listen_tcp(h->net, "-192.0.2.1", 0, &problem));
    assert_int_equal(problem.size, 0);
    assert_false(net_listen_tcp(h->net, "no such host", 0, &problem));
    buf_deinit(&problem);
}

static void make_path(char path[64])
{
    strcpy(path, "/tmp/irmak-net-XXXXXX");
    assert_non_null(mkdtemp(path));
    strcat(path, "/socket");
}

static void remove_path(char *path)
{
    unlink(path);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
}

/* A unix socket has the mode asked for, serves, and its file goes with the listener. */
static void test_unix_socket(void **state)
{
    struct house *h = *state;
    char path[64];
    make_path(path);
    struct buf problem = {0};
    assert_true(net_listen_unix(h->net, path, 0600, &problem));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    int client = connect_unix(path);
    assert_true(client >= 0);
    welcome(h, 1);
    assert_true(h->guests[0].addresses.unix_socket);
    assert_true(h->guests[0].addresses.loopback);
    char expected[80];
    snprintf(expected, sizeof expected, "%s:0", path);
    assert_string_equal(h->guests[0].addresses.remote, expected);
    close(client);
    net_stop_listening(h->net);
    assert_int_equal(stat(path, &status), -1);
    remove_path(path);
    buf_deinit(&problem);
}

/* The file of a dead server is replaced; a live server's socket and a plain file are left alone. */
static void test_unix_socket_path_in_use(void **state)
{
    struct house *h = *state;
    char path[64];
    make_path(path);
    struct buf problem = {0};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&at, sizeof at), 0);
    close(dead);
    assert_true(net_listen_unix(h->net, path, 0, &problem));
    assert_false(net_listen_unix(h->net, path, 0, &problem));
    assert_non_null(memmem(problem.data, problem.size, "another server", 14));
    int client = connect_unix(path);
    assert_true(client >= 0);
    close(client);
    net_stop_listening(h->net);

    FILE *file = fopen(path, "w");
    fputs("precious", file);
    fclose(file);
    problem.size = 0;
    assert_false(net_listen_unix(h->net, path, 0, &problem));
    assert_non_null(memmem(problem.data, problem.size, "no socket", 9));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 8);
    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_false(net_listen_unix(h->net, longer, 0, &problem));
    remove_path(path);
    buf_deinit(&problem);
}

/* Idle connections cost little: the limit of the whole is 2 KiB (issue 2), ours is a part. */
static void test_size_of_a_connection(void **state)
{
    (void)state;
    assert_true(sizeof(struct connection) <= 96);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(test_echo),
        TEST(test_arena_is_bounded),
        TEST(test_nobody_starves),
        TEST(test_input_space),
        TEST(test_close_of_a_connection_with_pending_events),
        TEST(test_chain_to_a_slow_reader),
        TEST(test_chain_of_many_pieces),
        TEST(test_reading_off_and_on),
        TEST(test_half_closed_peer),
        TEST(test_noticing_the_end_while_not_reading),
        TEST(test_send_to_a_peer_that_is_gone),
        TEST(test_refusal),
        TEST(test_accepting_survives_emfile),
        TEST(test_both_families),
        TEST(test_addresses_that_cannot_be),
        TEST(test_unix_socket),
        TEST(test_unix_socket_path_in_use),
        TEST(test_size_of_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
