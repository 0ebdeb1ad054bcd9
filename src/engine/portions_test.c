/* portions_test.c - long replies that are made piece by piece: the same bytes as those made at
 * once, whatever becomes of the keys meanwhile, in bounded memory. */
#include "base/limits.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { PORTION_BYTES = 200, ENTRIES = 300 };
#define NOW_MS INT64_C(1700000000000)

struct house {
    struct db *db;
    struct engine *engine;
    struct host host;
    struct session *reader;
    struct session *writer;
};

static struct slice host_password(void *context)
{
    (void)context;
    return SLICE("");
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

static struct session *connect(struct house *h)
{
    struct session_options options = {.address = "127.0.0.1:5", .local_address = "127.0.0.1:6"};
    return engine_open_session(h->engine, &options, NOW_MS);
}

static void open_house(struct house *h, size_t portion_bytes)
{
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct db_options options = {.random_seed = 3, .stream_block = {.entries_max = 10}};
    h->db = db_open(&options, &recovery, &status);
    h->host = (struct host){.context = h,
                            .password = host_password,
                            .monotonic_ns = host_clock,
                            .random = host_random,
                            .out_of_memory = host_out_of_memory};
    h->engine = engine_create(&(struct engine_options){.db = h->db,
                                                       .host = &h->host,
                                                       .limits = {.output_bytes_max = 64 * MIB,
                                                                  .output_bytes_pause = MIB,
                                                                  .portion_bytes = portion_bytes}});
    h->reader = connect(h);
    h->writer = connect(h);
}

static void close_house(struct house *h)
{
    engine_destroy(h->engine);
    db_close(h->db);
}

static void tick(struct house *h)
{
    engine_tick(h->engine, NOW_MS * 1000);
    engine_release(h->engine);
}

static void send(struct house *h, struct session *s, const char *text)
{
    struct buf copy = {0};
    buf_append_text(&copy, text);
    session_feed(s, buf_slice(&copy));
    tick(h);
    buf_deinit(&copy);
}

/* Appends what may leave now, at most 'size' bytes; returns how much. */
static size_t take(struct session *s, size_t size, struct buf *bytes)
{
    struct chain *output = session_output(s);
    struct iovec vector;
    size_t taken = 0;
    while (taken < size && chain_vectors(output, &vector, 1) == 1) {
        if (vector.iov_len > size - taken) vector.iov_len = size - taken;
        buf_append(bytes, (struct slice){vector.iov_base, vector.iov_len});
        chain_consume(output, vector.iov_len);
        taken += vector.iov_len;
    }
    return taken;
}

/* Everything that the session will ever get, now. */
static void take_all(struct house *h, struct session *s, struct buf *bytes)
{
    while (take(s, SIZE_MAX, bytes) > 0 || engine_busy(h->engine)) tick(h);
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
        send(h, h->writer, text);
    }
    send(h, h->writer, "XGROUP CREATE a g 0\r\nXGROUP CREATE b g 0\r\n");
    send(h, h->writer, "XREADGROUP GROUP g ann COUNT 200 STREAMS a b > >\r\n");
    for (int i = 5; i < ENTRIES; i += 7) {
        snprintf(text, sizeof text, "XDEL a %d-1\r\nXDEL b %d-2 %d-2\r\n", i, i, i + 1);
        send(h, h->writer, text);
    }
    take_all(h, h->writer, &replies);
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
    "XREADGROUP GROUP g ann STREAMS a b 0 0\r\n",
    "XREADGROUP GROUP g bob CLAIM 0 STREAMS a b > >\r\n",
    "XREADGROUP GROUP g ann STREAMS b a > 0\r\n",
    "XREADGROUP GROUP g bob STREAMS a b 0 100\r\n",
    "XINFO STREAM a FULL COUNT 0\r\n",
};
enum { REQUESTS_COUNT = sizeof REQUESTS / sizeof *REQUESTS };

/* What others do while a reply is on its way. */
static void disturb(struct house *h, struct random *r)
{
    char text[128];
    unsigned id = (unsigned)random_below(r, ENTRIES) + 1;
    switch (random_below(r, 6)) {
    case 0: snprintf(text, sizeof text, "XADD a * later %u\r\n", id); break;
    case 1: snprintf(text, sizeof text, "XDEL a %u-1\r\n", id); break;
    case 2: snprintf(text, sizeof text, "XDEL b %u-2\r\n", id); break;
    case 3: snprintf(text, sizeof text, "XTRIM b MINID %u\r\n", id / 8); break;
    case 4: snprintf(text, sizeof text, "XACK a g %u-1\r\n", id); break;
    default: snprintf(text, sizeof text, "XADD b * n0 %u\r\n", id); break;
    }
    send(h, h->writer, text);
}

/* Reply by reply, in both protocols: the bytes are those of a reply that is made at once, and
 * nobody holds more than two portions and an entry meanwhile. */
static void test_same_bytes(void **state)
{
    (void)state;
    enum { UNSENT_MAX = 2 * PORTION_BYTES + 200 };
    for (int round = 0; round < 2 * REQUESTS_COUNT; round++) {
        struct house whole, cut;
        struct buf expected = {0}, got = {0}, others = {0};
        struct random r = {(uint64_t)round};
        const char *request = REQUESTS[round / 2];
        open_house(&whole, 64 * MIB);
        open_house(&cut, PORTION_BYTES);
        fill(&whole);
        fill(&cut);
        if (round % 2 == 1) send(&whole, whole.reader, "HELLO 3\r\n");
        if (round % 2 == 1) send(&cut, cut.reader, "HELLO 3\r\n");
        send(&whole, whole.reader, request);
        send(&whole, whole.reader, "PING\r\n");
        take_all(&whole, whole.reader, &expected);
        send(&cut, cut.reader, request);
        send(&cut, cut.reader, "PING\r\n");
        bool bounded = strncmp(request, "XINFO", 5) != 0;
        do {
            const struct chain *output = session_output(cut.reader);
            if (bounded) assert_true(output->appended - output->sent <= UNSENT_MAX);
            take(cut.reader, 1 + (size_t)random_below(&r, PORTION_BYTES), &got);
            disturb(&cut, &r);
            take(cut.writer, SIZE_MAX, &others);
        } while (!session_executed(cut.reader));
        take_all(&cut, cut.reader, &got);
        expect_equal(&expected, &got);
        assert_true(session_wants_input(cut.reader));
        buf_deinit(&expected);
        buf_deinit(&got);
        buf_deinit(&others);
        close_house(&whole);
        close_house(&cut);
    }
}

/* A reply outlives its key, the type of its key, and everything in the database. */
static void test_outlives_its_key(void **state)
{
    (void)state;
    static const char *const ENDS[] = {"DEL a\r\n", "SET a string\r\n", "FLUSHALL\r\n",
                                       "XTRIM a MAXLEN 0\r\n", "RENAME b a\r\n"};
    struct buf expected = {0};
    struct house h;
    open_house(&h, 64 * MIB);
    fill(&h);
    send(&h, h.reader, "XREAD STREAMS b a 0 0\r\n");
    take_all(&h, h.reader, &expected);
    close_house(&h);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        struct buf got = {0};
        open_house(&h, PORTION_BYTES);
        fill(&h);
        send(&h, h.reader, "XREAD STREAMS b a 0 0\r\n");
        assert_false(session_executed(h.reader));
        send(&h, h.writer, ENDS[i]);
        take_all(&h, h.reader, &got);
        expect_equal(&expected, &got);
        buf_deinit(&got);
        close_house(&h);
    }
    buf_deinit(&expected);
}

/* What stands behind such a reply waits for its last portion; what others ask does not. */
static void test_requests_behind_wait(void **state)
{
    (void)state;
    struct house h;
    struct buf got = {0}, others = {0};
    open_house(&h, PORTION_BYTES);
    fill(&h);
    send(&h, h.reader, "XRANGE a - +\r\nSET after 1\r\nXRANGE b - + COUNT 100\r\n");
    assert_false(session_wants_input(h.reader));
    for (int i = 0; i < 5; i++) tick(&h);
    assert_false(engine_busy(h.engine)); /* until the reader has read */
    send(&h, h.writer, "EXISTS after\r\n");
    take_all(&h, h.writer, &others);
    assert_true(slice_equal(buf_slice(&others), SLICE(":0\r\n")));
    take_all(&h, h.reader, &got);
    others.size = 0;
    send(&h, h.writer, "EXISTS after\r\n");
    take_all(&h, h.writer, &others);
    assert_true(slice_equal(buf_slice(&others), SLICE(":1\r\n")));
    assert_true(session_wants_input(h.reader));
    buf_deinit(&got);
    buf_deinit(&others);
    close_house(&h);
}

/* A session may end in the middle of a reply: closed, killed, by the end of the server; and a reply
 * that nobody wants is not made. */
static void test_ends(void **state)
{
    (void)state;
    struct house h;
    struct buf got = {0};
    open_house(&h, PORTION_BYTES);
    fill(&h);
    send(&h, h.reader, "XRANGE a - +\r\n");
    engine_close_session(h.engine, h.reader);
    tick(&h);

    h.reader = connect(&h);
    send(&h, h.reader, "XREADGROUP GROUP g ann STREAMS a b 0 0\r\n");
    char text[64];
    snprintf(text, sizeof text, "CLIENT KILL ID %llu\r\n",
             (unsigned long long)session_client(h.reader)->id);
    send(&h, h.writer, text);
    assert_true(session_finished(h.reader));
    engine_close_session(h.engine, h.reader);

    h.reader = connect(&h);
    send(&h, h.reader, "CLIENT REPLY OFF\r\nXRANGE a - +\r\nCLIENT REPLY ON\r\n");
    take_all(&h, h.reader, &got);
    assert_true(slice_equal(buf_slice(&got), SLICE("+OK\r\n")));

    send(&h, h.reader, "XREVRANGE a + -\r\n");
    engine_stop(h.engine);
    take_all(&h, h.reader, &got);
    assert_true(session_finished(h.reader));
    buf_deinit(&got);
    close_house(&h);
}

/* A blocked reader that is woken gets its reply in portions, too. */
static void test_woken(void **state)
{
    (void)state;
    struct house h;
    struct buf got = {0}, others = {0};
    open_house(&h, PORTION_BYTES);
    send(&h, h.reader, "XREAD BLOCK 0 STREAMS s $\r\nPING\r\n");
    char value[2 * PORTION_BYTES + 1];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    char text[1024];
    snprintf(text, sizeof text, "XADD s 1-1 f %s\r\n", value);
    send(&h, h.writer, text);
    take_all(&h, h.reader, &got);
    assert_true(got.size > sizeof value);
    assert_memory_equal(got.data + got.size - 7, "+PONG\r\n", 7);
    buf_deinit(&got);
    buf_deinit(&others);
    close_house(&h);
}

/* Many long replies at once: each tick makes some portions, and all come to their end. */
static void test_many_readers(void **state)
{
    (void)state;
    enum { READERS = 50 };
    struct house h;
    struct session *readers[READERS];
    struct buf expected = {0};
    open_house(&h, PORTION_BYTES);
    fill(&h);
    send(&h, h.reader, "XRANGE a - +\r\n");
    take_all(&h, h.reader, &expected);
    for (int i = 0; i < READERS; i++) {
        readers[i] = connect(&h);
        send(&h, readers[i], "XRANGE a - +\r\n");
    }
    struct buf got[READERS] = {{0}};
    bool more = true;
    while (more) {
        more = engine_busy(h.engine);
        for (int i = 0; i < READERS; i++) more |= take(readers[i], SIZE_MAX, &got[i]) > 0;
        tick(&h);
    }
    for (int i = 0; i < READERS; i++) {
        expect_equal(&expected, &got[i]);
        buf_deinit(&got[i]);
    }
    buf_deinit(&expected);
    close_house(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_outlives_its_key),
        cmocka_unit_test(test_requests_behind_wait),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_woken),
        cmocka_unit_test(test_many_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
