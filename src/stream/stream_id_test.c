/* stream_id_test.c - arithmetic and text of stream IDs, at their borders. */
#include "stream/stream_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(struct stream_id id, uint64_t ms, uint64_t seq)
{
    assert_int_equal(id.ms, ms);
    assert_int_equal(id.seq, seq);
}

/* The next and the previous ID carry between the halves and end at the ends of the range. */
static void test_steps_carry_and_end(void **state)
{
    (void)state;
    struct stream_id id = {5, UINT64_MAX};
    assert_true(stream_id_increment(&id));
    expect(id, 6, 0);
    assert_true(stream_id_decrement(&id));
    expect(id, 5, UINT64_MAX);
    id = STREAM_ID_MAX;
    assert_false(stream_id_increment(&id));
    expect(id, UINT64_MAX, UINT64_MAX);
    id = STREAM_ID_MIN;
    assert_false(stream_id_decrement(&id));
    expect(id, 0, 0);
}

/* An automatic ID takes the clock when it is ahead, and else the one after the last. */
static void test_automatic_ids_never_go_back(void **state)
{
    (void)state;
    struct stream_id id;
    assert_true(stream_id_next((struct stream_id){10, 7}, 11, &id));
    expect(id, 11, 0);
    assert_true(stream_id_next((struct stream_id){10, 7}, 10, &id));
    expect(id, 10, 8);
    assert_true(stream_id_next((struct stream_id){10, 7}, 3, &id));
    expect(id, 10, 8);
    assert_true(stream_id_next((struct stream_id){10, UINT64_MAX}, 10, &id));
    expect(id, 11, 0);
    assert_false(stream_id_next(STREAM_ID_MAX, 5, &id));
    expect(id, 11, 0);
}

/* ms-* takes the first free sequence of that millisecond. */
static void test_automatic_sequences(void **state)
{
    (void)state;
    struct stream_id id;
    assert_true(stream_id_next_in((struct stream_id){10, 7}, 10, &id));
    expect(id, 10, 8);
    assert_true(stream_id_next_in((struct stream_id){10, 7}, 11, &id));
    expect(id, 11, 0);
    assert_true(stream_id_next_in(STREAM_ID_MIN, 0, &id));
    expect(id, 0, 1);
    assert_false(stream_id_next_in((struct stream_id){10, 7}, 9, &id));
    assert_false(stream_id_next_in((struct stream_id){10, UINT64_MAX}, 10, &id));
}

/* Texts are two numbers of 64 bits, or one where the sequence may be missing. */
static void test_texts_are_parsed(void **state)
{
    (void)state;
    struct stream_id id;
    assert_true(stream_id_parse(SLICE("123-45"), 9, &id));
    expect(id, 123, 45);
    assert_true(stream_id_parse(SLICE("123"), 9, &id));
    expect(id, 123, 9);
    assert_true(stream_id_parse(SLICE("18446744073709551615-18446744073709551615"), 0, &id));
    expect(id, UINT64_MAX, UINT64_MAX);
    assert_true(stream_id_parse(SLICE("0-0"), 9, &id));
    expect(id, 0, 0);
    static const char *const BAD[] = {"",
                                      "-",
                                      "1-",
                                      "-1",
                                      "1-2-3",
                                      "a-1",
                                      "1-b",
                                      " 1-1",
                                      "1-1 ",
                                      "1--1",
                                      "+1-1",
                                      "*",
                                      "18446744073709551616-0",
                                      "0-18446744073709551616"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(stream_id_parse(slice_of(BAD[i]), 0, &id));
        expect(id, 0, 0);
    }
}

/* What is written is what is read, up to the longest text. */
static void test_texts_are_written(void **state)
{
    (void)state;
    char text[STREAM_ID_TEXT_MAX];
    size_t size = stream_id_format((struct stream_id){123, 0}, text);
    assert_true(slice_equal((struct slice){text, size}, SLICE("123-0")));
    size = stream_id_format(STREAM_ID_MAX, text);
    assert_int_equal(size, STREAM_ID_TEXT_MAX);
    struct stream_id id;
    assert_true(stream_id_parse((struct slice){text, size}, 0, &id));
    expect(id, UINT64_MAX, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_carry_and_end),
        cmocka_unit_test(test_automatic_ids_never_go_back),
        cmocka_unit_test(test_automatic_sequences),
        cmocka_unit_test(test_texts_are_parsed),
        cmocka_unit_test(test_texts_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
