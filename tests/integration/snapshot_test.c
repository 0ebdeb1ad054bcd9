/* snapshot_test.c - snapshots of a real process under load: SIGKILL while one is made or after it,
 * the crash oracle after each restart, and a hundred thousand keys beside its own that must stay.
 *
 * SNAPSHOT_CYCLES (12) kills, SNAPSHOT_SEED (from the clock). */
#include "sigkill_load.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum {
    CYCLES_DEFAULT = 12,
    BALLAST_KEYS = 100000,
    BALLAST_STREAMS = 20,
    BALLAST_ENTRIES = 300,
    PIPELINE = 1000,
    RUN_US_MAX = 400000,
};

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || text[0] == '\0' ? otherwise : strtoull(text, NULL, 10);
}

static void take_replies(redisContext *c, int count)
{
    for (int i = 0; i < count; i++) {
        void *reply = NULL;
        assert_int_equal(redisGetReply(c, &reply), REDIS_OK);
        assert_int_not_equal(((redisReply *)reply)->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
}

/* In database 1, where the load's clients never look. */
static void put_ballast(const struct server_process *server)
{
    redisContext *c = load_connect(server);
    redisAppendCommand(c, "SELECT 1");
    take_replies(c, 1);
    for (int i = 0; i < BALLAST_KEYS; i += PIPELINE) {
        for (int j = i; j < i + PIPELINE; j++)
            redisAppendCommand(c, "SET key:%d value:%d", j, j * 7);
        take_replies(c, PIPELINE);
    }
    for (int s = 0; s < BALLAST_STREAMS; s++) {
        for (int i = 1; i <= BALLAST_ENTRIES; i++)
            redisAppendCommand(c, "XADD stream:%d %d-1 number %d", s, i, i);
        redisAppendCommand(c, "XGROUP CREATE stream:%d group 0", s);
        redisAppendCommand(c, "XREADGROUP GROUP group alice COUNT 100 STREAMS stream:%d >", s);
        take_replies(c, BALLAST_ENTRIES + 2);
    }
    redisFree(c);
}

static long long ask_integer(redisContext *c, const char *command, int argument)
{
    redisReply *reply = redisCommand(c, command, argument);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long answer = reply->integer;
    freeReplyObject(reply);
    return answer;
}

static void check_keys(redisContext *c)
{
    for (int i = 0; i < BALLAST_KEYS; i += PIPELINE) {
        for (int j = i; j < i + PIPELINE; j++) redisAppendCommand(c, "GET key:%d", j);
        for (int j = i; j < i + PIPELINE; j++) {
            char expected[32];
            void *reply = NULL;
            assert_int_equal(redisGetReply(c, &reply), REDIS_OK);
            snprintf(expected, sizeof expected, "value:%d", j * 7);
            assert_string_equal(((redisReply *)reply)->str, expected);
            freeReplyObject(reply);
        }
    }
}

static void check_ballast(const struct server_process *server)
{
    redisContext *c = load_connect(server);
    redisAppendCommand(c, "SELECT 1");
    take_replies(c, 1);
    assert_int_equal(ask_integer(c, "DBSIZE", 0), BALLAST_KEYS + BALLAST_STREAMS);
    check_keys(c);
    for (int s = 0; s < BALLAST_STREAMS; s++) {
        assert_int_equal(ask_integer(c, "XLEN stream:%d", s), BALLAST_ENTRIES);
        redisReply *reply = redisCommand(c, "XPENDING stream:%d group", s);
        assert_non_null(reply);
        assert_int_equal(reply->elements, 4);
        assert_int_equal(reply->element[0]->integer, 100);
        freeReplyObject(reply);
    }
    redisFree(c);
}

/* A figure of INFO persistence. */
static uint64_t figure(const struct server_process *server, const char *name)
{
    redisContext *c = load_connect(server);
    redisReply *reply = redisCommand(c, "INFO persistence");
    assert_non_null(reply);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s:", name);
    const char *line = strstr(reply->str, wanted);
    assert_non_null(line);
    uint64_t value = strtoull(line + strlen(wanted), NULL, 10);
    freeReplyObject(reply);
    redisFree(c);
    return value;
}

static void ask(const struct server_process *server, const char *command, const char *expected)
{
    redisContext *c = load_connect(server);
    redisReply *reply = redisCommand(c, command);
    assert_non_null(reply);
    assert_string_equal(reply->str, expected);
    freeReplyObject(reply);
    redisFree(c);
}

static void start(struct server_process *server)
{
    server_process_init(server);
    server_process_option(server, "--log-segment-size", "1mb");
    server_process_option(server, "--snapshot-rate-max", "30mb");
    server_process_start(server);
}

/* No acknowledged write is lost and nothing that was there is gone, whenever the kill comes. */
static void test_kills_around_snapshots(void **state)
{
    (void)state;
    uint64_t seed = number_from_environment("SNAPSHOT_SEED", (uint64_t)time(NULL));
    uint64_t cycles = number_from_environment("SNAPSHOT_CYCLES", CYCLES_DEFAULT);
    uint64_t newest = 0, loaded = 0;
    struct server_process server;
    struct load load;
    printf("# SNAPSHOT_SEED=%" PRIu64 " SNAPSHOT_CYCLES=%" PRIu64 "\n", seed, cycles);
    fflush(stdout);
    start(&server);
    load_init(&load, &server, seed);
    put_ballast(&server);
    for (uint64_t cycle = 0; cycle < cycles; cycle++) {
        ask(&server, "BGSAVE", "Background saving started");
        /* Every fourth time long enough for it to end and for the log to be cut. */
        uint64_t run_us = load_random(&load, RUN_US_MAX) + (cycle % 4 == 3 ? RUN_US_MAX : 0);
        load_run_and_kill(&load, (int64_t)run_us);
        server_process_start(&server);
        if (!load_judge(&load)) fail_msg("cycle %" PRIu64 " of seed %" PRIu64, cycle, seed);
        check_ballast(&server);
        uint64_t snapshot = figure(&server, "snapshot_loaded");
        assert_true(snapshot >= newest);
        if (snapshot > newest) loaded++;
        newest = snapshot;
    }
    printf("# %" PRIu64 " of %" PRIu64 " starts loaded a newer snapshot than the one before\n",
           loaded, cycles);
    assert_true(loaded >= 2);
    server_process_stop(&server);
    load_deinit(&load);
    server_process_deinit(&server);
}

static void flip_bit(const struct server_process *server, uint64_t number)
{
    char path[SERVER_PATH_SIZE], name[64];
    snprintf(name, sizeof name, "snapshot-%016" PRIu64, number);
    server_process_path(server, name, path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 70000, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, 70000, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
}

/* With the newest snapshot damaged the one before it serves; with both, the start is refused; a
 * stop with SAVE leaves a new one. */
static void test_damaged_snapshots(void **state)
{
    (void)state;
    struct server_process server;
    int status;
    start(&server);
    put_ballast(&server);
    for (int i = 0; i < 3; i++) {
        ask(&server, "SAVE", "OK");
        ask(&server, "FLUSHDB", "OK");
    }
    server_process_kill(&server);
    flip_bit(&server, 3);
    server_process_start(&server);
    assert_int_equal(figure(&server, "snapshot_loaded"), 2);
    assert_int_equal(figure(&server, "snapshots_refused"), 1);
    check_ballast(&server);

    redisContext *c = load_connect(&server);
    freeReplyObject(redisCommand(c, "SHUTDOWN SAVE")); /* no answer: the connection closes */
    redisFree(c);
    server_process_end(&server, 0);
    server_process_start(&server);
    assert_int_equal(figure(&server, "snapshot_loaded"), 4);
    check_ballast(&server);
    server_process_kill(&server);
    flip_bit(&server, 4);
    flip_bit(&server, 2);
    assert_true(server_process_fails_to_start(&server, &status));
    char *log = server_process_read_log(&server);
    assert_non_null(strstr(log, "no snapshot can be used"));
    free(log);
    server_process_deinit(&server);
}

/* The longest turn while a snapshot is made is kept, its CPU time is no longer than it was, and
 * CONFIG RESETSTAT forgets it. */
static void test_figures_of_turns(void **state)
{
    (void)state;
    struct server_process server;
    start(&server);
    put_ballast(&server);
    assert_int_equal(figure(&server, "snapshot_loop_usec_max"), 0);
    ask(&server, "SAVE", "OK");
    uint64_t wall_us = figure(&server, "snapshot_loop_usec_max");
    assert_true(wall_us > 0);
    assert_in_range(figure(&server, "snapshot_loop_cpu_usec_max"), 1, wall_us);
    ask(&server, "CONFIG RESETSTAT", "OK");
    assert_int_equal(figure(&server, "snapshot_loop_usec_max"), 0);
    server_process_deinit(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills_around_snapshots),
        cmocka_unit_test(test_damaged_snapshots),
        cmocka_unit_test(test_figures_of_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
