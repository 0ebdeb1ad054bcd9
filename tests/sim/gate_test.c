/* gate_test.c - which reply waits for which sync: the engine over a log on the simulated disk, with
 * the flush moved by hand. */
#include "base/limits.h"
#include "base/memory.h"
#include "db/event.h"
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct rig {
    struct sim_disk *disk;
    struct machine machine;
};

static struct rig *open_rig(enum wal_policy policy)
{
    struct rig *r = memory_allocate_zeroed(sizeof *r);
    struct wal_recovery recovery;
    enum wal_open_status status;
    r->disk = sim_disk_create(1);
    struct machine_options options = {
        .disk = r->disk,
        .policy = policy,
        .segment_bytes = 64 * DISK_BLOCK_BYTES,
        .limits = {.output_bytes_max = MIB, .output_bytes_pause = MIB},
        .seed = 1,
        .now_us = MACHINE_EPOCH_US,
    };
    assert_true(machine_start(&r->machine, &options, &recovery, &status));
    for (size_t i = 0; i < 4; i++) machine_connect(&r->machine, i);
    return r;
}

static void close_rig(struct rig *r)
{
    machine_die(&r->machine);
    sim_disk_destroy(r->disk);
    memory_free(r, sizeof *r);
}

static void step(struct rig *r)
{
    machine_tick(&r->machine, false);
    machine_release(&r->machine);
}

static void send(struct rig *r, size_t link, const char *line)
{
    machine_send(&r->machine, link, "%s", line);
    step(r);
}

static void flush(struct rig *r)
{
    machine_flush_begin(&r->machine);
    machine_flush_run(&r->machine);
    assert_true(machine_flush_end(&r->machine));
    machine_release(&r->machine);
}

static void expect(struct rig *r, size_t link, const char *text)
{
    struct buf *incoming = &r->machine.links[link].incoming;
    buf_append_byte(incoming, 0);
    assert_string_equal(incoming->data, text);
    incoming->size = 0;
}

/* A write is answered when it is synced: not when it ran, nor when it was written. */
static void test_write_waits(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    send(r, 0, "SET k 1");
    expect(r, 0, "");
    machine_flush_begin(&r->machine);
    machine_release(&r->machine);
    expect(r, 0, "");
    machine_flush_run(&r->machine);
    machine_release(&r->machine);
    expect(r, 0, "");
    assert_true(machine_flush_end(&r->machine));
    machine_release(&r->machine);
    expect(r, 0, "+OK\r\n");
    close_rig(r);
}

/* Replies of one connection leave in order; those of others do not wait for them. */
static void test_order_within_a_connection(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    machine_send(&r->machine, 0, "PING");
    machine_send(&r->machine, 0, "SET k 1");
    machine_send(&r->machine, 0, "PING");
    machine_send(&r->machine, 1, "PING");
    step(r);
    expect(r, 0, "+PONG\r\n");
    expect(r, 1, "+PONG\r\n");
    send(r, 0, "ECHO late");
    expect(r, 0, "");
    flush(r);
    expect(r, 0, "+OK\r\n+PONG\r\n$4\r\nlate\r\n");
    close_rig(r);
}

/* Each portion of a long reply waits for what the reply depends on. */
static void test_portions_wait(void **state)
{
    (void)state;
    enum { ENTRIES = 12, VALUE_BYTES = 50000 };
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    struct buf line = {0};
    buf_append_text(&line, "XADD s * f ");
    for (int i = 0; i < VALUE_BYTES; i++) buf_append_byte(&line, 'v');
    buf_append_byte(&line, 0);
    for (int i = 0; i < ENTRIES; i++) send(r, 0, line.data);
    buf_deinit(&line);
    send(r, 1, "XRANGE s - +");
    for (int i = 0; i < 10; i++) step(r);
    expect(r, 1, "");
    flush(r);
    size_t first = r->machine.links[1].incoming.size;
    assert_in_range(first, REPLY_PORTION_BYTES, (ENTRIES - 1) * VALUE_BYTES);
    for (int i = 0; i < 10; i++) step(r);
    assert_true(r->machine.links[1].incoming.size > ENTRIES * VALUE_BYTES);
    close_rig(r);
}

/* What a tick appended while a flush was under way waits for the next one. */
static void test_one_gate_for_each_commit(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    send(r, 0, "INCR n");
    machine_flush_begin(&r->machine);
    machine_send(&r->machine, 0, "INCR n");
    machine_send(&r->machine, 0, "INCR n");
    step(r);
    send(r, 0, "INCR n");
    machine_flush_run(&r->machine);
    assert_true(machine_flush_end(&r->machine));
    machine_release(&r->machine);
    expect(r, 0, ":1\r\n");
    flush(r);
    expect(r, 0, ":2\r\n:3\r\n:4\r\n");
    close_rig(r);
}

/* A read waits for the newest change of what it read, and for no other. */
static void test_read_waits(void **state)
{
    (void)state;
    static const char *const waiting[] = {
        "GET k",   "EXISTS k",  "TTL k",      "TYPE k",       "STRLEN k",      "DBSIZE",
        "SCAN 0",  "RANDOMKEY", "KEYS *",     "MGET a k",     "GET gone",      "EXISTS old",
        "GET new", "XLEN s",    "SET k 9 NX", "XRANGE s - +", "GETRANGE k 0 1"};
    static const char *const free_ones[] = {"GET a", "EXISTS a", "PING", "TTL b", "XLEN absent"};
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        struct rig *r = open_rig(WAL_SYNC_ALWAYS);
        machine_send(&r->machine, 0, "MSET k 0 gone 1 old 2 a 3 b 4");
        step(r);
        flush(r);
        machine_send(&r->machine, 0, "SET k 1");
        machine_send(&r->machine, 0, "DEL gone");
        machine_send(&r->machine, 0, "RENAME old new");
        machine_send(&r->machine, 0, "XADD s 1-1 f v");
        step(r);
        send(r, 1, waiting[i]);
        assert_int_equal(r->machine.links[1].incoming.size, 0);
        for (size_t k = 0; k < sizeof free_ones / sizeof *free_ones; k++) {
            send(r, 2, free_ones[k]);
            assert_int_not_equal(r->machine.links[2].incoming.size, 0);
            r->machine.links[2].incoming.size = 0;
        }
        flush(r);
        assert_int_not_equal(r->machine.links[1].incoming.size, 0);
        close_rig(r);
    }
}

/* After FLUSHDB a read of any key of that database waits, and of no other database. */
static void test_read_after_flush(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    send(r, 3, "SELECT 2");
    send(r, 0, "SET k 1");
    flush(r);
    send(r, 0, "FLUSHDB");
    send(r, 1, "GET never-seen");
    send(r, 3, "GET k");
    expect(r, 1, "");
    expect(r, 3, "+OK\r\n$-1\r\n");
    flush(r);
    expect(r, 1, "$-1\r\n");
    close_rig(r);
}

/* What wakes a reader reaches it when it is synced, together with the answer to the writer. */
static void test_wake_up_waits(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    send(r, 0, "XGROUP CREATE s g $ MKSTREAM");
    flush(r);
    expect(r, 0, "+OK\r\n");
    send(r, 1, "XREAD BLOCK 0 STREAMS s $");
    send(r, 2, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    /* The group's new consumer is a change: the next flush has nothing to do with the entry. */
    flush(r);
    send(r, 0, "XADD s 1-1 f v");
    for (size_t i = 0; i < 3; i++) expect(r, i, "");
    flush(r);
    static const char entry[] = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n"
                                "$1\r\nf\r\n$1\r\nv\r\n";
    expect(r, 0, "$3\r\n1-1\r\n");
    expect(r, 1, entry);
    expect(r, 2, entry);
    close_rig(r);
}

/* A sync that fails acknowledges nothing, then or ever. */
static void test_failed_sync(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    send(r, 0, "SET k 1");
    sim_disk_set_faults(r->disk, &(struct sim_faults){.fail_at = 2, .fail_status = DISK_FAILED});
    machine_flush_begin(&r->machine);
    machine_flush_run(&r->machine);
    assert_true(sim_disk_fault_met(r->disk));
    assert_false(machine_flush_end(&r->machine));
    engine_release(r->machine.engine);
    assert_false(chain_sendable(session_output(r->machine.links[0].session)));
    assert_null(engine_flush_begin(r->machine.engine));
    close_rig(r);
}

/* QUIT behind a write: the session is finished when the write's answer has left, not before. */
static void test_finished_after_gate(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    machine_send(&r->machine, 0, "SET k 1");
    machine_send(&r->machine, 0, "QUIT");
    step(r);
    assert_non_null(r->machine.links[0].session);
    expect(r, 0, "");
    flush(r);
    expect(r, 0, "+OK\r\n+OK\r\n");
    assert_null(r->machine.links[0].session);
    close_rig(r);
}

/* Whoever writes faster than the disk takes it waits, under every policy and whether or not it
 * wants replies; who reads goes on. Once the log has caught up, nothing was lost. */
static void test_writers_wait_for_the_log(void **state)
{
    (void)state;
    enum { WRITES = 100, VALUE_BYTES = 1024 * 1024 };
    char *value = memory_allocate(VALUE_BYTES);
    memset(value, 'v', VALUE_BYTES);
    struct slice append[] = {SLICE("APPEND"), SLICE("k"), {value, VALUE_BYTES}};
    static const enum wal_policy policies[] = {WAL_SYNC_ALWAYS, WAL_SYNC_EVERYSEC, WAL_SYNC_NO};
    for (size_t i = 0; i < 3; i++) {
        struct rig *r = open_rig(policies[i]);
        send(r, 0, "CLIENT REPLY OFF");
        for (int n = 0; n < WRITES; n++) machine_send_words(&r->machine, 0, append, 3);
        for (int n = 0; n < WRITES; n++) step(r);
        assert_in_range(db_pending_bytes(r->machine.db), LOG_PENDING_BYTES_MAX,
                        LOG_PENDING_BYTES_MAX + 2 * VALUE_BYTES);
        assert_false(engine_busy(r->machine.engine));
        assert_false(session_executed(r->machine.links[0].session));
        assert_false(session_wants_input(r->machine.links[0].session));
        send(r, 1, "GET other");
        expect(r, 1, "$-1\r\n");
        for (int n = 0; n < 10; n++) {
            flush(r);
            step(r);
        }
        assert_true(session_executed(r->machine.links[0].session));
        assert_true(session_wants_input(r->machine.links[0].session));
        send(r, 1, "STRLEN k");
        flush(r);
        expect(r, 1, ":104857600\r\n");
        close_rig(r);
    }
    memory_free(value, VALUE_BYTES);
}

/* everysec and no: answered at once. */
static void test_weaker_policies(void **state)
{
    (void)state;
    static const enum wal_policy policies[] = {WAL_SYNC_EVERYSEC, WAL_SYNC_NO};
    for (size_t i = 0; i < 2; i++) {
        struct rig *r = open_rig(policies[i]);
        send(r, 0, "SET k 1");
        expect(r, 0, "+OK\r\n");
        send(r, 1, "GET k");
        expect(r, 1, "$1\r\n1\r\n");
        close_rig(r);
    }
}

/* An EXEC whose record in the log is full runs no further command that writes: each answers an
 * error and changes nothing; what only reads goes on, and the record is whole. */
static void test_transaction_frame_is_bounded(void **state)
{
    (void)state;
    struct rig *r = memory_allocate_zeroed(sizeof *r);
    struct wal_recovery recovery;
    enum wal_open_status status;
    r->disk = sim_disk_create(1);
    struct machine_options options = {
        .disk = r->disk,
        .policy = WAL_SYNC_ALWAYS,
        .segment_bytes = 64 * DISK_BLOCK_BYTES,
        .transaction_bytes_max = 30,
        .limits = {.output_bytes_max = MIB, .output_bytes_pause = MIB},
        .seed = 1,
        .now_us = MACHINE_EPOCH_US,
    };
    assert_true(machine_start(&r->machine, &options, &recovery, &status));
    machine_connect(&r->machine, 0);
    machine_send(&r->machine, 0, "MULTI");
    machine_send(&r->machine, 0, "SET a 0123456789");
    machine_send(&r->machine, 0, "SET b 0123456789");
    machine_send(&r->machine, 0, "SET c 0123456789");
    machine_send(&r->machine, 0, "DEL a");
    machine_send(&r->machine, 0, "MGET a b c");
    machine_send(&r->machine, 0, "EXEC");
    step(r);
    flush(r);
    expect(r, 0,
           "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
           "*5\r\n+OK\r\n+OK\r\n"
           "-ERR the transaction has changed so much that its record in the log is full: this "
           "command has changed nothing\r\n"
           "-ERR the transaction has changed so much that its record in the log is full: this "
           "command has changed nothing\r\n"
           "*3\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n$-1\r\n");
    assert_int_equal(db_appended_lsn(r->machine.db), 1);
    close_rig(r);
}

enum { HEARD_MAX = 8 };

struct heard {
    const struct db *db;
    lsn_t lsns[HEARD_MAX];
    size_t count;
};

static void hear(void *context, const struct key_event *e)
{
    struct heard *heard = context;
    assert_true(heard->count < HEARD_MAX);
    assert_int_equal(e->lsn, db_appended_lsn(heard->db)); /* the batch has its place in the log */
    assert_true(e->lsn > db_durable_lsn(heard->db));
    heard->lsns[heard->count++] = e->lsn;
}

/* A keyspace event has the LSN of its batch, which is not durable yet: of each command, of an EXEC
 * as a whole, of the keys that expire in a tick. */
static void test_events_have_the_lsn(void **state)
{
    (void)state;
    struct rig *r = open_rig(WAL_SYNC_ALWAYS);
    struct heard heard = {.db = r->machine.db};
    const unsigned classes = EVENT_CLASS_STRING | EVENT_CLASS_EXPIRED;
    db_listen(r->machine.db, &(struct event_sink){&heard, classes, hear});
    machine_send(&r->machine, 0, "SET a 1 PX 10");
    machine_send(&r->machine, 0, "SET b 1 PX 10");
    machine_send(&r->machine, 0, "MULTI");
    machine_send(&r->machine, 0, "INCR c");
    machine_send(&r->machine, 0, "INCR c");
    machine_send(&r->machine, 0, "EXEC");
    step(r);
    flush(r);
    assert_int_equal(db_durable_lsn(r->machine.db), 3);
    r->machine.now_us += 20 * 1000;
    step(r);
    const lsn_t expected[] = {1, 2, 3, 3, 4, 4};
    assert_int_equal(heard.count, sizeof expected / sizeof *expected);
    assert_memory_equal(heard.lsns, expected, sizeof expected);
    flush(r);
    close_rig(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_waits),
        cmocka_unit_test(test_order_within_a_connection),
        cmocka_unit_test(test_portions_wait),
        cmocka_unit_test(test_one_gate_for_each_commit),
        cmocka_unit_test(test_read_waits),
        cmocka_unit_test(test_read_after_flush),
        cmocka_unit_test(test_wake_up_waits),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_finished_after_gate),
        cmocka_unit_test(test_writers_wait_for_the_log),
        cmocka_unit_test(test_weaker_policies),
        cmocka_unit_test(test_transaction_frame_is_bounded),
        cmocka_unit_test(test_events_have_the_lsn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
