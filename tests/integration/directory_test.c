/* directory_test.c - what the server and irmak-check say about directories that they cannot use, or
 * can use only after a cut: the same thing, in the same words.
 *
 * One log is written, its server killed, and its directory copied for each case, then damaged. A
 * refusal names what is wrong, ends with status 1 and changes nothing. */
#include "damage.h"
#include "waiting.h"
#include "wire.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 40, LARGE_BYTES = 100 * 1024, BATCH_OFFSET = 4096, NOBODY = 65534, LIMIT_MS = 20000 };

/* --- A log of several segments. --------------------------------------------------------------- */

static void send_set(const struct wire *wire, int key)
{
    char header[96];
    char *value = malloc(LARGE_BYTES);
    assert_non_null(value);
    memset(value, 'a' + key % 26, LARGE_BYTES);
    int size = snprintf(header, sizeof header, "*3\r\n$3\r\nSET\r\n$6\r\nkey:%02d\r\n$%d\r\n", key,
                        LARGE_BYTES);
    wire_send(wire, (struct slice){header, (size_t)size});
    wire_send(wire, (struct slice){value, LARGE_BYTES});
    wire_send_text(wire, "\r\n");
    free(value);
}

static void write_keys(const struct server_process *server)
{
    struct wire wire = wire_open(server->port);
    for (int i = 0; i < KEYS; i++) {
        send_set(&wire, i);
        wire_expect(&wire, "+OK\r\n");
    }
    wire_ask(&wire, "XADD s 1-1 f v\r\n", "$3\r\n1-1\r\n");
    wire_close(&wire);
}

/* The idle log's marker says in the file that all before it is durable. */
static void await_marker(const struct server_process *server)
{
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end; pause_briefly()) {
        char *text;
        damage_check(server, "--no-lock --list", &text);
        bool found = strstr(text, "marker, synced up to 41\n") != NULL;
        free(text);
        if (found) return;
    }
    fail_msg("an idle log writes no marker");
}

static void expect_keys(const struct server_process *server, int count)
{
    char reply[32];
    struct wire wire = wire_open(server->port);
    snprintf(reply, sizeof reply, ":%d\r\n", count);
    wire_ask(&wire, "DBSIZE\r\n", reply);
    wire_ask(&wire, "STRLEN key:00\r\n", ":102400\r\n");
    wire_close(&wire);
}

struct fixture {
    struct server_process server;
    char base[SERVER_PATH_SIZE];
    char newest[64];
    uint64_t last_batch; /* offset in the newest */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    server_process_init(&f->server);
    server_process_option(&f->server, "--log-segment-size", "1mb");
    server_process_start(&f->server);
    write_keys(&f->server);
    await_marker(&f->server);
    server_process_kill(&f->server);
    damage_newest_segment(&f->server, f->newest);
    f->last_batch = damage_last_batch(&f->server, f->newest);
    snprintf(f->base, sizeof f->base, "%.200s.base", f->server.directory);
    damage_shell("cp -r --sparse=always '%s' '%s'", f->server.directory, f->base);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    umount2(f->server.directory, MNT_DETACH);
    server_process_deinit(&f->server);
    damage_shell("rm -rf '%s'", f->base);
    free(f);
    return 0;
}

/* --- Refusals. -------------------------------------------------------------------------------- */

static void expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("'%s' is not in: %s", part, text);
}

/* Neither the server nor irmak-check changed anything but the lock and the server's output. */
static void expect_unchanged(const struct fixture *f, const char *copy)
{
    damage_shell("diff -r -x lock -x output.log '%s' '%s'", f->server.directory, copy);
}

static void expect_refused(struct fixture *f, const char *problem, int check_status)
{
    char copy[SERVER_PATH_SIZE], *text;
    int status = 0;
    snprintf(copy, sizeof copy, "%.200s.copy", f->server.directory);
    damage_shell("cp -r --sparse=always '%s' '%s'", f->server.directory, copy);
    int checked = damage_check(&f->server, "--list --explain", &text);
    expect_in(text, problem);
    assert_int_equal(checked, check_status);
    free(text);
    assert_true(server_process_fails_to_start(&f->server, &status));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    text = server_process_read_log(&f->server);
    expect_in(text, "irmak-server: ");
    expect_in(text, problem);
    free(text);
    expect_unchanged(f, copy);
    damage_shell("rm -rf '%s'", copy);
}

static void begin(struct fixture *f)
{
    if (f->server.pid != 0) server_process_kill(&f->server);
    umount2(f->server.directory, MNT_DETACH); /* of a test that failed */
    damage_copy(&f->server, f->base);
}

static void test_manifest(void **state)
{
    struct fixture *f = *state;
    begin(f);
    damage_shell("rm '%s/manifest'", f->server.directory);
    expect_refused(f,
                   "the log is corrupt: there are segments but no file 'manifest'; "
                   "nothing was changed",
                   2);
    static const uint64_t places[] = {3, 9, 16, 41, 60, 4000};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        begin(f);
        damage_flip(&f->server, "manifest", places[i]);
        expect_refused(f, "the log is corrupt: the file 'manifest' is damaged; nothing was changed",
                       2);
    }
    begin(f);
    damage_shell("truncate -s 100 '%s/manifest'", f->server.directory);
    expect_refused(f, "the log is corrupt: the file 'manifest' is damaged; nothing was changed", 2);
}

static void test_newer_version(void **state)
{
    struct fixture *f = *state;
    begin(f);
    damage_forge_version(&f->server, "manifest", 99);
    expect_refused(f, "the file 'manifest' was written by a newer version; nothing was changed", 3);
    begin(f);
    damage_forge_version(&f->server, f->newest, 99);
    char problem[160];
    snprintf(problem, sizeof problem, "%s was written by a newer version; nothing was changed",
             f->newest);
    expect_refused(f, problem, 3);
}

static void test_segment(void **state)
{
    struct fixture *f = *state;
    char problem[256];
    begin(f);
    damage_shell("rm '%s/log-0000000000000002'", f->server.directory);
    expect_refused(f, "the log is corrupt: log-0000000000000002 is missing; nothing was changed",
                   2);
    begin(f);
    damage_flip(&f->server, "log-0000000000000002", 50);
    expect_refused(
        f, "the log is corrupt: log-0000000000000002 has no valid header; nothing was changed", 2);
    begin(f);
    damage_shell("truncate -s 8192 '%s/log-0000000000000001'", f->server.directory);
    expect_refused(f, "log-0000000000000001 holds no valid batch at offset 4096, but LSN 1 to ", 2);
    begin(f);
    damage_flip(&f->server, "log-0000000000000001", BATCH_OFFSET + 70000);
    expect_refused(f, "log-0000000000000001 holds no valid batch at offset 4096, but LSN 1 to ", 2);
    begin(f);
    damage_shell("cp '%s/log-0000000000000001' '%s/log-0000000000000002'", f->server.directory,
                 f->server.directory);
    expect_refused(
        f, "the log is corrupt: log-0000000000000002 has no valid header; nothing was changed", 2);
    begin(f);
    damage_flip(&f->server, f->newest, f->last_batch + 100);
    snprintf(problem, sizeof problem,
             "%s holds no valid batch at offset %" PRIu64 ", but LSN 41 to 41 had been on stable "
             "storage (the batch at offset %" PRIu64 " says so); nothing was changed",
             f->newest, f->last_batch, f->last_batch + 4096);
    expect_refused(f, problem, 2);
}

/* --- A torn tail is no refusal. --------------------------------------------------------------- */

static void test_torn_tail(void **state)
{
    struct fixture *f = *state;
    char part[160], *text;
    for (int cut_by_check = 0; cut_by_check < 2; cut_by_check++) {
        begin(f);
        /* The marker too: then nothing proves the last batch. */
        damage_flip(&f->server, f->newest, f->last_batch + 90);
        damage_flip(&f->server, f->newest, f->last_batch + 4096 + 50);
        assert_int_equal(damage_check(&f->server, "", &text), 1);
        snprintf(part, sizeof part,
                 "torn: a start would cut 8192 bytes at %s, offset %" PRIu64 ", after LSN 40;",
                 f->newest, f->last_batch);
        expect_in(text, part);
        free(text);
        if (cut_by_check) {
            assert_int_equal(damage_check(&f->server, "--cut-torn-tail", &text), 0);
            expect_in(text, "8192 bytes of torn tail were cut\n");
            expect_in(text, "clean: a start would read all of it and cut nothing\n");
            free(text);
        }
        server_process_start(&f->server);
        expect_keys(&f->server, KEYS);
        server_process_stop(&f->server); /* and all lines are in the logfile */
        text = server_process_read_log(&f->server);
        bool cut = strstr(text, "log: a torn tail of 8192 bytes after LSN 40 was cut") != NULL;
        assert_int_equal(cut, !cut_by_check);
        free(text);
        assert_int_equal(damage_check(&f->server, "", &text), 0);
        free(text);
    }
}

/* --- irmak-check by itself. ------------------------------------------------------------------- */

static void test_check(void **state)
{
    struct fixture *f = *state;
    char *text, part[SERVER_PATH_SIZE + 80];
    begin(f);
    assert_int_equal(damage_check(&f->server, "--apply --json", &text), 0);
    expect_in(text, "\"keys\":41");
    expect_in(text, "\"effects_by_kind\":{\"string_set\":40,\n\"stream_append\":1}");
    expect_in(text, "\"verdict\":\"clean\",\n\"exit_status\":0}\n");
    free(text);
    assert_int_equal(damage_check(&f->server, "--dump --from 41", &text), 0);
    expect_in(text, "\n41 stream_append db=0 key=\"s\" 1-1 \"f\"=\"v\"\n");
    assert_null(strstr(text, "\n40 "));
    free(text);
    server_process_start(&f->server);
    assert_int_equal(damage_check(&f->server, "", &text), 3);
    snprintf(part, sizeof part,
             "irmak-check: the directory '%s' is in use by another server "
             "(process %d)\n",
             f->server.directory, (int)f->server.pid);
    assert_string_equal(text, part);
    free(text);
    server_process_stop(&f->server);
    assert_int_equal(damage_check(&f->server, "", &text), 0);
    free(text);
    damage_shell("rm '%s'/log-* '%s/manifest'", f->server.directory, f->server.directory);
    assert_int_equal(damage_check(&f->server, "", &text), 3);
    expect_in(text, "unreadable: there is no log: no file 'manifest' and no segment\n");
    free(text);
}

/* --- Directories that cannot be used. --------------------------------------------------------- */

static void expect_end(struct server_process *server, const char *problem)
{
    int status = 0;
    assert_true(server_process_fails_to_start(server, &status));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    char *text = server_process_read_log(server);
    expect_in(text, problem);
    free(text);
}

/* The directory of another user is refused, with its path. */
static void test_wrong_owner(void **state)
{
    struct fixture *f = *state;
    char problem[SERVER_PATH_SIZE + 80];
    if (getuid() != 0) {
        printf("# skipped: only root can start a server as another user\n");
        skip();
    }
    begin(f);
    damage_shell("chmod 755 '%s' && chmod 640 '%s'/*", f->server.directory, f->server.directory);
    snprintf(f->server.log_path, sizeof f->server.log_path, "%.200s.log", f->base);
    f->server.user = NOBODY;
    snprintf(problem, sizeof problem, "the directory '%s' is not writable: Permission denied",
             f->server.directory);
    expect_end(&f->server, problem);
    damage_shell("chmod 700 '%s'", f->server.directory);
    snprintf(problem, sizeof problem, "the directory '%s' cannot be opened: Permission denied",
             f->server.directory);
    expect_end(&f->server, problem);
    f->server.user = 0;
    unlink(f->server.log_path);
    server_process_path(&f->server, "output.log", f->server.log_path);
    server_process_start(&f->server);
    expect_keys(&f->server, KEYS + 1);
}

static void mount_or_skip(struct fixture *f, const char *size)
{
    char options[32];
    snprintf(options, sizeof options, "size=%s", size);
    if (mount("tmpfs", f->server.directory, "tmpfs", 0, options) == 0) return;
    printf("# skipped: mounting a tmpfs is not permitted here\n");
    skip();
}

/* A file system that is mounted read-only. */
static void test_read_only_directory(void **state)
{
    struct fixture *f = *state;
    char problem[SERVER_PATH_SIZE + 80];
    begin(f);
    mount_or_skip(f, "64m");
    damage_shell("cp '%s'/log-* '%s/manifest' '%s'", f->base, f->base, f->server.directory);
    snprintf(f->server.log_path, sizeof f->server.log_path, "%.200s.log", f->base);
    assert_int_equal(mount(NULL, f->server.directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    snprintf(problem, sizeof problem, "the directory '%s' is not writable: Read-only file system",
             f->server.directory);
    expect_end(&f->server, problem);
    char *text;
    assert_int_equal(damage_check(&f->server, "", &text), 0); /* looking needs no writing */
    free(text);
    assert_int_equal(umount(f->server.directory), 0);
    unlink(f->server.log_path);
}

/* --- A full disk. ----------------------------------------------------------------------------- */

/* Writes until refused; how many were acknowledged. */
static int write_until_refused(const struct server_process *server)
{
    char line[256] = "+OK";
    struct wire wire = wire_open(server->port);
    int written = 0;
    for (; strcmp(line, "+OK") == 0; written++) {
        assert_true(written < 10000);
        char command[64];
        snprintf(command, sizeof command, "SET small:%d 1\r\n", written);
        wire_send_text(&wire, command);
        wire_read_line(&wire, line, sizeof line);
        if (strcmp(line, "+OK") != 0) break;
        send_set(&wire, written % KEYS);
        wire_read_line(&wire, line, sizeof line);
    }
    expect_in(line, "-MISCONF The log has no room on the disk");
    /* Reads go on, also of what was written last; a refused write did nothing. */
    wire_ask(&wire, "GET small:0\r\nSTRLEN key:00\r\n", "$1\r\n1\r\n:102400\r\n");
    wire_ask(&wire, "EXISTS refused\r\n", ":0\r\n");
    wire_send_text(&wire, "SET refused 1\r\n");
    wire_read_line(&wire, line, sizeof line);
    expect_in(line, "-MISCONF");
    wire_ask(&wire, "EXISTS refused\r\n", ":0\r\n");
    wire_close(&wire);
    return written;
}

static void await_writable(const struct server_process *server)
{
    char line[256] = "";
    struct wire wire = wire_open(server->port);
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end; pause_briefly()) {
        wire_send_text(&wire, "SET again 1\r\n");
        wire_read_line(&wire, line, sizeof line);
        if (strcmp(line, "+OK") == 0) break;
        expect_in(line, "-MISCONF");
    }
    assert_string_equal(line, "+OK");
    wire_close(&wire);
}

/* When the disk is full, writes are refused before they execute, reads go on, and writes resume by
 * themselves when there is space; nothing acknowledged is lost. */
static void test_full_disk(void **state)
{
    struct fixture *f = *state;
    begin(f);
    damage_shell("rm -rf '%s'/*", f->server.directory);
    mount_or_skip(f, "12m");
    damage_shell("dd if=/dev/zero of='%s/filler' bs=1M count=4 status=none", f->server.directory);
    server_process_start(&f->server);
    int written = write_until_refused(&f->server);
    damage_shell("rm '%s/filler'", f->server.directory);
    await_writable(&f->server);
    server_process_kill(&f->server);
    server_process_start(&f->server);
    struct wire wire = wire_open(f->server.port);
    char command[64];
    snprintf(command, sizeof command, "EXISTS small:%d again refused\r\n", written - 1);
    wire_ask(&wire, command, ":2\r\n");
    wire_close(&wire);
    server_process_stop(&f->server);
    assert_int_equal(umount(f->server.directory), 0);
}

/* The same where only the size of one file is limited: no segment can be made at all, which is a
 * refusal at the start. */
static void test_file_size_limit(void **state)
{
    struct fixture *f = *state;
    begin(f);
    damage_shell("rm -f '%s'/*", f->server.directory);
    f->server.file_bytes_max = 512 * 1024;
    expect_end(&f->server, "opening a new segment: no space left on the device");
    f->server.file_bytes_max = 0;
    server_process_start(&f->server);
    server_process_stop(&f->server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_newer_version),
        cmocka_unit_test(test_segment),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_wrong_owner),
        cmocka_unit_test(test_read_only_directory),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_file_size_limit),
    };
    if (server_process_is_redis()) return 0;
    return cmocka_run_group_tests_name("integration directories", tests, setup, teardown);
}
