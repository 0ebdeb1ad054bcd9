#include "base/check.h"
#include "base/memory.h"
#include "server/refusals.h"
#include "server/tick_clock.h"
#include "server/trace_sink.h"
#include "server/worker.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- tick_clock ---- */

/* Ticks follow the clock forward, whatever its steps. */
static void test_clock_follows(void **state)
{
    (void)state;
    struct tick_clock c = {0};
    assert_int_equal(tick_clock_advance(&c, 1000000, 5000000), 1000000);
    assert_int_equal(tick_clock_advance(&c, 1000000, 5000000), 1000000);
    assert_int_equal(tick_clock_advance(&c, 1000500, 5500000), 1000500);
    assert_int_equal(tick_clock_advance(&c, 9000000, 6000000), 9000000);
}

/* After the clock was set back, ticks go on at half speed and meet it again. */
static void test_clock_set_back(void **state)
{
    (void)state;
    struct tick_clock c = {0};
    tick_clock_advance(&c, 10000000, 0);
    int64_t unix_us = 9000000; /* a second back */
    int64_t last = c.now_us;
    size_t behind = 0;
    for (int64_t ns = 100 * 1000000; ns <= INT64_C(4000) * 1000000; ns += 100 * 1000000) {
        unix_us += 100000;
        int64_t now = tick_clock_advance(&c, unix_us, ns);
        assert_true(now >= last);
        if (now > unix_us) {
            assert_int_equal(now - last, 50000);
            behind++;
        }
        last = now;
    }
    assert_int_equal(behind, 18); /* the second is gone after two */
    assert_int_equal(last, unix_us);
}

/* ---- refusals ---- */

/* Time counts from the tick that sees a full disk to the one that sees room, however many ticks are
 * in between; several times add up; what is refused now counts on after CONFIG RESETSTAT. */
static void test_refusals(void **state)
{
    (void)state;
    struct refusals r = {0};
    refusals_note(&r, false, 1000);
    refusals_note(&r, false, 2000);
    assert_int_equal(refusals_ms(&r, 2500), 0);
    refusals_note(&r, true, 3000);
    assert_int_equal(refusals_ms(&r, 3000), 0);
    assert_int_equal(refusals_ms(&r, 3700), 700);
    refusals_note(&r, true, 4000);
    refusals_note(&r, true, 4000);
    assert_int_equal(refusals_ms(&r, 4500), 1500);
    refusals_note(&r, false, 5000);
    assert_int_equal(refusals_ms(&r, 9000), 2000);
    refusals_note(&r, false, 9000);
    refusals_note(&r, true, 10000);
    assert_int_equal(refusals_ms(&r, 10250), 2250);
    refusals_reset(&r, 10250);
    assert_int_equal(refusals_ms(&r, 10250), 0);
    refusals_note(&r, false, 10300);
    assert_int_equal(refusals_ms(&r, 20000), 50);
    refusals_reset(&r, 20000);
    assert_int_equal(refusals_ms(&r, 30000), 0);
}

/* ---- worker ---- */

static void increment(void *job)
{
    *(int *)job += 1;
}

static void wait_for(struct worker *w)
{
    struct pollfd ready = {.fd = worker_descriptor(w), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 60000), 1);
    worker_acknowledge(w);
}

/* A job is done once and comes back once; between jobs the descriptor is quiet. */
static void test_worker(void **state)
{
    (void)state;
    struct worker *w = worker_create("test", increment);
    int count = 0;
    for (int i = 1; i <= 1000; i++) {
        assert_null(worker_take(w));
        worker_start(w, &count);
        wait_for(w);
        assert_ptr_equal(worker_take(w), &count);
        assert_int_equal(count, i);
    }
    struct pollfd ready = {.fd = worker_descriptor(w), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    worker_destroy(w);
}

/* A job that was started is done before the worker ends. */
static void test_worker_ends_with_its_job(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct worker *w = worker_create("test", increment);
        int count = 0;
        worker_start(w, &count);
        worker_destroy(w);
        assert_int_equal(count, 1);
    }
}

/* ---- trace_sink ---- */

static size_t read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    size_t count = fread(text, 1, size - 1, file);
    text[count] = '\0';
    fclose(file);
    return count;
}

/* With the thread the same lines come in the same order, and reopening divides them as exactly. */
static void check_thread(const char *path, const char *moved)
{
    char text[8192];
    struct trace_sink sink;
    struct buf problem = {0};
    assert_true(trace_sink_open(&sink, path, &problem));
    trace_write(&sink.trace, TRACE_NOTICE, "zeroth");
    trace_sink_start(&sink);
    for (int i = 0; i < 20; i++) trace_write(&sink.trace, TRACE_NOTICE, "before %02d", i);
    trace_sink_hurry(&sink);
    assert_true(read_file(path, text, sizeof text) > 0);
    assert_non_null(strstr(text, "before 19\n"));
    assert_int_equal(rename(path, moved), 0);
    trace_write(&sink.trace, TRACE_NOTICE, "still before");
    trace_sink_reopen(&sink);
    for (int i = 0; i < 20; i++) trace_write(&sink.trace, TRACE_NOTICE, "after %02d", i);
    trace_sink_close(&sink);
    assert_true(read_file(moved, text, sizeof text) > 0);
    assert_true(strstr(text, "zeroth") < strstr(text, "before 00"));
    assert_true(strstr(text, "before 07") < strstr(text, "before 08"));
    assert_non_null(strstr(text, "still before\n"));
    assert_null(strstr(text, "after"));
    assert_true(read_file(path, text, sizeof text) > 0);
    assert_null(strstr(text, "before"));
    assert_true(strstr(text, "after 18") < strstr(text, "after 19"));
    buf_deinit(&problem);
}

/* A reader that does not read stalls nobody: what does not fit is dropped and counted, and what was
 * taken comes when it reads again. */
static void test_stalled_trace(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    static char text[64 * LINES];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct trace_sink sink;
    struct buf problem = {0};
    assert_true(trace_sink_open(&sink, "", &problem));
    sink.descriptor = ends[1];
    trace_sink_start(&sink);
    for (int i = 0; i < LINES; i++) trace_write(&sink.trace, TRACE_NOTICE, "line %05d", i);
    /* All of it came back: nobody has read a byte yet. */
    size_t size = 0;
    while (strstr(text, "the last line") == NULL) {
        trace_write(&sink.trace, TRACE_NOTICE, "the last line");
        assert_true(size < sizeof text - 1);
        ssize_t got = read(ends[0], text + size, sizeof text - 1 - size);
        assert_true(got > 0);
        size += (size_t)got;
    }
    assert_non_null(strstr(text, "lines were dropped here\n"));
    assert_null(strstr(text, "line 19999"));
    trace_sink_close(&sink);
    close(ends[0]);
}

/* Lines have the process, the time, the level's mark and the text; those below the level are not
 * written; after the file was moved away, reopening begins a new one. */
static void test_trace_sink(void **state)
{
    (void)state;
    char directory[] = "/tmp/irmak-trace-XXXXXX", path[64], moved[64], text[8192];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/log", directory);
    snprintf(moved, sizeof moved, "%s/old", directory);
    struct trace_sink sink;
    struct buf problem = {0};
    assert_true(trace_sink_open(&sink, path, &problem));
    trace_write(&sink.trace, TRACE_VERBOSE, "not shown");
    trace_write(&sink.trace, TRACE_NOTICE, "first %d", 1);
    sink.level = TRACE_WARNING;
    trace_write(&sink.trace, TRACE_NOTICE, "not shown");
    trace_write(&sink.trace, TRACE_WARNING, "second");
    sink.level = TRACE_WARNING + 1;
    trace_write(&sink.trace, TRACE_WARNING, "not shown");
    sink.level = TRACE_DEBUG;

    assert_int_equal(rename(path, moved), 0);
    trace_write(&sink.trace, TRACE_DEBUG, "third");
    trace_sink_reopen(&sink);
    trace_write(&sink.trace, TRACE_NOTICE, "fourth");
    trace_sink_close(&sink);

    assert_true(read_file(moved, text, sizeof text) > 0);
    int pid, milliseconds, day, year, hour, minute, second;
    char month[8];
    assert_int_equal(sscanf(text, "%d:M %d %3s %d %d:%d:%d.%3d * first 1\n", &pid, &day, month,
                            &year, &hour, &minute, &second, &milliseconds),
                     8);
    assert_int_equal(pid, getpid());
    assert_non_null(strstr(text, " # second\n"));
    assert_non_null(strstr(text, " . third\n"));
    assert_null(strstr(text, "not shown"));
    assert_null(strstr(text, "fourth"));
    assert_true(read_file(path, text, sizeof text) > 0);
    assert_non_null(strstr(text, " * fourth\n"));

    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(moved), 0);
    check_thread(path, moved);

    assert_false(trace_sink_open(&sink, "/nonexistent/log", &problem));
    assert_int_equal(problem.size, strlen("logfile /nonexistent/log: No such file or directory"));
    buf_deinit(&problem);
    unlink(path);
    unlink(moved);
    assert_int_equal(rmdir(directory), 0);
}

/* ---- the end of a process that cannot go on ---- */

enum ending { END_CHECK, END_CHECK_OF_A_THREAD, END_MEMORY, END_STALLED };

static void *fail_check(void *context)
{
    check_failed("a == b", "here.c", *(const int *)context);
}

static void end_badly(const char *path, enum ending ending)
{
    struct trace_sink sink;
    struct buf problem = {0};
    pthread_t thread;
    int line = 42, ends[2];
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(1);
    if (!trace_sink_open(&sink, path, &problem) || pipe(ends) != 0) _exit(1);
    if (ending == END_STALLED) sink.descriptor = ends[1];
    trace_sink_start(&sink);
    for (int i = 0; i < 2000; i++) trace_write(&sink.trace, TRACE_NOTICE, "line %04d", i);
    if (ending == END_MEMORY) (void)memory_allocate(SIZE_MAX / 2);
    if (ending == END_CHECK_OF_A_THREAD) {
        if (pthread_create(&thread, NULL, fail_check, &line) != 0) _exit(1);
        pthread_join(thread, NULL);
    }
    fail_check(&line);
    _exit(0);
}

static void expect_last_words(enum ending ending, const char *last)
{
    static char text[256 * 1024];
    char path[] = "/tmp/irmak-words-XXXXXX";
    int file = mkstemp(path), status;
    assert_true(file >= 0);
    close(file);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) end_badly(path, ending);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    size_t size = read_file(path, text, sizeof text);
    assert_int_equal(unlink(path), 0);
    if (last == NULL) return;
    assert_true(size > strlen(last));
    assert_string_equal(text + size - strlen(last), last);
    const char *at = text;
    for (int i = 0; i < 2000; i++) {
        char line[24];
        snprintf(line, sizeof line, "line %04d\n", i);
        at = strstr(at, line);
        assert_non_null(at);
    }
}

/* Whatever a process said before it stops in a failed check, or for want of memory, is in its
 * logfile, and why it stopped is the last line. A logfile that takes nothing does not keep it. */
static void test_last_words(void **state)
{
    (void)state;
    expect_last_words(END_CHECK, " # here.c:42: check failed: a == b\n");
    expect_last_words(END_CHECK_OF_A_THREAD, " # here.c:42: check failed: a == b\n");
    expect_last_words(END_STALLED, NULL);
    if (strcmp(memory_allocator_name(), "libc") == 0)
        return; /* a sanitizer's, which stops itself */
    char last[128];
    snprintf(last, sizeof last, " # irmak: out of memory allocating %zu bytes\n", SIZE_MAX / 2);
    expect_last_words(END_MEMORY, last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_follows), cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_worker),        cmocka_unit_test(test_worker_ends_with_its_job),
        cmocka_unit_test(test_trace_sink),    cmocka_unit_test(test_stalled_trace),
        cmocka_unit_test(test_last_words),    cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
