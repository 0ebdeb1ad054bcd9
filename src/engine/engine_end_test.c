/* engine_end_test.c - how sessions end: by what they sent, by CLIENT KILL, with the engine. */
#include "engine/house_fixture.h"

/* CLIENT KILL ends others at once, waiting or not, and the caller after its reply. */
static void test_kill(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 1, "PING\r\n");
    house_send(h, 2, "XREAD BLOCK 0 STREAMS s $\r\n");
    house_send(h, 0, "CLIENT KILL TYPE normal SKIPME no\r\nSET k 1\r\n");
    EXPECT(h, 0, ":4\r\n");
    for (int i = 0; i < HOUSE_SESSIONS; i++) assert_true(session_finished(h->sessions[i]));
    struct engine_figures figures;
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.requests, 3);
    house_close(h);
}

/* Killing or listing every one of very many sessions is one walk over them. (Were it one for each,
 * nobody would live to see the end of this test.) */
static void test_kill_very_many(void **state)
{
    (void)state;
    enum { COUNT = 300 * 1000 };
    const struct engine_limits limits = {.output_bytes_max = GIB, .output_bytes_pause = GIB};
    struct house *h = house_open(&limits, 0);
    house_connect(h, 0);
    for (int i = 0; i < COUNT; i++) house_connect(h, 1);
    house_send(h, 0, "CLIENT KILL TYPE normal\r\n");
    EXPECT(h, 0, ":300000\r\n");
    house_close(h);
}

/* A session that is killed in the tick in which it has sent something executes nothing more. */
static void test_kill_one_with_input(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    char kill[] = "CLIENT KILL ID 2\r\n", set[] = "SET k 1\r\n";
    session_feed(h->sessions[0], slice_of(kill));
    session_feed(h->sessions[1], slice_of(set));
    house_tick(h);
    EXPECT(h, 0, ":1\r\n");
    assert_true(session_finished(h->sessions[1]));
    house_send(h, 2, "EXISTS k\r\n");
    EXPECT(h, 2, ":0\r\n");
    house_close(h);
}

/* Stopping: waiters are dropped, nothing executes any more, what was answered may leave. */
static void test_stop(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "XREAD BLOCK 0 STREAMS s $\r\n");
    house_send(h, 1, "SET k 1\r\n");
    engine_stop(h->engine);
    assert_true(session_finished(h->sessions[0]));
    assert_false(session_finished(h->sessions[1]));
    house_send(h, 1, "SET k 2\r\n");
    EXPECT(h, 1, "+OK\r\n");
    assert_true(session_finished(h->sessions[1]));
    assert_int_equal(engine_requests(h->engine), 2);
    house_close(h);
}

/* Stopped, the engine deletes no key that expires: each would be a change for the log to carry, and
 * with enough of them the process would never end. */
static void test_stop_ends_expiry(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    struct db_figures before, after;
    house_send(h, 0, "SET k 1 PX 100\r\n");
    assert_int_equal(engine_due_ms(h->engine), h->now_ms + 100);
    engine_stop(h->engine);
    db_measure(h->db, &before);
    h->now_ms += 1000;
    house_tick(h);
    db_measure(h->db, &after);
    assert_int_equal(after.effects, before.effects);
    assert_int_equal(after.keys[0], 1);
    assert_false(engine_busy(h->engine));
    assert_int_equal(engine_due_ms(h->engine), INT64_MAX);
    house_close(h);
}

/* A malformed request gets its error, and then the session ends; nothing behind it runs. */
static void test_malformed(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "SET k 1\r\n*1\r\n$x\r\nSET k 2\r\n");
    assert_false(session_finished(h->sessions[0]));
    EXPECT(h, 0, "+OK\r\n-ERR Protocol error: invalid bulk length\r\n");
    assert_true(session_finished(h->sessions[0]));
    assert_false(session_wants_input(h->sessions[0]));
    house_send(h, 1, "GET k\r\n");
    EXPECT(h, 1, "$1\r\n1\r\n");
    house_close(h);
}

/* HTTP and the like get no byte of an answer. */
static void test_foreign(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k 1\r\n");
    EXPECT(h, 0, "");
    assert_true(session_finished(h->sessions[0]));
    house_send(h, 1, "EXISTS k\r\n");
    EXPECT(h, 1, ":0\r\n");
    house_close(h);
}

/* QUIT is answered; what stands behind it is not executed. */
static void test_quit(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "QUIT\r\nSET k 1\r\n");
    EXPECT(h, 0, "+OK\r\n");
    assert_true(session_finished(h->sessions[0]));
    house_send(h, 1, "EXISTS k\r\n");
    EXPECT(h, 1, ":0\r\n");
    house_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_kill_very_many),
        cmocka_unit_test(test_kill_one_with_input),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_ends_expiry),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_quit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
