/* engine_limits_test.c - what a session may send, hold and be sent, and what happens beyond. */
#include "engine/house_fixture.h"

/* One tick executes a bounded number of requests of a session; engine_busy tells of the rest. */
static void test_bounded_tick(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct house *h = house_open_plain();
    struct buf text = {0};
    for (int i = 0; i < COUNT; i++) buf_append_text(&text, "INCR n\r\n");
    house_send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    assert_true(engine_requests(h->engine) < COUNT);
    for (int i = 0; i < 10 && engine_busy(h->engine); i++) house_tick(h);
    assert_int_equal(engine_requests(h->engine), COUNT);
    house_received(h, 0);
    house_send(h, 1, "GET n\r\n");
    EXPECT(h, 1, "$5\r\n20000\r\n");
    house_close(h);
}

/* Blank lines are the smallest requests: a tick executes fewer of them than arrive in one. What is
 * kept stays small all the same, because the owner is told to read no more. */
static void test_bounded_backlog(void **state)
{
    (void)state;
    enum { LINES = 64 * 1024, ROUNDS = 200 };
    struct house *h = house_open(&HOUSE_LIMITS, 0);
    struct engine_figures figures;
    static char lines[LINES];
    memset(lines, '\n', sizeof lines);
    h->password = "secret"; /* no login is needed for it */
    house_connect(h, 0);
    for (int i = 0; i < ROUNDS; i++) {
        size_t room = 0;
        bool wanted = session_wants_input(h->sessions[0]);
        char *space = wanted ? session_input_space(h->sessions[0], &room) : NULL;
        if (space != NULL) {
            memset(space, '\n', room);
            session_input_received(h->sessions[0], room);
        } else if (wanted) {
            session_feed(h->sessions[0], (struct slice){lines, sizeof lines});
        }
        house_tick(h);
        engine_measure(h->engine, &figures);
        assert_in_range(figures.client_memory_bytes, 0, 4 * LINES);
    }
    for (int i = 0; i < ROUNDS && engine_busy(h->engine); i++) house_tick(h);
    assert_true(session_executed(h->sessions[0]));
    assert_true(session_wants_input(h->sessions[0]));
    assert_ptr_equal(engine_take_ready(h->engine), h->sessions[0]);
    house_send(h, 0, "AUTH secret\r\n");
    EXPECT(h, 0, "+OK\r\n");
    house_close(h);
}

/* A session that is idle holds nothing of the large request that it sent last. */
static void test_memory_goes_back(void **state)
{
    (void)state;
    enum { ARGUMENTS = 100 * 1000 };
    struct house *h = house_open_plain();
    struct engine_figures before, after;
    engine_measure(h->engine, &before);
    struct buf text = {0};
    buf_append_text(&text, "*100001\r\n$3\r\nDEL\r\n");
    for (int i = 0; i < ARGUMENTS; i++) buf_append_text(&text, "$1\r\nk\r\n");
    house_send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    EXPECT(h, 0, ":0\r\n");
    engine_measure(h->engine, &after);
    assert_in_range(after.client_memory_bytes, 0, before.client_memory_bytes + 4 * KIB);
    house_close(h);
}

/* Above output_bytes_pause nothing more of the session is executed, until the client has read half
 * of it; engine_busy says when, for no byte will come to say so. */
static void test_pause(void **state)
{
    (void)state;
    const struct engine_limits limits = {.output_bytes_max = MIB, .output_bytes_pause = 1000};
    struct house *h = house_open(&limits, 2);
    struct buf text = {0};
    buf_append_text(&text, "SET v ");
    for (int i = 0; i < 600; i++) buf_append_byte(&text, 'v');
    buf_append_text(&text, "\r\nGET v\r\nGET v\r\nGET v\r\nSET after 1\r\n");
    house_send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    assert_false(session_wants_input(h->sessions[0]));
    for (int i = 0; i < 3; i++) house_tick(h);
    assert_false(engine_busy(h->engine));
    house_send(h, 1, "EXISTS after\r\n");
    EXPECT(h, 1, ":0\r\n");

    /* A single byte is not half of it. */
    chain_consume(session_output(h->sessions[0]), 1);
    assert_false(engine_busy(h->engine));
    assert_int_equal(strlen(house_received(h, 0)), 5 + 2 * (6 + 600 + 2) - 1);
    assert_true(engine_busy(h->engine));
    house_tick(h);
    assert_int_equal(strlen(house_received(h, 0)), 6 + 600 + 2 + 5);
    assert_true(session_wants_input(h->sessions[0]));
    house_send(h, 1, "EXISTS after\r\n");
    EXPECT(h, 1, ":1\r\n");
    house_close(h);
}

/* Above output_bytes_max the session is closed and its output dropped; others go on. */
static void test_output_limit(void **state)
{
    (void)state;
    const struct engine_limits limits = {.output_bytes_max = 1000, .output_bytes_pause = MIB};
    struct house *h = house_open(&limits, 2);
    struct buf text = {0};
    for (int i = 0; i < 200; i++) buf_append_text(&text, "PING\r\n");
    house_send_bytes(h, 0, text.data, 100 * 6);
    assert_false(session_finished(h->sessions[0]));
    house_send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    assert_true(session_finished(h->sessions[0]));
    struct engine_figures figures;
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.output_limit_closes, 1);
    assert_int_equal(figures.requests, 1000 / 7 + 1);
    house_send(h, 1, "PING\r\n");
    EXPECT(h, 1, "+PONG\r\n");
    house_close(h);
}

/* A short request may ask for a reply far beyond the limit: it is not kept while it is made. */
static void test_reply_beyond_limit(void **state)
{
    (void)state;
    enum { KEYS = 10000 };
    struct house *h = house_open_plain();
    struct engine_figures figures;
    struct buf text = {0};
    buf_append_text(&text, "SETRANGE k 15359 x\r\nMGET");
    for (int i = 0; i < KEYS; i++) buf_append_text(&text, " k");
    buf_append_text(&text, "\r\n");
    house_send_bytes(h, 0, text.data, text.size);
    assert_true(session_finished(h->sessions[0]));
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.output_limit_closes, 1);
    assert_in_range(figures.client_memory_bytes, MIB, 3 * MIB);
    /* One whose replies are not wanted goes on. */
    text.size = 0;
    buf_append_text(&text, "CLIENT REPLY OFF\r\nMGET");
    for (int i = 0; i < KEYS; i++) buf_append_text(&text, " k");
    buf_append_text(&text, "\r\nCLIENT REPLY ON\r\nSTRLEN k\r\n");
    house_send_bytes(h, 1, text.data, text.size);
    EXPECT(h, 1, "+OK\r\n:15360\r\n");
    buf_deinit(&text);
    house_close(h);
}

static void set_output_max(struct house *h, size_t bytes)
{
    struct engine_limits limits = HOUSE_LIMITS;
    limits.output_bytes_max = bytes;
    engine_set_limits(h->engine, &limits);
}

/* Whatever CONFIG SET says: the limit of output goes. */
static bool host_config_set(void *context, const struct slice *pairs, size_t count,
                            struct buf *error)
{
    (void)pairs;
    (void)count;
    (void)error;
    set_output_max(context, SIZE_MAX);
    return true;
}

/* What wakes a client may be as long as the limit says then, not when the client began to wait. */
static void test_limit_raised_while_waiting(void **state)
{
    (void)state;
    enum { VALUE_BYTES = 50000 };
    struct house *h = house_open_plain();
    struct buf text = {0};
    set_output_max(h, 16 * KIB);
    house_send(h, 0, "XREAD BLOCK 0 STREAMS s $\r\n");
    set_output_max(h, MIB);
    buf_append_text(&text, "XADD s 1-1 a ");
    for (int i = 0; i < VALUE_BYTES; i++) buf_append_byte(&text, 'x');
    buf_append_text(&text, "\r\n");
    house_send_bytes(h, 1, text.data, text.size);
    assert_false(session_finished(h->sessions[0]));
    assert_in_range(strlen(house_received(h, 0)), VALUE_BYTES, VALUE_BYTES + 100);
    buf_deinit(&text);
    house_close(h);
}

/* A reply of which a part is lost does not become whole when the limit is raised behind it. */
static void test_limit_raised_behind_a_reply(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    h->host.config_set = host_config_set;
    house_send(h, 0,
               "SETRANGE k 699999 x\r\nMULTI\r\nGET k\r\nGET k\r\n"
               "CONFIG SET client-output-buffer-limit x\r\nEXEC\r\n");
    assert_true(session_finished(h->sessions[0]));
    house_send(h, 1, "STRLEN k\r\n");
    EXPECT(h, 1, ":700000\r\n");
    house_close(h);
}

/* A reply of which a part is lost is not sent either by a session that it ends itself. */
static void test_limit_and_a_last_reply(void **state)
{
    (void)state;
    struct house *h = house_open_plain();
    struct engine_figures figures;
    house_send(h, 0,
               "SETRANGE k 699999 x\r\nMULTI\r\nGET k\r\nGET k\r\n"
               "CLIENT KILL ID 1 SKIPME no\r\nEXEC\r\n");
    assert_true(session_finished(h->sessions[0]));
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.output_limit_closes, 1);
    house_send(h, 1, "CLIENT KILL ID 2 SKIPME no\r\n");
    assert_false(session_finished(h->sessions[1]));
    EXPECT(h, 1, ":1\r\n");
    assert_true(session_finished(h->sessions[1]));
    house_close(h);
}

/* Before login little may be asked for, and little is kept for who does not read. */
static void test_before_login(void **state)
{
    (void)state;
    struct house *h = house_open(&HOUSE_LIMITS, 0);
    h->password = "secret";
    for (int i = 0; i < 2; i++) house_connect(h, i);
    house_send(h, 0, "GET k\r\nAUTH secret\r\nGET k\r\n");
    EXPECT(h, 0, "-NOAUTH Authentication required.\r\n+OK\r\n$-1\r\n");
    struct buf text = {0};
    for (int i = 0; i < 1000; i++) buf_append_text(&text, "GET k\r\n");
    house_send_bytes(h, 1, text.data, text.size);
    buf_deinit(&text);
    assert_true(session_finished(h->sessions[1]));
    assert_true(engine_requests(h->engine) < 500);
    house_close(h);
}

/* One that logs out changes what the next one may be: the limits are those of a stranger. */
static void test_ahead_of_a_logout(void **state)
{
    (void)state;
    struct house *h = house_open(&HOUSE_LIMITS, 0);
    h->password = "secret";
    house_connect(h, 0);
    house_send(h, 0, "AUTH secret\r\n");
    EXPECT(h, 0, "+OK\r\n");
    struct buf text = {0};
    buf_append_text(&text, "*1\r\n$5\r\nRESET\r\n");
    buf_append_format(&text, "*2\r\n$4\r\nECHO\r\n$%zu\r\n",
                      (size_t)REQUEST_LOGIN_BULK_BYTES_MAX + 1);
    for (size_t i = 0; i <= REQUEST_LOGIN_BULK_BYTES_MAX; i++) buf_append_byte(&text, 'x');
    buf_append_text(&text, "\r\n");
    house_send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    EXPECT(h, 0, "+RESET\r\n-ERR Protocol error: unauthenticated bulk length\r\n");
    assert_true(session_finished(h->sessions[0]));
    house_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounded_tick),
        cmocka_unit_test(test_bounded_backlog),
        cmocka_unit_test(test_memory_goes_back),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_reply_beyond_limit),
        cmocka_unit_test(test_before_login),
        cmocka_unit_test(test_ahead_of_a_logout),
        cmocka_unit_test(test_limit_raised_while_waiting),
        cmocka_unit_test(test_limit_raised_behind_a_reply),
        cmocka_unit_test(test_limit_and_a_last_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
