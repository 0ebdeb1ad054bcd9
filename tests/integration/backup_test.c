/* backup_test.c - a backup while the server runs, and its restore, by the very lines of
 * docs/operations.md: everything that was acknowledged before the copy began is in the copy.
 *
 * A child writes all the time and says in shared memory how far it was answered. Segments are small
 * and snapshots frequent, so that the log is cut and its files are used again under the copies. */
#include "sigkill_load.h"
#include "waiting.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROUNDS = 4,
    SLOTS = 2000, /* keys that are written in turn */
    PIPELINE = 50,
    TEXT_MAX = 4096,
};

/* Written by the child, read by the test. */
struct progress {
    _Atomic uint64_t answered; /* writes, from the first on */
};

/* ---- the writer ---- */

static void take_replies(redisContext *c, int count)
{
    for (int i = 0; i < count; i++) {
        void *reply = NULL;
        if (redisGetReply(c, &reply) != REDIS_OK) _exit(0);
        if (((redisReply *)reply)->type == REDIS_REPLY_ERROR) _exit(1);
        freeReplyObject(reply);
    }
}

/* Write number n sets slot n % SLOTS to n. Ends with its connection, or is killed. */
static void write_for_ever(const struct server_process *server, struct progress *progress)
{
    redisContext *c = load_connect(server);
    for (uint64_t n = 1;; n += PIPELINE) {
        for (uint64_t i = n; i < n + PIPELINE; i++)
            redisAppendCommand(c, "SET slot:%d %0500lld", (int)(i % SLOTS), (long long)i);
        take_replies(c, PIPELINE);
        atomic_store(&progress->answered, n + PIPELINE - 1);
    }
}

static pid_t start_writer(const struct server_process *server, struct progress *progress)
{
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) write_for_ever(server, progress);
    return writer;
}

static void stop_writer(pid_t writer)
{
    int status;
    assert_int_equal(kill(writer, SIGKILL), 0);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_true(WIFSIGNALED(status)); /* no write was refused before */
}

static void wait_until_answered(const struct progress *progress, uint64_t count)
{
    for (int i = 0; i < WAITS_MAX && atomic_load(&progress->answered) < count; i++) pause_briefly();
    assert_true(atomic_load(&progress->answered) >= count);
}

/* ---- the copy ---- */

/* The lines between the fences behind the title, as a script of its own. */
static void write_documented_script(const char *path)
{
    char *text = server_process_read_file("docs/operations.md");
    char *begin = strstr(text, "**Backup while it runs.**");
    assert_non_null(begin);
    begin = strstr(begin, "```sh\n");
    assert_non_null(begin);
    begin += strlen("```sh\n");
    char *end = strstr(begin, "```\n");
    assert_non_null(end);
    *end = '\0';
    assert_non_null(strstr(begin, "irmak-check"));
    server_process_write_file(path, begin);
    free(text);
}

/* 'tools' is searched for commands first. */
static void back_up(const struct server_process *server, const char *copy, const char *tools)
{
    char command[TEXT_MAX], script[SERVER_PATH_SIZE];
    const char *binary = getenv("IRMAK_SERVER");
    if (binary == NULL || binary[0] == '\0') binary = "build/irmak-server";
    server_process_path(server, "backup.sh", script);
    write_documented_script(script);
    snprintf(command, sizeof command,
             "here=$(cd \"$(dirname '%s')\" && pwd) && DIR='%s' COPY='%s' PATH=%s:$here:$PATH "
             "timeout 120 sh '%s' >/dev/null",
             binary, server->directory, copy, tools, script);
    assert_int_equal(system(command), 0);
}

/* Every write up to 'answered' is there, or a later one of its slot. */
static void check_restored(const char *copy, uint64_t answered)
{
    struct server_process restored;
    char command[TEXT_MAX];
    server_process_init(&restored);
    snprintf(command, sizeof command, "cp '%s'/* '%s/'", copy, restored.directory);
    assert_int_equal(system(command), 0);
    server_process_start(&restored);
    redisContext *c = load_connect(&restored);
    for (uint64_t n = answered > SLOTS ? answered - SLOTS + 1 : 1; n <= answered; n++) {
        redisReply *reply = redisCommand(c, "GET slot:%d", (int)(n % SLOTS));
        assert_non_null(reply);
        if (reply->type != REDIS_REPLY_STRING || strtoull(reply->str, NULL, 10) < n)
            fail_msg("write %llu was acknowledged before the copy began, and is not in it",
                     (unsigned long long)n);
        freeReplyObject(reply);
    }
    redisFree(c);
    server_process_stop(&restored);
    server_process_deinit(&restored);
}

static void start_server(struct server_process *server, struct progress **progress)
{
    *progress =
        mmap(NULL, sizeof **progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(*progress != MAP_FAILED);
    server_process_init(server);
    server_process_option(server, "--log-segment-size", "1mb");
    server_process_option(server, "--auto-aof-rewrite-percentage", "1");
    server_process_option(server, "--auto-aof-rewrite-min-size", "4mb");
    server_process_option(server, "--snapshot-rate-max", "0");
    server_process_start(server);
}

static void end_server(struct server_process *server, struct progress *progress, const char *copy)
{
    char command[TEXT_MAX];
    snprintf(command, sizeof command, "rm -rf '%s'", copy);
    assert_int_equal(system(command), 0);
    server_process_stop(server);
    server_process_deinit(server);
    munmap(progress, sizeof *progress);
}

/* Copies that are made while a client writes and snapshots come and go are whole servers. */
static void test_backup_under_load(void **state)
{
    (void)state;
    struct server_process server;
    struct progress *progress;
    char copy[SERVER_PATH_SIZE];
    start_server(&server, &progress);
    snprintf(copy, sizeof copy, "%.200s.copy", server.directory);
    pid_t writer = start_writer(&server, progress);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        wait_until_answered(progress, round * 2 * SLOTS);
        uint64_t answered = atomic_load(&progress->answered);
        back_up(&server, copy, "/usr/bin");
        check_restored(copy, answered);
    }
    stop_writer(writer);
    end_server(&server, progress, copy);
}

/* ---- a copy that is slower than the log ---- */

/* A cp that, the first time that it copies the log, stops in the middle of the newest segment until
 * its name has gone, and some time longer: what it then reads is whatever the server made of the
 * file meanwhile. Says so in the file 'stopped'. */
static void make_slow_cp(const struct server_process *server, char *tools)
{
    static const char script[] =
        "#!/bin/sh\n"
        "tools=$(dirname \"$0\")\n"
        "case $1 in */log-*) ;; *) exec /bin/cp \"$@\" ;; esac\n"
        "[ ! -e \"$tools/stopped\" ] || exec /bin/cp \"$@\"\n"
        "echo stopped > \"$tools/stopped\"\n"
        "eval to=\\${$#}\n"
        "while [ $# -gt 2 ]; do /bin/cp \"$1\" \"$to/\" || exit 1; shift; done\n"
        "exec 3< \"$1\"\n"
        "dd bs=4096 count=8 <&3 > \"$to/${1##*/}\" 2>/dev/null\n"
        "tries=0\n"
        "while [ -e \"$1\" ] && [ $tries -lt 2000 ]; do sleep 0.01; tries=$((tries + 1)); done\n"
        "sleep 1\n"
        "cat <&3 >> \"$to/${1##*/}\"\n";
    char path[SERVER_PATH_SIZE + 8], command[TEXT_MAX];
    snprintf(tools, SERVER_PATH_SIZE, "%.200s.tools", server->directory);
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir '%s'", tools, tools);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/cp", tools);
    server_process_write_file(path, script);
    snprintf(command, sizeof command, "chmod 755 '%s'", path);
    assert_int_equal(system(command), 0);
}

/* A segment that goes away under the copy is noticed, and the copy made again. */
static void test_backup_behind_the_log(void **state)
{
    (void)state;
    struct server_process server;
    struct progress *progress;
    char copy[SERVER_PATH_SIZE], tools[SERVER_PATH_SIZE], path[SERVER_PATH_SIZE + 32];
    start_server(&server, &progress);
    snprintf(copy, sizeof copy, "%.200s.copy", server.directory);
    make_slow_cp(&server, tools);
    pid_t writer = start_writer(&server, progress);
    wait_until_answered(progress, SLOTS);
    uint64_t answered = atomic_load(&progress->answered);
    back_up(&server, copy, tools);
    snprintf(path, sizeof path, "%s/stopped", tools);
    assert_int_equal(access(path, F_OK), 0);
    check_restored(copy, answered);
    stop_writer(writer);
    snprintf(path, sizeof path, "rm -rf %s", tools);
    assert_int_equal(system(path), 0);
    end_server(&server, progress, copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_under_load),
        cmocka_unit_test(test_backup_behind_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
