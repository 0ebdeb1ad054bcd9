/* sigkill_test.c - SIGKILL at random moments under load; the crash oracle after each restart.
 *
 * SIGKILL_CYCLES (20) kills, SIGKILL_SEED (from the clock). Every LIFE_CYCLES a new, empty
 * directory. The page cache survives SIGKILL: this finds replies sent before the write, torn
 * writes, order and recovery errors; a missing fsync is the simulator's to find. */
#include "sigkill_load.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum {
    CYCLES_DEFAULT = 20,
    LIFE_CYCLES = 10,
    RUN_US_MIN = 500,
    RUN_US_MAX = 150000,
    RECOVERY_CRASH_US_MAX = 40000,
    PENDING_ATTEMPTS = 20,
};

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    if (text == NULL || text[0] == '\0') return otherwise;
    char *rest;
    errno = 0;
    uint64_t number = strtoull(text, &rest, 10);
    if (errno != 0 || *rest != '\0') fail_msg("%s=%s is not a number", name, text);
    return number;
}

static uint64_t choose_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return number_from_environment("SIGKILL_SEED",
                                   (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec);
}

static void print_violations(const struct crash_oracle *oracle)
{
    for (size_t i = 0; crash_oracle_violation(oracle, i) != NULL; i++)
        print_error("  %s\n", crash_oracle_violation(oracle, i)->text);
}

static void add_figures(struct oracle_figures *sum, const struct crash_oracle *oracle)
{
    struct oracle_figures figures;
    crash_oracle_measure(oracle, &figures);
    sum->acknowledged += figures.acknowledged;
    sum->unknown += figures.unknown;
    sum->unknown_applied += figures.unknown_applied;
    sum->violations += figures.violations;
}

/* One directory: 'cycles' kills, some of them followed by a kill of the recovery. */
static void run_life(uint64_t seed, uint64_t cycles, struct oracle_figures *sum)
{
    struct server_process server;
    struct load load;
    server_process_init(&server);
    server_process_start(&server);
    load_init(&load, &server, seed);
    bool good = true;
    for (uint64_t cycle = 0; good && cycle < cycles; cycle++) {
        load_run_and_kill(&load, RUN_US_MIN + (int64_t)load_random(&load, RUN_US_MAX - RUN_US_MIN));
        while (load_random(&load, 4) == 0)
            server_process_crash_while_starting(
                &server, (unsigned)load_random(&load, RECOVERY_CRASH_US_MAX));
        server_process_start(&server);
        good = load_judge(&load);
        if (!good) print_error("cycle %" PRIu64 " of seed %" PRIu64 ":\n", cycle, seed);
    }
    if (!good) print_violations(load.oracle);
    add_figures(sum, load.oracle);
    if (good) server_process_stop(&server);
    load_deinit(&load);
    server_process_deinit(&server);
    assert_true(good);
}

/* No acknowledged write is lost, no unknown one is torn, whatever moment the kill chose. */
static void test_acknowledged_writes_survive_sigkill(void **state)
{
    (void)state;
    uint64_t seed = choose_seed();
    uint64_t cycles = number_from_environment("SIGKILL_CYCLES", CYCLES_DEFAULT);
    struct oracle_figures sum = {0};
    printf("# SIGKILL_SEED=%" PRIu64 " SIGKILL_CYCLES=%" PRIu64 "\n", seed, cycles);
    fflush(stdout);
    for (uint64_t done = 0; done < cycles; done += LIFE_CYCLES)
        run_life(seed + done, cycles - done < LIFE_CYCLES ? cycles - done : LIFE_CYCLES, &sum);
    printf("# %" PRIu64 " kills: %" PRIu64 " operations acknowledged, %" PRIu64 " unknown (%" PRIu64
           " had happened), %" PRIu64 " violations\n",
           cycles, sum.acknowledged, sum.unknown, sum.unknown_applied, sum.violations);
    assert_true(sum.acknowledged > cycles);
}

/* --- The oracle is awake: each change behind its back is found. ------------------------------ */

static const char *const SABOTAGE[] = {
    "DEL writer:0:key:0 writer:1:key:1 writer:2:key:2 writer:3:key:3",
    "APPEND writer:1:key:1 x",
    "SET never:sent 1",
    "XDEL stream:kept %s",
    "XADD stream:kept * never sent",
    "XTRIM stream:kept MAXLEN 1",
    "XACK stream:kept group %s",
    "XCLAIM stream:kept group somebody 0 %s",
    "XGROUP SETID stream:kept group 0",
    "XAUTOCLAIM stream:kept group somebody 0 0 COUNT 1",
    "XSETID stream:kept 99999999999999-0",
    "XDELEX stream:kept DELREF IDS 1 %s",
};

/* The first pending entry of the first stream, as text; false if there is none. */
static bool first_pending(redisContext *context, char id[64])
{
    redisReply *rows = redisCommand(context, "XPENDING stream:kept group - + 1");
    assert_non_null(rows);
    bool found = rows->elements == 1;
    if (found) snprintf(id, 64, "%s", rows->element[0]->element[0]->str);
    freeReplyObject(rows);
    return found;
}

/* Kills until a recovered server has a pending entry; a connection to it, and the entry's ID. */
static redisContext *reach_pending(struct load *load, char id[64])
{
    for (int attempt = 0; attempt < PENDING_ATTEMPTS; attempt++) {
        load_run_and_kill(load, RUN_US_MAX);
        server_process_start(load->server);
        bool good = load_judge(load);
        if (!good) print_violations(load->oracle);
        assert_true(good);
        redisContext *context = load_connect(load->server);
        if (first_pending(context, id)) return context;
        redisFree(context);
    }
    fail_msg("no kill in %d left a pending entry", PENDING_ATTEMPTS);
    return NULL;
}

static void sabotage(uint64_t seed, const char *format)
{
    struct server_process server;
    struct load load;
    char id[64], command[160];
    server_process_init(&server);
    server_process_start(&server);
    load_init(&load, &server, seed);
    redisContext *context = reach_pending(&load, id);
    snprintf(command, sizeof command, format, id);
    redisReply *reply = redisCommand(context, command);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
    redisFree(context);
    bool good = load_judge(&load);
    load_deinit(&load);
    server_process_deinit(&server);
    if (good) fail_msg("not found: %s", command);
}

static void test_the_oracle_finds_sabotage(void **state)
{
    (void)state;
    uint64_t seed = choose_seed();
    printf("# SIGKILL_SEED=%" PRIu64 "\n", seed);
    for (size_t i = 0; i < sizeof SABOTAGE / sizeof *SABOTAGE; i++) sabotage(seed + i, SABOTAGE[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledged_writes_survive_sigkill),
        cmocka_unit_test(test_the_oracle_finds_sabotage),
    };
    return cmocka_run_group_tests_name("integration sigkill", tests, NULL, NULL);
}
