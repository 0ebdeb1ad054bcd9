/* process_test.c - the server as a process: signals, sockets, configuration, directories.
 *
 * Each test starts servers of its own. Where Redis and Irmak differ by design the test asks
 * server_process_is_redis and says why. */
#include "server_process.h"
#include "waiting.h"
#include "wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SHUTDOWN_AFTER = 200 };

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static bool file_contains(const char *path, const char *part)
{
    char *text = server_process_read_file(path);
    bool found = contains(text, part);
    free(text);
    return found;
}

static void expect_in_file(const char *path, const char *part)
{
    for (int i = 0; i < WAITS_MAX && !file_contains(path, part); i++) pause_briefly();
    char *text = server_process_read_file(path);
    if (!contains(text, part)) print_error("'%s' is not in %s:\n%.2000s\n", part, path, text);
    bool found = contains(text, part);
    free(text);
    assert_true(found);
}

/* --- Ending and starting again. -------------------------------------------------------------- */

static void write_things(int port)
{
    struct wire wire = wire_open(port);
    wire_ask(&wire, "SET k v\r\nINCRBY n 42\r\nSET e v PX 100000000\r\n", "+OK\r\n:42\r\n+OK\r\n");
    wire_ask(&wire, "XADD s 1-1 f v\r\nXADD s 2-1 f w\r\n", "$3\r\n1-1\r\n$3\r\n2-1\r\n");
    wire_ask(&wire, "XGROUP CREATE s g 0\r\n", "+OK\r\n");
    wire_ask(&wire, "XREADGROUP GROUP g c COUNT 1 STREAMS s >\r\n",
             "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    wire_ask(&wire, "SELECT 15\r\nSET k fifteen\r\n", "+OK\r\n+OK\r\n");
    wire_close(&wire);
}

static void expect_things(int port)
{
    struct wire wire = wire_open(port);
    wire_ask(&wire, "GET k\r\nGET n\r\nDBSIZE\r\n", "$1\r\nv\r\n$2\r\n42\r\n:4\r\n");
    wire_ask(&wire, "XLEN s\r\n", ":2\r\n");
    wire_ask(&wire, "XPENDING s g\r\n",
             "*4\r\n:1\r\n$3\r\n1-1\r\n$3\r\n1-1\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n1\r\n");
    wire_ask(&wire, "XREADGROUP GROUP g c STREAMS s >\r\nXGROUP SETID s g 1-1\r\n",
             "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nf\r\n$1\r\nw\r\n+OK\r\n");
    wire_ask(&wire, "XACK s g 2-1\r\n", ":1\r\n");
    wire_ask(&wire, "PERSIST e\r\nPEXPIRE e 100000000\r\n", ":1\r\n:1\r\n");
    wire_ask(&wire, "SELECT 15\r\nGET k\r\n", "+OK\r\n$7\r\nfifteen\r\n");
    wire_close(&wire);
}

static void end_and_return(const char *appendfsync, int signal)
{
    struct server_process server;
    server_process_init(&server);
    server_process_option(&server, "--appendfsync", appendfsync);
    server_process_start(&server);
    write_things(server.port);
    for (int i = 0; i < 3; i++) {
        int status = server_process_end(&server, signal);
        if (signal != SIGKILL) {
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
        }
        server_process_start(&server);
        expect_things(server.port);
    }
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* SIGTERM and SIGINT end the process with status 0 and keep every acknowledged write, also one that
 * everysec or no had not synced yet. */
static void test_clean_shutdown_keeps_the_data(void **state)
{
    (void)state;
    static const char *const modes[] = {"always", "everysec", "no"};
    for (size_t i = 0; i < 3; i++) {
        end_and_return(modes[i], SIGTERM);
        end_and_return(modes[i], SIGINT);
    }
    end_and_return("always", SIGKILL);
}

/* SHUTDOWN is a clean end too; the connection that asked for it sees the end, not an error. */
static void test_shutdown_command(void **state)
{
    (void)state;
    static const char *const commands[] = {"SHUTDOWN\r\n", "SHUTDOWN NOSAVE\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct server_process server;
        server_process_init(&server);
        server_process_start(&server);
        write_things(server.port);
        struct wire wire = wire_open(server.port);
        wire_send_text(&wire, commands[i]);
        wire_expect_closed(&wire, "");
        wire_close(&wire);
        for (int k = 0; k < WAITS_MAX && server_process_is_running(&server); k++) pause_briefly();
        assert_int_equal(server.pid, 0);
        server_process_start(&server);
        expect_things(server.port);
        server_process_deinit(&server);
    }
}

/* A clean end while a client writes: what was answered is there. */
static void test_shutdown_under_load(void **state)
{
    (void)state;
    struct server_process server;
    long answered = 0;
    server_process_init(&server);
    server_process_start(&server);
    struct wire wire = wire_open(server.port);
    for (char byte = 0; wire_send_text(&wire, "INCR n\r\n");) {
        if (answered == SHUTDOWN_AFTER) kill(server.pid, SIGTERM);
        while (byte != '\n' && wire_read(&wire, &byte, 1) == 1) {
        }
        if (byte != '\n') break;
        byte = 0;
        answered++;
    }
    wire_close(&wire);
    assert_int_equal(server_process_end(&server, 0), 0);
    server_process_start(&server);
    wire = wire_open(server.port);
    wire_send_text(&wire, "GET n\r\n");
    char *number = wire_read_bulk(&wire, NULL);
    long found = strtol(number, NULL, 10);
    free(number);
    assert_true(answered >= SHUTDOWN_AFTER);
    assert_in_range(found, answered, answered + 1);
    wire_close(&wire);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* appendonly no keeps nothing and says so in INFO. */
static void test_without_a_log(void **state)
{
    (void)state;
    struct server_process server;
    server_process_init(&server);
    server_process_option(&server, "--appendonly", "no");
    server_process_start(&server);
    write_things(server.port);
    struct wire wire = wire_open(server.port);
    wire_send_text(&wire, "INFO persistence\r\n");
    char *text = wire_read_bulk(&wire, NULL);
    assert_true(contains(text, "aof_enabled:0\r\n"));
    free(text);
    wire_close(&wire);
    server_process_stop(&server);
    server_process_start(&server);
    wire = wire_open(server.port);
    wire_ask(&wire, "DBSIZE\r\n", ":0\r\n");
    wire_close(&wire);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* SIGHUP opens the log file anew, so that logrotate can move it. Redis ends itself on SIGHUP. */
static void test_hangup_reopens_the_log_file(void **state)
{
    (void)state;
    struct server_process server;
    char path[SERVER_PATH_SIZE], moved[SERVER_PATH_SIZE];
    if (server_process_is_redis()) skip();
    server_process_init(&server);
    server_process_path(&server, "server.log", path);
    server_process_path(&server, "server.log.1", moved);
    server_process_option(&server, "--logfile", path);
    server_process_start(&server);
    assert_int_equal(rename(path, moved), 0);
    char *before = server_process_read_file(moved);
    assert_true(before[0] != '\0');
    kill(server.pid, SIGHUP);
    for (int i = 0; i < WAITS_MAX && access(path, F_OK) != 0; i++) pause_briefly();
    assert_int_equal(access(path, F_OK), 0);
    struct wire wire = wire_open(server.port);
    wire_ask(&wire, "PING\r\n", "+PONG\r\n");
    wire_close(&wire);
    server_process_stop(&server);
    char *after = server_process_read_file(path);
    assert_true(after[0] != '\0');
    free(before);
    free(after);
    server_process_deinit(&server);
}

/* --- Sockets. -------------------------------------------------------------------------------- */

/* The unix socket has the mode that was asked for and is gone after the end; a stale one is no
 * obstacle. */
static void test_unix_socket(void **state)
{
    (void)state;
    struct server_process server;
    struct stat facts;
    char path[SERVER_PATH_SIZE];
    server_process_init(&server);
    server_process_path(&server, "server.sock", path);
    server_process_option(&server, "--unixsocket", path);
    server_process_option(&server, "--unixsocketperm", "770");
    for (int i = 0; i < 2; i++) {
        server_process_start(&server);
        assert_int_equal(stat(path, &facts), 0);
        assert_int_equal(facts.st_mode & 0777, 0770);
        struct wire wire = wire_open_unix(path);
        assert_true(wire.descriptor >= 0);
        wire_ask(&wire, "SET k unix\r\nGET k\r\n", "+OK\r\n$4\r\nunix\r\n");
        wire_close(&wire);
        if (i == 0) server_process_kill(&server);
    }
    server_process_stop(&server);
    assert_int_equal(access(path, F_OK), -1);
    server_process_deinit(&server);
}

static bool has_ipv6(void)
{
    return file_contains("/proc/net/if_inet6", "lo");
}

/* Several addresses, of both families; nothing listens where nothing was bound. */
static void test_several_addresses(void **state)
{
    (void)state;
    struct server_process server;
    server_process_init(&server);
    server_process_configure(&server, has_ipv6() ? "bind 127.0.0.1 127.0.0.2 ::1\nsave \"\"\n"
                                                 : "bind 127.0.0.1 127.0.0.2 -::1\nsave \"\"\n");
    server_process_start(&server);
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "::1"};
    for (size_t i = 0; i < (has_ipv6() ? 3 : 2); i++) {
        struct wire wire = wire_open_address(addresses[i], server.port);
        assert_true(wire.descriptor >= 0);
        wire_ask(&wire, "PING\r\n", "+PONG\r\n");
        wire_close(&wire);
    }
    assert_int_equal(wire_open_address("127.0.0.3", server.port).descriptor, -1);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* The default is the loopback alone. An address that does not exist is an error, unless it begins
 * with a minus; a port that is taken is an error that names it. */
static void test_addresses_that_cannot_be_had(void **state)
{
    (void)state;
    struct server_process server, second;
    int status;
    server_process_init(&server);
    server_process_option(&server, "--bind", "203.0.113.7");
    assert_true(server_process_fails_to_start(&server, &status));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    expect_in_file(server.log_path, "203.0.113.7");
    server_process_deinit(&server);

    server_process_init(&server);
    server_process_configure(&server, "bind 127.0.0.1 -203.0.113.7\n");
    server_process_start(&server);
    server_process_init(&second);
    second.port = server.port;
    server_process_option(&second, "--bind", "127.0.0.1");
    char port[16];
    snprintf(port, sizeof port, "%d", server.port);
    pid_t first = server.pid;
    assert_true(first > 0);
    /* PING on that port is answered by the first server: only the second one's end counts. */
    server_process_fails_to_start(&second, &status);
    for (int i = 0; i < WAITS_MAX && server_process_is_running(&second); i++) pause_briefly();
    assert_int_equal(second.pid, 0);
    expect_in_file(second.log_path, port);
    server_process_deinit(&second);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* Two servers on one directory would destroy the log: the second one refuses, the first goes on. */
static void test_two_servers_on_one_directory(void **state)
{
    (void)state;
    struct server_process server, second;
    int status;
    if (server_process_is_redis()) skip(); /* Redis lets it happen */
    server_process_init(&server);
    server_process_start(&server);
    write_things(server.port);
    server_process_init(&second);
    char own[SERVER_PATH_SIZE];
    memcpy(own, second.directory, sizeof own);
    memcpy(second.directory, server.directory, sizeof own);
    assert_true(server_process_fails_to_start(&second, &status));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    expect_in_file(second.log_path, server.directory);
    memcpy(second.directory, own, sizeof own);
    server_process_deinit(&second);
    expect_things(server.port);
    server_process_kill(&server);
    server_process_start(&server); /* a lock of a dead process is no lock */
    expect_things(server.port);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* --- Configuration. -------------------------------------------------------------------------- */

/* A wrong file starts nothing and says where it is wrong. */
static void test_configuration_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *directive;
    } cases[] = {
        {"# one\n\nnosuch-directive 1\n", "3", "nosuch-directive"},
        {"timeout soon\n", "1", "timeout"},
        {"\n\ntcp-backlog 511\nappendfsync sometimes\n", "4", "appendfsync"},
        {"port 6379 6380\n", "1", "port"},
        {"maxmemory 12parsecs\n", "1", "maxmemory"},
        {"maxmemory-policy \"noeviction\n", "1", "maxmemory-policy"},
        {"include /nonexistent/irmak.conf\n", "1", "/nonexistent/irmak.conf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server_process server;
        int status = 0;
        server_process_init(&server);
        server_process_configure(&server, cases[i].text);
        bool failed = server_process_fails_to_start(&server, &status);
        if (!failed) print_error("it started with: %s\n", cases[i].text);
        assert_true(failed);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        expect_in_file(server.log_path, cases[i].directive);
        if (!server_process_is_redis()) {
            expect_in_file(server.log_path, server.configuration);
            expect_in_file(server.log_path, cases[i].line);
        }
        server_process_deinit(&server);
    }
}

/* Included files, quotes, units and several values; what comes later wins, the command line
 * last. */
static void test_configuration_file(void **state)
{
    (void)state;
    struct server_process server;
    char included[SERVER_PATH_SIZE], text[SERVER_PATH_SIZE + 256];
    server_process_init(&server);
    server_process_path(&server, "more.conf", included);
    server_process_write_file(included, "timeout 11\nTCP-KeepAlive 77\n");
    snprintf(text, sizeof text,
             "# a comment\n\n  timeout   10\ninclude %s\nmaxmemory 2gb\n"
             "requirepass \"ri\\x76er\"\nbind 127.0.0.1\nmaxclients 100\nappendonly yes\n",
             included);
    server_process_configure(&server, text);
    server_process_option(&server, "--maxclients", "123");
    server_process_start(&server);
    struct wire wire = wire_open(server.port);
    wire_ask(&wire, "AUTH river\r\n", "+OK\r\n");
    wire_ask(&wire, "CONFIG GET timeout\r\n", "*2\r\n$7\r\ntimeout\r\n$2\r\n11\r\n");
    wire_ask(&wire, "CONFIG GET tcp-keepalive\r\n", "*2\r\n$13\r\ntcp-keepalive\r\n$2\r\n77\r\n");
    wire_ask(&wire, "CONFIG GET maxmemory\r\n", "*2\r\n$9\r\nmaxmemory\r\n$10\r\n2147483648\r\n");
    wire_ask(&wire, "CONFIG GET maxclients\r\n", "*2\r\n$10\r\nmaxclients\r\n$3\r\n123\r\n");
    wire_close(&wire);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* A directive that only Redis has is a warning that names it, not an obstacle. */
static void test_directives_of_redis(void **state)
{
    (void)state;
    struct server_process server;
    if (server_process_is_redis()) skip();
    server_process_init(&server);
    server_process_configure(&server,
                             "rdbcompression yes\nreplica-priority 100\nlua-time-limit 5000\n");
    server_process_start(&server);
    expect_in_file(server.log_path, "rdbcompression");
    expect_in_file(server.log_path, "replica-priority");
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* CONFIG SET, CONFIG REWRITE, restart: the value is there, and the comments are too. */
static void test_configuration_rewritten(void **state)
{
    (void)state;
    struct server_process server;
    server_process_init(&server);
    server_process_configure(&server, "# the first line of the administrator\nbind 127.0.0.1\n"
                                      "timeout 10\n# about memory\nmaxmemory 1gb\n");
    server_process_start(&server);
    struct wire wire = wire_open(server.port);
    wire_ask(&wire, "CONFIG SET timeout 20 maxmemory 3gb tcp-keepalive 123\r\n", "+OK\r\n");
    wire_ask(&wire, "CONFIG SET timeout 30 maxmemory parsecs\r\n", "-ERR CONFIG SET failed");
    wire_close(&wire);
    wire = wire_open(server.port);
    wire_ask(&wire, "CONFIG GET timeout\r\n", "*2\r\n$7\r\ntimeout\r\n$2\r\n20\r\n");
    wire_ask(&wire, "CONFIG REWRITE\r\n", "+OK\r\n");
    wire_close(&wire);
    server_process_stop(&server);
    expect_in_file(server.configuration, "# the first line of the administrator\n");
    expect_in_file(server.configuration, "# about memory\n");
    expect_in_file(server.configuration, "timeout 20\n");
    expect_in_file(server.configuration, "tcp-keepalive 123\n");
    assert_false(file_contains(server.configuration, "timeout 10\n"));
    server_process_start(&server);
    wire = wire_open(server.port);
    wire_ask(&wire, "CONFIG GET timeout\r\n", "*2\r\n$7\r\ntimeout\r\n$2\r\n20\r\n");
    wire_ask(&wire, "CONFIG GET maxmemory\r\n", "*2\r\n$9\r\nmaxmemory\r\n$10\r\n3221225472\r\n");
    wire_close(&wire);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* Without a file there is nothing to rewrite; paths cannot be set by a client. */
static void test_configuration_that_is_fixed(void **state)
{
    (void)state;
    struct server_process server;
    server_process_init(&server);
    server_process_start(&server);
    struct wire wire = wire_open(server.port);
    wire_ask(&wire, "CONFIG REWRITE\r\n", "-ERR The server is running without a config file\r\n");
    wire_ask(&wire, "CONFIG SET dir /tmp\r\n", "-ERR CONFIG SET failed");
    wire_close(&wire);
    wire = wire_open(server.port);
    wire_ask(&wire, "CONFIG SET unixsocket /tmp/x\r\n", "-ERR CONFIG SET failed");
    wire_close(&wire);
    server_process_stop(&server);
    server_process_deinit(&server);
}

/* --version and wrong command lines start nothing. */
static void test_command_line(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *shown;
    } cases[] = {{"--nosuch", "1", "nosuch"}, {"--timeout", "soon", "timeout"}};
    for (size_t i = 0; i < 2; i++) {
        struct server_process server;
        int status = 0;
        server_process_init(&server);
        server_process_option(&server, cases[i].name, cases[i].value);
        assert_true(server_process_fails_to_start(&server, &status));
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        expect_in_file(server.log_path, cases[i].shown);
        server_process_deinit(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_shutdown_keeps_the_data),
        cmocka_unit_test(test_shutdown_command),
        cmocka_unit_test(test_shutdown_under_load),
        cmocka_unit_test(test_without_a_log),
        cmocka_unit_test(test_hangup_reopens_the_log_file),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_several_addresses),
        cmocka_unit_test(test_addresses_that_cannot_be_had),
        cmocka_unit_test(test_two_servers_on_one_directory),
        cmocka_unit_test(test_configuration_errors),
        cmocka_unit_test(test_configuration_file),
        cmocka_unit_test(test_directives_of_redis),
        cmocka_unit_test(test_configuration_rewritten),
        cmocka_unit_test(test_configuration_that_is_fixed),
        cmocka_unit_test(test_command_line),
    };
    return cmocka_run_group_tests_name("integration process", tests, NULL, NULL);
}
