/* Tests of request.c: what is accepted, how it is refused, and that cuts change nothing. */
#include "resp/request.h"

#include "resp/request_replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct slice say(struct replay *r, struct slice bytes)
{
    r->log.size = 0;
    replay(r, bytes);
    buf_append_byte(&r->log, 0);
    return (struct slice){r->log.data, r->log.size - 1};
}

struct example {
    struct slice bytes;
    const char *says;
};

#define EXAMPLE(bytes, says)                 \
    {                                        \
        {(bytes), sizeof(bytes) - 1}, (says) \
    }

static const struct example examples[] = {
    /* arrays */
    EXAMPLE("*1\r\n$4\r\nPING\r\n", "[PING] 14\n"),
    EXAMPLE("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "[GET][] 19\n"),
    EXAMPLE("*1\r\n$4\r\na\r\nb\r\n*1\r\n$1\r\nc\r\n", "[a\r\nb] 14\n[c] 11\n"),
    EXAMPLE("*0\r\n*1\r\n$1\r\na\r\n", "empty 4\n[a] 11\n"),
    EXAMPLE("*-1\r\n*-10\r\nPING\r\n", "empty 5\nempty 6\n[PING] 6\n"),
    EXAMPLE("*1048577\r\n", "error ERR Protocol error: invalid multibulk length\n"),
    EXAMPLE("*20000000000000000000\r\n", "error ERR Protocol error: invalid multibulk length\n"),
    EXAMPLE("*\r\n", "error ERR Protocol error: invalid multibulk length\n"),
    EXAMPLE("*1x\r\n", "error ERR Protocol error: invalid multibulk length\n"),
    EXAMPLE("*01\r\n$1\r\na\r\n", "error ERR Protocol error: invalid multibulk length\n"),
    EXAMPLE("*+1\r\n", "error ERR Protocol error: invalid multibulk length\n"),
    EXAMPLE("* 1\r\n", "error ERR Protocol error: invalid multibulk length\n"),
    EXAMPLE("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
            "error ERR Protocol error: expected '$', got 'f'\n"),
    EXAMPLE("*1\r\n:1\r\n", "error ERR Protocol error: expected '$', got ':'\n"),
    EXAMPLE("*1\r\n\r\n", "error ERR Protocol error: expected '$', got ' '\n"),
    EXAMPLE("*1\r\n\n\r\n", "error ERR Protocol error: expected '$', got ' '\n"),
    EXAMPLE("*1\r\n\0\r\n", "error ERR Protocol error: expected '$', got ' '\n"),
    EXAMPLE("*1\r\n$-1\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$-0\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$00\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$blabla\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$536870913\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$2000000000\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$9223372036854775807\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$18446744073709551615\r\n", "error ERR Protocol error: invalid bulk length\n"),
    EXAMPLE("*1\r\n$536870912\r\n", ""),
    EXAMPLE("*1048576\r\n$1\r\na\r\n", ""),
    EXAMPLE("*1\r\n$4\r\nPING", ""),
    EXAMPLE("*1\r\n$4\r\nPING\r", ""),
    EXAMPLE("*", ""),
    /* inline */
    EXAMPLE("PING\r\n", "[PING] 6\n"),
    EXAMPLE("PING\n", "[PING] 5\n"),
    EXAMPLE("\r\n\n  \t \r\nPING\r\n", "empty 2\nempty 1\nempty 6\n[PING] 6\n"),
    EXAMPLE("  set  k\t v \r\n", "[set][k][v] 14\n"),
    EXAMPLE("set k \"a b\" 'c d'\n", "[set][k][a b][c d] 18\n"),
    EXAMPLE("set k \"\" ''\n", "[set][k][][] 12\n"),
    EXAMPLE("a \"\\n\\r\\t\\b\\a\\\\\\\"\\q\"\n", "[a][\n\r\t\b\a\\\"q] 21\n"),
    EXAMPLE("a \"\\x41\\xfF\\x4g\\x\"\n", "[a][A\xff"
                                          "x4gx] 19\n"),
    EXAMPLE("a '\\n\\'\\x41'\n", "[a][\\n'\\x41] 13\n"),
    EXAMPLE("a b\"c d\" e\n", "[a][bc d][e] 11\n"),
    EXAMPLE("a\rb\n", "[a][b] 4\n"),
    EXAMPLE("a\vb \f c\n", "[a\vb][c] 8\n"),
    EXAMPLE("set \"unbalanced\n", "error ERR Protocol error: unbalanced quotes in request\n"),
    EXAMPLE("set '\n", "error ERR Protocol error: unbalanced quotes in request\n"),
    EXAMPLE("set \"a\"b\n", "error ERR Protocol error: unbalanced quotes in request\n"),
    EXAMPLE("set 'a'b\n", "error ERR Protocol error: unbalanced quotes in request\n"),
    EXAMPLE("set \"a\\\n", "error ERR Protocol error: unbalanced quotes in request\n"),
    EXAMPLE("set \"a\\\"\n", "error ERR Protocol error: unbalanced quotes in request\n"),
    EXAMPLE("set k v", ""),
    EXAMPLE("$3\r\nabc\r\n", "[$3] 4\n[abc] 5\n"),
};

enum { EXAMPLES_COUNT = sizeof examples / sizeof examples[0] };

/* Each example says what Redis 7.0 makes of it. */
static void test_examples(void **state)
{
    (void)state;
    struct replay r = {.limits = &request_limits_full, .piece_max = SIZE_MAX};
    for (size_t i = 0; i < EXAMPLES_COUNT; i++)
        assert_string_equal(say(&r, examples[i].bytes).data, examples[i].says);
    buf_deinit(&r.log);
}

/* Two examples in a row say the same in one piece, in single bytes, and in pieces of any size. */
static void test_examples_cut(void **state)
{
    (void)state;
    struct replay r = {.limits = &request_limits_full, .random = {1}};
    struct buf bytes = {0};
    for (size_t i = 0; i < EXAMPLES_COUNT * EXAMPLES_COUNT; i++) {
        bytes.size = 0;
        buf_append(&bytes, examples[i / EXAMPLES_COUNT].bytes);
        buf_append(&bytes, examples[i % EXAMPLES_COUNT].bytes);
        struct replay whole = {.limits = r.limits, .piece_max = SIZE_MAX};
        const char *expected = say(&whole, buf_slice(&bytes)).data;
        for (r.piece_max = 1; r.piece_max < 8; r.piece_max += 2)
            assert_string_equal(say(&r, buf_slice(&bytes)).data, expected);
        buf_deinit(&whole.log);
    }
    buf_deinit(&bytes);
    buf_deinit(&r.log);
}

/* Bytes as a client, a fuzzer and a broken client send them. */
static void append_random_request(struct buf *bytes, struct random *random)
{
    static const char marks[] = "*$\r\n -0123456789\"'\\x a\t:";
    switch (random_below(random, 4)) {
    case 0:
        for (uint64_t i = random_below(random, 12); i > 0; i--)
            buf_append_byte(bytes, (uint8_t)marks[random_below(random, sizeof marks)]);
        break;
    case 1:
        for (uint64_t i = random_below(random, 6); i > 0; i--)
            buf_append_byte(bytes, (uint8_t)random_next(random));
        break;
    default: {
        uint64_t count = random_below(random, 20);
        buf_append_format(bytes, "*%d\r\n", (int)count);
        for (; count > 0; count--) {
            uint64_t size = random_below(random, 12);
            buf_append_format(bytes, "$%d\r\n", (int)size);
            for (; size > 0; size--) buf_append_byte(bytes, (uint8_t)random_next(random));
            buf_append_text(bytes, "\r\n");
        }
    }
    }
}

/* Random bytes say the same however they are cut. */
static void test_random_cut(void **state)
{
    (void)state;
    struct random random = {42};
    struct buf bytes = {0};
    for (size_t round = 0; round < 20000; round++) {
        bytes.size = 0;
        for (uint64_t i = random_below(&random, 5); i > 0; i--)
            append_random_request(&bytes, &random);
        const struct request_limits *limits =
            round % 2 == 0 ? &request_limits_full : &request_limits_login;
        struct replay whole = {.limits = limits, .piece_max = 1};
        struct replay cut = {.limits = limits, .random = {round}};
        whole.piece_max = SIZE_MAX;
        cut.piece_max = 1 + random_below(&random, 16);
        struct slice expected = say(&whole, buf_slice(&bytes));
        struct slice said = say(&cut, buf_slice(&bytes));
        assert_true(slice_equal(said, expected));
        buf_deinit(&whole.log);
        buf_deinit(&cut.log);
    }
    buf_deinit(&bytes);
}

/* A line of 'size' bytes before its end: accepted up to 64 KiB, refused from there on, whether its
 * end has come or not. */
static void check_line(const char *start, size_t size, const char *end, const char *says)
{
    struct replay r = {.limits = &request_limits_full, .piece_max = SIZE_MAX};
    struct buf bytes = {0};
    buf_append_text(&bytes, start);
    while (bytes.size < size) buf_append_byte(&bytes, '1');
    buf_append_text(&bytes, end);
    struct slice said = say(&r, buf_slice(&bytes));
    assert_true(said.size >= strlen(says));
    assert_string_equal(said.data + said.size - strlen(says), says);
    assert_int_equal(said.size == 0, says[0] == '\0');
    r.piece_max = 5000;
    assert_string_equal(say(&r, buf_slice(&bytes)).data + said.size - strlen(says), says);
    buf_deinit(&bytes);
    buf_deinit(&r.log);
}

static void test_line_limits(void **state)
{
    (void)state;
    enum { MAX = 64 * 1024 };
    check_line("x", MAX, "", "");
    check_line("x", MAX, "\n", " 65537\n");
    check_line("x", MAX + 1, "", "error ERR Protocol error: too big inline request\n");
    check_line("x", MAX + 1, "\n", "error ERR Protocol error: too big inline request\n");
    check_line("*", MAX, "", "");
    check_line("*", MAX, "\r\n", "error ERR Protocol error: invalid multibulk length\n");
    check_line("*", MAX + 1, "", "error ERR Protocol error: too big mbulk count string\n");
    check_line("*", MAX + 1, "\r\n", "error ERR Protocol error: too big mbulk count string\n");
    check_line("*1\r\n$", 4 + MAX, "", "");
    check_line("*1\r\n$", 4 + MAX, "\r\n", "error ERR Protocol error: invalid bulk length\n");
    check_line("*1\r\n$", 4 + MAX + 1, "", "error ERR Protocol error: too big bulk count string\n");
    check_line("*1\r\nx", 4 + MAX + 1, "\r\n",
               "error ERR Protocol error: too big bulk count string\n");
}

/* Before authentication 10 arguments of 16 KiB are accepted and one more is not, in either form. */
static void test_login_limits(void **state)
{
    (void)state;
    static const char arguments_error[] =
        "error ERR Protocol error: unauthenticated multibulk length\n";
    static const char bulk_error[] = "error ERR Protocol error: unauthenticated bulk length\n";
    struct replay r = {.limits = &request_limits_login, .piece_max = SIZE_MAX};
    assert_string_equal(say(&r, SLICE("*10\r\n$16384\r\n")).data, "");
    assert_string_equal(say(&r, SLICE("*11\r\n")).data, arguments_error);
    assert_string_equal(say(&r, SLICE("*1\r\n$16385\r\n")).data, bulk_error);
    /* What nobody may send is called so, to whoever sends it. */
    assert_string_equal(say(&r, SLICE("*1048577\r\n")).data,
                        "error ERR Protocol error: invalid multibulk length\n");
    assert_string_equal(say(&r, SLICE("*1\r\n$536870913\r\n")).data,
                        "error ERR Protocol error: invalid bulk length\n");
    assert_string_equal(say(&r, SLICE("1 2 3 4 5 6 7 8 9 10\n")).data,
                        "[1][2][3][4][5][6][7][8][9][10] 21\n");
    assert_string_equal(say(&r, SLICE("1 2 3 4 5 6 7 8 9 10 11\n")).data, arguments_error);

    struct buf bytes = {0};
    while (bytes.size < 16384) buf_append_byte(&bytes, 'x');
    buf_append_byte(&bytes, '\n');
    assert_int_equal(say(&r, buf_slice(&bytes)).data[0], '[');
    buf_append_byte(&bytes, '\n');
    bytes.data[16384] = 'x';
    assert_string_equal(say(&r, buf_slice(&bytes)).data, bulk_error);

    /* The largest request that is legal by its parts is legal as a whole. */
    bytes.size = 0;
    buf_append_text(&bytes, "*10\r\n");
    for (int i = 0; i < 10; i++) {
        buf_append_text(&bytes, "$16384\r\n");
        for (int j = 0; j < 16384; j++) buf_append_byte(&bytes, 'y');
        buf_append_text(&bytes, "\r\n");
    }
    assert_int_equal(say(&r, buf_slice(&bytes)).data[0], '[');
    buf_deinit(&bytes);
    buf_deinit(&r.log);
}

/* A limit that is configured is refused with the words of a lasting limit. */
static void test_own_limits(void **state)
{
    (void)state;
    struct request_limits limits = {
        .arguments_max = 3, .bulk_bytes_max = 10, .request_bytes_max = 37};
    struct replay r = {.limits = &limits, .piece_max = SIZE_MAX};
    assert_string_equal(say(&r, SLICE("*4\r\n")).data,
                        "error ERR Protocol error: invalid multibulk length\n");
    assert_string_equal(say(&r, SLICE("*1\r\n$11\r\n")).data,
                        "error ERR Protocol error: invalid bulk length\n");
    assert_string_equal(say(&r, SLICE("*2\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n")).data,
                        "error ERR Protocol error: request exceeds the query buffer limit\n");
    assert_string_equal(say(&r, SLICE("*2\r\n$10\r\n0123456789\r\n$9\r\n012345678\r\n")).data,
                        "[0123456789][012345678] 36\n");
    buf_deinit(&r.log);
}

/* While an argument is on its way the parser says where it will end, and counts no byte twice. */
static void test_bytes_wanted(void **state)
{
    (void)state;
    struct slice header = SLICE("*2\r\n$3\r\nSET\r\n$100000\r\nab");
    struct request_parser p;
    request_init(&p);
    assert_int_equal(request_parse(&p, header, &request_limits_full), REQUEST_INCOMPLETE);
    assert_int_equal(request_bytes_wanted(&p, header.size), header.size - 2 + 100000 + 2);
    request_reset(&p);
    assert_int_equal(request_parse(&p, SLICE("*2\r\n$1"), &request_limits_full),
                     REQUEST_INCOMPLETE);
    assert_int_equal(request_bytes_wanted(&p, 6), 7);
    request_deinit(&p);
}

/* The array of a large request goes with request_reset; the one of a small request stays. */
static void test_reset(void **state)
{
    (void)state;
    struct buf bytes = {0};
    buf_append_text(&bytes, "*1000\r\n");
    for (int i = 0; i < 1000; i++) buf_append_text(&bytes, "$1\r\na\r\n");
    struct request_parser p;
    request_init(&p);
    assert_int_equal(request_parse(&p, buf_slice(&bytes), &request_limits_full), REQUEST_READY);
    assert_int_equal(p.arguments_count, 1000);
    assert_true(p.arguments_capacity >= 1000);
    request_reset(&p);
    assert_int_equal(p.arguments_capacity, 0);
    assert_null(p.arguments);

    assert_int_equal(request_parse(&p, SLICE("*2\r\n$1\r\na\r\n"), &request_limits_full),
                     REQUEST_INCOMPLETE);
    size_t capacity = p.arguments_capacity;
    request_reset(&p);
    assert_int_equal(p.arguments_capacity, capacity);
    /* The unfinished request is forgotten. */
    assert_int_equal(request_parse(&p, SLICE("*1\r\n$1\r\nb\r\n"), &request_limits_full),
                     REQUEST_READY);
    assert_int_equal(p.arguments_count, 1);
    assert_memory_equal(p.arguments[0].data, "b", 1);
    request_deinit(&p);
    buf_deinit(&bytes);
}

/* Arguments point into the input: nothing is copied. */
static void test_borrowed(void **state)
{
    (void)state;
    struct slice input = SLICE("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    struct request_parser p;
    request_init(&p);
    assert_int_equal(request_parse(&p, input, &request_limits_full), REQUEST_READY);
    assert_ptr_equal(p.arguments[0].data, input.data + 8);
    assert_ptr_equal(p.arguments[1].data, input.data + 17);
    request_deinit(&p);
}

static void test_foreign(void **state)
{
    (void)state;
    assert_true(request_is_foreign(SLICE("POST / HTTP/1.1\r\n")));
    assert_true(request_is_foreign(SLICE("post /")));
    assert_true(request_is_foreign(SLICE("Host: localhost\r\n")));
    assert_true(request_is_foreign(SLICE("host:")));
    assert_true(request_is_foreign(SLICE("\x16\x03\x01\x02")));
    assert_true(request_is_foreign(SLICE("SSH-2.0-OpenSSH")));
    assert_false(request_is_foreign(SLICE("POST")));
    assert_false(request_is_foreign(SLICE("POSTS x")));
    assert_false(request_is_foreign(SLICE("\x16")));
    assert_false(request_is_foreign(SLICE("\x16\x04")));
    assert_false(request_is_foreign(SLICE("GET /")));
    assert_false(request_is_foreign(SLICE("")));
    assert_false(request_is_foreign(SLICE("*1\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),     cmocka_unit_test(test_examples_cut),
        cmocka_unit_test(test_random_cut),   cmocka_unit_test(test_line_limits),
        cmocka_unit_test(test_login_limits), cmocka_unit_test(test_own_limits),
        cmocka_unit_test(test_bytes_wanted), cmocka_unit_test(test_reset),
        cmocka_unit_test(test_borrowed),     cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
