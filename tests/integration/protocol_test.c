/* protocol_test.c - the wire as bytes: requests in every form and cut, malformed and hostile ones,
 * limits before login, slow readers, maxclients, timeout. Expectations are Redis' own bytes
 * where Redis and Irmak agree; where design/security.md goes further the test asks
 * server_process_is_redis. */
#include "server_process.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

enum {
    PIPELINE_DEPTH = 10000,
    LARGE_BYTES = 1024 * 1024,
    LOGIN_SOCKETS = 1000,
    LOGIN_GROWTH_KIB_MAX = 32 * 1024,
    SLOW_REQUESTS = 500,
    SLOW_GROWTH_KIB_MAX = 128 * 1024,
    CLIENTS_MAX = 20,
};

struct fixture {
    struct server_process plain;
    struct server_process locked; /* requirepass river */
};

static int group_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    server_process_init(&fixture->plain);
    server_process_init(&fixture->locked);
    server_process_option(&fixture->locked, "--requirepass", "river");
    server_process_start(&fixture->plain);
    server_process_start(&fixture->locked);
    *state = fixture;
    return 0;
}

static int group_teardown(void **state)
{
    struct fixture *fixture = *state;
    server_process_stop(&fixture->plain);
    server_process_stop(&fixture->locked);
    server_process_deinit(&fixture->plain);
    server_process_deinit(&fixture->locked);
    free(fixture);
    return 0;
}

static struct wire open_plain(void **state)
{
    struct fixture *fixture = *state;
    struct wire wire = wire_open(fixture->plain.port);
    wire_ask(&wire, "FLUSHALL\r\n", "+OK\r\n");
    return wire;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 300 * 1000}, NULL);
}

/* Inline requests: LF or CR LF, blanks, quotes and escapes; a blank line is no request. */
static void test_inline_requests(void **state)
{
    struct wire wire = open_plain(state);
    wire_ask(&wire, "PING\n", "+PONG\r\n");
    wire_ask(&wire, "  PING   hello  \r\n", "$5\r\nhello\r\n");
    wire_ask(&wire, "\r\n\n\r\nping\r\n", "+PONG\r\n");
    wire_ask(&wire, "SET k \"a b\\x41\\n\\\"\"\r\n", "+OK\r\n");
    wire_ask(&wire, "GET 'k'\r\n", "$6\r\na bA\n\"\r\n");
    wire_ask(&wire, "SET '' 'it\\'s'\r\nGET \"\"\r\n", "+OK\r\n$4\r\nit's\r\n");
    wire_ask(&wire, "ECHO x\r\n*2\r\n$4\r\nECHO\r\n$1\r\ny\r\nECHO z\r\n",
             "$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n");
    wire_close(&wire);
}

static const char REQUESTS[] = "PING\r\n"
                               "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$12\r\nva\r\nl\0ue\r\n*1\r\n"
                               "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"
                               "*0\r\n\r\n"
                               "*1\r\n$6\r\nNOSUCH\r\n"
                               "*5\r\n$4\r\nXADD\r\n$1\r\nx\r\n$3\r\n1-1\r\n$1\r\nf\r\n$0\r\n\r\n"
                               "set \"quo ted\" 'v'\r\n"
                               "*-1\r\n"
                               "*4\r\n$6\r\nXRANGE\r\n$1\r\nx\r\n$1\r\n-\r\n$1\r\n+\r\n"
                               "*3\r\n$3\r\nDEL\r\n$1\r\nx\r\n$7\r\nquo ted\r\n";
static const char REPLIES[] = "+PONG\r\n"
                              "+OK\r\n"
                              "$12\r\nva\r\nl\0ue\r\n*1\r\n"
                              "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"
                              "$3\r\n1-1\r\n"
                              "+OK\r\n"
                              "*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$0\r\n\r\n"
                              ":2\r\n";

/* The same bytes give the same replies, wherever the network cuts them. */
static void test_requests_cut_anywhere(void **state)
{
    struct fixture *fixture = *state;
    struct slice requests = {REQUESTS, sizeof REQUESTS - 1};
    struct slice replies = {REPLIES, sizeof REPLIES - 1};
    struct wire wire = open_plain(state);
    for (size_t cut = 1; cut < requests.size; cut++) {
        assert_true(wire_send(&wire, (struct slice){requests.data, cut}));
        pause_briefly();
        assert_true(wire_send(&wire, (struct slice){requests.data + cut, requests.size - cut}));
        wire_expect_slice(&wire, replies);
    }
    wire_close(&wire);
    wire = wire_open(fixture->plain.port);
    for (size_t i = 0; i < requests.size; i++) {
        assert_true(wire_send(&wire, (struct slice){requests.data + i, 1}));
        pause_briefly();
    }
    wire_expect_slice(&wire, replies);
    wire_close(&wire);
}

/* Ten thousand requests in one piece, mixed with errors, are answered in order. */
static void test_deep_pipeline(void **state)
{
    struct wire wire = open_plain(state);
    size_t size = 0, expected_size = 0;
    char *requests = malloc((size_t)PIPELINE_DEPTH * 64);
    char *expected = malloc((size_t)PIPELINE_DEPTH * 64);
    assert_non_null(requests);
    assert_non_null(expected);
    for (int i = 0; i < PIPELINE_DEPTH; i++) {
        char number[16];
        int digits = snprintf(number, sizeof number, "%d", i);
        const char *command = i % 100 == 99 ? "*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n"
                                            : "*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n";
        size += (size_t)snprintf(requests + size, 64, command, digits, number);
        if (i % 100 == 99)
            expected_size += (size_t)snprintf(expected + expected_size, 64, ":1\r\n");
        else
            expected_size +=
                (size_t)snprintf(expected + expected_size, 64, "$%d\r\n%s\r\n", digits, number);
    }
    assert_true(wire_send(&wire, (struct slice){requests, size}));
    wire_expect_slice(&wire, (struct slice){expected, expected_size});
    free(requests);
    free(expected);
    wire_close(&wire);
}

/* Malformed requests get Redis' own texts; then the connection is closed. */
static void test_protocol_errors(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *request, *reply;
    } cases[] = {
        {"*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*9223372036854775808\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*2\r\n$3\r\nGET\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
        {"*1\r\nPING\r\n", "-ERR Protocol error: expected '$', got 'P'\r\n"},
        {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$18446744073709551616\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"SET k \"open\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
        {"SET k 'x'y\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire wire = wire_open(fixture->plain.port);
        wire_ask(&wire, "PING\r\n", "+PONG\r\n");
        assert_true(wire_send_text(&wire, cases[i].request));
        wire_expect_closed(&wire, cases[i].reply);
        wire_close(&wire);
    }
}

/* Lines without an end: the limit is 64 KiB, whichever kind of line it is. */
static void test_endless_lines(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *head, *reply;
    } cases[] = {
        {"", "-ERR Protocol error: too big inline request\r\n"},
        {"*", "-ERR Protocol error: too big mbulk count string\r\n"},
        {"*1\r\n$", "-ERR Protocol error: too big bulk count string\r\n"},
    };
    static char line[70 * 1024];
    memset(line, '1', sizeof line);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire wire = wire_open(fixture->plain.port);
        assert_true(wire_send_text(&wire, cases[i].head));
        wire_send(&wire, (struct slice){line, sizeof line});
        wire_expect(&wire, cases[i].reply);
        wire_close(&wire);
    }
}

/* A client cannot smuggle a second reply into an error text. */
static void test_errors_are_one_line(void **state)
{
    struct wire wire = open_plain(state);
    char line[512];
    assert_true(
        wire_send_text(&wire, "*2\r\n$8\r\na\r\n+OK\r\n\r\n$8\r\nb\r\n+OK\r\n\r\nPING\r\n"));
    wire_read_line(&wire, line, sizeof line);
    assert_memory_equal(line, "-ERR unknown command 'a", 23);
    wire_expect(&wire, "+PONG\r\n");
    wire_close(&wire);
}

/* RESP2 and RESP3 forms of the same replies; HELLO without a version keeps what there is. */
static void test_protocol_versions(void **state)
{
    struct wire wire = open_plain(state);
    char line[64];
    wire_ask(&wire, "GET none\r\n", "$-1\r\n");
    wire_ask(&wire, "XREAD STREAMS none 0\r\n", "*-1\r\n");
    wire_ask(&wire, "CONFIG GET appendfsync\r\n", "*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n");
    assert_true(wire_send_text(&wire, "HELLO 3\r\n"));
    wire_expect(&wire, "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n");
    free(wire_read_bulk(&wire, NULL));
    wire_expect(&wire, "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:");
    wire_read_line(&wire, line, sizeof line);
    wire_expect(&wire, "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
                       "$7\r\nmodules\r\n*0\r\n");
    wire_ask(&wire, "GET none\r\n", "_\r\n");
    wire_ask(&wire, "XREAD STREAMS none 0\r\n", "_\r\n");
    wire_ask(&wire, "CONFIG GET appendfsync\r\n", "%1\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n");
    wire_ask(&wire, "XADD s 1-1 f v\r\nXREAD STREAMS s 0\r\n",
             "$3\r\n1-1\r\n%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    wire_ask(&wire, "HELLO 9\r\n", "-NOPROTO unsupported protocol version\r\n");
    wire_ask(&wire, "GET none\r\n", "_\r\n");
    wire_ask(&wire, "RESET\r\n", "+RESET\r\n");
    wire_ask(&wire, "GET none\r\n", "$-1\r\n");
    wire_close(&wire);
}

/* CLIENT REPLY OFF, SKIP and ON decide which requests are answered. */
static void test_client_reply(void **state)
{
    struct wire wire = open_plain(state);
    wire_ask(&wire, "CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\n", "$1\r\n1\r\n");
    wire_ask(&wire,
             "CLIENT REPLY OFF\r\nSET a 2\r\nGET a\r\nNOSUCH\r\nCLIENT REPLY ON\r\nGET a\r\n",
             "+OK\r\n$1\r\n2\r\n");
    wire_ask(&wire, "QUIT\r\n", "+OK\r\n");
    wire_expect_closed(&wire, "");
    wire_close(&wire);
}

/* --- Before login. --------------------------------------------------------------------------- */

static const char NO_AUTH[] = "-NOAUTH Authentication required.\r\n";

/* Without the password nothing is told; wrong ones are refused; the right one opens. */
static void test_login(void **state)
{
    struct fixture *fixture = *state;
    struct wire wire = wire_open(fixture->locked.port);
    static const char *const closed[] = {"PING\r\n",    "GET k\r\n",       "INFO\r\n",
                                         "COMMAND\r\n", "CLIENT LIST\r\n", "CONFIG GET *\r\n"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) wire_ask(&wire, closed[i], NO_AUTH);
    /* Redis 7.0 leaves out <proto>; the text of 8 is ours. */
    wire_ask(
        &wire, "HELLO 3\r\n",
        server_process_is_redis()
            ? "-NOAUTH HELLO must be called with the client already authenticated, otherwise the "
              "HELLO AUTH <user> <pass> option can be used to authenticate the client and "
              "select the RESP protocol version at the same time\r\n"
            : "-NOAUTH HELLO must be called with the client already authenticated, otherwise the "
              "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and "
              "select the RESP protocol version at the same time\r\n");
    wire_ask(&wire, "AUTH wrong\r\n",
             "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    wire_ask(&wire, "AUTH nobody river\r\n",
             "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    wire_ask(&wire, "HELLO 3 AUTH default wrong\r\n",
             "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    wire_ask(&wire, "PING\r\n", NO_AUTH);
    wire_ask(&wire, "AUTH default river\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    wire_ask(&wire, "RESET\r\nPING\r\n", "+RESET\r\n-NOAUTH Authentication required.\r\n");
    wire_ask(&wire, "AUTH river\r\nPING\r\nQUIT\r\n", "+OK\r\n+PONG\r\n+OK\r\n");
    wire_expect_closed(&wire, "");
    wire_close(&wire);
}

/* 10 arguments and 16 KiB are let in before login, one more is not; after login both are. */
static void test_limits_before_login(void **state)
{
    struct fixture *fixture = *state;
    static char bulk[16385 + 64];
    static const char ten[] = "*10\r\n$3\r\nDEL\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n"
                              "$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n";
    memset(bulk, 'x', sizeof bulk);
    struct wire wire = wire_open(fixture->locked.port);
    wire_ask(&wire, ten, NO_AUTH);
    wire_send_text(&wire, "*2\r\n$4\r\nECHO\r\n$16384\r\n");
    wire_send(&wire, (struct slice){bulk, 16384});
    wire_send_text(&wire, "\r\n");
    wire_expect(&wire, NO_AUTH);
    wire_send_text(&wire, "*11\r\n");
    wire_expect_closed(&wire, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    wire_close(&wire);
    wire = wire_open(fixture->locked.port);
    wire_send_text(&wire, "*2\r\n$4\r\nECHO\r\n$16385\r\n");
    wire_expect_closed(&wire, "-ERR Protocol error: unauthenticated bulk length\r\n");
    wire_close(&wire);
    wire = wire_open(fixture->locked.port);
    wire_ask(&wire, "AUTH river\r\n", "+OK\r\n");
    wire_send_text(&wire, "*2\r\n$6\r\nSTRLEN\r\n$16385\r\n");
    wire_send(&wire, (struct slice){bulk, 16385});
    wire_send_text(&wire, "\r\n");
    wire_expect(&wire, ":0\r\n");
    wire_send_text(&wire, "*11\r\n$3\r\nDEL\r\n");
    for (int i = 0; i < 10; i++) wire_send_text(&wire, "$1\r\nk\r\n");
    wire_expect(&wire, ":0\r\n");
    wire_close(&wire);
}

static long resident_kib(const struct server_process *server)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)server->pid);
    char *text = server_process_read_file(path);
    const char *line = strstr(text, "VmRSS:");
    assert_non_null(line);
    long kib = strtol(line + 6, NULL, 10);
    free(text);
    return kib;
}

/* A sanitizer's own memory would be counted as the server's. */
static bool is_sanitized(const struct server_process *server)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)server->pid);
    char *text = server_process_read_file(path);
    bool sanitized = strstr(text, "libasan") != NULL || strstr(text, "libtsan") != NULL;
    free(text);
    return sanitized;
}

/* A thousand strangers who talk and never read cost the server less than 32 MiB. */
static void test_strangers_cost_little_memory(void **state)
{
    struct fixture *fixture = *state;
    static struct wire wires[LOGIN_SOCKETS];
    static char pings[6 * 4096 + 1];
    if (server_process_is_redis()) skip(); /* CVE-2025-21605 is in 7.0.15 */
    if (is_sanitized(&fixture->locked)) skip();
    for (size_t i = 0; i < 4096; i++) memcpy(pings + 6 * i, "PING\r\n", 6);
    long before = resident_kib(&fixture->locked);
    for (size_t i = 0; i < LOGIN_SOCKETS; i++) {
        int small = 4096;
        wires[i] = wire_open(fixture->locked.port);
        setsockopt(wires[i].descriptor, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        fcntl(wires[i].descriptor, F_SETFL, O_NONBLOCK);
        for (int k = 0; k < 4; k++) wire_send(&wires[i], (struct slice){pings, sizeof pings - 1});
    }
    struct wire wire = wire_open(fixture->locked.port);
    wire_ask(&wire, "AUTH river\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    long growth = resident_kib(&fixture->locked) - before;
    for (size_t i = 0; i < LOGIN_SOCKETS; i++) wire_close(&wires[i]);
    wire_close(&wire);
    print_message("%d strangers: %ld KiB\n", LOGIN_SOCKETS, growth);
    assert_true(growth < LOGIN_GROWTH_KIB_MAX);
}

/* --- Other protocols, slow readers, too many clients. ---------------------------------------- */

/* A browser or another protocol that was sent here is cut off and none of it runs. */
static void test_foreign_protocols(void **state)
{
    struct fixture *fixture = *state;
    static const struct slice foreign[] = {
        {"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET smuggled 1\r\n", 45},
        {"Host: localhost\r\nSET smuggled 1\r\n", 33},
        {"host: localhost\r\nSET smuggled 1\r\n", 33},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\nSET smuggled 1\r\n", 29},
        {"SSH-2.0-OpenSSH_9.2p1\r\nSET smuggled 1\r\n", 39},
    };
    struct wire other = open_plain(state);
    size_t count = server_process_is_redis() ? 3 : sizeof foreign / sizeof *foreign;
    for (size_t i = 0; i < count; i++) {
        struct wire wire = wire_open(fixture->plain.port);
        wire_send(&wire, foreign[i]);
        char bytes[512];
        while (wire_read(&wire, bytes, sizeof bytes) > 0) {
        }
        wire_close(&wire);
    }
    wire_ask(&other, "EXISTS smuggled\r\n", ":0\r\n");
    wire_close(&other);
}

/* Reads what comes until 'size' bytes have come or the peer has closed; how many came. */
static size_t drain(const struct wire *wire, size_t size)
{
    char *bytes = malloc(LARGE_BYTES);
    assert_non_null(bytes);
    size_t total = 0;
    for (size_t got = 1; got > 0 && total < size; total += got)
        got = wire_read(wire, bytes, LARGE_BYTES);
    free(bytes);
    return total;
}

/* Who asks for 500 MB and does not read it costs the server a bounded amount, and others are served
 * meanwhile. It is closed (Redis, past its limit), or gets every reply once it reads. */
static void test_slow_reader(void **state)
{
    struct fixture *fixture = *state;
    struct wire wire = open_plain(state), slow = wire_open(fixture->plain.port);
    char *value = malloc(LARGE_BYTES);
    char head[64];
    assert_non_null(value);
    memset(value, 'v', LARGE_BYTES);
    wire_ask(&wire, "CONFIG SET client-output-buffer-limit \"normal 67108864 0 0\"\r\n", "+OK\r\n");
    snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", LARGE_BYTES);
    wire_send_text(&wire, head);
    wire_send(&wire, (struct slice){value, LARGE_BYTES});
    wire_ask(&wire, "\r\n", "+OK\r\n");
    free(value);
    long before = resident_kib(&fixture->plain);
    for (int i = 0; i < SLOW_REQUESTS; i++) wire_send_text(&slow, "GET k\r\nPING\r\n");
    for (int i = 0; i < 100; i++) {
        wire_ask(&wire, "PING\r\n", "+PONG\r\n");
        pause_briefly();
    }
    long growth = resident_kib(&fixture->plain) - before;
    size_t expected = SLOW_REQUESTS * (strlen("$1048576\r\n\r\n+PONG\r\n") + LARGE_BYTES);
    size_t total = drain(&slow, expected);
    print_message("a slow reader of %d MB: %ld KiB; then it got %zu bytes\n", SLOW_REQUESTS, growth,
                  total);
    if (!is_sanitized(&fixture->plain)) assert_true(growth < SLOW_GROWTH_KIB_MAX);
    if (!server_process_is_redis()) assert_int_equal(total, expected);
    wire_ask(&wire, "CONFIG SET client-output-buffer-limit \"normal 0 0 0\"\r\n", "+OK\r\n");
    wire_close(&slow);
    wire_close(&wire);
}

/* The client after the last one is told so and closed; when one leaves there is room again. */
static void test_maxclients(void **state)
{
    (void)state;
    struct server_process server;
    struct wire wires[CLIENTS_MAX];
    server_process_init(&server);
    server_process_option(&server, "--maxclients", "20");
    server_process_start(&server);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        wires[i] = wire_open(server.port);
        wire_ask(&wires[i], "PING\r\n", "+PONG\r\n");
    }
    struct wire refused = wire_open(server.port);
    wire_expect_closed(&refused, "-ERR max number of clients reached\r\n");
    wire_close(&refused);
    wire_ask(&wires[0], "QUIT\r\n", "+OK\r\n");
    wire_expect_closed(&wires[0], "");
    wire_close(&wires[0]);
    wires[0] = wire_open(server.port);
    wire_ask(&wires[0], "PING\r\n", "+PONG\r\n");
    for (int i = 0; i < CLIENTS_MAX; i++) wire_close(&wires[i]);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* An idle client is closed after `timeout` seconds; a blocked one is not idle. */
static void test_timeout(void **state)
{
    struct fixture *fixture = *state;
    struct wire wire = open_plain(state);
    struct wire blocked = wire_open(fixture->plain.port), idle = wire_open(fixture->plain.port);
    wire_ask(&wire, "CONFIG SET timeout 1\r\n", "+OK\r\n");
    wire_ask(&idle, "PING\r\n", "+PONG\r\n");
    wire_send_text(&blocked, "XREAD BLOCK 0 STREAMS s $\r\n");
    wire_expect_closed(&idle, "");
    wire_close(&idle);
    wire_close(&wire);
    wire = wire_open(fixture->plain.port);
    wire_ask(&wire, "CONFIG SET timeout 0\r\nXADD s 1-1 f v\r\n", "+OK\r\n$3\r\n1-1\r\n");
    wire_expect(&blocked,
                "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    wire_close(&blocked);
    wire_close(&wire);
}

/* Commands behind a blocked one wait for it; a client that goes away while blocked leaves no
 * trace. */
static void test_blocked_clients(void **state)
{
    struct fixture *fixture = *state;
    struct wire wire = open_plain(state), blocked = wire_open(fixture->plain.port);
    char line[64];
    wire_send_text(&blocked, "CLIENT ID\r\n");
    wire_read_line(&blocked, line, sizeof line);
    wire_ask(&wire, "XGROUP CREATE s g $ MKSTREAM\r\n", "+OK\r\n");
    wire_send_text(&blocked, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\nPING\r\n");
    struct wire gone = wire_open(fixture->plain.port);
    wire_send_text(&gone, "XREADGROUP GROUP g gone BLOCK 0 STREAMS s >\r\n");
    for (char *clients = strdup(""), *found = NULL; found == NULL;) {
        free(clients);
        wire_send_text(&wire, "INFO clients\r\n");
        clients = wire_read_bulk(&wire, NULL);
        found = strstr(clients, "blocked_clients:2\r\n");
        if (found != NULL) free(clients);
    }
    wire_close(&gone);
    wire_ask(&wire, "XADD s 1-1 f v\r\n", "$3\r\n1-1\r\n");
    wire_expect(&blocked,
                "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
                "+PONG\r\n");
    wire_send_text(&blocked, "XREAD BLOCK 0 STREAMS s $\r\n");
    char command[96];
    snprintf(command, sizeof command, "CLIENT KILL ID %s\r\n", line + 1);
    wire_ask(&wire, command, ":1\r\n");
    wire_expect_closed(&blocked, "");
    wire_close(&blocked);
    wire_close(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline_requests),
        cmocka_unit_test(test_requests_cut_anywhere),
        cmocka_unit_test(test_deep_pipeline),
        cmocka_unit_test(test_protocol_errors),
        cmocka_unit_test(test_endless_lines),
        cmocka_unit_test(test_errors_are_one_line),
        cmocka_unit_test(test_protocol_versions),
        cmocka_unit_test(test_client_reply),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_limits_before_login),
        cmocka_unit_test(test_strangers_cost_little_memory),
        cmocka_unit_test(test_foreign_protocols),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_maxclients),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_blocked_clients),
    };
    return cmocka_run_group_tests_name("integration protocol", tests, group_setup, group_teardown);
}
