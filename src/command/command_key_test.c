/* Keys of any type: deleting, naming, deadlines, walking. */
#include "command/fixture.h"

#include <stdlib.h>

#define SYNTAX  "-ERR syntax error\r\n"
#define NOT_INT "-ERR value is not an integer or out of range\r\n"

static void test_deleting_and_counting(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"MSET a 1 b 2 c 3", "+OK\r\n"}, {"EXISTS a a x s", ":3\r\n"},
             {"TOUCH a a x", ":2\r\n"}, {"TYPE a", "+string\r\n"}, {"TYPE s", "+stream\r\n"},
             {"TYPE x", "+none\r\n"}, {"DBSIZE", ":4\r\n"}, {"DEL a a x", ":1\r\n"},
             {"UNLINK b s", ":2\r\n"}, {"DBSIZE", ":1\r\n"}, {"RANDOMKEY", "$1\r\nc\r\n"},
             {"DEL c", ":1\r\n"}, {"RANDOMKEY", "$-1\r\n"});
    fixture_close(f);
}

/* The value and the deadline move; a name can be given to itself. */
static void test_renaming(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"RENAME a b", "-ERR no such key\r\n"}, {"RENAMENX a b", "-ERR no such key\r\n"},
             {"RENAME a a", "-ERR no such key\r\n"}, {"SET a 1 EX 10", "+OK\r\n"},
             {"SET b 2", "+OK\r\n"}, {"RENAMENX a b", ":0\r\n"}, {"RENAME a b", "+OK\r\n"},
             {"GET b", "$1\r\n1\r\n"}, {"TTL b", ":10\r\n"}, {"EXISTS a", ":0\r\n"},
             {"RENAME b b", "+OK\r\n"}, {"RENAMENX b b", ":0\r\n"}, {"RENAMENX b c", ":1\r\n"},
             {"TTL c", ":10\r\n"}, {"EXISTS b", ":0\r\n"});
    fixture_close(f);
}

static void test_databases(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"SET a 0", "+OK\r\n"}, {"SELECT 15", "+OK\r\n"}, {"EXISTS a", ":0\r\n"},
             {"SET a 15", "+OK\r\n"}, {"SELECT 16", "-ERR DB index is out of range\r\n"},
             {"SELECT -1", "-ERR DB index is out of range\r\n"}, {"SELECT x", NOT_INT},
             {"SELECT 2147483648",
              "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"},
             {"SELECT 2147483647", "-ERR DB index is out of range\r\n"}, {"GET a", "$2\r\n15\r\n"},
             {"FLUSHDB", "+OK\r\n"}, {"DBSIZE", ":0\r\n"}, {"SELECT 0", "+OK\r\n"},
             {"GET a", "$1\r\n0\r\n"}, {"SELECT 3", "+OK\r\n"}, {"FLUSHALL FOO", SYNTAX},
             {"FLUSHDB ASYNC SYNC", SYNTAX}, {"FLUSHALL ASYNC", "+OK\r\n"}, {"SELECT 0", "+OK\r\n"},
             {"DBSIZE", ":0\r\n"}, {"FLUSHDB sync", "+OK\r\n"});
    fixture_close(f);
}

static void test_expire(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"EXPIRE a 10", ":0\r\n"}, {"TTL a", ":-2\r\n"}, {"PTTL a", ":-2\r\n"},
             {"EXPIRETIME a", ":-2\r\n"}, {"PERSIST a", ":0\r\n"}, {"SET a 1", "+OK\r\n"},
             {"TTL a", ":-1\r\n"}, {"PEXPIRETIME a", ":-1\r\n"}, {"EXPIRE a 10", ":1\r\n"},
             {"PTTL a", ":10000\r\n"}, {"EXPIRETIME a", ":1700000010\r\n"},
             {"PEXPIRE a 1499", ":1\r\n"}, {"TTL a", ":1\r\n"}, {"PEXPIRE a 1500", ":1\r\n"},
             {"TTL a", ":2\r\n"}, {"PEXPIRETIME a", ":1700000001500\r\n"},
             {"EXPIRETIME a", ":1700000002\r\n"}, {"EXPIREAT a 1700000005", ":1\r\n"},
             {"PTTL a", ":5000\r\n"}, {"PEXPIREAT a 1700000000900", ":1\r\n"},
             {"PTTL a", ":900\r\n"}, {"TTL a", ":1\r\n"}, {"PERSIST a", ":1\r\n"},
             {"PERSIST a", ":0\r\n"}, {"PTTL a", ":-1\r\n"});
    CONVERSE(f, {"EXPIRE a x", NOT_INT},
             {"EXPIRE a 9223372036854776", "-ERR invalid expire time in 'expire' command\r\n"},
             {"EXPIRE a 9223372036854775", "-ERR invalid expire time in 'expire' command\r\n"},
             {"EXPIRE a -9223372036854776", "-ERR invalid expire time in 'expire' command\r\n"},
             {"PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"},
             {"EXPIREAT a 9223372036854776", "-ERR invalid expire time in 'expireat' command\r\n"},
             {"EXPIRE a 1 FOO", "-ERR Unsupported option FOO\r\n"},
             {"EXPIRE a x FOO", "-ERR Unsupported option FOO\r\n"}, {"PTTL a", ":-1\r\n"},
             {"PEXPIREAT a 9223372036854775807", ":1\r\n"},
             {"PEXPIRETIME a", ":9223372036854775806\r\n"});
    fixture_close(f);
}

/* GT takes no deadline for the end of time, LT too: the one never sets it, the other always. */
static void test_expire_conditions(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    const char *clash = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
    CONVERSE(f, {"SET a 1", "+OK\r\n"}, {"EXPIRE a 10 XX", ":0\r\n"}, {"EXPIRE a 10 GT", ":0\r\n"},
             {"EXPIRE a 10 NX", ":1\r\n"}, {"EXPIRE a 20 NX", ":0\r\n"},
             {"EXPIRE a 20 XX", ":1\r\n"}, {"EXPIRE a 20 GT", ":0\r\n"},
             {"EXPIRE a 21 GT", ":1\r\n"}, {"EXPIRE a 21 lt", ":0\r\n"},
             {"EXPIRE a 20 LT", ":1\r\n"}, {"PTTL a", ":20000\r\n"}, {"PERSIST a", ":1\r\n"},
             {"EXPIRE a 30 XX LT", ":0\r\n"}, {"EXPIRE a 30 LT", ":1\r\n"},
             {"EXPIRE a 40 XX GT", ":1\r\n"}, {"PTTL a", ":40000\r\n"}, {"EXPIRE a 1 NX XX", clash},
             {"EXPIRE a 1 NX GT", clash}, {"EXPIRE a 1 LT NX", clash},
             {"EXPIRE a 1 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"},
             {"PTTL a", ":40000\r\n"});
    fixture_close(f);
}

/* A deadline that has passed deletes at once; one that is reached hides the key from everything. */
static void test_expired_keys(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"MSET a 1 b 1 c 1 d 1", "+OK\r\n"}, {"EXPIRE a 0", ":1\r\n"},
             {"EXPIRE b -5", ":1\r\n"}, {"PEXPIREAT c 1700000000000", ":1\r\n"},
             {"EXISTS a b c", ":0\r\n"}, {"DBSIZE", ":1\r\n"}, {"PEXPIRE d 100", ":1\r\n"});
    f->now_ms += 99;
    CONVERSE(f, {"PTTL d", ":1\r\n"}, {"GET d", "$1\r\n1\r\n"});
    f->now_ms += 1;
    CONVERSE(f, {"GET d", "$-1\r\n"}, {"PTTL d", ":-2\r\n"}, {"TYPE d", "+none\r\n"},
             {"KEYS *", "*0\r\n"}, {"SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n"}, {"RANDOMKEY", "$-1\r\n"},
             {"RENAME d e", "-ERR no such key\r\n"}, {"EXPIRE d 100", ":0\r\n"},
             {"PERSIST d", ":0\r\n"}, {"DEL d", ":0\r\n"}, {"APPEND d x", ":1\r\n"},
             {"PTTL d", ":-1\r\n"}, {"SET d 1 PX 5", "+OK\r\n"});
    f->now_ms += 5;
    CONVERSE(f, {"INCR d", ":1\r\n"}, {"PTTL d", ":-1\r\n"}, {"SET d 1 PX 5", "+OK\r\n"});
    f->now_ms += 5;
    CONVERSE(f, {"SET d 2 NX", "+OK\r\n"}, {"SETRANGE e 1 x", ":2\r\n"}, {"PEXPIRE e 5", ":1\r\n"});
    f->now_ms += 5;
    CONVERSE(f, {"RENAMENX d e", ":1\r\n"}, {"GET e", "$1\r\n2\r\n"}, {"PTTL e", ":-1\r\n"});
    fixture_close(f);
}

static void test_keys(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD stream * f v");
    CONVERSE(f, {"KEYS nothing", "*0\r\n"}, {"KEYS st*", "*1\r\n$6\r\nstream\r\n"},
             {"SET one 1", "+OK\r\n"}, {"KEYS o?e", "*1\r\n$3\r\none\r\n"},
             {"KEYS [n-p]ne", "*1\r\n$3\r\none\r\n"}, {"KEYS O*", "*0\r\n"});
    for (size_t i = 0; i < 5000; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET key:%zu %zu", i, i);
        fixture_send(f, line);
    }
    assert_memory_equal(fixture_send(f, "KEYS *"), "*5002\r\n", 7);
    assert_memory_equal(fixture_send(f, "KEYS key:*"), "*5000\r\n", 7);
    fixture_close(f);
}

/* SCAN names every key that stays exactly once, while others come and go. */
static void test_scan_is_complete(void **state)
{
    (void)state;
    enum { STAYING = 1000 };
    struct fixture *f = fixture_open();
    unsigned seen[STAYING] = {0};
    char line[96], cursor[32] = "0";
    for (unsigned i = 0; i < STAYING; i++) {
        snprintf(line, sizeof line, "SET stay:%u x", i);
        fixture_send(f, line);
    }
    size_t calls = 0;
    do {
        snprintf(line, sizeof line, "SCAN %s COUNT 7 MATCH stay:*", cursor);
        fixture_send(f, line);
        const char *at = strstr(f->reply, "\r\n$");
        assert_non_null(at);
        at = strstr(at + 3, "\r\n") + 2;
        size_t size = strcspn(at, "\r");
        assert_true(size < sizeof cursor);
        memcpy(cursor, at, size);
        cursor[size] = '\0';
        while ((at = strstr(at, "stay:")) != NULL) {
            at += 5;
            seen[strtoul(at, NULL, 10)]++;
        }
        for (unsigned i = 0; i < 20; i++) { /* a stranger comes, an older one goes */
            snprintf(line, sizeof line, "SET pass:%zu x", calls * 20 + i);
            fixture_send(f, line);
            snprintf(line, sizeof line, "DEL pass:%zu", calls * 10 + i);
            fixture_send(f, line);
        }
        assert_true(++calls < 100000);
    } while (strcmp(cursor, "0") != 0);
    for (unsigned i = 0; i < STAYING; i++) assert_int_equal(seen[i], 1);
    assert_true(calls > 20);
    fixture_close(f);
}

static void test_scan_options(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "XADD s * f v");
    CONVERSE(f, {"SET a 1", "+OK\r\n"},
             {"SCAN 0 COUNT 100 TYPE stream", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\ns\r\n"},
             {"SCAN 0 COUNT 100 type STRING", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"},
             {"SCAN 0 TYPE nothing COUNT 100", "*2\r\n$1\r\n0\r\n*0\r\n"},
             {"SCAN 0 MATCH [a-b] COUNT 100", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"},
             {"SCAN x", "-ERR invalid cursor\r\n"}, {"SCAN '1 '", "-ERR invalid cursor\r\n"},
             {"SCAN 18446744073709551616", "-ERR invalid cursor\r\n"}, {"SCAN 0 COUNT 0", SYNTAX},
             {"SCAN 0 COUNT -1", SYNTAX}, {"SCAN 0 COUNT x", NOT_INT}, {"SCAN 0 COUNT", SYNTAX},
             {"SCAN 0 FOO 1", SYNTAX});
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deleting_and_counting),
        cmocka_unit_test(test_renaming),
        cmocka_unit_test(test_databases),
        cmocka_unit_test(test_expire),
        cmocka_unit_test(test_expire_conditions),
        cmocka_unit_test(test_expired_keys),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_scan_is_complete),
        cmocka_unit_test(test_scan_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
