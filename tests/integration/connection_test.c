/* connection_test.c - what becomes of connections: peers that close one side, that do not read,
 * that come from elsewhere; limits set at run time; and the end of the process with clients.
 *
 * One server for the tests that change nothing of it, a server of its own for the others. */
#include "server_process.h"
#include "waiting.h"
#include "wire.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum { BIG_BYTES = 32 * 1024 * 1024 };

static int group_setup(void **state)
{
    struct server_process *server = calloc(1, sizeof *server);
    server_process_init(server);
    server_process_start(server);
    *state = server;
    return 0;
}

static int group_teardown(void **state)
{
    struct server_process *server = *state;
    server_process_stop(server);
    server_process_deinit(server);
    free(server);
    return 0;
}

/* Waits until INFO's answer holds the text. */
static void expect_info(int port, const char *section, const char *expected)
{
    struct wire wire = wire_open(port);
    char request[64];
    snprintf(request, sizeof request, "INFO %s\r\n", section);
    bool found = false;
    for (int i = 0; i < WAITS_MAX && !found; i++) {
        wire_send_text(&wire, request);
        char *text = wire_read_bulk(&wire, NULL);
        found = strstr(text, expected) != NULL;
        free(text);
        if (!found) pause_briefly();
    }
    wire_close(&wire);
    if (!found) fail_msg("INFO %s does not come to hold %s", section, expected);
}

/* A client that closes its side behind its requests gets all replies, though they wait for the
 * disk; then the server closes too. */
static void test_replies_to_a_half_closed_client(void **state)
{
    const struct server_process *server = *state;
    for (int i = 0; i < 20; i++) {
        struct wire wire = wire_open(server->port);
        wire_send_text(&wire, "SET half 1\r\nGET half\r\nPING\r\n");
        shutdown(wire.descriptor, SHUT_WR);
        wire_expect_closed(&wire, "+OK\r\n$1\r\n1\r\n+PONG\r\n");
        wire_close(&wire);
    }
}

/* Blank lines are cheap to send and each is a request: more than a tick takes. What comes behind
 * them is still answered when the client has closed its side. */
static void test_many_requests_of_a_half_closed_client(void **state)
{
    enum { BLANK_LINES = 200 * 1000 };
    const struct server_process *server = *state;
    struct wire wire = wire_open(server->port);
    char *lines = malloc(BLANK_LINES);
    memset(lines, '\n', BLANK_LINES);
    wire_send(&wire, (struct slice){lines, BLANK_LINES});
    wire_send_text(&wire, "PING\r\n");
    shutdown(wire.descriptor, SHUT_WR);
    wire_expect_closed(&wire, "+PONG\r\n");
    wire_close(&wire);
    free(lines);
}

/* Waits until the server has read everything that was sent before: loopback keeps the order. */
static void synchronise(const struct wire *other)
{
    wire_ask(other, "PING\r\n", "+PONG\r\n");
}

/* A client that waits for others and closes its side is gone, with requests behind or without. */
static void test_waiting_clients_that_go(void **state)
{
    const struct server_process *server = *state;
    struct wire half = wire_open(server->port), queued = wire_open(server->port);
    wire_send_text(&half, "XREAD BLOCK 0 STREAMS nothing $\r\n");
    wire_send_text(&queued, "XREAD BLOCK 0 STREAMS nothing $\r\nSET queued 1\r\n");
    expect_info(server->port, "clients", "blocked_clients:2\r\n");
    shutdown(half.descriptor, SHUT_WR);
    wire_expect_closed(&half, "");
    wire_close(&half);
    /* More behind what is already queued: from here on the server does not read from it. */
    struct wire wire = wire_open(server->port);
    wire_send_text(&queued, "SET queued 2\r\n");
    synchronise(&wire);
    wire_close(&queued);
    expect_info(server->port, "clients", "blocked_clients:0\r\n");
    wire_ask(&wire, "EXISTS queued\r\n", ":0\r\n");
    wire_close(&wire);
}

/* Requests behind a wait whose reply nobody wants are read and executed when it ends. Without a
 * log nothing else would make the server look at that connection again. */
static void test_requests_behind_a_silent_wait(void **state)
{
    (void)state;
    struct server_process server;
    server_process_init(&server);
    server_process_option(&server, "--appendonly", "no");
    server_process_start(&server);
    struct wire waiting = wire_open(server.port), wire = wire_open(server.port);
    wire_send_text(&waiting, "CLIENT REPLY OFF\r\nXREAD BLOCK 0 STREAMS silent $\r\nSET one 1\r\n");
    expect_info(server.port, "clients", "blocked_clients:1\r\n");
    wire_send_text(&waiting, "SET two 2\r\n");
    synchronise(&wire);
    wire_ask(&wire, "XADD silent 1-1 f v\r\n", "$3\r\n1-1\r\n");
    wire_send_text(&waiting, "CLIENT REPLY ON\r\n");
    wire_expect(&waiting, "+OK\r\n");
    wire_ask(&wire, "GET one\r\nGET two\r\n", "$1\r\n1\r\n$1\r\n2\r\n");
    wire_close(&waiting);
    wire_close(&wire);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* An argument of proto-max-bulk-len is let in and one of a byte more is not, from now on. */
static void test_argument_limit_at_run_time(void **state)
{
    enum { LIMIT = 1024 * 1024 };
    const struct server_process *server = *state;
    struct wire wire = wire_open(server->port);
    wire_ask(&wire, "CONFIG SET proto-max-bulk-len 1mb\r\n", "+OK\r\n");
    char *value = malloc(LIMIT + 2);
    memset(value, 'v', LIMIT);
    memcpy(value + LIMIT, "\r\n", 2);
    wire_send_text(&wire, "*3\r\n$3\r\nSET\r\n$5\r\nlimit\r\n$1048576\r\n");
    wire_send(&wire, (struct slice){value, LIMIT + 2});
    wire_expect(&wire, "+OK\r\n");
    free(value);
    wire_send_text(&wire, "*3\r\n$3\r\nSET\r\n$5\r\nlimit\r\n$1048577\r\n");
    wire_expect_closed(&wire, "-ERR Protocol error: invalid bulk length\r\n");
    wire_close(&wire);
    wire = wire_open(server->port);
    wire_ask(&wire, "CONFIG SET proto-max-bulk-len 512mb\r\n", "+OK\r\n");
    wire_close(&wire);
}

/* Above the hard limit of unsent replies a client is closed, and the others do not notice. */
static void test_output_limit_at_run_time(void **state)
{
    const struct server_process *server = *state;
    struct wire wire = wire_open(server->port), greedy = wire_open(server->port);
    char *value = malloc(BIG_BYTES + 2);
    memset(value, 'v', BIG_BYTES);
    memcpy(value + BIG_BYTES, "\r\n", 2);
    wire_send_text(&wire, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$33554432\r\n");
    wire_send(&wire, (struct slice){value, BIG_BYTES + 2});
    wire_expect(&wire, "+OK\r\n");
    free(value);
    wire_ask(&wire, "CONFIG SET client-output-buffer-limit \"normal 16mb 0 0\"\r\n", "+OK\r\n");
    wire_send_text(&greedy, "GET big\r\n");
    wire_expect_closed(&greedy, "");
    wire_close(&greedy);
    wire_ask(&wire, "CONFIG SET client-output-buffer-limit \"normal 0 16mb 1\"\r\n", "+OK\r\n");
    greedy = wire_open(server->port);
    wire_send_text(&greedy, "GET big\r\n");
    expect_info(server->port, "clients",
                "connected_clients:2\r\n"); /* wire and the one that asks */
    wire_close(&greedy);
    wire_ask(&wire, "CONFIG SET client-output-buffer-limit \"normal 0 0 0\"\r\n", "+OK\r\n");
    wire_ask(&wire, "DEL big\r\nPING\r\n", ":1\r\n+PONG\r\n");
    wire_close(&wire);
}

/* An IPv4 address of this machine that is not its loopback; false if it has none. */
static bool outer_address(char address[INET_ADDRSTRLEN])
{
    struct ifaddrs *all, *one;
    if (getifaddrs(&all) != 0) return false;
    for (one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET) continue;
        const struct sockaddr_in *in = (const void *)one->ifa_addr;
        if (ntohl(in->sin_addr.s_addr) >> 24 == 127) continue;
        inet_ntop(AF_INET, &in->sin_addr, address, INET_ADDRSTRLEN);
        break;
    }
    freeifaddrs(all);
    return one != NULL;
}

/* Without a password only this machine may speak; with one, or with protected-mode no, others. */
static void test_protected_mode(void **state)
{
    (void)state;
    char address[INET_ADDRSTRLEN], start[128];
    if (!outer_address(address)) skip();
    struct server_process server;
    server_process_init(&server);
    server_process_option(&server, "--bind", "*");
    server_process_start(&server);
    struct wire inner = wire_open(server.port), outer = wire_open_address(address, server.port);
    wire_read_line(&outer, (char[2048]){0}, 2048);
    wire_expect_closed(&outer, "");
    wire_close(&outer);
    expect_info(server.port, "stats", "protected_mode_refusals:1\r\n");
    wire_ask(&inner, "CONFIG SET requirepass secret\r\n", "+OK\r\n");
    outer = wire_open_address(address, server.port);
    wire_send_text(&outer, "PING\r\n");
    wire_read_line(&outer, start, sizeof start);
    assert_string_equal(start, "-NOAUTH Authentication required.");
    wire_close(&outer);
    wire_ask(&inner, "CONFIG SET requirepass \"\" protected-mode no\r\n", "+OK\r\n");
    outer = wire_open_address(address, server.port);
    wire_ask(&outer, "PING\r\n", "+PONG\r\n");
    wire_close(&outer);
    wire_close(&inner);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* A client that does not read its reply, and the server that has it. */
static struct wire start_with_slow_reader(struct server_process *server, const char *timeout)
{
    server_process_init(server);
    server_process_option(server, "--shutdown-timeout", timeout);
    server_process_start(server);
    struct wire wire = wire_open(server->port), slow = wire_open(server->port);
    wire_ask(&wire, "SETRANGE big 33554431 x\r\n", ":33554432\r\n");
    wire_send_text(&slow, "GET big\r\n");
    expect_info(server->port, "commandstats", "cmdstat_get:calls=1");
    wire_close(&wire);
    return slow;
}

/* The end waits for replies to be read, but no longer than it was told to. */
static void test_end_with_a_slow_reader(void **state)
{
    (void)state;
    struct server_process server;
    struct wire slow = start_with_slow_reader(&server, "1");
    assert_int_equal(server_process_end(&server, SIGTERM), 0);
    char *log = server_process_read_log(&server);
    assert_non_null(strstr(log, "1 clients did not read their replies in time"));
    free(log);
    wire_close(&slow);
    server_process_deinit(&server);
}

static void wait_until_it_stops(const struct server_process *server)
{
    for (int i = 0; i < WAITS_MAX; i++) {
        char *log = server_process_read_log(server);
        bool stopping = strstr(log, "Stopping") != NULL;
        free(log);
        if (stopping) return;
        pause_briefly();
    }
    fail_msg("it does not stop");
}

/* A second signal does not wait for anything. */
static void test_second_signal(void **state)
{
    (void)state;
    struct server_process server;
    struct wire slow = start_with_slow_reader(&server, "1000000");
    kill(server.pid, SIGTERM);
    wait_until_it_stops(&server);
    int status = server_process_end(&server, SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    wire_close(&slow);
    server_process_deinit(&server);
}

/* SHUTDOWN is no signal: the first one that comes behind it changes nothing. */
static void test_signal_behind_shutdown(void **state)
{
    (void)state;
    struct server_process server;
    struct wire slow = start_with_slow_reader(&server, "2");
    struct wire wire = wire_open(server.port);
    wire_send_text(&wire, "SHUTDOWN\r\n");
    wait_until_it_stops(&server);
    assert_int_equal(server_process_end(&server, SIGTERM), 0);
    char *log = server_process_read_log(&server);
    assert_non_null(strstr(log, "Received SIGTERM"));
    assert_non_null(strstr(log, "1 clients did not read their replies in time"));
    free(log);
    wire_close(&wire);
    wire_close(&slow);
    server_process_deinit(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_to_a_half_closed_client),
        cmocka_unit_test(test_many_requests_of_a_half_closed_client),
        cmocka_unit_test(test_waiting_clients_that_go),
        cmocka_unit_test(test_requests_behind_a_silent_wait),
        cmocka_unit_test(test_argument_limit_at_run_time),
        cmocka_unit_test(test_output_limit_at_run_time),
        cmocka_unit_test(test_protected_mode),
        cmocka_unit_test(test_end_with_a_slow_reader),
        cmocka_unit_test(test_second_signal),
        cmocka_unit_test(test_signal_behind_shutdown),
    };
    return cmocka_run_group_tests_name("integration connections", tests, group_setup,
                                       group_teardown);
}
