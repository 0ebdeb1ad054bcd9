/* error_counts_test.c - kinds of errors: their names, their order, and their bound. */
#include "resp/error_counts.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t count_of(const struct error_counts *e, const char *name)
{
    for (size_t i = 0; i < e->kinds_count; i++)
        if (strcmp(e->kinds[i].name, name) == 0) return e->kinds[i].count;
    return 0;
}

/* The kind is the first word; what has none is an ERR. */
static void test_kinds(void **state)
{
    (void)state;
    struct error_counts *e = memory_allocate_zeroed(sizeof *e);
    error_counts_add(e, SLICE("WRONGTYPE Operation against ..."));
    error_counts_add(e, SLICE("ERR syntax error"));
    error_counts_add(e, SLICE("NOGROUP x"));
    error_counts_add(e, SLICE("ERR no such key"));
    error_counts_add(e, SLICE("oneword"));
    error_counts_add(e, SLICE(" blank"));
    error_counts_add(e, SLICE(""));
    error_counts_add(e, SLICE("AWORDTHATISMUCHTOOLONGFORAKINDOFERROR x"));
    assert_int_equal(e->total, 8);
    assert_int_equal(count_of(e, "ERR"), 6);
    assert_int_equal(count_of(e, "NOGROUP"), 1);
    assert_int_equal(count_of(e, "WRONGTYPE"), 1);
    assert_int_equal(e->kinds_count, 3);
    assert_string_equal(e->kinds[0].name, "ERR");
    assert_string_equal(e->kinds[2].name, "WRONGTYPE");
    memory_free(e, sizeof *e);
}

/* Kinds stay sorted in whatever order they come; those above the bound are in the total only. */
static void test_bound(void **state)
{
    (void)state;
    struct error_counts *e = memory_allocate_zeroed(sizeof *e);
    for (unsigned i = 0; i < 2 * ERROR_KINDS_MAX; i++) {
        char text[32];
        unsigned number = i * 7919 % (2 * ERROR_KINDS_MAX);
        int size = snprintf(text, sizeof text, "E%04u x", number);
        error_counts_add(e, (struct slice){text, (size_t)size});
        error_counts_add(e, (struct slice){text, (size_t)size});
    }
    assert_int_equal(e->kinds_count, ERROR_KINDS_MAX);
    assert_int_equal(e->total, 4 * ERROR_KINDS_MAX);
    for (size_t i = 0; i < e->kinds_count; i++) {
        assert_int_equal(e->kinds[i].count, 2);
        if (i > 0) assert_true(strcmp(e->kinds[i - 1].name, e->kinds[i].name) < 0);
    }
    memory_free(e, sizeof *e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
