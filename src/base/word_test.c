/* Tests of word.h: lines, and the words that sdssplitargs of Redis makes of them. */
#include "base/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LINE_BYTES_MAX = 64 };

/* 'expected' are the words in brackets, then a '!' if the line ends unbalanced. */
static void expect(struct slice line, struct slice expected)
{
    char bytes[LINE_BYTES_MAX], got[2 * LINE_BYTES_MAX + 1];
    size_t size = 0;
    assert_true(line.size <= sizeof bytes);
    memcpy(bytes, line.data, line.size);
    struct word_line l = {.bytes = bytes, .size = line.size};
    struct slice word;
    enum word_status status;
    while ((status = word_take(&l, &word)) == WORD_TAKEN) {
        got[size++] = '[';
        memcpy(got + size, word.data, word.size);
        size += word.size;
        got[size++] = ']';
    }
    if (status == WORD_UNBALANCED) got[size++] = '!';
    assert_int_equal(size, expected.size);
    assert_memory_equal(got, expected.data, size);
}

/* Blanks part words, quotes keep them, and escapes stand for any byte. */
static void test_words(void **state)
{
    (void)state;
    expect(SLICE(""), SLICE(""));
    expect(SLICE(" \t\r\n\v\f "), SLICE(""));
    expect(SLICE("set  key\tvalue"), SLICE("[set][key][value]"));
    expect(SLICE("a\vb"), SLICE("[a\vb]"));
    expect(SLICE("a\0b c"), SLICE("[a\0b][c]"));
    expect(SLICE("a \"b c\" 'd e' \"\""), SLICE("[a][b c][d e][]"));
    expect(SLICE("\"\\x41\\n\\r\\t\\b\\a\\q\\\"\\\\\""), SLICE("[A\n\r\t\b\aq\"\\]"));
    expect(SLICE("\"\\x4\" \"\\xg1\""), SLICE("[x4][xg1]"));
    expect(SLICE("'it\\'s' '\\n'"), SLICE("[it's][\\n]"));
    expect(SLICE("pre\"fix\""), SLICE("[prefix]"));
}

/* A quote that is not closed, or that ends inside of a word, ends the line. */
static void test_unbalanced(void **state)
{
    (void)state;
    expect(SLICE("a \"b"), SLICE("[a]!"));
    expect(SLICE("a 'b"), SLICE("[a]!"));
    expect(SLICE("\"a\"b"), SLICE("!"));
    expect(SLICE("\"a\\\""), SLICE("!"));
    expect(SLICE("'\\"), SLICE("!"));
}

/* What is quoted is read back as it was, whatever its bytes. */
static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char bytes[] = {(char)i, '1', (char)i};
        struct buf line = {0};
        struct slice word;
        word_append_quoted(&line, (struct slice){bytes, sizeof bytes});
        for (size_t k = 0; k < line.size; k++) assert_in_range(line.data[k], ' ', '~');
        struct word_line l = {.bytes = line.data, .size = line.size};
        assert_int_equal(word_take(&l, &word), WORD_TAKEN);
        assert_int_equal(word.size, sizeof bytes);
        assert_memory_equal(word.data, bytes, sizeof bytes);
        assert_int_equal(word_take(&l, &word), WORD_NONE);
        buf_deinit(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_unbalanced),
                                       cmocka_unit_test(test_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
