/* stall_test.c - a disk that stalls: every write and sync of the data directory waits until the
 * test lets it go on (fault_preload.c), or of the configuration file, or the removal of a file; the
 * logfile is a pipe that nobody reads; and still every command that does not depend on the disk is
 * answered. Nothing here depends on time. */
#include "fault_page.h"
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIPE_BYTES = 4096, SAVES = 150, LIMIT_MS = 20000 };

struct fixture {
    struct server_process server;
    struct fault_page *page;
    char logfile[SERVER_PATH_SIZE];
    int reader; /* of the logfile, which is a named pipe; -1: it is a file */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    server_process_init(&f->server);
    server_process_configure(&f->server, "save \"\"\n");
    server_process_option(&f->server, "--log-segment-size", "1mb");
    f->page = fault_page_open(&f->server);
    snprintf(f->logfile, sizeof f->logfile, "%.200s.pipe", f->server.directory);
    assert_int_equal(mkfifo(f->logfile, 0600), 0);
    f->reader = open(f->logfile, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(f->reader >= 0);
    assert_int_equal(fcntl(f->reader, F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
    server_process_option(&f->server, "--logfile", f->logfile);
    server_process_option(&f->server, "--loglevel", "debug");
    server_process_start(&f->server);
    *state = f;
    return 0;
}

static void let_go(struct fixture *f)
{
    __atomic_store_n(&f->page->stalled, 0, __ATOMIC_RELEASE);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    let_go(f);
    server_process_deinit(&f->server);
    fault_page_close(&f->server, f->page);
    close(f->reader);
    unlink(f->logfile);
    free(f);
    return 0;
}

/* From here on such calls on the disk do not end; waits until one of the server hangs in it. */
static void stall_calls(struct fixture *f, uint32_t calls, const struct wire *writer,
                        const char *request)
{
    __atomic_store_n(&f->page->waiting, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&f->page->stalled, calls, __ATOMIC_RELEASE);
    wire_send_text(writer, request);
    for (int i = 0; __atomic_load_n(&f->page->waiting, __ATOMIC_ACQUIRE) == 0; i++) {
        assert_true(i < LIMIT_MS);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void stall(struct fixture *f, const struct wire *writer, const char *request)
{
    stall_calls(f, FAULT_CHANGES, writer, request);
}

static bool has_answer(const struct wire *wire)
{
    char byte;
    return recv(wire->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Reads of other keys, and everything that asks for no key, are answered; the write and the reads
 * of what it changed are not, until the disk goes on. */
static void test_stalled_sync(void **state)
{
    struct fixture *f = *state;
    struct wire writer = wire_open(f->server.port), other = wire_open(f->server.port);
    struct wire reader = wire_open(f->server.port), second = wire_open(f->server.port);
    wire_ask(&other, "SET quiet 1\r\n", "+OK\r\n");
    wire_ask(&other, "XADD calm 1-1 f v\r\n", "$3\r\n1-1\r\n");
    stall(f, &writer, "SET busy 2\r\n");
    wire_send_text(&reader, "GET busy\r\n");
    wire_send_text(&second, "XADD busy2 1-1 f v\r\n"); /* of the next batch */
    for (int i = 0; i < 100; i++) {
        wire_ask(&other, "PING\r\n", "+PONG\r\n");
        wire_ask(&other, "GET quiet\r\n", "$1\r\n1\r\n");
        wire_ask(&other, "XLEN calm\r\n", ":1\r\n");
        wire_ask(&other, "XREAD STREAMS calm 0\r\n",
                 "*1\r\n*2\r\n$4\r\ncalm\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
        wire_ask(&other, "EXISTS nothing\r\n", ":0\r\n");
        wire_ask(&other, "CONFIG GET appendfsync\r\n",
                 "*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n");
    }
    /* New connections, too. */
    struct wire fresh = wire_open(f->server.port);
    wire_ask(&fresh, "ECHO x\r\n", "$1\r\nx\r\n");
    wire_close(&fresh);
    assert_false(has_answer(&writer));
    assert_false(has_answer(&reader));
    assert_false(has_answer(&second));
    let_go(f);
    wire_expect(&writer, "+OK\r\n");
    wire_expect(&reader, "$1\r\n2\r\n");
    wire_expect(&second, "$3\r\n1-1\r\n");
    wire_close(&writer);
    wire_close(&other);
    wire_close(&reader);
    wire_close(&second);
}

/* The same while a snapshot is on its way, whose thread hangs as well. */
static void test_stalled_snapshot(void **state)
{
    struct fixture *f = *state;
    struct wire writer = wire_open(f->server.port), other = wire_open(f->server.port);
    wire_ask(&other, "SET quiet 1\r\n", "+OK\r\n");
    stall(f, &writer, "SAVE\r\n");
    for (int i = 0; i < 100; i++) {
        wire_ask(&other, "PING\r\n", "+PONG\r\n");
        wire_ask(&other, "GET quiet\r\n", "$1\r\n1\r\n");
    }
    assert_false(has_answer(&writer));
    let_go(f);
    wire_expect(&writer, "+OK\r\n");
    wire_close(&writer);
    wire_close(&other);
}

/* The spare thread is idle, too. */
static void await_spares(const struct wire *wire)
{
    char *text = NULL;
    size_t size;
    for (int i = 0; text == NULL || strstr(text, "log_spares:2\r\n") == NULL; i++) {
        assert_true(i < LIMIT_MS);
        free(text);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        wire_send_text(wire, "INFO persistence\r\n");
        text = wire_read_bulk(wire, &size);
    }
    free(text);
}

/* CONFIG REWRITE waits for the disk of its file alone. Who asks meanwhile gets a rewrite of their
 * own, with what was set meanwhile; EXEC waits for none, and says so. */
static void test_stalled_rewrite(void **state)
{
    struct fixture *f = *state;
    struct wire writer = wire_open(f->server.port), other = wire_open(f->server.port);
    struct wire second = wire_open(f->server.port), third = wire_open(f->server.port);
    wire_ask(&other, "SET quiet 1\r\n", "+OK\r\n");
    wire_ask(&other, "CONFIG SET timeout 771\r\n", "+OK\r\n");
    await_spares(&other);
    stall_calls(f, 1 << FAULT_SYNC_NAMES, &writer, "CONFIG REWRITE\r\n"); /* its fsync */
    wire_ask(&other, "CONFIG SET timeout 772\r\n", "+OK\r\n");
    wire_send_text(&second, "CONFIG REWRITE\r\nECHO behind\r\n");
    wire_send_text(&third, "CONFIG REWRITE\r\n");
    for (int i = 0; i < 50; i++) {
        wire_ask(&other, "PING\r\n", "+PONG\r\n");
        wire_ask(&other, "SET quiet 2\r\n", "+OK\r\n");
        wire_ask(&other, "CONFIG GET timeout\r\n", "*2\r\n$7\r\ntimeout\r\n$3\r\n772\r\n");
    }
    wire_ask(&other, "MULTI\r\n", "+OK\r\n");
    wire_ask(&other, "CONFIG REWRITE\r\n", "+QUEUED\r\n");
    wire_ask(&other, "EXEC\r\n",
             "*1\r\n-ERR the wait for CONFIG REWRITE was ended; the file is "
             "being written, and the server's trace says how that ends\r\n");
    assert_false(has_answer(&writer));
    assert_false(has_answer(&second));
    assert_false(has_answer(&third));
    let_go(f);
    wire_expect(&writer, "+OK\r\n");
    wire_expect(&second, "+OK\r\n$6\r\nbehind\r\n");
    wire_expect(&third, "+OK\r\n");
    char *text = server_process_read_file(f->server.configuration);
    assert_non_null(strstr(text, "\ntimeout 772\n"));
    free(text);
    /* One that fails says why, to those who asked for it. */
    assert_int_equal(unlink(f->server.configuration), 0);
    wire_ask(&writer, "CONFIG REWRITE\r\n",
             "-ERR Rewriting config file: No such file or directory\r\n");
    wire_close(&writer);
    wire_close(&second);
    wire_close(&third);
    wire_close(&other);
}

/* A snapshot fails, and its file takes for ever to be removed. */
static void test_stalled_removal(void **state)
{
    struct fixture *f = *state;
    struct wire saver = wire_open(f->server.port), other = wire_open(f->server.port);
    await_spares(&other); /* from here on nobody writes */
    f->page->call = FAULT_WRITE;
    f->page->error = EIO;
    __atomic_store_n(&f->page->armed, 1, __ATOMIC_RELEASE);
    stall_calls(f, 1 << FAULT_REMOVE, &saver, "SAVE\r\n");
    assert_int_equal(f->page->fired, 1);
    assert_memory_equal(f->page->name, "new-snapshot-", 13);
    for (int i = 0; i < 50; i++) {
        wire_ask(&other, "PING\r\n", "+PONG\r\n");
        wire_ask(&other, "SET quiet 1\r\n", "+OK\r\n");
    }
    assert_false(has_answer(&saver));
    let_go(f);
    wire_expect(&saver, "-ERR the snapshot could not be written: the server's trace says why\r\n");
    wire_close(&saver);
    wire_close(&other);
}

/* A logfile that takes nothing more: each SAVE traces lines, far more than a pipe holds. */
static void test_stalled_logfile(void **state)
{
    struct fixture *f = *state;
    struct wire wire = wire_open(f->server.port);
    for (int i = 0; i < SAVES; i++) wire_ask(&wire, "SAVE\r\n", "+OK\r\n");
    wire_ask(&wire, "PING\r\n", "+PONG\r\n");
    char text[2 * PIPE_BYTES];
    ssize_t size = read(f->reader, text, sizeof text);
    assert_true(size > PIPE_BYTES / 2); /* it is full: somebody has waited, and it was not us */
    wire_close(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stalled_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_rewrite, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_logfile, setup, teardown),
    };
    return cmocka_run_group_tests_name("stall", tests, NULL, NULL);
}
