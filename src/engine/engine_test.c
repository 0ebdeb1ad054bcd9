/* engine_test.c - requests and replies, tick by tick. Commands that wait are in engine_wait_test.c,
 * limits in engine_limits_test.c, the end of sessions in engine_end_test.c, long replies in
 * portions_test.c; what the log has to do with it is in tests/sim/gate_test.c. */
#include "engine/house_fixture.h"

#define LOADING "-LOADING Redis is loading the dataset in memory\r\n"

/* Requests of one piece run in order, and their replies leave in order. */
static void test_pipeline(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "SET k 1\r\nINCR k\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nGET absent\r\n");
    EXPECT(h, 0, "+OK\r\n:2\r\n$1\r\n2\r\n$-1\r\n");
    assert_int_equal(engine_requests(h->engine), 4);
    assert_false(engine_busy(h->engine));
    house_close(h);
}

/* Wherever the bytes are cut, the replies are the same; also through session_input_space. */
static void test_split_anywhere(void **state)
{
    (void)state;
    static const char text[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\nSTRLEN k\r\n"
                               "*1\r\n$4\r\nPING\r\n";
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        struct house *h = house_open_plain();
        house_send_bytes(h, 0, text, cut);
        size_t room;
        char *space = session_input_space(h->sessions[0], &room);
        size_t rest = sizeof text - 1 - cut;
        if (space != NULL && room >= rest && cut % 2 == 0) {
            memcpy(space, text + cut, rest);
            session_input_received(h->sessions[0], rest);
            house_tick(h);
        } else {
            house_send_bytes(h, 0, text + cut, rest);
        }
        EXPECT(h, 0, "+OK\r\n:5\r\n+PONG\r\n");
        assert_int_equal(session_client(h->sessions[0])->requests, 3);
        house_close(h);
    }
}

/* The owner hears of a session once, however often it became ready. */
static void test_ready_once(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 2, "PING\r\nPING\r\n");
    assert_ptr_equal(engine_take_ready(h->engine), h->sessions[2]);
    assert_null(engine_take_ready(h->engine));
    house_send(h, 2, "PING\r\n");
    assert_ptr_equal(engine_take_ready(h->engine), h->sessions[2]);
    assert_null(engine_take_ready(h->engine));
    house_close(h);
}

/* OFF drops replies until ON; SKIP drops the next one only. */
static void test_reply_modes(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "CLIENT REPLY OFF\r\nSET k 1\r\nCLIENT REPLY ON\r\nGET k\r\n");
    EXPECT(h, 0, "+OK\r\n$1\r\n1\r\n");
    house_send(h, 0, "CLIENT REPLY SKIP\r\nINCR k\r\nINCR k\r\n");
    EXPECT(h, 0, ":3\r\n");
    house_send(h, 0, "CLIENT REPLY SKIP\r\nNOSUCH\r\nPING\r\n");
    EXPECT(h, 0, "+PONG\r\n");
    house_send(h, 0, "CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO a\r\n");
    EXPECT(h, 0, "$1\r\na\r\n");
    house_send(h, 0, "CLIENT REPLY SKIP\r\nRESET\r\nPING\r\n");
    EXPECT(h, 0, "+PONG\r\n");
    house_send(h, 0, "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n"); /* ON is always heard */
    EXPECT(h, 0, "+OK\r\n+PONG\r\n");
    house_close(h);
}

/* Time never goes back for commands, whatever the clock says. */
static void test_time_does_not_go_back(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    house_send(h, 0, "SET k 1 PX 100\r\n");
    h->now_ms += 50;
    house_send(h, 0, "PTTL k\r\n");
    h->now_ms -= 500;
    house_send(h, 0, "PTTL k\r\n");
    EXPECT(h, 0, "+OK\r\n:50\r\n:50\r\n");
    h->now_ms += 550;
    house_send(h, 0, "GET k\r\n");
    EXPECT(h, 0, "$-1\r\n");
    house_send(h, 0, "DBSIZE\r\n");
    EXPECT(h, 0, ":0\r\n");
    house_close(h);
}

/* Sessions that were there while the data was loaded are served from it afterwards, and what they
 * sent behind a refused request is not lost. */
static void test_loading(void **state)
{
    (void)state;
    struct house *h = house_open(&HOUSE_LIMITS, 0);
    struct house *recovered = house_open_plain();
    house_send(recovered, 0, "SET k 1\r\n");
    EXPECT(recovered, 0, "+OK\r\n");
    engine_destroy(h->engine);
    struct engine_options options = {
        .db = h->db, .host = &h->host, .limits = HOUSE_LIMITS, .loading = true};
    h->engine = engine_create(&options);
    house_connect(h, 0);
    house_connect(h, 1);
    house_send(h, 0, "GET k\r\nCLIENT SETNAME a\r\nXREAD BLOCK 0 STREAMS s $\r\n");
    EXPECT(h, 0, LOADING "+OK\r\n" LOADING);
    house_send(h, 1, "SET k 2\r\n");
    EXPECT(h, 1, LOADING);
    house_send(h, 1, "WATCH k\r\n");
    EXPECT(h, 1, "+OK\r\n");
    house_send(h, 1, "GE");
    engine_loaded(h->engine, recovered->db);
    house_send(h, 1, "T k\r\n");
    EXPECT(h, 1, "$1\r\n1\r\n");
    house_send(h, 1, "MULTI\r\nEXEC\r\n"); /* what it watched has come */
    EXPECT(h, 1, "+OK\r\n*-1\r\n");
    house_send(h, 0, "CLIENT GETNAME\r\nINCR k\r\n");
    EXPECT(h, 0, "$1\r\na\r\n:2\r\n");
    house_close(h);
    house_close(recovered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_split_anywhere),
        cmocka_unit_test(test_ready_once),
        cmocka_unit_test(test_reply_modes),
        cmocka_unit_test(test_time_does_not_go_back),
        cmocka_unit_test(test_loading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
