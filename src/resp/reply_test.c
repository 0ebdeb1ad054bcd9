/* Tests of reply.c: the bytes of every reply in both versions of the protocol. */
#include "resp/reply.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Takes everything out of the chain into 'bytes', with a terminator. */
static const char *drain(struct chain *c, struct buf *bytes)
{
    bytes->size = 0;
    chain_release(c, c->appended);
    struct iovec vectors[4];
    while (chain_sendable(c)) {
        size_t count = chain_vectors(c, vectors, 4), size = 0;
        for (size_t i = 0; i < count; i++) {
            buf_append(bytes, (struct slice){vectors[i].iov_base, vectors[i].iov_len});
            size += vectors[i].iov_len;
        }
        chain_consume(c, size);
    }
    buf_append_byte(bytes, 0);
    return bytes->data;
}

static struct chain chain;
static struct buf bytes;

#define SAYS(protocol, call, expected)                           \
    do {                                                         \
        struct reply r = {.version = (protocol), .out = &chain}; \
        call;                                                    \
        assert_string_equal(drain(&chain, &bytes), (expected));  \
    } while (0)

#define BOTH_SAY(call, resp2, resp3) \
    do {                             \
        SAYS(RESP2, call, resp2);    \
        SAYS(RESP3, call, resp3);    \
    } while (0)

#define SAY_SAME(call, expected) BOTH_SAY(call, expected, expected)

static void test_scalars(void **state)
{
    (void)state;
    SAY_SAME(reply_ok(&r), "+OK\r\n");
    SAY_SAME(reply_status(&r, "PONG"), "+PONG\r\n");
    SAY_SAME(reply_integer(&r, 0), ":0\r\n");
    SAY_SAME(reply_integer(&r, 9), ":9\r\n");
    SAY_SAME(reply_integer(&r, 10), ":10\r\n");
    SAY_SAME(reply_integer(&r, -1), ":-1\r\n");
    SAY_SAME(reply_integer(&r, INT64_MIN), ":-9223372036854775808\r\n");
    SAY_SAME(reply_integer(&r, INT64_MAX), ":9223372036854775807\r\n");
    BOTH_SAY(reply_null(&r), "$-1\r\n", "_\r\n");
    BOTH_SAY(reply_null_array(&r), "*-1\r\n", "_\r\n");
}

static void test_strings(void **state)
{
    (void)state;
    SAY_SAME(reply_bulk(&r, SLICE("")), "$0\r\n\r\n");
    SAY_SAME(reply_bulk(&r, ((struct slice){NULL, 0})), "$0\r\n\r\n");
    SAY_SAME(reply_bulk(&r, SLICE("hello")), "$5\r\nhello\r\n");
    SAY_SAME(reply_bulk_text(&r, "0123456789"), "$10\r\n0123456789\r\n");
    SAY_SAME(reply_bulk_integer(&r, -12), "$3\r\n-12\r\n");
    BOTH_SAY(reply_verbatim(&r, SLICE("a:1\r\n")), "$5\r\na:1\r\n\r\n", "=9\r\ntxt:a:1\r\n\r\n");
}

/* A bulk string of any size around the limits of pieces and blocks arrives whole. */
static void test_bulk_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,    99,    100,   511,   512,    513,   1000,
                                   1024, 16383, 16384, 65535, 100000, 300000};
    for (size_t i = 0; i < 2 * (sizeof sizes / sizeof sizes[0]); i++) {
        size_t size = sizes[i / 2];
        struct shared *s = shared_create_sized(size, size);
        for (size_t j = 0; j < size; j++) s->data[j] = (char)('a' + j % 23);
        struct reply r = {.version = RESP2, .out = &chain};
        if (i % 2 == 0) reply_bulk(&r, shared_slice(s));
        else reply_bulk_shared(&r, s, shared_slice(s));
        char header[32];
        size_t header_size = (size_t)snprintf(header, sizeof header, "$%zu\r\n", size);
        drain(&chain, &bytes);
        assert_int_equal(bytes.size, header_size + size + 2 + 1);
        assert_memory_equal(bytes.data, header, header_size);
        assert_memory_equal(bytes.data + header_size, s->data, size);
        assert_string_equal(bytes.data + header_size + size, "\r\n");
        assert_int_equal(s->references, 1);
        shared_release(s);
    }
}

static void test_aggregates(void **state)
{
    (void)state;
    SAY_SAME(reply_array(&r, 0), "*0\r\n");
    SAY_SAME(reply_array(&r, 123456789), "*123456789\r\n");
    BOTH_SAY(reply_set(&r, 10), "*10\r\n", "~10\r\n");
    BOTH_SAY(reply_map(&r, 7), "*14\r\n", "%7\r\n");
    BOTH_SAY(reply_map_of_pairs(&r, 3), "*3\r\n", "%3\r\n");
    BOTH_SAY(reply_pair(&r), "*2\r\n", "");
}

/* An error is one line whatever a client made us quote, and it is noted in the reply. */
static void test_errors(void **state)
{
    (void)state;
    SAY_SAME(reply_error(&r, REPLY_ERROR_SYNTAX), "-ERR syntax error\r\n");
    SAY_SAME(reply_error_message(&r, SLICE("ERR a\r\nb\0c\r\n")), "-ERR a  b c\r\n");
    SAY_SAME(reply_error_format(&r, REPLY_ERROR_ARITY, "get"),
             "-ERR wrong number of arguments for 'get' command\r\n");
    SAY_SAME(reply_error_format(&r, REPLY_ERROR_UNKNOWN_COMMAND, 9, "x\r\n+OK\r\ny", 4, "'a' b"),
             "-ERR unknown command 'x  +OK  y', with args beginning with: 'a' \r\n");

    struct reply r = {.version = RESP2, .out = &chain};
    reply_ok(&r);
    assert_false(r.failed);
    reply_error(&r, REPLY_ERROR_NO_SUCH_KEY);
    assert_true(r.failed);
    r.failed = false;
    reply_error_message(&r, SLICE("ERR x"));
    assert_true(r.failed);
    drain(&chain, &bytes);
}

/* What is too long for an error is cut; the line still ends. */
static void test_long_error(void **state)
{
    (void)state;
    char name[3000];
    memset(name, 'n', sizeof name);
    struct reply r = {.version = RESP2, .out = &chain};
    reply_error_format(&r, REPLY_ERROR_UNKNOWN_COMMAND, (int)sizeof name, name, 0, "");
    drain(&chain, &bytes);
    assert_int_equal(bytes.size - 1, 1 + REPLY_ERROR_BYTES_MAX + 2);
    assert_string_equal(bytes.data + bytes.size - 4, "n\r\n");
    reply_error_message(&r, (struct slice){name, sizeof name});
    drain(&chain, &bytes);
    assert_int_equal(bytes.size - 1, 1 + REPLY_ERROR_BYTES_MAX + 2);
}

/* Each text begins with a code in capitals and a blank, fits, and is one line. */
static void test_error_texts(void **state)
{
    (void)state;
    static const enum reply_error errors[] = {
#define REPLY_ERROR(name, text) REPLY_ERROR_##name,
#include "resp/errors.def"
#undef REPLY_ERROR
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        const char *text = reply_error_text(errors[i]);
        size_t code = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        assert_true(code >= 2);
        assert_int_equal(text[code], ' ');
        assert_null(strpbrk(text, "\r\n"));
        assert_true(strlen(text) < REPLY_ERROR_BYTES_MAX);
    }
}

static int release_all(void **state)
{
    (void)state;
    chain_deinit(&chain);
    buf_deinit(&bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),     cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bulk_sizes),  cmocka_unit_test(test_aggregates),
        cmocka_unit_test(test_errors),      cmocka_unit_test(test_long_error),
        cmocka_unit_test(test_error_texts),
    };
    return cmocka_run_group_tests(tests, NULL, release_all);
}
