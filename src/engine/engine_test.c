/* engine_test.c - sessions, ticks and waiting, over a db without a disk and a made-up host. What
 * the log has to do with it is in tests/sim/gate_test.c. */
#include "engine/engine.h"

#include "base/limits.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { SESSIONS = 4, REPLY_BYTES_MAX = 1 << 20 };
#define NOW_MS INT64_C(1700000000000)

struct house {
    struct db *db;
    struct engine *engine;
    struct host host;
    struct session *sessions[SESSIONS];
    int64_t now_ms;
    const char *password;
    char reply[REPLY_BYTES_MAX];
};

static struct slice host_password(void *context)
{
    return slice_of(((struct house *)context)->password);
}

static int64_t host_clock(void *context)
{
    (void)context;
    return 0;
}

static uint64_t host_random(void *context)
{
    (void)context;
    return 5;
}

static bool host_out_of_memory(void *context)
{
    (void)context;
    return false;
}

static struct house *open_house(size_t output_max, size_t output_pause)
{
    struct house *h = memory_allocate_zeroed(sizeof *h);
    struct wal_recovery recovery;
    enum wal_open_status status;
    h->db = db_open(&(struct db_options){.random_seed = 3}, &recovery, &status);
    assert_non_null(h->db);
    h->now_ms = NOW_MS;
    h->password = "";
    h->host = (struct host){.context = h,
                            .password = host_password,
                            .monotonic_ns = host_clock,
                            .random = host_random,
                            .out_of_memory = host_out_of_memory};
    struct engine_options options = {
        .db = h->db,
        .host = &h->host,
        .limits = {.output_bytes_max = output_max, .output_bytes_pause = output_pause}};
    h->engine = engine_create(&options);
    return h;
}

static void connect(struct house *h, int i)
{
    struct session_options options = {
        .address = "127.0.0.1:5", .local_address = "127.0.0.1:6", .owner = &h->sessions[i]};
    h->sessions[i] = engine_open_session(h->engine, &options, h->now_ms);
    assert_ptr_equal(session_owner(h->sessions[i]), &h->sessions[i]);
}

static struct house *open_plain(void)
{
    struct house *h = open_house(MIB, MIB);
    for (int i = 0; i < SESSIONS; i++) connect(h, i);
    return h;
}

static void close_house(struct house *h)
{
    engine_destroy(h->engine);
    db_close(h->db);
    memory_free(h, sizeof *h);
}

static void tick(struct house *h)
{
    engine_tick(h->engine, h->now_ms * 1000);
    engine_release(h->engine);
}

/* Feeds the text and ticks once. The parser unquotes in place, so it gets a copy of its own. */
static void send_bytes(struct house *h, int i, const char *text, size_t size)
{
    char *copy = memory_allocate(size);
    memcpy(copy, text, size);
    session_feed(h->sessions[i], (struct slice){copy, size});
    tick(h);
    memory_free(copy, size);
}

static void send(struct house *h, int i, const char *text)
{
    send_bytes(h, i, text, strlen(text));
}

/* All that may leave now, as a string. */
static const char *received(struct house *h, int i)
{
    struct chain *output = session_output(h->sessions[i]);
    struct iovec vector;
    size_t size = 0;
    while (chain_vectors(output, &vector, 1) == 1) {
        assert_true(size + vector.iov_len < sizeof h->reply);
        memcpy(h->reply + size, vector.iov_base, vector.iov_len);
        size += vector.iov_len;
        chain_consume(output, vector.iov_len);
    }
    h->reply[size] = '\0';
    return h->reply;
}

#define EXPECT(h, i, text) assert_string_equal(received(h, i), text)
#define ENTRY(key, id, value)                                                                     \
    "*1\r\n*2\r\n$1\r\n" key "\r\n*1\r\n*2\r\n$3\r\n" id "\r\n*2\r\n$1\r\na\r\n$1\r\n" value "\r" \
    "\n"

/* ---- requests and replies ---- */

/* Requests of one piece run in order, and their replies leave in order. */
static void test_pipeline(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "SET k 1\r\nINCR k\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nGET absent\r\n");
    EXPECT(h, 0, "+OK\r\n:2\r\n$1\r\n2\r\n$-1\r\n");
    assert_int_equal(engine_requests(h->engine), 4);
    assert_false(engine_busy(h->engine));
    close_house(h);
}

/* Wherever the bytes are cut, the replies are the same; also through session_input_space. */
static void test_split_anywhere(void **state)
{
    (void)state;
    static const char text[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\nSTRLEN k\r\n"
                               "*1\r\n$4\r\nPING\r\n";
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        struct house *h = open_plain();
        send_bytes(h, 0, text, cut);
        size_t room;
        char *space = session_input_space(h->sessions[0], &room);
        size_t rest = sizeof text - 1 - cut;
        if (space != NULL && room >= rest && cut % 2 == 0) {
            memcpy(space, text + cut, rest);
            session_input_received(h->sessions[0], rest);
            tick(h);
        } else {
            send_bytes(h, 0, text + cut, rest);
        }
        EXPECT(h, 0, "+OK\r\n:5\r\n+PONG\r\n");
        assert_int_equal(session_client(h->sessions[0])->requests, 3);
        close_house(h);
    }
}

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
        struct house *h = open_plain();
        send_bytes(h, 0, text, cut);
        send_bytes(h, 0, text + cut, sizeof text - 1 - cut);
        EXPECT(h, 0, before);
        send(h, 1, "XADD s 1-1 a x\r\n");
        tick(h);
        EXPECT(h, 0, ENTRY("s", "1-1", "x") ":3\r\n:4\r\n");
        assert_int_equal(session_client(h->sessions[0])->requests, 8);
        close_house(h);
    }
}

/* One that logs out changes what the next one may be: the limits are those of a stranger. */
static void test_ahead_of_a_logout(void **state)
{
    (void)state;
    struct house *h = open_house(MIB, MIB);
    h->password = "secret";
    connect(h, 0);
    send(h, 0, "AUTH secret\r\n");
    EXPECT(h, 0, "+OK\r\n");
    struct buf text = {0};
    buf_append_text(&text, "*1\r\n$5\r\nRESET\r\n");
    buf_append_format(&text, "*2\r\n$4\r\nECHO\r\n$%zu\r\n",
                      (size_t)REQUEST_LOGIN_BULK_BYTES_MAX + 1);
    for (size_t i = 0; i <= REQUEST_LOGIN_BULK_BYTES_MAX; i++) buf_append_byte(&text, 'x');
    buf_append_text(&text, "\r\n");
    send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    EXPECT(h, 0, "+RESET\r\n-ERR Protocol error: unauthenticated bulk length\r\n");
    assert_true(session_finished(h->sessions[0]));
    close_house(h);
}

/* One tick executes a bounded number of requests of a session; engine_busy tells of the rest. */
static void test_bounded_tick(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct house *h = open_plain();
    struct buf text = {0};
    for (int i = 0; i < COUNT; i++) buf_append_text(&text, "INCR n\r\n");
    send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    assert_true(engine_requests(h->engine) < COUNT);
    for (int i = 0; i < 10 && engine_busy(h->engine); i++) tick(h);
    assert_int_equal(engine_requests(h->engine), COUNT);
    received(h, 0);
    send(h, 1, "GET n\r\n");
    EXPECT(h, 1, "$5\r\n20000\r\n");
    close_house(h);
}

/* Blank lines are the smallest requests: a tick executes fewer of them than arrive in one. What is
 * kept stays small all the same, because the owner is told to read no more. */
static void test_bounded_backlog(void **state)
{
    (void)state;
    enum { LINES = 64 * 1024, ROUNDS = 200 };
    struct house *h = open_house(MIB, MIB);
    struct engine_figures figures;
    static char lines[LINES];
    memset(lines, '\n', sizeof lines);
    h->password = "secret"; /* no login is needed for it */
    connect(h, 0);
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
        tick(h);
        engine_measure(h->engine, &figures);
        assert_in_range(figures.client_memory_bytes, 0, 4 * LINES);
    }
    for (int i = 0; i < ROUNDS && engine_busy(h->engine); i++) tick(h);
    assert_true(session_executed(h->sessions[0]));
    assert_true(session_wants_input(h->sessions[0]));
    assert_ptr_equal(engine_take_ready(h->engine), h->sessions[0]);
    send(h, 0, "AUTH secret\r\n");
    EXPECT(h, 0, "+OK\r\n");
    close_house(h);
}

/* A session that is idle holds nothing of the large request that it sent last. */
static void test_memory_goes_back(void **state)
{
    (void)state;
    enum { ARGUMENTS = 100 * 1000 };
    struct house *h = open_plain();
    struct engine_figures before, after;
    engine_measure(h->engine, &before);
    struct buf text = {0};
    buf_append_text(&text, "*100001\r\n$3\r\nDEL\r\n");
    for (int i = 0; i < ARGUMENTS; i++) buf_append_text(&text, "$1\r\nk\r\n");
    send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    EXPECT(h, 0, ":0\r\n");
    engine_measure(h->engine, &after);
    assert_in_range(after.client_memory_bytes, 0, before.client_memory_bytes + 4 * KIB);
    close_house(h);
}

/* A malformed request gets its error, and then the session ends; nothing behind it runs. */
static void test_malformed(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "SET k 1\r\n*1\r\n$x\r\nSET k 2\r\n");
    assert_false(session_finished(h->sessions[0]));
    EXPECT(h, 0, "+OK\r\n-ERR Protocol error: invalid bulk length\r\n");
    assert_true(session_finished(h->sessions[0]));
    assert_false(session_wants_input(h->sessions[0]));
    send(h, 1, "GET k\r\n");
    EXPECT(h, 1, "$1\r\n1\r\n");
    close_house(h);
}

/* HTTP and the like get no byte of an answer. */
static void test_foreign(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k 1\r\n");
    EXPECT(h, 0, "");
    assert_true(session_finished(h->sessions[0]));
    send(h, 1, "EXISTS k\r\n");
    EXPECT(h, 1, ":0\r\n");
    close_house(h);
}

/* QUIT is answered; what stands behind it is not executed. */
static void test_quit(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "QUIT\r\nSET k 1\r\n");
    EXPECT(h, 0, "+OK\r\n");
    assert_true(session_finished(h->sessions[0]));
    send(h, 1, "EXISTS k\r\n");
    EXPECT(h, 1, ":0\r\n");
    close_house(h);
}

/* The owner hears of a session once, however often it became ready. */
static void test_ready_once(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 2, "PING\r\nPING\r\n");
    assert_ptr_equal(engine_take_ready(h->engine), h->sessions[2]);
    assert_null(engine_take_ready(h->engine));
    send(h, 2, "PING\r\n");
    assert_ptr_equal(engine_take_ready(h->engine), h->sessions[2]);
    assert_null(engine_take_ready(h->engine));
    close_house(h);
}

/* ---- waiting ---- */

/* A reader sees the entry that woke it and not the one behind it, though both came in one piece. */
static void test_wake_before_next_command(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "XREAD BLOCK 0 STREAMS s $\r\n");
    EXPECT(h, 0, "");
    assert_true(session_client(h->sessions[0])->blocked);
    send(h, 1, "XADD s 1-1 a x\r\nXADD s 1-2 a y\r\n");
    EXPECT(h, 0, ENTRY("s", "1-1", "x"));
    assert_false(session_client(h->sessions[0])->blocked);
    close_house(h);
}

/* One entry for three group readers: who came first gets it. */
static void test_first_come_first_served(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 3, "XGROUP CREATE s g $ MKSTREAM\r\n");
    for (int i = 0; i < 3; i++) send(h, i, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
    send(h, 3, "XADD s 1-1 a x\r\n");
    EXPECT(h, 0, ENTRY("s", "1-1", "x"));
    EXPECT(h, 1, "");
    send(h, 0, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
    send(h, 3, "XADD s 1-2 a y\r\nXADD s 1-3 a z\r\n");
    EXPECT(h, 1, ENTRY("s", "1-2", "y"));
    EXPECT(h, 2, ENTRY("s", "1-3", "z"));
    EXPECT(h, 0, "");
    close_house(h);
}

/* The deadline is fixed once: a wake-up that finds nothing does not move it, and not a moment
 * earlier or later does it pass. */
static void test_deadline_fixed_once(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "XREAD BLOCK 100 STREAMS s 999999999999999-0\r\n");
    assert_int_equal(engine_due_ms(h->engine), NOW_MS + 100);
    h->now_ms += 60;
    send(h, 1, "XADD s 1-1 a x\r\n");
    assert_int_equal(engine_due_ms(h->engine), NOW_MS + 100);
    h->now_ms = NOW_MS + 99;
    tick(h);
    EXPECT(h, 0, "");
    h->now_ms = NOW_MS + 100;
    tick(h);
    EXPECT(h, 0, "*-1\r\n");
    assert_int_equal(engine_due_ms(h->engine), INT64_MAX);
    close_house(h);
}

/* Waits of many lengths end in the order of their deadlines. */
static void test_deadlines_in_order(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "XREAD BLOCK 30 STREAMS s $\r\n");
    send(h, 1, "XREAD BLOCK 10 STREAMS s t $ $\r\n");
    send(h, 2, "XREAD BLOCK 20 STREAMS t $\r\n");
    assert_int_equal(engine_due_ms(h->engine), NOW_MS + 10);
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
        h->now_ms = NOW_MS + 10 * (i + 1);
        tick(h);
        EXPECT(h, order[i], "*-1\r\n");
        for (int k = i + 1; k < 3; k++) EXPECT(h, order[k], "");
    }
    close_house(h);
}

/* A client that leaves while it waits takes nothing along. */
static void test_close_while_waiting(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 3, "XGROUP CREATE s g $ MKSTREAM\r\n");
    send(h, 0, "XREADGROUP GROUP g gone BLOCK 50 STREAMS s >\r\n");
    send(h, 1, "XREADGROUP GROUP g here BLOCK 0 STREAMS s >\r\n");
    engine_close_session(h->engine, h->sessions[0]);
    assert_int_equal(engine_due_ms(h->engine), INT64_MAX);
    send(h, 3, "XADD s 1-1 a x\r\n");
    EXPECT(h, 1, ENTRY("s", "1-1", "x"));
    struct engine_figures figures;
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.sessions, SESSIONS - 1);
    assert_int_equal(figures.waiting, 0);
    close_house(h);
}

/* What a client sends behind a waiting command runs after it; the owner may not read more. */
static void test_input_behind_a_wait(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "XREAD BLOCK 0 STREAMS s $\r\nSET k 1\r\n");
    assert_false(session_wants_input(h->sessions[0]));
    send(h, 1, "EXISTS k\r\nXADD s 1-1 a x\r\n");
    EXPECT(h, 1, ":0\r\n$3\r\n1-1\r\n");
    for (int i = 0; i < 3 && engine_busy(h->engine); i++) tick(h);
    EXPECT(h, 0, ENTRY("s", "1-1", "x") "+OK\r\n");
    assert_true(session_wants_input(h->sessions[0]));
    close_house(h);
}

/* A key that expires wakes those who wait for it. */
static void test_expiry_wakes(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 1, "XGROUP CREATE s g $ MKSTREAM\r\nPEXPIRE s 40\r\n");
    send(h, 0, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
    assert_int_equal(engine_due_ms(h->engine), NOW_MS + 40);
    h->now_ms += 40;
    tick(h);
    EXPECT(h, 0,
           "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n");
    close_house(h);
}

/* ---- CLIENT REPLY ---- */

/* OFF drops replies until ON; SKIP drops the next one only. */
static void test_reply_modes(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "CLIENT REPLY OFF\r\nSET k 1\r\nCLIENT REPLY ON\r\nGET k\r\n");
    EXPECT(h, 0, "+OK\r\n$1\r\n1\r\n");
    send(h, 0, "CLIENT REPLY SKIP\r\nINCR k\r\nINCR k\r\n");
    EXPECT(h, 0, ":3\r\n");
    send(h, 0, "CLIENT REPLY SKIP\r\nNOSUCH\r\nPING\r\n");
    EXPECT(h, 0, "+PONG\r\n");
    send(h, 0, "CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO a\r\n");
    EXPECT(h, 0, "$1\r\na\r\n");
    send(h, 0, "CLIENT REPLY SKIP\r\nRESET\r\nPING\r\n");
    EXPECT(h, 0, "+PONG\r\n");
    send(h, 0, "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n"); /* ON is always heard */
    EXPECT(h, 0, "+OK\r\n+PONG\r\n");
    close_house(h);
}

/* The skipped reply may be that of a command that waits first. */
static void test_skip_a_wait(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "CLIENT REPLY SKIP\r\nXREAD BLOCK 0 STREAMS s $\r\nPING\r\n");
    send(h, 1, "XADD s 1-1 a x\r\n");
    tick(h);
    EXPECT(h, 0, "+PONG\r\n");
    send(h, 0, "CLIENT REPLY SKIP\r\nXREAD BLOCK 10 STREAMS s $\r\nPING\r\n");
    h->now_ms += 10;
    tick(h);
    tick(h);
    EXPECT(h, 0, "+PONG\r\n");
    close_house(h);
}

/* ---- limits ---- */

/* Above output_bytes_pause nothing more of the session is executed, until the client has read half
 * of it; engine_busy says when, for no byte will come to say so. */
static void test_pause(void **state)
{
    (void)state;
    struct house *h = open_house(MIB, 1000);
    for (int i = 0; i < 2; i++) connect(h, i);
    struct buf text = {0};
    buf_append_text(&text, "SET v ");
    for (int i = 0; i < 600; i++) buf_append_byte(&text, 'v');
    buf_append_text(&text, "\r\nGET v\r\nGET v\r\nGET v\r\nSET after 1\r\n");
    send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    assert_false(session_wants_input(h->sessions[0]));
    for (int i = 0; i < 3; i++) tick(h);
    assert_false(engine_busy(h->engine));
    send(h, 1, "EXISTS after\r\n");
    EXPECT(h, 1, ":0\r\n");

    /* A single byte is not half of it. */
    chain_consume(session_output(h->sessions[0]), 1);
    assert_false(engine_busy(h->engine));
    assert_int_equal(strlen(received(h, 0)), 5 + 2 * (6 + 600 + 2) - 1);
    assert_true(engine_busy(h->engine));
    tick(h);
    assert_int_equal(strlen(received(h, 0)), 6 + 600 + 2 + 5);
    assert_true(session_wants_input(h->sessions[0]));
    send(h, 1, "EXISTS after\r\n");
    EXPECT(h, 1, ":1\r\n");
    close_house(h);
}

/* Above output_bytes_max the session is closed and its output dropped; others go on. */
static void test_output_limit(void **state)
{
    (void)state;
    struct house *h = open_house(1000, MIB);
    for (int i = 0; i < 2; i++) connect(h, i);
    struct buf text = {0};
    for (int i = 0; i < 200; i++) buf_append_text(&text, "PING\r\n");
    send_bytes(h, 0, text.data, 100 * 6);
    assert_false(session_finished(h->sessions[0]));
    send_bytes(h, 0, text.data, text.size);
    buf_deinit(&text);
    assert_true(session_finished(h->sessions[0]));
    struct engine_figures figures;
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.output_limit_closes, 1);
    assert_int_equal(figures.requests, 1000 / 7 + 1);
    send(h, 1, "PING\r\n");
    EXPECT(h, 1, "+PONG\r\n");
    close_house(h);
}

/* A short request may ask for a reply far beyond the limit: it is not kept while it is made. */
static void test_reply_beyond_limit(void **state)
{
    (void)state;
    enum { KEYS = 10000 };
    struct house *h = open_plain();
    struct engine_figures figures;
    struct buf text = {0};
    buf_append_text(&text, "SETRANGE k 15359 x\r\nMGET");
    for (int i = 0; i < KEYS; i++) buf_append_text(&text, " k");
    buf_append_text(&text, "\r\n");
    send_bytes(h, 0, text.data, text.size);
    assert_true(session_finished(h->sessions[0]));
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.output_limit_closes, 1);
    assert_in_range(figures.client_memory_bytes, MIB, 3 * MIB);
    /* One whose replies are not wanted goes on. */
    text.size = 0;
    buf_append_text(&text, "CLIENT REPLY OFF\r\nMGET");
    for (int i = 0; i < KEYS; i++) buf_append_text(&text, " k");
    buf_append_text(&text, "\r\nCLIENT REPLY ON\r\nSTRLEN k\r\n");
    send_bytes(h, 1, text.data, text.size);
    EXPECT(h, 1, "+OK\r\n:15360\r\n");
    buf_deinit(&text);
    close_house(h);
}

/* Before login little may be asked for, and little is kept for who does not read. */
static void test_before_login(void **state)
{
    (void)state;
    struct house *h = open_house(MIB, MIB);
    h->password = "secret";
    for (int i = 0; i < 2; i++) connect(h, i);
    send(h, 0, "GET k\r\nAUTH secret\r\nGET k\r\n");
    EXPECT(h, 0, "-NOAUTH Authentication required.\r\n+OK\r\n$-1\r\n");
    struct buf text = {0};
    for (int i = 0; i < 1000; i++) buf_append_text(&text, "GET k\r\n");
    send_bytes(h, 1, text.data, text.size);
    buf_deinit(&text);
    assert_true(session_finished(h->sessions[1]));
    assert_true(engine_requests(h->engine) < 500);
    close_house(h);
}

/* ---- the end ---- */

/* CLIENT KILL ends others at once, waiting or not, and the caller after its reply. */
static void test_kill(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 1, "PING\r\n");
    send(h, 2, "XREAD BLOCK 0 STREAMS s $\r\n");
    send(h, 0, "CLIENT KILL TYPE normal SKIPME no\r\nSET k 1\r\n");
    EXPECT(h, 0, ":4\r\n");
    for (int i = 0; i < SESSIONS; i++) assert_true(session_finished(h->sessions[i]));
    struct engine_figures figures;
    engine_measure(h->engine, &figures);
    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.requests, 3);
    close_house(h);
}

/* Killing or listing every one of very many sessions is one walk over them. (Were it one for each,
 * nobody would live to see the end of this test.) */
static void test_kill_very_many(void **state)
{
    (void)state;
    enum { COUNT = 300 * 1000 };
    struct house *h = open_house(GIB, GIB);
    connect(h, 0);
    for (int i = 0; i < COUNT; i++) connect(h, 1);
    send(h, 0, "CLIENT KILL TYPE normal\r\n");
    EXPECT(h, 0, ":300000\r\n");
    close_house(h);
}

/* A session that is killed in the tick in which it has sent something executes nothing more. */
static void test_kill_one_with_input(void **state)
{
    (void)state;
    struct house *h = open_plain();
    char kill[] = "CLIENT KILL ID 2\r\n", set[] = "SET k 1\r\n";
    session_feed(h->sessions[0], slice_of(kill));
    session_feed(h->sessions[1], slice_of(set));
    tick(h);
    EXPECT(h, 0, ":1\r\n");
    assert_true(session_finished(h->sessions[1]));
    send(h, 2, "EXISTS k\r\n");
    EXPECT(h, 2, ":0\r\n");
    close_house(h);
}

/* Stopping: waiters are dropped, nothing executes any more, what was answered may leave. */
static void test_stop(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "XREAD BLOCK 0 STREAMS s $\r\n");
    send(h, 1, "SET k 1\r\n");
    engine_stop(h->engine);
    assert_true(session_finished(h->sessions[0]));
    assert_false(session_finished(h->sessions[1]));
    send(h, 1, "SET k 2\r\n");
    EXPECT(h, 1, "+OK\r\n");
    assert_true(session_finished(h->sessions[1]));
    assert_int_equal(engine_requests(h->engine), 2);
    close_house(h);
}

/* Stopped, the engine deletes no key that expires: each would be a change for the log to carry, and
 * with enough of them the process would never end. */
static void test_stop_ends_expiry(void **state)
{
    (void)state;
    struct house *h = open_plain();
    struct db_figures before, after;
    send(h, 0, "SET k 1 PX 100\r\n");
    assert_int_equal(engine_due_ms(h->engine), h->now_ms + 100);
    engine_stop(h->engine);
    db_measure(h->db, &before);
    h->now_ms += 1000;
    tick(h);
    db_measure(h->db, &after);
    assert_int_equal(after.effects, before.effects);
    assert_int_equal(after.keys[0], 1);
    assert_false(engine_busy(h->engine));
    assert_int_equal(engine_due_ms(h->engine), INT64_MAX);
    close_house(h);
}

/* Time never goes back for commands, whatever the clock says. */
static void test_time_does_not_go_back(void **state)
{
    (void)state;
    struct house *h = open_plain();
    send(h, 0, "SET k 1 PX 100\r\n");
    h->now_ms += 50;
    send(h, 0, "PTTL k\r\n");
    h->now_ms -= 500;
    send(h, 0, "PTTL k\r\n");
    EXPECT(h, 0, "+OK\r\n:50\r\n:50\r\n");
    h->now_ms += 550;
    send(h, 0, "GET k\r\n");
    EXPECT(h, 0, "$-1\r\n");
    send(h, 0, "DBSIZE\r\n");
    EXPECT(h, 0, ":0\r\n");
    close_house(h);
}

/* Sessions that were there while the data was loaded are served from it afterwards, and what they
 * sent behind a refused request is not lost. */
static void test_loading(void **state)
{
    (void)state;
    static const char loading[] = "-LOADING Redis is loading the dataset in memory\r\n";
    struct house *h = open_house(MIB, MIB);
    struct house *recovered = open_plain();
    send(recovered, 0, "SET k 1\r\n");
    EXPECT(recovered, 0, "+OK\r\n");
    engine_destroy(h->engine);
    struct engine_options options = {.db = h->db,
                                     .host = &h->host,
                                     .limits = {.output_bytes_max = MIB, .output_bytes_pause = MIB},
                                     .loading = true};
    h->engine = engine_create(&options);
    connect(h, 0);
    connect(h, 1);
    send(h, 0, "GET k\r\nCLIENT SETNAME a\r\nXREAD BLOCK 0 STREAMS s $\r\n");
    assert_string_equal(received(h, 0), "-LOADING Redis is loading the dataset in memory\r\n+OK\r\n"
                                        "-LOADING Redis is loading the dataset in memory\r\n");
    send(h, 1, "SET k 2\r\n");
    EXPECT(h, 1, loading);
    send(h, 1, "WATCH k\r\n");
    EXPECT(h, 1, "+OK\r\n");
    send(h, 1, "GE");
    engine_loaded(h->engine, recovered->db);
    send(h, 1, "T k\r\n");
    EXPECT(h, 1, "$1\r\n1\r\n");
    send(h, 1, "MULTI\r\nEXEC\r\n"); /* what it watched has come */
    EXPECT(h, 1, "+OK\r\n*-1\r\n");
    send(h, 0, "CLIENT GETNAME\r\nINCR k\r\n");
    EXPECT(h, 0, "$1\r\na\r\n:2\r\n");
    engine_destroy(h->engine);
    db_close(h->db);
    memory_free(h, sizeof *h);
    close_house(recovered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_split_anywhere),
        cmocka_unit_test(test_ahead_of_a_wait),
        cmocka_unit_test(test_ahead_of_a_logout),
        cmocka_unit_test(test_bounded_tick),
        cmocka_unit_test(test_bounded_backlog),
        cmocka_unit_test(test_memory_goes_back),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_quit),
        cmocka_unit_test(test_ready_once),
        cmocka_unit_test(test_wake_before_next_command),
        cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_deadline_fixed_once),
        cmocka_unit_test(test_deadlines_in_order),
        cmocka_unit_test(test_close_while_waiting),
        cmocka_unit_test(test_input_behind_a_wait),
        cmocka_unit_test(test_expiry_wakes),
        cmocka_unit_test(test_reply_modes),
        cmocka_unit_test(test_skip_a_wait),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_reply_beyond_limit),
        cmocka_unit_test(test_before_login),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_kill_very_many),
        cmocka_unit_test(test_kill_one_with_input),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_ends_expiry),
        cmocka_unit_test(test_time_does_not_go_back),
        cmocka_unit_test(test_loading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
