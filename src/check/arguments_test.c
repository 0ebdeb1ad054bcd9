/* The command line of irmak-check: what is taken, what is refused and with which words. */
#include "check/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { WORDS_MAX = 8 };

static bool parse(struct arguments *a, const char *const words[WORDS_MAX], char *text, size_t size)
{
    struct buf problem = {0};
    int count = 0;
    while (count < WORDS_MAX && words[count] != NULL) count++;
    bool good = arguments_parse(a, count, words, &problem);
    snprintf(text, size, "%.*s", (int)problem.size, problem.size > 0 ? problem.data : "");
    buf_deinit(&problem);
    return good;
}

/* A directory alone verifies; each option is found, in any place. */
static void test_options(void **state)
{
    (void)state;
    struct arguments a;
    char problem[256];
    assert_true(parse(&a, (const char *[WORDS_MAX]){"data"}, problem, sizeof(problem)));
    assert_string_equal(a.directory, "data");
    assert_false(a.list || a.dump || a.explain || a.apply || a.json || a.no_lock);
    assert_true(parse(&a, (const char *[WORDS_MAX]){"--dump", "data", "--from", "7", "--to", "9"},
                      problem, sizeof(problem)));
    assert_true(a.dump && a.from == 7 && a.to == 9);
    assert_true(parse(&a,
                      (const char *[WORDS_MAX]){"--list", "--json", "--apply", "--no-lock", "d"},
                      problem, sizeof(problem)));
    assert_true(a.list && a.json && a.apply && a.no_lock);
    assert_true(parse(&a, (const char *[WORDS_MAX]){"d", "--cut-torn-tail", "--explain"}, problem,
                      sizeof(problem)));
    assert_true(a.cut_torn_tail && a.explain);
    assert_true(parse(&a, (const char *[WORDS_MAX]){"-h"}, problem, sizeof(problem)));
    assert_true(a.help);
}

/* What is wrong is named. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *problem;
    } cases[] = {
        {{NULL}, "no directory was given"},
        {{"--lists", "d"}, "unknown option '--lists'"},
        {{"d", "e"}, "one directory at a time: 'd' and 'e'"},
        {{"d", "--dump", "--from"}, "--from needs an LSN, a whole number"},
        {{"d", "--dump", "--to", "-1"}, "--to needs an LSN, a whole number"},
        {{"d", "--from", "1"}, "--from and --to need --dump"},
        {{"d", "--dump", "--from", "3", "--to", "2"}, "--from is after --to"},
        {{"d", "--no-lock", "--cut-torn-tail"},
         "--cut-torn-tail changes the directory and needs its lock"},
        {{"d", "--json", "--explain"}, "--explain has no JSON form"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arguments a;
        char problem[256];
        assert_false(parse(&a, cases[i].words, problem, sizeof(problem)));
        assert_string_equal(problem, cases[i].problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("check arguments", tests, NULL, NULL);
}
