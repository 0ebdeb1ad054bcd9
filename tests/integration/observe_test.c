/* observe_test.c - what an operator asks a running server, and that the answers are true: INFO's
 * figures of commands, errors and the log, LATENCY, SLOWLOG; and what WAITAOF and CONFIG SET
 * appendfsync promise, by INFO's log_synced_lsn. */
#include "fault_page.h"
#include "server_process.h"
#include "wire.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static char *info(const struct wire *wire, const char *section)
{
    char request[64];
    snprintf(request, sizeof request, "INFO %s\r\n", section);
    wire_send_text(wire, request);
    return wire_read_bulk(wire, NULL);
}

/* The value of a line of INFO, with the rest of the text behind it; NULL: no such line. */
static const char *find_line(const char *text, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name))
        if ((at == text || at[-1] == '\n') && at[size] == ':') return at + size + 1;
    return NULL;
}

static int64_t figure(const struct wire *wire, const char *section, const char *name)
{
    char *text = info(wire, section);
    const char *value = find_line(text, name);
    if (value == NULL) fail_msg("INFO %s has no %s:\n%s", section, name, text);
    int64_t number = strtoll(value == NULL ? "" : value, NULL, 10);
    free(text);
    return number;
}

static void expect_line(const struct wire *wire, const char *section, const char *line)
{
    char *text = info(wire, section);
    if (strstr(text, line) == NULL) fail_msg("INFO %s has no %s:\n%s", section, line, text);
    free(text);
}

static struct wire start(struct server_process *server, const char *name, const char *value)
{
    server_process_init(server);
    if (name != NULL) server_process_option(server, name, value);
    server_process_start(server);
    return wire_open(server->port);
}

static void stop(struct server_process *server, struct wire *wire)
{
    wire_close(wire);
    server_process_stop(server);
    server_process_deinit(server);
}

/* ---- what is promised ---- */

static void expect_synced(const struct wire *wire)
{
    assert_int_equal(figure(wire, "persistence", "log_synced_lsn"),
                     figure(wire, "persistence", "log_appended_lsn"));
}

/* Without WAITAOF nothing syncs under 'no'; with it, what was written before is synced. */
static void test_waitaof(void **state)
{
    (void)state;
    struct server_process server;
    struct wire wire = start(&server, "--appendfsync", "no");
    wire_ask(&wire, "SET a 1\r\nSET a 2\r\n", "+OK\r\n+OK\r\n");
    assert_int_equal(figure(&wire, "persistence", "log_synced_lsn"), 0);
    wire_ask(&wire, "WAITAOF 1 0 0\r\n", "*2\r\n:1\r\n:0\r\n");
    assert_int_equal(figure(&wire, "persistence", "log_synced_lsn"), 2);
    wire_ask(&wire, "SET a 3\r\nWAITAOF 1 0 0\r\nPING\r\n", "+OK\r\n*2\r\n:1\r\n:0\r\n+PONG\r\n");
    expect_synced(&wire);
    wire_ask(&wire, "WAITAOF 0 1 20\r\nWAIT 1 20\r\n", "*2\r\n:1\r\n:0\r\n:0\r\n");
    stop(&server, &wire);
}

/* The OK of 'always' says that all before it is synced, whoever wrote it. */
static void test_policy_at_run_time(void **state)
{
    (void)state;
    struct server_process server;
    struct wire wire = start(&server, "--appendfsync", "no"), other = wire_open(server.port);
    for (int i = 0; i < 20; i++) {
        wire_ask(&other, "SET a 1\r\n", "+OK\r\n");
        assert_true(figure(&wire, "persistence", "log_synced_lsn") <
                    figure(&wire, "persistence", "log_appended_lsn"));
        wire_ask(&wire, "CONFIG SET appendfsync always\r\n", "+OK\r\n");
        expect_synced(&wire);
        wire_ask(&other, "SET a 2\r\n", "+OK\r\n");
        expect_synced(&wire);
        wire_ask(&wire, "CONFIG SET appendfsync no\r\n", "+OK\r\n");
    }
    wire_close(&other);
    stop(&server, &wire);
}

/* Whether there is a log is decided at the start. */
static void test_appendonly_is_fixed(void **state)
{
    (void)state;
    struct server_process server;
    struct wire wire = start(&server, NULL, NULL);
    static const char refusal[] = "-ERR CONFIG SET failed (possibly related to argument "
                                  "'appendonly') - can't set immutable config\r\n";
    wire_ask(&wire, "CONFIG SET appendonly no\r\n", refusal);
    wire_ask(&wire, "CONFIG SET appendonly yes\r\n", refusal);
    wire_ask(&wire, "SET a 1\r\nCONFIG GET appendonly\r\n",
             "+OK\r\n*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n");
    stop(&server, &wire);
}

/* ---- what is counted ---- */

/* Errors by kind, in all sections that have them, until CONFIG RESETSTAT. */
static void test_errors(void **state)
{
    (void)state;
    struct server_process server;
    struct wire wire = start(&server, NULL, NULL);
    wire_ask(&wire, "SET a x\r\nXLEN a\r\n",
             "+OK\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    wire_ask(&wire, "INCR a\r\n", "-ERR value is not an integer or out of range\r\n");
    wire_ask(&wire, "GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    expect_line(&wire, "errorstats", "errorstat_ERR:count=2\r\nerrorstat_WRONGTYPE:count=1\r\n");
    expect_line(&wire, "", "errorstat_WRONGTYPE:count=1\r\n");
    assert_int_equal(figure(&wire, "stats", "total_error_replies"), 3);
    expect_line(&wire, "commandstats", "rejected_calls=1,failed_calls=0");
    wire_ask(&wire, "CONFIG RESETSTAT\r\n", "+OK\r\n");
    assert_int_equal(figure(&wire, "stats", "total_error_replies"), 0);
    char *text = info(&wire, "errorstats");
    assert_null(strstr(text, "errorstat_"));
    free(text);
    stop(&server, &wire);
}

/* Percentiles of each command, as many as were asked for, as long as they are tracked. */
static void test_latencystats(void **state)
{
    (void)state;
    struct server_process server;
    struct wire wire = start(&server, NULL, NULL);
    wire_ask(&wire, "DEBUG SLEEP 0.01\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    char *text = info(&wire, "latencystats");
    double p50 = 0, p99 = 0, p999 = 0;
    const char *debug = find_line(text, "latency_percentiles_usec_debug");
    assert_non_null(debug);
    assert_int_equal(sscanf(debug, "p50=%lf,p99=%lf,p99.9=%lf\r\n", &p50, &p99, &p999), 3);
    assert_true(p50 >= 10000);
    assert_true(p999 >= p99);
    assert_non_null(find_line(text, "latency_percentiles_usec_ping"));
    free(text);
    wire_ask(&wire, "CONFIG SET latency-tracking-info-percentiles \"0 12.50 100\"\r\n", "+OK\r\n");
    text = info(&wire, "latencystats");
    debug = find_line(text, "latency_percentiles_usec_debug");
    assert_int_equal(sscanf(debug, "p0=%lf,p12.5=%lf,p100=%lf\r\n", &p50, &p99, &p999), 3);
    free(text);
    wire_ask(&wire, "CONFIG SET latency-tracking-info-percentiles \"50 101\"\r\n",
             "-ERR CONFIG SET failed (possibly related to argument "
             "'latency-tracking-info-percentiles') - latency-tracking-info-percentiles should "
             "contain values between 0.0 and 100.0\r\n");
    wire_ask(&wire, "CONFIG SET latency-tracking no\r\nCONFIG RESETSTAT\r\nPING\r\n",
             "+OK\r\n+OK\r\n+PONG\r\n");
    text = info(&wire, "latencystats");
    assert_null(strstr(text, "usec_ping"));
    free(text);
    stop(&server, &wire);
}

/* What of the disk an operator sees: each figure is there, and fits the others. */
static void test_disk_figures(void **state)
{
    (void)state;
    struct server_process server;
    struct wire wire = start(&server, NULL, NULL);
    for (int i = 0; i < 100; i++) wire_ask(&wire, "SET a 1\r\n", "+OK\r\n");
    assert_int_equal(figure(&wire, "persistence", "snapshot_seconds_since"), -1);
    wire_ask(&wire, "SAVE\r\n", "+OK\r\n");
    static const char *const names[] = {"log_sync_usec", "log_commit_usec", "log_batch_frames",
                                        "log_batch_bytes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t values[3];
        for (size_t j = 0; j < 3; j++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%s", names[i],
                     (const char *[]){"p50", "p99", "max"}[j]);
            values[j] = figure(&wire, "persistence", name);
        }
        assert_true(values[0] > 0);
        assert_true(values[0] <= values[1]);
        assert_true(values[1] <= values[2]);
    }
    assert_true(figure(&wire, "persistence", "log_commit_usec_total") >=
                figure(&wire, "persistence", "log_sync_usec_total"));
    assert_true(figure(&wire, "persistence", "log_bytes") >= 1024 * 1024);
    assert_int_equal(figure(&wire, "persistence", "log_segments"), 1);
    assert_in_range(figure(&wire, "persistence", "log_spares"), 0, 2); /* they are being made */
    assert_int_equal(figure(&wire, "persistence", "log_segments_recycled"), 0);
    assert_in_range(figure(&wire, "persistence", "log_busy_percent"), 0, 100);
    assert_int_equal(figure(&wire, "persistence", "log_refused_seconds"), 0);
    assert_true(figure(&wire, "persistence", "snapshot_seconds_since") >= 0);
    stop(&server, &wire);
}

/* The bytes of the files of a directory whose names begin so. */
static int64_t bytes_of(const char *directory, const char *prefix)
{
    int64_t sum = 0;
    DIR *stream = opendir(directory);
    assert_non_null(stream);
    for (const struct dirent *file; (file = readdir(stream)) != NULL;) {
        struct stat status;
        if (strncmp(file->d_name, prefix, strlen(prefix)) != 0) continue;
        if (fstatat(dirfd(stream), file->d_name, &status, 0) == 0) sum += status.st_size;
    }
    closedir(stream);
    return sum;
}

/* When the threads have nothing more to do, INFO says of the log, the spares and the snapshots what
 * the directory says. */
static void test_directory_figures(void **state)
{
    (void)state;
    static const struct {
        const char *name, *prefix;
    } figures[] = {{"log_bytes", "log-"},
                   {"log_spare_bytes", "spare-"},
                   {"snapshot_files_bytes", "snapshot-"}};
    struct server_process server;
    struct wire wire = start(&server, "--log-segment-size", "1mb");
    for (int i = 0; i < 900; i++) {
        wire_ask(&wire, "SETRANGE a 10000 x\r\n", ":10001\r\n");
        wire_ask(&wire, "COPY a b REPLACE\r\n", ":1\r\n");
        if (i % 300 == 299) wire_ask(&wire, "SAVE\r\n", "+OK\r\n");
    }
    int64_t sum = -1, said = 0;
    for (int tries = 0; sum != said; tries++) {
        assert_true(tries < 5000);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        said = figure(&wire, "persistence", "dir_bytes");
        sum = bytes_of(server.directory, "new-");
        for (size_t i = 0; i < 3; i++) sum += bytes_of(server.directory, figures[i].prefix);
    }
    for (size_t i = 0; i < 3; i++) {
        int64_t found = bytes_of(server.directory, figures[i].prefix);
        assert_true(found > 0);
        assert_int_equal(figure(&wire, "persistence", figures[i].name), found);
    }
    assert_int_equal(figure(&wire, "persistence", "log_spare_bytes"),
                     figure(&wire, "persistence", "log_spares") * 1024 * 1024);
    stop(&server, &wire);
}

/* Until INFO persistence says so; it does not depend on how long that takes. */
static void await_figure(const struct wire *wire, const char *name, int64_t least, int64_t most)
{
    for (int tries = 0;; tries++) {
        int64_t value = figure(wire, "persistence", name);
        if (value >= least && value <= most) return;
        assert_true(tries < 10000);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* Writes more than a segment of 1 MiB holds; the answers wait for one. */
static void fill_segment(const struct wire *writer)
{
    enum { BYTES = 300000 };
    char *value = malloc(BYTES);
    assert_non_null(value);
    memset(value, 'v', BYTES);
    for (int i = 0; i < 5; i++) {
        wire_send_text(writer, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$300000\r\n");
        wire_send(writer, (struct slice){value, BYTES});
        wire_send_text(writer, "\r\n");
    }
    free(value);
}

/* A full disk is seen in INFO while it lasts, and how long it was afterwards. */
static void test_full_disk(void **state)
{
    (void)state;
    struct server_process server;
    server_process_init(&server);
    server_process_option(&server, "--log-segment-size", "1mb");
    struct fault_page *page = fault_page_open(&server);
    server_process_start(&server);
    struct wire wire = wire_open(server.port), writer = wire_open(server.port);
    await_figure(&wire, "log_spares", 2, 2);
    assert_int_equal(figure(&wire, "persistence", "log_writable"), 1);
    page->call = FAULT_OPEN; /* no file can be made */
    page->error = ENOSPC;
    page->sticky = 1;
    __atomic_store_n(&page->armed, 1, __ATOMIC_RELEASE);
    fill_segment(&writer);
    await_figure(&wire, "log_writable", 0, 0);
    wire_ask(&wire, "SET c 1\r\n", "-MISCONF The log has no room on the disk");
    wire_close(&wire);
    wire = wire_open(server.port);
    await_figure(&wire, "log_refused_seconds", 1, INT64_MAX);
    assert_int_equal(figure(&wire, "persistence", "log_writable"), 0);
    __atomic_store_n(&page->armed, 0, __ATOMIC_RELEASE);
    await_figure(&wire, "log_writable", 1, 1);
    assert_true(figure(&wire, "persistence", "log_refused_seconds") >= 1);
    wire_ask(&wire, "SET c 2\r\n", "+OK\r\n");
    wire_ask(&wire, "CONFIG RESETSTAT\r\n", "+OK\r\n");
    assert_int_equal(figure(&wire, "persistence", "log_refused_seconds"), 0);
    wire_close(&writer);
    wire_close(&wire);
    server_process_stop(&server);
    server_process_deinit(&server);
    fault_page_close(&server, page);
}

/* ---- LATENCY and SLOWLOG over the wire, with the directives from the command line ---- */

static void test_slow_things(void **state)
{
    (void)state;
    struct server_process server;
    server_process_init(&server);
    server_process_option(&server, "--latency-monitor-threshold", "20");
    server_process_option(&server, "--slowlog-log-slower-than", "20000");
    server_process_option(&server, "--slowlog-max-len", "1");
    server_process_start(&server);
    struct wire wire = wire_open(server.port);
    wire_ask(&wire, "LATENCY RESET\r\nSLOWLOG RESET\r\n", ":0\r\n+OK\r\n");
    wire_ask(&wire, "DEBUG SLEEP 0.03\r\nDEBUG SLEEP 0.03\r\n", "+OK\r\n+OK\r\n");
    wire_ask(&wire, "SLOWLOG LEN\r\n", ":1\r\n");
    wire_ask(&wire, "LATENCY HISTORY command\r\n", "*");
    wire_close(&wire);
    wire = wire_open(server.port);
    wire_send_text(&wire, "LATENCY GRAPH command\r\n");
    char *text = wire_read_bulk(&wire, NULL);
    assert_non_null(strstr(text, "command - high "));
    free(text);
    wire_send_text(&wire, "LATENCY DOCTOR\r\n");
    text = wire_read_bulk(&wire, NULL);
    assert_non_null(strstr(text, "- command: in "));
    assert_non_null(strstr(text, "- event-loop: in "));
    assert_non_null(strstr(text, "The disk is not the bottleneck"));
    free(text);
    stop(&server, &wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waitaof),
        cmocka_unit_test(test_policy_at_run_time),
        cmocka_unit_test(test_appendonly_is_fixed),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_latencystats),
        cmocka_unit_test(test_disk_figures),
        cmocka_unit_test(test_directory_figures),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_slow_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
