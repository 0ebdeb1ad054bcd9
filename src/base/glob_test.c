/* Tests of glob.c: Redis' patterns, a model, and hostile patterns. */
#include "base/glob.h"

#include "base/memory.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *pattern;
    const char *text;
    bool matches;
} examples[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"*", "", true},
    {"**", "", true},
    {"*", "abc", true},
    {"h?llo", "hallo", true},
    {"h?llo", "hllo", false},
    {"?", "", false},
    {"h*llo", "hllo", true},
    {"h*llo", "heeeello", true},
    {"h*llo", "heeeell", false},
    {"h[ae]llo", "hello", true},
    {"h[ae]llo", "hillo", false},
    {"h[^e]llo", "hallo", true},
    {"h[^e]llo", "hello", false},
    {"h[a-c]llo", "hbllo", true},
    {"h[c-a]llo", "hbllo", true},
    {"h[a-c]llo", "hdllo", false},
    {"a[]b", "ab", false},
    {"a[^]b", "axb", true},
    {"[a-]", "a", true},
    {"[a-]", "-", false},
    {"[a-]", "^", true},
    {"[abc", "b", true},
    {"[abc", "d", false},
    {"[", "x", false},
    {"[^", "x", true},
    {"[\\]]", "]", true},
    {"[\\-a]", "-", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a\\", "a\\", true},
    {"\\\\", "\\", true},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "aXcYb", false},
    {"*a", "aaab", false},
    {"*[0-9]", "key:7", true},
    {"a*", "ab", true},
    {"Hello", "hello", false},
    {"\x80[\x81-\xff]", "\x80\xf0", true},
    {"[\x7f-\xff]", "a", false},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct slice pattern = slice_of(examples[i].pattern), text = slice_of(examples[i].text);
        if (glob_match(pattern, text, false) != examples[i].matches)
            fail_msg("%s on %s", examples[i].pattern, examples[i].text);
    }
    assert_true(glob_match(SLICE("a*\0*c"), SLICE("ab\0bc"), false));
    assert_false(glob_match(SLICE("a*\0*c"), SLICE("abbc"), false));
}

static void test_ignoring_case(void **state)
{
    (void)state;
    assert_true(glob_match(SLICE("HeL*[A-C]"), SLICE("hELLOb"), true));
    assert_true(glob_match(SLICE("[A]\\B"), SLICE("ab"), true));
    assert_false(glob_match(SLICE("HeL*[A-C]"), SLICE("hELLOb"), false));
    assert_false(glob_match(SLICE("["), SLICE("{"), true));
}

/* The definition: a star is nothing, or one byte and a star. For short patterns only. */
static bool model(const char *pattern, const char *text)
{
    if (*pattern == '\0') return *text == '\0';
    if (*pattern == '*') return model(pattern + 1, text) || (*text && model(pattern, text + 1));
    return *text != '\0' && (*pattern == '?' || *pattern == *text) && model(pattern + 1, text + 1);
}

/* Random patterns of stars, marks and few letters agree with the definition. */
static void test_model(void **state)
{
    (void)state;
    struct random random = {5};
    size_t matches = 0;
    for (int round = 0; round < 200000; round++) {
        char pattern[10] = {0}, text[12] = {0};
        for (size_t i = random_below(&random, sizeof pattern); i > 0; i--)
            pattern[i - 1] = "*?ab"[random_below(&random, 4)];
        for (size_t i = random_below(&random, sizeof text); i > 0; i--)
            text[i - 1] = "ab"[random_below(&random, 2)];
        bool expected = model(pattern, text);
        assert_int_equal(glob_match(slice_of(pattern), slice_of(text), false), expected);
        matches += expected;
    }
    assert_true(matches > 1000);
}

static char *repeat(const char *unit, size_t size)
{
    char *bytes = memory_allocate(size);
    for (size_t i = 0, length = strlen(unit); i < size; i++) bytes[i] = unit[i % length];
    return bytes;
}

/* A match that costs far more than linear work is given up: the budget exists. */
static void test_budget(void **state)
{
    (void)state;
    enum { SIZE = 64 * 1024 };
    char *pattern = repeat("a", SIZE), *text = repeat("a", SIZE);
    pattern[0] = '*';
    pattern[SIZE / 2] = 'b';
    text[SIZE - 1] = 'b';
    assert_false(glob_match((struct slice){pattern, SIZE / 2 + 1}, (struct slice){text, SIZE}, 0));
    memory_free(pattern, SIZE);
    /* One class that is read again for each byte of the text, and closes at the end. */
    pattern = repeat("[*[^b", SIZE);
    pattern[0] = '*';
    pattern[1] = '[';
    assert_false(glob_match((struct slice){pattern, SIZE}, (struct slice){text, SIZE}, 0));
    memory_free(pattern, SIZE);
    memory_free(text, SIZE);
}

/* What an honest pattern needs is within the budget. */
static void test_honest_sizes(void **state)
{
    (void)state;
    enum { SIZE = 100 };
    char *text = repeat("a", SIZE), *pattern = repeat("a", SIZE);
    pattern[0] = '*';
    text[SIZE - 1] = pattern[SIZE / 2] = 'b';
    assert_true(glob_match((struct slice){pattern, SIZE / 2 + 1}, (struct slice){text, SIZE}, 0));
    memory_free(pattern, SIZE);
    memory_free(text, SIZE);

    enum { LARGE = 1024 * 1024 };
    text = repeat("abcdefgh", LARGE);
    assert_true(glob_match(SLICE("*hab*defgh"), (struct slice){text, LARGE}, false));
    memory_free(text, LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),     cmocka_unit_test(test_ignoring_case),
        cmocka_unit_test(test_model),        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_honest_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
