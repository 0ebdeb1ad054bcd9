/* Strings: values, options, deadlines and refusals. The bytes are those of redis-server 7.0.15,
 * where it has the command; times are FIXTURE_NOW_MS = 1700000000000. */
#include "command/fixture.h"

#define SYNTAX     "-ERR syntax error\r\n"
#define WRONG_TYPE "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
#define NOT_INT    "-ERR value is not an integer or out of range\r\n"
#define BAD_EXPIRE "-ERR invalid expire time in 'set' command\r\n"

static void test_set_and_get(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"GET a", "$-1\r\n"}, {"SET a hello", "+OK\r\n"}, {"GET a", "$5\r\nhello\r\n"},
             {"SET a ''", "+OK\r\n"}, {"GET a", "$0\r\n\r\n"}, {"STRLEN a", ":0\r\n"},
             {"SET a -12", "+OK\r\n"}, {"GET a", "$3\r\n-12\r\n"}, {"STRLEN a", ":3\r\n"},
             {"SET a 012", "+OK\r\n"}, {"GET a", "$3\r\n012\r\n"}, {"EXISTS a", ":1\r\n"},
             {"GET s", WRONG_TYPE}, {"STRLEN s", WRONG_TYPE}, {"SET s x", "+OK\r\n"},
             {"GET s", "$1\r\nx\r\n"});
    f->clients[0].resp = RESP3;
    EXPECT(f, "GET b", "_\r\n");
    fixture_close(f);
}

/* NX and XX look at presence only, so they take a key of any type. */
static void test_set_conditions(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"SET a 1 XX", "$-1\r\n"}, {"EXISTS a", ":0\r\n"}, {"SET a 1 NX", "+OK\r\n"},
             {"SET a 2 nx", "$-1\r\n"}, {"GET a", "$1\r\n1\r\n"}, {"SET a 2 Xx", "+OK\r\n"},
             {"GET a", "$1\r\n2\r\n"}, {"SET a 3 NX XX", SYNTAX}, {"SET a 3 NX NX", "$-1\r\n"},
             {"SET a 3 FOO", SYNTAX}, {"SET a 3 PERSIST", SYNTAX}, {"GET a", "$1\r\n2\r\n"});
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"SET s 1 NX", "$-1\r\n"}, {"TYPE s", "+stream\r\n"}, {"SET s 1 XX", "+OK\r\n"},
             {"TYPE s", "+string\r\n"});
    fixture_close(f);
}

/* GET answers the old value, also when the condition fails, and refuses other types. */
static void test_set_get(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"SET a 1 GET", "$-1\r\n"}, {"SET a 2 GET", "$1\r\n1\r\n"},
             {"SET a 3 GET NX", "$1\r\n2\r\n"}, {"GET a", "$1\r\n2\r\n"},
             {"SET b 1 GET XX", "$-1\r\n"}, {"EXISTS b", ":0\r\n"}, {"SET s 1 GET", WRONG_TYPE},
             {"TYPE s", "+stream\r\n"}, {"GETSET a 9", "$1\r\n2\r\n"}, {"GETSET s 9", WRONG_TYPE},
             {"GETSET c 9", "$-1\r\n"}, {"GET c", "$1\r\n9\r\n"});
    fixture_close(f);
}

/* IFEQ and IFDEQ need the key and its value; IFNE and IFDNE also hold for an absent key. */
static void test_set_if(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(
        f, {"SET a 1 IFEQ 0", "$-1\r\n"}, {"EXISTS a", ":0\r\n"}, {"SET a 1 IFNE 0", "+OK\r\n"},
        {"SET a 2 IFNE 1", "$-1\r\n"}, {"SET a 2 IFEQ 01", "$-1\r\n"},
        {"SET a 2 IFEQ 1", "+OK\r\n"}, {"SET a 3 IFEQ 1 GET", "$1\r\n2\r\n"},
        {"GET a", "$1\r\n2\r\n"}, {"SET a 3 IFEQ", SYNTAX}, {"SET a 3 IFEQ 2 NX", SYNTAX},
        {"SET a 3 IFEQ 2 IFNE 3", SYNTAX}, {"SET s 3 IFEQ 2", WRONG_TYPE},
        {"SET s 3 IFNE 2", WRONG_TYPE}, {"SET a foo", "+OK\r\n"},
        {"DIGEST a", "$16\r\nab6e5f64077e7d8a\r\n"}, {"SET a b IFDEQ 0000000000000000", "$-1\r\n"},
        {"SET a b IFDNE AB6E5F64077E7D8A", "$-1\r\n"},
        {"SET a b IFDEQ AB6E5F64077E7D8A", "+OK\r\n"},
        {"SET a c IFDEQ 12", "-ERR the digest must be exactly 16 hexadecimal characters\r\n"},
        {"SET a c IFDEQ xb6e5f64077e7d8a",
         "-ERR the digest must be exactly 16 hexadecimal characters\r\n"},
        {"DIGEST none", "$-1\r\n"}, {"DIGEST s", WRONG_TYPE}, {"GET a", "$1\r\nb\r\n"});
    fixture_close(f);
}

static void test_delex(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"DELEX a", ":0\r\n"}, {"SET a 1", "+OK\r\n"}, {"DELEX a IFEQ 2", ":0\r\n"},
             {"DELEX a IFNE 1", ":0\r\n"}, {"DELEX a IFEQ 1", ":1\r\n"}, {"EXISTS a", ":0\r\n"},
             {"DELEX a IFNE 1", ":0\r\n"}, {"SET a 1", "+OK\r\n"}, {"DELEX a IFNE 2", ":1\r\n"},
             {"DELEX s IFEQ 1", WRONG_TYPE}, {"DELEX s", ":1\r\n"}, {"DELEX a XX y", SYNTAX},
             {"DELEX a IFEQ", "-ERR wrong number of arguments for 'delex' command\r\n"},
             {"SET a foo", "+OK\r\n"}, {"DELEX a IFDNE ab6e5f64077e7d8a", ":0\r\n"},
             {"DELEX a IFDEQ ab6e5f64077e7d8a", ":1\r\n"});
    fixture_close(f);
}

/* Each unit, the limits of each, and what excludes what. */
static void test_set_deadlines(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(
        f, {"SET a 1 EX 10", "+OK\r\n"}, {"PTTL a", ":10000\r\n"}, {"SET a 1 PX 10", "+OK\r\n"},
        {"PTTL a", ":10\r\n"}, {"SET a 1 EXAT 1700000100", "+OK\r\n"}, {"PTTL a", ":100000\r\n"},
        {"SET a 1 PXAT 1700000000007", "+OK\r\n"}, {"PTTL a", ":7\r\n"},
        {"SET a 2 KEEPTTL", "+OK\r\n"}, {"PTTL a", ":7\r\n"}, {"SET a 2", "+OK\r\n"},
        {"PTTL a", ":-1\r\n"}, {"SET a 1 EX 0", BAD_EXPIRE}, {"SET a 1 EX -1", BAD_EXPIRE},
        {"SET a 1 PXAT 0", BAD_EXPIRE}, {"SET a 1 EX 9223372036854775", BAD_EXPIRE},
        {"SET a 1 EX 9223372036854776", BAD_EXPIRE}, {"SET a 1 PX 9223372036854775807", BAD_EXPIRE},
        {"SET a 1 EXAT 9223372036854776", BAD_EXPIRE}, {"SET a 1 EX x", NOT_INT},
        {"SET a 1 EX 1.5", NOT_INT}, {"SET a 1 EX", SYNTAX}, {"SET a 1 EX 10 PX 10", SYNTAX},
        {"SET a 1 KEEPTTL EX 10", SYNTAX}, {"GET a", "$1\r\n2\r\n"}, {"PTTL a", ":-1\r\n"},
        {"SET a 1 EX 10 EX 20", "+OK\r\n"}, {"PTTL a", ":20000\r\n"},
        {"SET a 1 EXAT 9223372036854775", "+OK\r\n"}, {"PEXPIRETIME a", ":9223372036854775000\r\n"},
        {"SET a 1 PXAT 9223372036854775807", "+OK\r\n"},
        {"PEXPIRETIME a", ":9223372036854775806\r\n"});
    fixture_close(f);
}

/* A deadline in the past deletes the key at once, and creates none. */
static void test_set_in_the_past(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"SET a 1 PXAT 1700000000000", "+OK\r\n"}, {"DBSIZE", ":0\r\n"},
             {"SET a 1", "+OK\r\n"}, {"SET a 2 GET EXAT 1", "$1\r\n1\r\n"}, {"DBSIZE", ":0\r\n"},
             {"SET a 1 PXAT 1700000000001", "+OK\r\n"}, {"EXISTS a", ":1\r\n"});
    f->now_ms++;
    EXPECT(f, "EXISTS a", ":0\r\n");
    EXPECT(f, "SET a 5 KEEPTTL", "+OK\r\n");
    EXPECT(f, "PTTL a", ":-1\r\n");
    fixture_close(f);
}

static void test_setnx_and_setex(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"SETNX a 1", ":1\r\n"}, {"SETNX a 2", ":0\r\n"}, {"GET a", "$1\r\n1\r\n"},
             {"SETEX a 10 x", "+OK\r\n"}, {"TTL a", ":10\r\n"}, {"PSETEX a 10 x", "+OK\r\n"},
             {"PTTL a", ":10\r\n"},
             {"SETEX a 0 x", "-ERR invalid expire time in 'setex' command\r\n"},
             {"PSETEX a -1 x", "-ERR invalid expire time in 'psetex' command\r\n"},
             {"SETEX a x x", NOT_INT}, {"PTTL a", ":10\r\n"});
    fixture_close(f);
}

static void test_getex_and_getdel(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"GETEX a EX 10", "$-1\r\n"}, {"GETEX a EX x", "$-1\r\n"}, {"SET a 1", "+OK\r\n"},
             {"GETEX a", "$1\r\n1\r\n"}, {"PTTL a", ":-1\r\n"}, {"GETEX a PX 50", "$1\r\n1\r\n"},
             {"PTTL a", ":50\r\n"}, {"GETEX a PERSIST", "$1\r\n1\r\n"}, {"PTTL a", ":-1\r\n"},
             {"GETEX a PERSIST", "$1\r\n1\r\n"}, {"GETEX a EX x", NOT_INT},
             {"GETEX a EX 0", "-ERR invalid expire time in 'getex' command\r\n"},
             {"GETEX a KEEPTTL", SYNTAX}, {"GETEX a EX 10 PERSIST", SYNTAX}, {"GETEX a NX", SYNTAX},
             {"GETEX a PXAT 1700000000000", "$1\r\n1\r\n"}, {"EXISTS a", ":0\r\n"},
             {"GETEX s", WRONG_TYPE}, {"SET a 1", "+OK\r\n"}, {"GETDEL a", "$1\r\n1\r\n"},
             {"GETDEL a", "$-1\r\n"}, {"GETDEL s", WRONG_TYPE}, {"EXISTS s", ":1\r\n"});
    fixture_close(f);
}

static void test_several_keys(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"MSET a 1 b 2 a 3", "+OK\r\n"},
             {"MGET a b c s a", "*5\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n$-1\r\n$1\r\n3\r\n"},
             {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"},
             {"GET a", "$1\r\n3\r\n"}, {"MSETNX c 1 b 2", ":0\r\n"}, {"EXISTS c", ":0\r\n"},
             {"MSETNX c 1 d 2", ":1\r\n"}, {"MGET c d", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"},
             {"MSETNX c 1 d", "-ERR wrong number of arguments for 'msetnx' command\r\n"});
    CONVERSE(f, {"MSETEX 2 e 1 g 2 NX EX 10", ":1\r\n"}, {"TTL e", ":10\r\n"}, {"TTL g", ":10\r\n"},
             {"MSETEX 2 e 5 h 2 NX", ":0\r\n"}, {"MSETEX 2 e 5 h 2 XX", ":0\r\n"},
             {"EXISTS h", ":0\r\n"}, {"MSETEX 2 e 5 g 2 XX KEEPTTL", ":1\r\n"},
             {"TTL e", ":10\r\n"}, {"GET e", "$1\r\n5\r\n"}, {"MSETEX 1 e 6", ":1\r\n"},
             {"TTL e", ":-1\r\n"}, {"MSETEX 0 a 1", "-ERR invalid numkeys value\r\n"},
             {"MSETEX x a 1", "-ERR invalid numkeys value\r\n"},
             {"MSETEX 2 a 1 b", "-ERR wrong number of key-value pairs\r\n"},
             {"MSETEX 9223372036854775807 a 1", "-ERR wrong number of key-value pairs\r\n"},
             {"MSETEX 1 a 1 GET", SYNTAX}, {"MSETEX 1 a 1 b", SYNTAX});
    fixture_close(f);
}

static void test_append_and_ranges(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"APPEND a 12", ":2\r\n"}, {"APPEND a 3", ":3\r\n"}, {"GET a", "$3\r\n123\r\n"},
             {"INCR a", ":124\r\n"}, {"APPEND a ''", ":3\r\n"}, {"APPEND b ''", ":0\r\n"},
             {"EXISTS b", ":1\r\n"}, {"APPEND s x", WRONG_TYPE}, {"SET a Hello EX 10", "+OK\r\n"},
             {"APPEND a World", ":10\r\n"}, {"TTL a", ":10\r\n"},
             {"SETRANGE a 5 ' wor'", ":10\r\n"}, {"GET a", "$10\r\nHello word\r\n"},
             {"SETRANGE c 3 x", ":4\r\n"}, {"SETRANGE d 3 ''", ":0\r\n"}, {"EXISTS d", ":0\r\n"},
             {"SETRANGE a 99 ''", ":10\r\n"},
             {"SETRANGE a -1 x", "-ERR offset is out of range\r\n"}, {"SETRANGE a x x", NOT_INT},
             {"SETRANGE s 0 x", WRONG_TYPE},
             {"SETRANGE a 536870912 x",
              "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
             {"SETRANGE none 536870912 x",
              "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
             {"EXISTS none", ":0\r\n"});
    CONVERSE(f, {"GETRANGE a 0 4", "$5\r\nHello\r\n"}, {"GETRANGE a -4 -1", "$4\r\nword\r\n"},
             {"SUBSTR a 0 -1", "$10\r\nHello word\r\n"}, {"GETRANGE a 5 2", "$0\r\n\r\n"},
             {"GETRANGE a 10 20", "$0\r\n\r\n"}, {"GETRANGE none 0 -1", "$0\r\n\r\n"},
             {"GETRANGE a x 1", NOT_INT}, {"GETRANGE a 1 x", NOT_INT},
             {"GETRANGE s 0 1", WRONG_TYPE}, {"SET n -1234", "+OK\r\n"},
             {"GETRANGE n 0 1", "$2\r\n-1\r\n"});
    assert_int_equal(strlen(fixture_send(f, "GET c")), 4); /* a zero byte ends the text here */
    assert_memory_equal(f->reply, "$4\r\n\0\0\0x\r\n", 10);
    fixture_close(f);
}

/* Values at the edges of the forms that the store keeps them in. */
static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 1023, 1024, 1025, 16383, 16384, 16385, 70000, 200000};
    struct fixture *f = fixture_open();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf value = {0};
        for (size_t j = 0; j < sizes[i]; j++) buf_append_byte(&value, (uint8_t)('a' + j % 26));
        const struct slice set[] = {SLICE("SET"), SLICE("k"), buf_slice(&value)};
        const struct slice old[] = {SLICE("GETSET"), SLICE("k"), SLICE("new")};
        fixture_run(f, set, 3);
        char head[32];
        size_t head_size = (size_t)snprintf(head, sizeof head, "$%zu\r\n", sizes[i]);
        assert_int_equal(fixture_run(f, old, 3), head_size + sizes[i] + 2);
        assert_memory_equal(f->reply, head, head_size);
        assert_memory_equal(f->reply + head_size, value.data, sizes[i]);
        EXPECT(f, "GET k", "$3\r\nnew\r\n");
        buf_deinit(&value);
    }
    fixture_close(f);
}

static void test_counting(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"INCR a", ":1\r\n"}, {"INCRBY a 9", ":10\r\n"}, {"DECR a", ":9\r\n"},
             {"DECRBY a 10", ":-1\r\n"}, {"GET a", "$2\r\n-1\r\n"}, {"EXPIRE a 10", ":1\r\n"},
             {"INCR a", ":0\r\n"}, {"TTL a", ":10\r\n"}, {"INCRBY a x", NOT_INT},
             {"SET a 9223372036854775807", "+OK\r\n"},
             {"INCR a", "-ERR increment or decrement would overflow\r\n"},
             {"GET a", "$19\r\n9223372036854775807\r\n"},
             {"DECRBY a -9223372036854775808", "-ERR decrement would overflow\r\n"},
             {"DECRBY a -1", "-ERR increment or decrement would overflow\r\n"},
             {"SET a ' 1'", "+OK\r\n"}, {"INCR a", NOT_INT}, {"SET a 01", "+OK\r\n"},
             {"INCR a", NOT_INT}, {"SET a ''", "+OK\r\n"}, {"INCR a", NOT_INT},
             {"INCR s", WRONG_TYPE}, {"INCRBY s x", NOT_INT});
    CONVERSE(f, {"INCRBYFLOAT b 10.5", "$4\r\n10.5\r\n"}, {"INCRBYFLOAT b 0.1", "$4\r\n10.6\r\n"},
             {"INCRBYFLOAT b -5", "$3\r\n5.6\r\n"},
             {"INCRBYFLOAT b 5.0e3", "$22\r\n5005.60000000000000009\r\n"},
             {"GET b", "$22\r\n5005.60000000000000009\r\n"},
             {"INCRBYFLOAT b x", "-ERR value is not a valid float\r\n"},
             {"INCRBYFLOAT b inf", "-ERR increment would produce NaN or Infinity\r\n"},
             {"INCRBYFLOAT b nan", "-ERR value is not a valid float\r\n"}, {"SET c x", "+OK\r\n"},
             {"INCRBYFLOAT c 1", "-ERR value is not a valid float\r\n"},
             {"INCRBYFLOAT s x", WRONG_TYPE}, {"SET b 1 EX 10", "+OK\r\n"},
             {"INCRBYFLOAT b 1", "$1\r\n2\r\n"}, {"TTL b", ":10\r\n"}, {"INCR b", ":3\r\n"});
    fixture_close(f);
}

static void test_lcs(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"MSET a ohmytext b mynewtext", "+OK\r\n"}, {"LCS a b", "$6\r\nmytext\r\n"},
             {"LCS a b LEN", ":6\r\n"},
             {"LCS a b IDX",
              "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n"
              "*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"},
             {"LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
              "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n"
              "$3\r\nlen\r\n:6\r\n"},
             {"LCS a none", "$0\r\n\r\n"}, {"LCS none nil LEN", ":0\r\n"},
             {"LCS a b LEN IDX",
              "-ERR If you want both the length and indexes, please just use IDX.\r\n"},
             {"LCS a b FOO", SYNTAX}, {"LCS a b MINMATCHLEN", SYNTAX},
             {"LCS a s", "-ERR The specified keys must contain string values\r\n"});
    CONVERSE(f, {"SETRANGE c 20000 x", ":20001\r\n"}, {"SETRANGE d 20000 x", ":20001\r\n"},
             {"LCS c d", "-ERR Insufficient memory, transient memory for LCS exceeds "
                         "proto-max-bulk-len\r\n"});
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_get),
        cmocka_unit_test(test_set_conditions),
        cmocka_unit_test(test_set_get),
        cmocka_unit_test(test_set_if),
        cmocka_unit_test(test_delex),
        cmocka_unit_test(test_set_deadlines),
        cmocka_unit_test(test_set_in_the_past),
        cmocka_unit_test(test_setnx_and_setex),
        cmocka_unit_test(test_getex_and_getdel),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_append_and_ranges),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_lcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
