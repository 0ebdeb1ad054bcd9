/* loading_test.c - while the data is recovered: who is answered what, how far it is, how it ends.
 *
 * A log of several segments and a snapshot are written, the server is killed, and each start over a
 * copy of its directory has its reads held at a place of the test's choice (fault_preload.c). So a
 * load takes as long as the test wants, and nothing here depends on time. */
#include "damage.h"
#include "fault_page.h"
#include "waiting.h"
#include "wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 60, READS_MAX = 100, LARGE_BYTES = 100 * 1024, LIMIT_MS = 20000 };

#define LOADING "-LOADING Redis is loading the dataset in memory\r\n"

struct fixture {
    struct server_process server;
    struct fault_page *page;
    char log_only[SERVER_PATH_SIZE];      /* a directory without a snapshot */
    char with_snapshot[SERVER_PATH_SIZE]; /* the same data */
};

/* --- The data. -------------------------------------------------------------------------------- */

static void write_data(const struct server_process *server)
{
    struct wire wire = wire_open(server->port);
    char *value = malloc(LARGE_BYTES);
    assert_non_null(value);
    for (int i = 0; i < KEYS; i++) {
        char text[96];
        int size = snprintf(text, sizeof text, "*3\r\n$3\r\nSET\r\n$6\r\nkey:%02d\r\n$%d\r\n", i,
                            LARGE_BYTES);
        memset(value, 'a' + i % 26, LARGE_BYTES);
        wire_send(&wire, (struct slice){text, (size_t)size});
        wire_send(&wire, (struct slice){value, LARGE_BYTES});
        wire_ask(&wire, "\r\nINCR count\r\n", "+OK\r\n");
        snprintf(text, sizeof text, ":%d\r\n", i + 1);
        wire_expect(&wire, text);
    }
    free(value);
    wire_ask(&wire, "XADD s 1-1 f v\r\n", "$3\r\n1-1\r\n");
    wire_close(&wire);
}

static void expect_data(const struct wire *wire)
{
    wire_ask(wire, "DBSIZE\r\n", ":62\r\n");
    wire_ask(wire, "STRLEN key:59\r\n", ":102400\r\n");
    wire_ask(wire, "GETRANGE key:25 102399 -1\r\n", "$1\r\nz\r\n");
    wire_ask(wire, "GET count\r\n", "$2\r\n60\r\n");
    wire_ask(wire, "XLEN s\r\n", ":1\r\n");
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    server_process_init(&f->server);
    server_process_option(&f->server, "--log-segment-size", "1mb");
    f->page = fault_page_open(&f->server);
    snprintf(f->log_only, sizeof f->log_only, "%.200s.log_only", f->server.directory);
    snprintf(f->with_snapshot, sizeof f->with_snapshot, "%.200s.snapshot", f->server.directory);
    server_process_start(&f->server);
    write_data(&f->server);
    server_process_kill(&f->server);
    damage_shell("cp -r --sparse=always '%s' '%s'", f->server.directory, f->log_only);
    server_process_start(&f->server);
    struct wire wire = wire_open(f->server.port);
    wire_ask(&wire, "SAVE\r\n", "+OK\r\n");
    wire_close(&wire);
    server_process_kill(&f->server);
    damage_shell("cp -r --sparse=always '%s' '%s'", f->server.directory, f->with_snapshot);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    server_process_deinit(&f->server);
    fault_page_close(&f->server, f->page);
    damage_shell("rm -rf '%s' '%s'", f->log_only, f->with_snapshot);
    free(f);
    return 0;
}

/* --- Holding a load. -------------------------------------------------------------------------- */

/* From the nth read of the disk on, all wait. */
static void hold(struct fixture *f, const char *directory, unsigned reads)
{
    if (f->server.pid != 0) server_process_kill(&f->server);
    damage_copy(&f->server, directory);
    unlink(f->server.log_path); /* the copy of another process' */
    memset(f->page, 0, sizeof *f->page);
    __atomic_store_n(&f->page->held_from, reads, __ATOMIC_RELEASE);
}

static void release(struct fixture *f)
{
    __atomic_store_n(&f->page->held_from, 0, __ATOMIC_RELEASE);
}

/* The load has come as far as it may. */
static void await_held(const struct fixture *f)
{
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end; pause_briefly())
        if (__atomic_load_n(&f->page->held, __ATOMIC_ACQUIRE) == f->page->held_from) return;
    fail_msg("nothing is read");
}

static void let_one_read_pass(struct fixture *f)
{
    await_held(f);
    __atomic_add_fetch(&f->page->held_from, 1, __ATOMIC_RELEASE);
    await_held(f);
}

static void await_served(const struct wire *wire)
{
    char line[128] = "";
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end; pause_briefly()) {
        wire_send_text(wire, "PING\r\n");
        wire_read_line(wire, line, sizeof line);
        if (strcmp(line, "+PONG") == 0) return;
        assert_string_equal(line, "-LOADING Redis is loading the dataset in memory");
    }
    fail_msg("still loading");
}

static void await_in_log(const struct fixture *f, const char *part)
{
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end; pause_briefly()) {
        char *log = server_process_read_log(&f->server);
        bool found = strstr(log, part) != NULL;
        free(log);
        if (found) return;
    }
    fail_msg("'%s' is not in the log", part);
}

static int await_end(struct fixture *f)
{
    int status = 0;
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end; pause_briefly()) {
        if (waitpid(f->server.pid, &status, WNOHANG) != f->server.pid) continue;
        f->server.pid = 0;
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
    }
    fail_msg("the server does not end");
    return -1;
}

static void expect_unchanged(const struct fixture *f, const char *directory)
{
    damage_shell("diff -r -x lock -x output.log '%s' '%s'", f->server.directory, directory);
}

/* --- What INFO says. -------------------------------------------------------------------------- */

/* -1: there is no such line. */
static double info_number(const struct wire *wire, const char *name)
{
    char line[96];
    size_t size;
    wire_send_text(wire, "INFO persistence\r\n");
    char *text = wire_read_bulk(wire, &size);
    snprintf(line, sizeof line, "\n%s:", name);
    const char *found = strstr(text, line);
    double number = found != NULL ? strtod(found + strlen(line), NULL) : -1;
    free(text);
    return number;
}

static void expect_progress(const struct wire *wire)
{
    double total = info_number(wire, "loading_total_bytes");
    double loaded = info_number(wire, "loading_loaded_bytes");
    double percent = info_number(wire, "loading_loaded_perc");
    assert_true(info_number(wire, "loading") == 1);
    assert_true(info_number(wire, "async_loading") == 0);
    assert_true(info_number(wire, "aof_enabled") == 1);
    assert_true(info_number(wire, "loading_start_time") > 1.6e9);
    assert_true(info_number(wire, "loading_eta_seconds") >= 0);
    assert_true(total > KEYS * LARGE_BYTES);
    assert_true(loaded > 0 && loaded < total);
    assert_true(percent > loaded * 100 / total - 0.01 && percent < loaded * 100 / total + 0.01);
}

static void expect_loaded(const struct wire *wire)
{
    assert_true(info_number(wire, "loading") == 0);
    assert_true(info_number(wire, "loading_start_time") == -1);
    assert_true(info_number(wire, "loading_total_bytes") == -1);
}

/* --- Tests. ----------------------------------------------------------------------------------- */

/* Commands that need no data are served, the others get LOADING; then all is there, for those who
 * were connected before, and as they had set themselves up. */
static void test_commands(void **state)
{
    struct fixture *f = *state;
    const char *const directories[] = {f->log_only, f->with_snapshot};
    for (size_t i = 0; i < 2; i++) {
        hold(f, directories[i], 1);
        server_process_start_loading(&f->server);
        struct wire wire = wire_open(f->server.port), other = wire_open(f->server.port);
        wire_ask(&wire, "PING\r\n", LOADING);
        wire_ask(&wire, "GET count\r\nSET count 7\r\nSAVE\r\nMGET a b\r\n",
                 LOADING LOADING LOADING LOADING);
        wire_ask(&wire, "XREAD BLOCK 0 STREAMS s $\r\n", LOADING);
        wire_ask(&wire, "NOTHING\r\n",
                 "-ERR unknown command 'NOTHING', with args beginning with: \r\n");
        wire_ask(&wire, "CLIENT SETNAME first\r\nSELECT 0\r\nECHO x\r\n",
                 "+OK\r\n+OK\r\n$1\r\nx\r\n");
        wire_ask(&wire, "COMMAND COUNT EXTRA\r\n",
                 "-ERR wrong number of arguments for 'command|count' command\r\n");
        wire_ask(&other, "HELLO 3 SETNAME second\r\nGET count\r\n", "%7\r\n$6\r\nserver\r\n");
        for (int j = 0; j < READS_MAX && info_number(&wire, "loading_loaded_bytes") == 0; j++)
            let_one_read_pass(f);
        expect_progress(&wire);
        release(f);
        await_served(&wire);
        expect_loaded(&wire);
        expect_data(&wire);
        wire_ask(&wire, "CLIENT GETNAME\r\n", "$5\r\nfirst\r\n");
        wire_ask(&wire, "SET count 7\r\nGET count\r\n", "+OK\r\n$1\r\n7\r\n");
        wire_close(&wire);
        wire_close(&other);
        server_process_stop(&f->server);
    }
}

/* What is configured meanwhile holds for the data when it is there, and logging in works. */
static void test_configuration(void **state)
{
    struct fixture *f = *state;
    hold(f, f->log_only, 1);
    server_process_start_loading(&f->server);
    struct wire wire = wire_open(f->server.port);
    wire_ask(&wire, "CONFIG SET stream-node-max-entries 3 appendfsync everysec requirepass p\r\n",
             "+OK\r\n");
    struct wire other = wire_open(f->server.port);
    wire_ask(&other, "PING\r\n", "-NOAUTH Authentication required.\r\n");
    wire_ask(&other, "AUTH q\r\n",
             "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    wire_ask(&other, "AUTH p\r\nPING\r\n", "+OK\r\n" LOADING);
    release(f);
    await_served(&wire);
    await_served(&other);
    expect_data(&other);
    for (int i = 0; i < 9; i++) {
        char reply[32];
        snprintf(reply, sizeof reply, "$3\r\n5-%d\r\n", i);
        wire_ask(&wire, "XADD t 5-* f v\r\n", reply);
    }
    wire_send_text(&wire, "XINFO STREAM t\r\n");
    wire_expect(&wire, "*32\r\n$6\r\nlength\r\n:9\r\n$15\r\nradix-tree-keys\r\n:3\r\n");
    wire_close(&wire);
    wire_close(&other);
    server_process_stop(&f->server);
}

/* SIGTERM and SHUTDOWN end a load, wherever it is, with status 0, and change nothing. */
static void test_stop(void **state)
{
    struct fixture *f = *state;
    const char *const directories[] = {f->log_only, f->with_snapshot};
    for (unsigned i = 0; i < 8; i++) {
        const char *directory = directories[i % 2];
        hold(f, directory, 1 + i);
        server_process_start_loading(&f->server);
        await_held(f);
        struct wire wire = wire_open(f->server.port);
        if (i % 4 < 2) kill(f->server.pid, SIGTERM);
        else wire_send_text(&wire, i % 4 == 2 ? "SHUTDOWN\r\n" : "SHUTDOWN SAVE\r\n");
        await_in_log(f, "Stopping while the data is being loaded");
        release(f);
        assert_int_equal(await_end(f), 0);
        wire_expect_closed(&wire, "");
        wire_close(&wire);
        await_in_log(f, "given up; nothing was changed");
        expect_unchanged(f, directory);
        server_process_start(&f->server);
        wire = wire_open(f->server.port);
        expect_data(&wire);
        wire_close(&wire);
        server_process_kill(&f->server);
    }
}

/* A disk that does not answer does not keep the process: a second signal ends it. */
static void test_second_signal(void **state)
{
    struct fixture *f = *state;
    hold(f, f->log_only, 4);
    server_process_start_loading(&f->server);
    await_held(f);
    kill(f->server.pid, SIGTERM);
    await_in_log(f, "Stopping while the data is being loaded");
    kill(f->server.pid, SIGTERM);
    assert_int_equal(await_end(f), 1);
    expect_unchanged(f, f->log_only);
}

/* A log that proves to be corrupt ends the process as if it had not been listening. */
static void test_corrupt(void **state)
{
    struct fixture *f = *state;
    hold(f, f->log_only, 8);
    damage_flip(&f->server, "log-0000000000000002", 4096 + 70000);
    char copy[SERVER_PATH_SIZE];
    snprintf(copy, sizeof copy, "%.200s.copy", f->server.directory);
    damage_shell("cp -r --sparse=always '%s' '%s'", f->server.directory, copy);
    server_process_start_loading(&f->server);
    await_held(f);
    struct wire wire = wire_open(f->server.port);
    wire_ask(&wire, "PING\r\n", LOADING);
    release(f);
    assert_int_equal(await_end(f), 1);
    wire_expect_closed(&wire, "");
    wire_close(&wire);
    char *log = server_process_read_log(&f->server);
    assert_non_null(strstr(log, "irmak-server: the log is corrupt: log-0000000000000002 holds no"));
    assert_null(strstr(log, "Ready to accept connections"));
    free(log);
    expect_unchanged(f, copy);
    damage_shell("rm -rf '%s'", copy);
}

/* The file with the process' number is there while it loads, and gone after it. */
static void test_pidfile(void **state)
{
    struct fixture *f = *state;
    char path[SERVER_PATH_SIZE], number[32];
    server_process_path(&f->server, "pid", path);
    server_process_option(&f->server, "--pidfile", path);
    hold(f, f->log_only, 1);
    server_process_start_loading(&f->server);
    snprintf(number, sizeof number, "%d\n", (int)f->server.pid);
    char *text = server_process_read_file(path);
    assert_string_equal(text, number);
    free(text);
    kill(f->server.pid, SIGTERM);
    await_in_log(f, "Stopping while the data is being loaded");
    release(f);
    assert_int_equal(await_end(f), 0);
    assert_int_equal(access(path, F_OK), -1);
    f->server.option_count -= 2;
    for (size_t i = 0; i < 2; i++) free(f->server.options[f->server.option_count + i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands), cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_stop),     cmocka_unit_test(test_second_signal),
        cmocka_unit_test(test_corrupt),  cmocka_unit_test(test_pidfile),
    };
    if (server_process_is_redis()) return 0;
    return cmocka_run_group_tests_name("integration loading", tests, setup, teardown);
}
