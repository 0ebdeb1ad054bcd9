/* latency_events_test.c - samples of events, and how they look to people. */
#include "base/memory.h"
#include "command/latency_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct latency_events *create(void)
{
    return memory_allocate_zeroed(sizeof(struct latency_events));
}

/* The worst of a second is its sample; the worst of all stays when its sample has gone. */
static void test_samples(void **state)
{
    (void)state;
    struct latency_events *l = create();
    const struct latency_series *s = &l->series[LATENCY_COMMAND];
    latency_events_add(l, LATENCY_COMMAND, 100, 7);
    latency_events_add(l, LATENCY_COMMAND, 100, 900);
    latency_events_add(l, LATENCY_COMMAND, 100, 8);
    assert_int_equal(s->count, 1);
    assert_int_equal(latency_sample_at(s, 0).ms, 900);
    for (int64_t i = 1; i <= LATENCY_SAMPLES_MAX; i++)
        latency_events_add(l, LATENCY_COMMAND, 100 + i, (uint64_t)i);
    assert_int_equal(s->count, LATENCY_SAMPLES_MAX);
    assert_int_equal(latency_sample_at(s, 0).time_s, 101);
    assert_int_equal(latency_sample_at(s, LATENCY_SAMPLES_MAX - 1).ms, LATENCY_SAMPLES_MAX);
    assert_int_equal(s->max_ms, 900);
    assert_int_equal(l->series[LATENCY_TURN].count, 0);
    latency_events_add(l, LATENCY_TURN, 1, UINT64_MAX);
    assert_int_equal(l->series[LATENCY_TURN].max_ms, UINT32_MAX);
    assert_int_equal(latency_events_reset(l, LATENCY_COMMAND), 1);
    assert_int_equal(latency_events_reset(l, LATENCY_COMMAND), 0);
    assert_int_equal(s->max_ms, 0);
    memory_free(l, sizeof *l);
}

/* Every event is found by its name, in any case. */
static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) {
        const char *name = latency_event_name((enum latency_event)i);
        assert_int_equal(latency_event_find(slice_of(name)), i);
    }
    assert_int_equal(latency_event_find(SLICE("FAST-Command")), LATENCY_FAST_COMMAND);
    assert_int_equal(latency_event_find(SLICE("fork")), LATENCY_EVENTS);
}

static void expect_graph(const struct latency_events *l, int64_t now_s, const char *rows)
{
    struct buf text = {0};
    latency_graph(LATENCY_COMMAND, &l->series[LATENCY_COMMAND], now_s, &text);
    buf_append_byte(&text, 0);
    const char *line = strchr(text.data, '\n') + 1;
    assert_int_equal(strspn(line, "-"), 80);
    assert_string_equal(line + 81, rows);
    buf_deinit(&text);
}

/* The lowest stands at the floor, the highest at the top, and ages below them. */
static void test_graph(void **state)
{
    (void)state;
    struct latency_events *l = create();
    latency_events_add(l, LATENCY_COMMAND, 1000, 5);
    expect_graph(l, 1000, " \n \n \n_\n0\ns\n");
    latency_events_add(l, LATENCY_COMMAND, 4601, 16);
    latency_events_add(l, LATENCY_COMMAND, 4602, 10);
    expect_graph(l, 4612, " ` \n | \n |`\n_||\n111\nh10\n ss\n");
    memory_free(l, sizeof *l);
}

static void expect_verdict(enum wal_policy policy, int busy, const char *part)
{
    struct monitor m = {.log_busy_percent = busy};
    struct db_figures figures = {
        .has_log = true, .policy = policy, .log = {.commit_ns_total = 18000000, .syncs = 9}};
    struct buf text = {0};
    latency_doctor(&m, &figures, 1000, &text);
    buf_append_byte(&text, 0);
    if (strstr(text.data, part) == NULL) print_error("%s\n", text.data);
    assert_non_null(strstr(text.data, part));
    buf_deinit(&text);
}

/* The disk is the bottleneck exactly when acknowledgements wait for it nearly all the time. */
static void test_verdict(void **state)
{
    (void)state;
    expect_verdict(WAL_SYNC_ALWAYS, 0, "The disk is not the bottleneck");
    expect_verdict(WAL_SYNC_ALWAYS, 39, "The disk is not the bottleneck");
    expect_verdict(WAL_SYNC_ALWAYS, 40, "The disk takes part");
    expect_verdict(WAL_SYNC_ALWAYS, 79, "The disk takes part");
    expect_verdict(WAL_SYNC_ALWAYS, 80, "The disk is the bottleneck");
    expect_verdict(WAL_SYNC_ALWAYS, 100, "each answer gets about 500 writes a second");
    expect_verdict(WAL_SYNC_EVERYSEC, 100, "The disk is not the bottleneck");
    expect_verdict(WAL_SYNC_NO, 100, "nobody waits for it");
    expect_verdict(WAL_SYNC_ALWAYS, -1, "not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
