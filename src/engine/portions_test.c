/* portions_test.c - long replies that are made piece by piece: the same bytes as those made at
 * once, whatever becomes of the keys meanwhile, in bounded memory. */
#include "base/memory.h"
#include "base/random.h"
#include "engine/house_fixture.h"
#include "engine/session.h"

enum { PORTION_BYTES = 200, ENTRIES = 300 };
enum { READER, WRITER, SESSIONS, OTHERS_MAX = HOUSE_SESSIONS_MAX - SESSIONS };

static struct house *open_portioned(size_t portion_bytes)
{
    struct engine_limits limits = {
        .output_bytes_max = 64 * MIB, .output_bytes_pause = MIB, .portion_bytes = portion_bytes};
    return house_open(&limits, SESSIONS);
}

/* Everything that the session will ever get, now. */
static void take_all(struct house *h, int i, struct buf *bytes)
{
    while (house_take(h, i, SIZE_MAX, bytes) > 0 || engine_busy(h->engine)) house_tick(h);
}

static void expect_equal(const struct buf *a, const struct buf *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

/* Two streams, two groups with pending entries of which some were deleted. */
static void fill(struct house *h)
{
    char text[128];
    struct buf replies = {0};
    for (int i = 1; i <= ENTRIES; i++) {
        snprintf(text, sizeof text, "XADD a %d-1 name value-%d\r\nXADD b %d-2 n%d v\r\n", i, i, i,
                 i % 3);
        house_send(h, WRITER, text);
    }
    house_send(h, WRITER, "XGROUP CREATE a g 0\r\nXGROUP CREATE b g 0\r\n");
    house_send(h, WRITER, "XREADGROUP GROUP g ann COUNT 200 STREAMS a b > >\r\n");
    for (int i = 5; i < ENTRIES; i += 7) {
        snprintf(text, sizeof text, "XDEL a %d-1\r\nXDEL b %d-2 %d-2\r\n", i, i, i + 1);
        house_send(h, WRITER, text);
    }
    take_all(h, WRITER, &replies);
    buf_deinit(&replies);
}

static const char *const REQUESTS[] = {
    "XRANGE a - +\r\n",
    "XREVRANGE a + -\r\n",
    "XRANGE a 50 (120-1 COUNT 60\r\n",
    "XREVRANGE b 250 20 COUNT 111\r\n",
    "XRANGE absent - +\r\n",
    "XREAD STREAMS a absent b 0 0 17-1\r\n",
    "XREAD COUNT 40 STREAMS b a a 0 0 3-3\r\n",
    "XREAD COUNT 30 STREAMS a b a absent b b a 0 0 3-3 0 9 150 299\r\n",
    "XREADGROUP GROUP g ann STREAMS a b 0 0\r\n",
    "XREADGROUP GROUP g bob CLAIM 0 STREAMS a b > >\r\n",
    "XREADGROUP GROUP g ann STREAMS b a > 0\r\n",
    "XREADGROUP GROUP g bob STREAMS a b 0 100\r\n",
    "XPENDING a g - + 1000\r\n",
    "XPENDING b g IDLE 0 20 (180 100 ann\r\n",
    "XCLAIM a g bob 0 1-1 2-1 5-1 7-1 6-1 7-1 150-1 3-1 4-1 290-1 280-1 281-1 FORCE\r\n",
    "XAUTOCLAIM a g bob 0 - COUNT 150\r\n",
    "XAUTOCLAIM b g bob 0 7 COUNT 1000 JUSTID\r\n",
    "XINFO STREAM a FULL COUNT 0\r\n",
    "XINFO STREAM b FULL COUNT 30\r\n",
};
enum { REQUESTS_COUNT = sizeof REQUESTS / sizeof *REQUESTS };

/* What others do while a reply is on its way. */
static void disturb(struct house *h, struct random *r)
{
    char text[128];
    unsigned id = (unsigned)random_below(r, ENTRIES) + 1;
    switch (random_below(r, 8)) {
    case 0: snprintf(text, sizeof text, "XADD a * later %u\r\n", id); break;
    case 1: snprintf(text, sizeof text, "XDEL a %u-1\r\n", id); break;
    case 2: snprintf(text, sizeof text, "XDEL b %u-2\r\n", id); break;
    case 3: snprintf(text, sizeof text, "XTRIM b MINID %u\r\n", id / 8); break;
    case 4: snprintf(text, sizeof text, "XACK a g %u-1\r\n", id); break;
    case 5: snprintf(text, sizeof text, "XCLAIM b g c%u 0 %u-2\r\n", id % 9, id); break;
    case 6: snprintf(text, sizeof text, "XGROUP DELCONSUMER b g c%u\r\n", id % 9); break;
    default: snprintf(text, sizeof text, "XADD b * n0 %u\r\n", id); break;
    }
    house_send(h, WRITER, text);
}

/* Reply by reply, in both protocols: the bytes are those of a reply that is made at once, and
 * nobody holds more than two portions and the largest step (the head of XINFO) meanwhile. */
static void test_same_bytes(void **state)
{
    (void)state;
    enum { UNSENT_MAX = 2 * PORTION_BYTES + 800 };
    for (int round = 0; round < 2 * REQUESTS_COUNT; round++) {
        struct buf expected = {0}, got = {0}, others = {0};
        struct random r = {(uint64_t)round};
        const char *request = REQUESTS[round / 2];
        struct house *whole = open_portioned(64 * MIB);
        struct house *cut = open_portioned(PORTION_BYTES);
        fill(whole);
        fill(cut);
        if (round % 2 == 1) house_send(whole, READER, "HELLO 3\r\n");
        if (round % 2 == 1) house_send(cut, READER, "HELLO 3\r\n");
        house_send(whole, READER, request);
        house_send(whole, READER, "PING\r\n");
        take_all(whole, READER, &expected);
        house_send(cut, READER, request);
        house_send(cut, READER, "PING\r\n");
        do {
            const struct chain *output = session_output(cut->sessions[READER]);
            assert_true(output->appended - output->sent <= UNSENT_MAX);
            house_take(cut, READER, 1 + (size_t)random_below(&r, PORTION_BYTES), &got);
            disturb(cut, &r);
            house_take(cut, WRITER, SIZE_MAX, &others);
        } while (!session_executed(cut->sessions[READER]));
        take_all(cut, READER, &got);
        expect_equal(&expected, &got);
        assert_true(session_wants_input(cut->sessions[READER]));
        buf_deinit(&expected);
        buf_deinit(&got);
        buf_deinit(&others);
        house_close(whole);
        house_close(cut);
    }
}

/* Wherever a reply is cut for the first time, and its key deleted, the bytes are the same. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char *const CUT[] = {
        "XINFO STREAM a FULL COUNT 3\r\n", "XINFO STREAM b FULL COUNT 0\r\n",
        "XPENDING b g - + 1000 ann\r\n", "XAUTOCLAIM b g bob 0 - COUNT 1000\r\n"};
    for (size_t i = 0; i < sizeof CUT / sizeof *CUT; i++) {
        struct buf expected = {0};
        for (size_t portion = 64 * MIB; portion > 100; portion = portion * 4 / 5) {
            struct buf got = {0};
            struct house *h = open_portioned(portion);
            fill(h);
            house_send(h, WRITER, "XCLAIM b g bob 0 1-2 50-2 51-2 60-2 61-2 140-2 199-2\r\n");
            house_send(h, READER, CUT[i]);
            house_send(h, WRITER, "DEL a b\r\n");
            take_all(h, READER, &got);
            if (expected.size == 0) buf_append(&expected, buf_slice(&got));
            expect_equal(&expected, &got);
            if (portion > 2 * got.size) portion = 2 * got.size;
            buf_deinit(&got);
            house_close(h);
        }
        buf_deinit(&expected);
    }
}

/* The reply to the request is the same when its key ends so, after its first portion. */
static void expect_outlives(const char *request, const char *end)
{
    struct buf expected = {0}, got = {0};
    struct house *h = open_portioned(64 * MIB);
    fill(h);
    house_send(h, READER, request);
    take_all(h, READER, &expected);
    house_close(h);
    h = open_portioned(PORTION_BYTES);
    fill(h);
    house_send(h, READER, request);
    assert_false(session_executed(h->sessions[READER]));
    house_send(h, WRITER, end);
    take_all(h, READER, &got);
    expect_equal(&expected, &got);
    buf_deinit(&expected);
    buf_deinit(&got);
    house_close(h);
}

/* A reply outlives its key, the type of its key, its group, and everything in the database. */
static void test_outlives_its_key(void **state)
{
    (void)state;
    static const char *const LONG[] = {"XREAD STREAMS b a 0 0\r\n", "XPENDING a g - + 1000 ann\r\n",
                                       "XAUTOCLAIM a g bob 0 - COUNT 1000\r\n",
                                       "XINFO STREAM a FULL COUNT 0\r\n"};
    static const char *const ENDS[] = {
        "DEL a\r\n",      "SET a string\r\n",       "FLUSHALL\r\n",        "XTRIM a MAXLEN 0\r\n",
        "RENAME b a\r\n", "XGROUP DESTROY a g\r\n", "COPY b a REPLACE\r\n"};
    for (size_t i = 0; i < sizeof LONG / sizeof *LONG; i++)
        for (size_t j = 0; j < sizeof ENDS / sizeof *ENDS; j++) expect_outlives(LONG[i], ENDS[j]);
}

/* What stands behind such a reply waits for its last portion; what others ask does not. */
static void test_requests_behind_wait(void **state)
{
    (void)state;
    struct buf got = {0}, others = {0};
    struct house *h = open_portioned(PORTION_BYTES);
    fill(h);
    house_send(h, READER, "XRANGE a - +\r\nSET after 1\r\nXRANGE b - + COUNT 100\r\n");
    assert_false(session_wants_input(h->sessions[READER]));
    for (int i = 0; i < 5; i++) house_tick(h);
    assert_false(engine_busy(h->engine)); /* until the reader has read */
    house_send(h, WRITER, "EXISTS after\r\n");
    take_all(h, WRITER, &others);
    assert_true(slice_equal(buf_slice(&others), SLICE(":0\r\n")));
    take_all(h, READER, &got);
    others.size = 0;
    house_send(h, WRITER, "EXISTS after\r\n");
    take_all(h, WRITER, &others);
    assert_true(slice_equal(buf_slice(&others), SLICE(":1\r\n")));
    assert_true(session_wants_input(h->sessions[READER]));
    buf_deinit(&got);
    buf_deinit(&others);
    house_close(h);
}

/* A session may end in the middle of a reply: closed, killed, by the end of the server; and a reply
 * that nobody wants is not made. */
static void test_ends(void **state)
{
    (void)state;
    struct buf got = {0};
    struct house *h = open_portioned(PORTION_BYTES);
    fill(h);
    house_send(h, READER, "XRANGE a - +\r\n");
    engine_close_session(h->engine, h->sessions[READER]);
    house_tick(h);

    house_connect(h, READER);
    house_send(h, READER, "XREADGROUP GROUP g ann STREAMS a b 0 0\r\n");
    char text[64];
    snprintf(text, sizeof text, "CLIENT KILL ID %llu\r\n",
             (unsigned long long)session_client(h->sessions[READER])->id);
    house_send(h, WRITER, text);
    assert_true(session_finished(h->sessions[READER]));
    engine_close_session(h->engine, h->sessions[READER]);

    house_connect(h, READER);
    house_send(h, READER, "CLIENT REPLY OFF\r\nXRANGE a - +\r\nCLIENT REPLY ON\r\n");
    take_all(h, READER, &got);
    assert_true(slice_equal(buf_slice(&got), SLICE("+OK\r\n")));

    house_send(h, READER, "XREVRANGE a + -\r\n");
    engine_stop(h->engine);
    take_all(h, READER, &got);
    assert_true(session_finished(h->sessions[READER]));
    buf_deinit(&got);
    house_close(h);
}

/* A blocked reader that is woken gets its reply in portions, too. */
static void test_woken(void **state)
{
    (void)state;
    struct buf got = {0};
    struct house *h = open_portioned(PORTION_BYTES);
    house_send(h, READER, "XREAD BLOCK 0 STREAMS s $\r\nPING\r\n");
    char value[2 * PORTION_BYTES + 1];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    char text[1024];
    snprintf(text, sizeof text, "XADD s 1-1 f %s\r\n", value);
    house_send(h, WRITER, text);
    take_all(h, READER, &got);
    assert_true(got.size > sizeof value);
    assert_memory_equal(got.data + got.size - 7, "+PONG\r\n", 7);
    buf_deinit(&got);
    house_close(h);
}

/* Many long replies at once: each tick makes some portions, and all come to their end. */
static void test_many_readers(void **state)
{
    (void)state;
    struct buf expected = {0};
    struct house *h = open_portioned(PORTION_BYTES);
    fill(h);
    house_send(h, READER, "XRANGE a - +\r\n");
    take_all(h, READER, &expected);
    for (int i = 0; i < OTHERS_MAX; i++) {
        house_connect(h, SESSIONS + i);
        house_send(h, SESSIONS + i, "XRANGE a - +\r\n");
    }
    struct buf got[OTHERS_MAX] = {{0}};
    bool more = true;
    while (more) {
        more = engine_busy(h->engine);
        for (int i = 0; i < OTHERS_MAX; i++)
            more |= house_take(h, SESSIONS + i, SIZE_MAX, &got[i]) > 0;
        house_tick(h);
    }
    for (int i = 0; i < OTHERS_MAX; i++) {
        expect_equal(&expected, &got[i]);
        buf_deinit(&got[i]);
    }
    buf_deinit(&expected);
    house_close(h);
}

/* MAXSIZE weighs each entry before the first byte leaves: 2^20, however often a key is named. */
static void test_maxsize_weighs_so_many(void **state)
{
    (void)state;
    enum { LENGTH = 2048, NAMED = 600 };
    struct house *h = open_portioned(0);
    struct buf text = {0}, bytes = {0};
    for (int i = 0; i < LENGTH; i++) house_send(h, WRITER, "XADD s * a x\r\n");
    buf_append_text(&text, "XREAD MAXSIZE 9223372036854775807 STREAMS");
    for (int i = 0; i < NAMED; i++) buf_append_text(&text, " s");
    for (int i = 0; i < NAMED; i++) buf_append_text(&text, " 0");
    buf_append_text(&text, "\r\n");
    house_send_bytes(h, READER, text.data, text.size);
    assert_int_equal(house_take(h, READER, strlen("*512\r\n"), &bytes), strlen("*512\r\n"));
    assert_memory_equal(bytes.data, "*512\r\n", bytes.size);
    buf_deinit(&bytes);
    buf_deinit(&text);
    house_close(h);
}

/* Few pending entries out of many are listed at once: to copy the group would take longer. */
static void test_few_of_many_pending(void **state)
{
    (void)state;
    struct buf got = {0};
    struct house *h = open_portioned(PORTION_BYTES);
    fill(h); /* 200 are pending */
    house_send(h, READER, "XPENDING a g - + 24\r\n");
    assert_true(session_executed(h->sessions[READER]));
    take_all(h, READER, &got);
    assert_true(got.size > 2 * PORTION_BYTES);
    house_send(h, READER, "XPENDING a g - + 25\r\n");
    assert_false(session_executed(h->sessions[READER]));
    buf_deinit(&got);
    house_close(h);
}

/* What a reply holds besides blocks is what its session says it has, also when a request names one
 * stream very often: there is one view of it. */
static void test_one_view_of_a_stream(void **state)
{
    (void)state;
    enum { NAMED = 4000, SLACK_BYTES = 128 * 1024 };
    struct house *h = open_portioned(PORTION_BYTES);
    struct buf text = {0};
    struct memory_figures before, during;
    fill(h);
    buf_append_text(&text, "XREAD STREAMS");
    for (int i = 0; i < NAMED; i++) buf_append_text(&text, i % 2 == 0 ? " a" : " b");
    for (int i = 0; i < NAMED; i++) buf_append_text(&text, " 0");
    buf_append_text(&text, "\r\n");
    memory_measure(&before);
    size_t session_before = session_memory_bytes(h->sessions[READER]);
    house_send_bytes(h, READER, text.data, text.size);
    memory_measure(&during);
    size_t session_during = session_memory_bytes(h->sessions[READER]);
    assert_false(session_executed(h->sessions[READER]));
    assert_true(session_during > session_before);
    assert_in_range(during.allocated_bytes, before.allocated_bytes,
                    before.allocated_bytes + session_during - session_before + SLACK_BYTES);
    buf_deinit(&text);
    house_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_outlives_its_key),
        cmocka_unit_test(test_requests_behind_wait),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_woken),
        cmocka_unit_test(test_many_readers),
        cmocka_unit_test(test_maxsize_weighs_so_many),
        cmocka_unit_test(test_few_of_many_pending),
        cmocka_unit_test(test_one_view_of_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
