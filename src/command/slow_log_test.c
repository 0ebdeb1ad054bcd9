/* slow_log_test.c - what an entry shows, what it leaves out, and how many there are. */
#include "command/slow_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct slow_entry *entry_at(struct slow_log *log, size_t index)
{
    struct list *at = log->entries.next;
    while (index-- > 0) at = at->next;
    assert_ptr_not_equal(at, &log->entries);
    return CONTAINER_OF(at, struct slow_entry, link);
}

static void expect_argument(struct slow_log *log, size_t index, const char *text)
{
    const struct slow_entry *e = entry_at(log, 0);
    assert_true(index < e->arguments_count);
    assert_int_equal(e->arguments[index].size, strlen(text));
    assert_memory_equal(e->arguments[index].data, text, strlen(text));
}

/* Arguments of up to 128 bytes are whole; of a longer one the rest is counted in words. */
static void test_long_arguments(void **state)
{
    (void)state;
    char bytes[1000], expected[200];
    struct slow_log log;
    memset(bytes, 'x', sizeof bytes);
    slow_log_init(&log, 10);
    struct slice arguments[] = {SLICE("SET"), {bytes, 128}, {bytes, 129}, {bytes, 1000}, {NULL, 0}};
    struct slow_request request = {.arguments = arguments,
                                   .arguments_count = 5,
                                   .address = SLICE("1.2.3.4:5"),
                                   .time_s = 7,
                                   .duration_us = 8};
    slow_log_add(&log, &request);
    expect_argument(&log, 0, "SET");
    snprintf(expected, sizeof expected, "%.128s", bytes);
    expect_argument(&log, 1, expected);
    snprintf(expected, sizeof expected, "%.128s... (1 more bytes)", bytes);
    expect_argument(&log, 2, expected);
    snprintf(expected, sizeof expected, "%.128s... (872 more bytes)", bytes);
    expect_argument(&log, 3, expected);
    expect_argument(&log, 4, "");
    const struct slow_entry *e = entry_at(&log, 0);
    assert_true(slice_equal(e->address, SLICE("1.2.3.4:5")));
    assert_int_equal(e->name.size, 0);
    assert_int_equal(e->time_s, 7);
    assert_int_equal(e->duration_us, 8);
    slow_log_reset(&log);
}

/* Thirty-two arguments are shown; of more, thirty-one and how many there are besides. */
static void test_many_arguments(void **state)
{
    (void)state;
    struct slice arguments[40];
    struct slow_log log;
    for (size_t i = 0; i < 40; i++) arguments[i] = SLICE("a");
    slow_log_init(&log, 10);
    struct slow_request request = {.arguments = arguments, .arguments_count = 32};
    slow_log_add(&log, &request);
    assert_int_equal(entry_at(&log, 0)->arguments_count, 32);
    expect_argument(&log, 31, "a");
    request.arguments_count = 33;
    request.secrets = UINT32_MAX - 1;
    slow_log_add(&log, &request);
    assert_int_equal(entry_at(&log, 0)->arguments_count, 32);
    expect_argument(&log, 0, "a");
    expect_argument(&log, 30, "(redacted)");
    expect_argument(&log, 31, "... (2 more arguments)");
    request.arguments_count = 40;
    slow_log_add(&log, &request);
    expect_argument(&log, 31, "... (9 more arguments)");
    slow_log_reset(&log);
}

/* The oldest goes first, also when the bound is lowered; IDs are never reused. */
static void test_bound(void **state)
{
    (void)state;
    struct slow_log log;
    struct slice argument = SLICE("PING");
    struct slow_request request = {.arguments = &argument, .arguments_count = 1};
    slow_log_init(&log, 3);
    for (int i = 0; i < 5; i++) slow_log_add(&log, &request);
    assert_int_equal(log.count, 3);
    assert_int_equal(entry_at(&log, 0)->id, 4);
    assert_int_equal(entry_at(&log, 2)->id, 2);
    slow_log_set_max(&log, 1);
    assert_int_equal(log.count, 1);
    assert_int_equal(entry_at(&log, 0)->id, 4);
    slow_log_reset(&log);
    assert_true(list_empty(&log.entries));
    slow_log_set_max(&log, 0);
    slow_log_add(&log, &request);
    assert_int_equal(log.count, 0);
    slow_log_set_max(&log, 1);
    slow_log_add(&log, &request);
    assert_int_equal(entry_at(&log, 0)->id, 6);
    slow_log_reset(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_arguments),
        cmocka_unit_test(test_many_arguments),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
