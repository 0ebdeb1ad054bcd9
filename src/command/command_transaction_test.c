/* command_transaction_test.c - the queue of MULTI and its limits; what EXEC counts and keeps. The
 * conversations are in tests/scenario/transactions.txt. */
#include "base/limits.h"
#include "command/fixture.h"

static uint64_t calls_of(const struct fixture *f, const char *name)
{
    return f->monitor.statistics[command_find_name(slice_of(name))->index].calls;
}

/* A queued request is a copy, counted in the client's memory, and gone after EXEC. */
static void test_queue_is_counted(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct transaction *t = &f->clients[0].transaction;
    EXPECT(f, "MULTI", "+OK\r\n");
    assert_int_equal(transaction_memory_bytes(t), 0);
    EXPECT(f, "SET key value", "+QUEUED\r\n");
    assert_true(transaction_memory_bytes(t) > sizeof(struct queued_request) + 11);
    assert_int_equal(t->count, 1);
    assert_int_equal(calls_of(f, "set"), 0);
    EXPECT(f, "EXEC", "*1\r\n+OK\r\n");
    assert_int_equal(transaction_memory_bytes(t), 0);
    assert_int_equal(calls_of(f, "set"), 1);
    assert_int_equal(calls_of(f, "exec"), 1);
    fixture_close(f);
}

/* Errors inside EXEC count for their commands, not for EXEC. */
static void test_failures_are_counted(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"SET a x", "+OK\r\n"}, {"MULTI", "+OK\r\n"}, {"INCR a", "+QUEUED\r\n"},
             {"GET a", "+QUEUED\r\n"},
             {"EXEC", "*2\r\n-ERR value is not an integer or out of range\r\n$1\r\nx\r\n"});
    assert_int_equal(f->monitor.statistics[command_find_name(SLICE("incr"))->index].failed, 1);
    assert_int_equal(f->monitor.statistics[command_find_name(SLICE("get"))->index].failed, 0);
    assert_int_equal(f->monitor.statistics[command_find_name(SLICE("exec"))->index].failed, 0);
    EXPECT(f, "EXEC", "-ERR EXEC without MULTI\r\n");
    assert_int_equal(f->monitor.statistics[command_find_name(SLICE("exec"))->index].failed, 1);
    fixture_close(f);
}

/* One request more than may be queued is refused, and EXEC aborts. */
static void test_requests_are_bounded(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    const struct slice ping[] = {SLICE("PING")};
    EXPECT(f, "MULTI", "+OK\r\n");
    for (size_t i = 0; i < TRANSACTION_REQUESTS_MAX; i++) {
        fixture_run(f, ping, 1);
        assert_string_equal(f->reply, "+QUEUED\r\n");
    }
    EXPECT(f, "PING",
           "-ERR the transaction is full: it may have 1048576 commands, of 536870912 bytes "
           "together\r\n");
    EXPECT(f, "EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    EXPECT(f, "PING", "+PONG\r\n");
    fixture_close(f);
}

/* ... and so is one that is too large together with those before it. */
static void test_bytes_are_bounded(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    size_t size = 200 * MIB;
    char *large = memory_allocate_zeroed(size);
    const struct slice echo[] = {SLICE("ECHO"), {large, size}};
    EXPECT(f, "MULTI", "+OK\r\n");
    for (int i = 0; i < 2; i++) {
        fixture_run(f, echo, 2);
        assert_string_equal(f->reply, "+QUEUED\r\n");
    }
    fixture_run(f, echo, 2);
    assert_memory_equal(f->reply, "-ERR the transaction is full", 28);
    assert_true(f->clients[0].transaction.bytes <= TRANSACTION_BYTES_MAX);
    EXPECT(f, "PING", "+QUEUED\r\n");
    EXPECT(f, "DISCARD", "+OK\r\n");
    assert_int_equal(f->clients[0].transaction.bytes, 0);
    memory_free(large, size);
    fixture_close(f);
}

/* A client that watches too much is told, and what it watched before still is watched. */
static void test_watch_is_bounded(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    char *large = memory_allocate_zeroed(WATCHED_BYTES_MAX);
    const struct slice watch[] = {SLICE("WATCH"), SLICE("a"), {large, WATCHED_BYTES_MAX}};
    fixture_run(f, watch, 3);
    assert_string_equal(f->reply, "-ERR too much is watched: keys and their bookkeeping may take "
                                  "67108864 bytes\r\n");
    CONVERSE(f, {"SET a 1", "+OK\r\n"}, {"MULTI", "+OK\r\n"}, {"EXEC", "*-1\r\n"},
             {"MULTI", "+OK\r\n"}, {"EXEC", "*0\r\n"});
    memory_free(large, WATCHED_BYTES_MAX);
    fixture_close(f);
}

/* Hits and misses are counted for what reads inside EXEC, and only there. */
static void test_parts_read(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct db_figures figures;
    CONVERSE(f, {"MULTI", "+OK\r\n"}, {"SET a 1", "+QUEUED\r\n"}, {"GET a", "+QUEUED\r\n"},
             {"GET b", "+QUEUED\r\n"}, {"APPEND a 2", "+QUEUED\r\n"},
             {"EXEC", "*4\r\n+OK\r\n$1\r\n1\r\n$-1\r\n:2\r\n"});
    db_measure(f->db, &figures);
    assert_int_equal(figures.hits, 1);
    assert_int_equal(figures.misses, 1);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_is_counted),     cmocka_unit_test(test_failures_are_counted),
        cmocka_unit_test(test_requests_are_bounded), cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_watch_is_bounded),     cmocka_unit_test(test_parts_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
