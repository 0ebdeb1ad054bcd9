/* snapshot_file_test.c - a snapshot's file that lies: every part of it replaced by another one with
 * its hashes right, and a disk that fails at any call while it is written or read. */
#include "base/buf.h"
#include "base/hash.h"
#include "base/memory.h"
#include "wal/failing_disk_fixture.h"
#include "wal/snapshot_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NODE = 5, NUMBER = 3, SALT = 77, FROM = 6, LAST = 9, BLOCKS = 2, CALLS_MAX = 100 };

/* What a file says of itself, and what is made of its bytes in the end. */
struct lie {
    uint64_t node_id;
    uint64_t number;
    uint32_t version;
    uint32_t block_bytes;
    uint32_t used_flip;   /* of the first block: kind and size */
    uint64_t second;      /* the number of the second block */
    uint64_t footer_used; /* 0: a footer stands where it should */
    uint64_t blocks, from_lsn, last_lsn;
    uint64_t hash_flip; /* of the hash that the manifest has */
    bool footer_early;
    bool footer_is_block;
    bool refuse_block, refuse_end;
    size_t cut;       /* bytes missing from what the directory says */
    size_t size_lost; /* what the directory says less than the manifest */
};

static const struct lie truth = {
    .node_id = NODE,
    .number = NUMBER,
    .version = SNAPSHOT_VERSION,
    .block_bytes = SNAPSHOT_BLOCK_BYTES,
    .second = 1,
    .blocks = BLOCKS,
    .from_lsn = FROM,
    .last_lsn = LAST,
};

/* ---- a disk that fails, and whose clock runs ---- */

struct fixture {
    struct failing_disk files;
    uint64_t now_ns;
    uint64_t clock_step_ns;
    struct snapshot_source source; /* but for what a test does not say: see read_lie */
    const struct lie *lie;
    uint64_t blocks_seen;
    unsigned forgotten;
};

static struct fixture *the_fixture; /* the clock has no context */

static uint64_t running_clock(void *context)
{
    struct fixture *f = the_fixture;
    (void)context;
    return f->now_ns += f->clock_step_ns;
}

static int setup(void **state)
{
    struct fixture *f = memory_allocate_zeroed(sizeof *f);
    failing_disk_open(&f->files);
    f->files.operations.now_ns = running_clock;
    f->clock_step_ns = UINT64_C(1500000000);
    the_fixture = f;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    failing_disk_close(&f->files);
    memory_free(f, sizeof *f);
    return 0;
}

/* ---- the file ---- */

static void set_u32(char *block, size_t offset, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) block[offset + i] = (char)(value >> 8 * i);
}

static uint64_t make_header(char *block, const struct lie *lie)
{
    struct snapshot_header h = {
        .node_id = lie->node_id, .number = lie->number, .salt = SALT, .created_ms = 1};
    snapshot_write_header(block, &h);
    set_u32(block, 16, lie->version);
    set_u32(block, 20, lie->block_bytes);
    uint64_t hash = hash_bytes((struct slice){block + 8, SNAPSHOT_HEADER_BYTES - 8}, 0);
    set_u32(block, 0, (uint32_t)hash);
    set_u32(block, 4, (uint32_t)(hash >> 32));
    return hash;
}

static void make_footer(char *block, const struct lie *lie)
{
    struct snapshot_footer footer = {lie->blocks, lie->from_lsn, lie->last_lsn};
    snapshot_write_footer(block, &footer);
    if (lie->footer_is_block) snapshot_set_used(block, 24);
    if (lie->footer_used != 0) set_u32(block, 12, (uint32_t)lie->footer_used);
}

/* Writes the file; the hash of the last block before the footer. */
static uint64_t make_file(struct fixture *f, const struct lie *lie, uint64_t *size)
{
    size_t bytes = SNAPSHOT_HEADER_BYTES + (BLOCKS + 1) * SNAPSHOT_BLOCK_BYTES;
    char *file = memory_allocate_aligned(DISK_BLOCK_BYTES, bytes);
    memset(file, 0, bytes);
    uint64_t hash = make_header(file, lie);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        char *block = file + SNAPSHOT_HEADER_BYTES + i * SNAPSHOT_BLOCK_BYTES;
        snapshot_set_used(block, 100);
        if (i == 0 && lie->footer_early) make_footer(block, lie);
        if (i == 0) block[8] = (char)(block[8] ^ (char)lie->used_flip);
        if (i == 0 && lie->used_flip > 255) set_u32(block, 12, lie->used_flip);
        if (i == 0 && lie->used_flip > 255) block[8] = 'I';
        hash = snapshot_seal_block(block, SALT, i == 1 ? lie->second : i, hash);
    }
    char *footer = file + SNAPSHOT_HEADER_BYTES + BLOCKS * SNAPSHOT_BLOCK_BYTES;
    make_footer(footer, lie);
    uint64_t whole = snapshot_seal_block(footer, SALT, BLOCKS, hash);
    const struct disk_operations *o = f->files.real->operations;
    struct disk_file *out;
    struct snapshot_name name = snapshot_name(NUMBER, true);
    (void)o->remove(f->files.real->context, name.text);
    assert_int_equal(o->open(f->files.real->context, name.text, DISK_OPEN_CREATE, &out), DISK_OK);
    assert_int_equal(o->write(out, 0, (struct slice){file, bytes - lie->cut}), DISK_OK);
    o->close(f->files.real->context, out);
    memory_free_aligned(file, DISK_BLOCK_BYTES, bytes);
    *size = bytes;
    return whole;
}

/* ---- the reader ---- */

static bool take_block(void *context, struct slice items)
{
    struct fixture *f = context;
    f->blocks_seen++;
    assert_int_equal(items.size, 100);
    return !f->lie->refuse_block;
}

static bool take_end(void *context, lsn_t from_lsn, lsn_t last_lsn)
{
    const struct fixture *f = context;
    assert_int_equal(from_lsn, FROM);
    assert_int_equal(last_lsn, LAST);
    return !f->lie->refuse_end;
}

static void forget(void *context)
{
    struct fixture *f = context;
    f->forgotten++;
}

static enum snapshot_verdict read_lie(struct fixture *f, const struct lie *lie, char problem[256])
{
    struct wal_snapshot expected = {.number = NUMBER, .from_lsn = FROM, .last_lsn = LAST};
    uint64_t size;
    expected.hash = make_file(f, lie, &size) ^ lie->hash_flip;
    expected.bytes = size;
    struct snapshot_source source = f->source;
    source.disk = &f->files.disk;
    source.node_id = NODE;
    source.file_size = size - lie->size_lost;
    source.expected = &expected;
    struct wal_loader loader = {
        .context = f, .block = take_block, .end = take_end, .forget = forget};
    f->lie = lie;
    f->files.calls = f->forgotten = 0;
    f->blocks_seen = 0;
    problem[0] = '\0';
    return snapshot_read(&source, &loader, problem, 256);
}

static void expect(struct fixture *f, struct lie lie, enum snapshot_verdict verdict,
                   const char *problem)
{
    char said[256];
    assert_int_equal(read_lie(f, &lie, said), verdict);
    assert_non_null(strstr(said, problem));
    assert_int_equal(f->forgotten, 1);
}

/* What is well hashed, but not what the manifest names, is refused, and the message says why. */
static void test_lies(void **state)
{
    struct fixture *f = *state;
    const char *not_named = "it is not the one that the manifest names";
    char said[256];
    assert_int_equal(read_lie(f, &truth, said), SNAPSHOT_OK);
    assert_int_equal(f->blocks_seen, BLOCKS);
    assert_int_equal(f->forgotten, 0);
    uint32_t newer = SNAPSHOT_VERSION + 1;
    struct lie lie = truth;
    lie.version = newer;
    expect(f, lie, SNAPSHOT_NEWER, "newer version");
    lie.version = 0;
    expect(f, lie, SNAPSHOT_INVALID, "header is damaged");
    lie = truth;
    lie.block_bytes = 4096;
    expect(f, lie, SNAPSHOT_INVALID, "header is damaged");
    lie = truth;
    lie.node_id = NODE + 1;
    expect(f, lie, SNAPSHOT_INVALID, "another directory");
    lie = truth;
    lie.number = NUMBER + 1;
    expect(f, lie, SNAPSHOT_INVALID, "another number");
    lie = truth;
    lie.second = 7;
    expect(f, lie, SNAPSHOT_INVALID, "a block of it is damaged");
    lie = truth;
    lie.used_flip = 1; /* another kind */
    expect(f, lie, SNAPSHOT_INVALID, "ends before its end");
    lie.used_flip = SNAPSHOT_BLOCK_BYTES; /* more than a block holds */
    expect(f, lie, SNAPSHOT_INVALID, "ends before its end");
    lie = truth;
    lie.footer_early = true;
    expect(f, lie, SNAPSHOT_INVALID, "ends before its end");
    lie = truth;
    lie.footer_is_block = true;
    expect(f, lie, SNAPSHOT_INVALID, "footer is damaged");
    lie = truth;
    lie.footer_used = 25;
    expect(f, lie, SNAPSHOT_INVALID, "footer is damaged");
    lie = truth;
    lie.blocks = BLOCKS + 1;
    expect(f, lie, SNAPSHOT_INVALID, not_named);
    lie = truth;
    lie.from_lsn = FROM - 1;
    expect(f, lie, SNAPSHOT_INVALID, not_named);
    lie = truth;
    lie.last_lsn = LAST + 1;
    expect(f, lie, SNAPSHOT_INVALID, not_named);
    lie = truth;
    lie.hash_flip = 1;
    expect(f, lie, SNAPSHOT_INVALID, not_named);
}

/* What the loader refuses, and files that are shorter than the directory says. */
static void test_refused_and_cut(void **state)
{
    struct fixture *f = *state;
    struct lie lie = truth;
    lie.refuse_block = true;
    expect(f, lie, SNAPSHOT_INVALID, "it contradicts itself");
    lie = truth;
    lie.refuse_end = true;
    expect(f, lie, SNAPSHOT_INVALID, "at its end");
    lie = truth;
    lie.cut = SNAPSHOT_BLOCK_BYTES;
    expect(f, lie, SNAPSHOT_INVALID, "it is cut");
    lie.cut = SNAPSHOT_HEADER_BYTES + (BLOCKS + 1) * SNAPSHOT_BLOCK_BYTES - DISK_BLOCK_BYTES / 2;
    expect(f, lie, SNAPSHOT_INVALID, "it is cut");
    lie = truth;
    lie.size_lost = SNAPSHOT_BLOCK_BYTES;
    expect(f, lie, SNAPSHOT_INVALID, "missing or has another size");
}

/* ---- who watches ---- */

struct watch {
    unsigned patience; /* gives up when told so often; 0: never */
    unsigned told;
    uint64_t bytes;
    unsigned lines;
    char line[256];
};

static bool observe(void *context, uint64_t bytes, uint64_t bytes_total)
{
    struct watch *w = context;
    w->told++;
    assert_int_equal(bytes_total, 12345);
    assert_true(bytes > w->bytes);
    w->bytes = bytes;
    return w->told != w->patience;
}

static void take_line(void *context, enum trace_level level, const char *text)
{
    struct watch *w = context;
    assert_int_equal(level, TRACE_NOTICE);
    w->lines++;
    snprintf(w->line, sizeof w->line, "%s", text);
}

/* After each block the observer is told where the reader is; one that has had enough ends it, and
 * nothing is kept. */
static void test_observed(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    char said[256];
    f->source.observer = &(struct wal_observer){&w, observe};
    f->source.bytes_total = 12345;
    assert_int_equal(read_lie(f, &truth, said), SNAPSHOT_OK);
    assert_int_equal(w.told, BLOCKS);
    assert_int_equal(w.bytes, SNAPSHOT_HEADER_BYTES + BLOCKS * SNAPSHOT_BLOCK_BYTES);
    w = (struct watch){.patience = 1};
    expect(f, truth, SNAPSHOT_CANCELLED, "given up");
    assert_int_equal(f->blocks_seen, 1);
    assert_int_equal(w.bytes, SNAPSHOT_HEADER_BYTES + SNAPSHOT_BLOCK_BYTES);
}

/* A line each second, with a guess of the rest that a clock which stands or leaps cannot break. */
static void test_progress_lines(void **state)
{
    static const struct {
        uint64_t step_ns;
        unsigned lines;
        const char *text;
    } clocks[] = {{0, 0, ""},
                  {UINT64_C(400000000), 0, ""},
                  {UINT64_C(600000000), 1, "67 %"},
                  {UINT64_C(1500000000), BLOCKS, "0 MiB/s, about 1 s left"},
                  {UINT64_C(100000000000000), BLOCKS, "0 MiB/s, about 0 s left"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct watch w = {0};
        struct trace trace = {take_line, &w};
        char said[256];
        f->source.trace = &trace;
        f->clock_step_ns = clocks[i].step_ns;
        assert_int_equal(read_lie(f, &truth, said), SNAPSHOT_OK);
        assert_int_equal(w.lines, clocks[i].lines);
        assert_non_null(strstr(w.line, clocks[i].text));
    }
}

/* Each call of the disk fails once while the file is read: nothing is believed. */
static void test_read_fails(void **state)
{
    struct fixture *f = *state;
    char said[256];
    unsigned failures = 0;
    for (f->files.fail_at = 1; read_lie(f, &truth, said) != SNAPSHOT_OK; f->files.fail_at++) {
        assert_true(f->files.fail_at < CALLS_MAX);
        assert_true(strstr(said, "cannot be read") || strstr(said, "cannot be opened"));
        assert_int_equal(f->forgotten, 1);
        failures++;
    }
    assert_true(failures >= 2);
}

/* Writes 'megabytes' of items; the status of the first job that failed, or of the last. */
static enum disk_status write_snapshot(struct fixture *f, size_t items, bool *whole)
{
    struct snapshot_header h = {.node_id = NODE, .number = 8, .salt = SALT};
    struct snapshot_writer *w = snapshot_writer_create(&f->files.disk, &h);
    char *item = memory_allocate(SNAPSHOT_ITEM_BYTES_MAX);
    struct wal_snapshot s;
    enum disk_status status = DISK_OK;
    memset(item, 'x', SNAPSHOT_ITEM_BYTES_MAX);
    f->files.calls = 0;
    *whole = false;
    assert_null(snapshot_begin(w)); /* there is nothing */
    for (size_t i = 0; i <= items && status == DISK_OK && !*whole; i++) {
        if (i == items) snapshot_finish(w, FROM, LAST);
        else snapshot_put(w, 1, (struct slice){item, SNAPSHOT_ITEM_BYTES_MAX}, (struct slice){0});
        struct snapshot_job *job = snapshot_begin(w);
        if (job == NULL) continue;
        assert_null(snapshot_begin(w)); /* one is under way */
        snapshot_run(job);
        status = snapshot_end(w, job, whole, &s);
    }
    assert_null(snapshot_begin(w)); /* it is done, or has failed for ever */
    snapshot_writer_destroy(w);
    memory_free(item, SNAPSHOT_ITEM_BYTES_MAX);
    return status;
}

static void count_files(void *context, struct slice name, uint64_t size)
{
    (void)name;
    *(unsigned *)context += size > 0;
}

/* Each call fails once while a snapshot of 20 MiB is written: it has failed, and its file is
 * gone, under either name: on a full disk the next one needs its space. */
static void test_write_fails(void **state)
{
    struct fixture *f = *state;
    enum { ITEMS = 640 };
    bool whole;
    f->files.fail_at = 0;
    assert_int_equal(write_snapshot(f, ITEMS, &whole), DISK_OK);
    assert_true(whole);
    unsigned calls = f->files.calls;
    assert_true(calls > 10);
    (void)f->files.real->operations->remove(f->files.real->context, snapshot_name(8, true).text);
    for (unsigned i = 1; i <= calls; i += i < calls - 4 && i > 3 ? 7 : 1) {
        unsigned files = 0;
        f->files.fail_at = i;
        assert_true(write_snapshot(f, ITEMS, &whole) != DISK_OK);
        assert_false(whole);
        assert_int_equal(
            f->files.real->operations->list(f->files.real->context, count_files, &files), DISK_OK);
        assert_int_equal(files, 0);
    }
}

/* Names come back as they were made; others are not ours. */
static void test_names(void **state)
{
    (void)state;
    static const char *const others[] = {
        "snapshot-000000000000000",     "snapshot-00000000000000001",
        "snapshot-00000000x0000001",    "snapshot-00000000:0000001",
        "snapshoz-0000000000000001",    "new-snapshot-000000000000000 ",
        "nev-snapshot-0000000000000001"};
    uint64_t number;
    bool whole;
    struct snapshot_name name = snapshot_name(42, false);
    assert_true(snapshot_parse_name(slice_of(name.text), &number, &whole));
    assert_int_equal(number, 42);
    assert_false(whole);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(snapshot_parse_name(slice_of(others[i]), &number, &whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_and_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_observed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("wal snapshot file", tests, NULL, NULL);
}
