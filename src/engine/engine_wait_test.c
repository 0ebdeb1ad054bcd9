/* engine_wait_test.c - commands that wait: who is woken by what, in which order, and until when. */
#include "engine/house_fixture.h"

/* Requests that were parsed ahead run as if each had come alone, whatever stands among them and
 * wherever the bytes are cut: one that waits, an inline one with quotes, one of many arguments. */
static void test_ahead_of_a_wait(void **state)
{
    (void)state;
    static const char text[] =
        "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
        "SET k \"\\x41 b\"\r\n"
        "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
        "*9\r\n$4\r\nMGET\r\n$1\r\nn\r\n$1\r\nk\r\n$1\r\nn\r\n$1\r\na\r\n$1\r\nb\r\n"
        "$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n"
        "*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$1\r\n0\r\n$7\r\nSTREAMS\r\n$1\r\ns\r\n$1\r\n$\r\n"
        "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
    static const char before[] = ":1\r\n:2\r\n+OK\r\n$3\r\nA b\r\n"
                                 "*8\r\n$1\r\n2\r\n$3\r\nA b\r\n$1\r\n2\r\n"
                                 "$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n";
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        struct house *h = house_open_plain();
        house_send_bytes(h, 0, text, cut);
        house_send_bytes(h, 0, text + cut, sizeof text - 1 - cut);
        EXPECT(h, 0, before);
        house_send(h, 1, "XADD s 1-1 a x\r\n");
        house_tick(h);
        EXPECT(h, 0, ENTRY("s", "1-1", "x") ":3\r\n:4\r\n");
        assert_int_equal(session_client(h->sessions[0])->requests, 8);
        house_close(h);
    }
}

/* A reader sees the entry that woke it and not the one behind it, though both came in one piece. */
static void test_wake_before_next_command(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "XREAD BLOCK 0 STREAMS s $\r\n");
    EXPECT(h, 0, "");
    assert_true(session_client(h->sessions[0])->blocked);
    house_send(h, 1, "XADD s 1-1 a x\r\nXADD s 1-2 a y\r\n");
    EXPECT(h, 0, ENTRY("s", "1-1", "x"));
    assert_false(session_client(h->sessions[0])->blocked);
    house_close(h);
}

/* One entry for three group readers: who came first gets it. */
static void test_first_come_first_served(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 3, "XGROUP CREATE s g $ MKSTREAM\r\n");
    for (int i = 0; i < 3; i++) house_send(h, i, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
    house_send(h, 3, "XADD s 1-1 a x\r\n");
    EXPECT(h, 0, ENTRY("s", "1-1", "x"));
    EXPECT(h, 1, "");
    house_send(h, 0, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
    house_send(h, 3, "XADD s 1-2 a y\r\nXADD s 1-3 a z\r\n");
    EXPECT(h, 1, ENTRY("s", "1-2", "y"));
    EXPECT(h, 2, ENTRY("s", "1-3", "z"));
    EXPECT(h, 0, "");
    house_close(h);
}

/* The deadline is fixed once: a wake-up that finds nothing does not move it, and not a moment
 * earlier or later does it pass. */
static void test_deadline_fixed_once(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "XREAD BLOCK 100 STREAMS s 999999999999999-0\r\n");
    assert_int_equal(engine_due_ms(h->engine), HOUSE_NOW_MS + 100);
    h->now_ms += 60;
    house_send(h, 1, "XADD s 1-1 a x\r\n");
    assert_int_equal(engine_due_ms(h->engine), HOUSE_NOW_MS + 100);
    h->now_ms = HOUSE_NOW_MS + 99;
    house_tick(h);
    EXPECT(h, 0, "");
    h->now_ms = HOUSE_NOW_MS + 100;
    house_tick(h);
    EXPECT(h, 0, "*-1\r\n");
    assert_int_equal(engine_due_ms(h->engine), INT64_MAX);
    house_close(h);
}

/* Waits of many lengths end in the order of their deadlines. */
static void test_deadlines_in_order(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "XREAD BLOCK 30 STREAMS s $\r\n");
    house_send(h, 1, "XREAD BLOCK 10 STREAMS s t $ $\r\n");
    house_send(h, 2, "XREAD BLOCK 20 STREAMS t $\r\n");
    assert_int_equal(engine_due_ms(h->engine), HOUSE_NOW_MS + 10);
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
        h->now_ms = HOUSE_NOW_MS + 10 * (i + 1);
        house_tick(h);
        EXPECT(h, order[i], "*-1\r\n");
        for (int k = i + 1; k < 3; k++) EXPECT(h, order[k], "");
    }
    house_close(h);
}

/* A client that leaves while it waits takes nothing along. */
static void test_close_while_waiting(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 3, "XGROUP CREATE s g $ MKSTREAM\r\n");
    house_send(h, 0, "XREADGROUP GROUP g gone BLOCK 50 STREAMS s >\r\n");
    house_send(h, 1, "XREADGROUP GROUP g here BLOCK 0 STREAMS s >\r\n");
    engine_close_session(h->engine, h->sessions[0]);
    assert_int_equal(engine_due_ms(h->engine), INT64_MAX);
    house_send(h, 3, "XADD s 1-1 a x\r\n");
    EXPECT(h, 1, ENTRY("s", "1-1", "x"));
    struct engine_figures figures;
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.sessions, HOUSE_SESSIONS - 1);
    assert_int_equal(figures.waiting, 0);
    house_close(h);
}

/* What a client sends behind a waiting command runs after it; the owner may not read more. */
static void test_input_behind_a_wait(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "XREAD BLOCK 0 STREAMS s $\r\nSET k 1\r\n");
    assert_false(session_wants_input(h->sessions[0]));
    house_send(h, 1, "EXISTS k\r\nXADD s 1-1 a x\r\n");
    EXPECT(h, 1, ":0\r\n$3\r\n1-1\r\n");
    for (int i = 0; i < 3 && engine_busy(h->engine); i++) house_tick(h);
    EXPECT(h, 0, ENTRY("s", "1-1", "x") "+OK\r\n");
    assert_true(session_wants_input(h->sessions[0]));
    house_close(h);
}

/* A key that expires wakes those who wait for it. */
static void test_expiry_wakes(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 1, "XGROUP CREATE s g $ MKSTREAM\r\nPEXPIRE s 40\r\n");
    house_send(h, 0, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
    assert_int_equal(engine_due_ms(h->engine), HOUSE_NOW_MS + 40);
    h->now_ms += 40;
    house_tick(h);
    EXPECT(h, 0,
           "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n");
    house_close(h);
}

/* The skipped reply may be that of a command that waits first. */
static void test_skip_a_wait(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "CLIENT REPLY SKIP\r\nXREAD BLOCK 0 STREAMS s $\r\nPING\r\n");
    house_send(h, 1, "XADD s 1-1 a x\r\n");
    house_tick(h);
    EXPECT(h, 0, "+PONG\r\n");
    house_send(h, 0, "CLIENT REPLY SKIP\r\nXREAD BLOCK 10 STREAMS s $\r\nPING\r\n");
    h->now_ms += 10;
    house_tick(h);
    house_tick(h);
    EXPECT(h, 0, "+PONG\r\n");
    house_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ahead_of_a_wait),
        cmocka_unit_test(test_wake_before_next_command),
        cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_deadline_fixed_once),
        cmocka_unit_test(test_deadlines_in_order),
        cmocka_unit_test(test_close_while_waiting),
        cmocka_unit_test(test_input_behind_a_wait),
        cmocka_unit_test(test_expiry_wakes),
        cmocka_unit_test(test_skip_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
