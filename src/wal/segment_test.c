/* segment_test.c - one file of the log: headers that lie though their hash is right, calls of the
 * disk that fail while a file is made or read, and the reader's window. */
#include "wal/segment.h"

#include "base/hash.h"
#include "base/memory.h"
#include "wal/failing_disk_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SIZE = 16 * DISK_BLOCK_BYTES, CALLS_MAX = 100, WINDOW = 4 * 1024 * 1024 };

static int setup(void **state)
{
    struct failing_disk *f = memory_allocate_zeroed(sizeof *f);
    failing_disk_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct failing_disk *f = *state;
    failing_disk_close(f);
    memory_free(f, sizeof *f);
    return 0;
}

/* ---- headers ---- */

static void put(char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) at[i] = (char)(value >> 8 * i);
}

/* Offsets as segment.h draws them. What no server writes is refused, whatever its hash says. */
static void test_well_hashed_lies(void **state)
{
    (void)state;
    static const struct {
        size_t offset, bytes;
        uint64_t value;
        enum segment_verdict verdict;
    } lies[] = {
        {24, 8, 12345, SEGMENT_OK},     /* another directory: not its business */
        {8, 8, 12345, SEGMENT_INVALID}, /* magic */
        {16, 4, SEGMENT_VERSION + 1, SEGMENT_NEWER},
        {16, 4, 0, SEGMENT_INVALID},
        {20, 4, 512, SEGMENT_INVALID}, /* blocks of a size that is not ours */
        {32, 8, 7, SEGMENT_INVALID},   /* it follows itself, */
        {40, 8, 10, SEGMENT_INVALID},  /* or one behind it */
        {40, 8, 0, SEGMENT_INVALID},   /* the first, but not from LSN 1 on */
        {56, 8, 0, SEGMENT_INVALID},
        {80, 8, 0, SEGMENT_OK},
        {80, 8, 2, SEGMENT_INVALID},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char block[SEGMENT_HEADER_BYTES];
        struct segment_header again;
        struct segment_header h = {.node_id = 1,
                                   .number = 9,
                                   .previous_number = 7,
                                   .salt = 2,
                                   .first_lsn = 55,
                                   .epoch = 4,
                                   .recycled = true};
        segment_write_header(block, &h);
        put(block + lies[i].offset, lies[i].value, lies[i].bytes);
        put(block, hash_bytes((struct slice){block + 8, sizeof block - 8}, 0), 8);
        assert_int_equal(segment_read_header(block, &again), lies[i].verdict);
    }
}

static void test_names_of_others(void **state)
{
    (void)state;
    static const char *const others[] = {"log-00000000 0000001", "log-00000000:0000001",
                                         "log_0000000000000001", "spare-000000000000001",
                                         "spare-00000000-0000001"};
    enum segment_kind kind;
    uint64_t number;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(segment_parse_name(slice_of(others[i]), &kind, &number));
}

/* ---- making ---- */

static void count_files(void *context, struct slice name, uint64_t size)
{
    (void)name;
    (void)size;
    ++*(unsigned *)context;
}

static unsigned files_of(struct failing_disk *f)
{
    unsigned files = 0;
    assert_int_equal(f->real->operations->list(f->real->context, count_files, &files), DISK_OK);
    return files;
}

/* Whichever call fails, the space is given back. */
static void test_make_fails(void **state)
{
    struct failing_disk *f = *state;
    unsigned failures = 0;
    for (f->fail_at = 1;; f->fail_at++) {
        assert_true(f->fail_at < CALLS_MAX);
        f->calls = 0;
        enum disk_status status = segment_make_spare(&f->disk, 4, SIZE);
        if (status == DISK_OK) break;
        assert_int_equal(files_of(f), 0);
        failures++;
    }
    assert_int_equal(failures, 5); /* open, write, sync, rename, sync of names */
    assert_int_equal(files_of(f), 1);
}

/* A file that cannot get its new name, for good, is no spare. */
static void test_recycle_fails(void **state)
{
    struct failing_disk *f = *state;
    assert_int_equal(segment_make_spare(&f->disk, 4, SIZE), DISK_OK);
    struct segment_name name = segment_name(SEGMENT_SPARE, 4);
    for (unsigned i = 1; i <= 2; i++) { /* the rename, the sync of names */
        f->calls = 0;
        f->fail_at = i;
        enum disk_status lost = i == 1 ? DISK_FAILED : DISK_NAMES_LOST;
        assert_int_equal(segment_recycle(&f->disk, name.text, 5), lost);
    }
    f->fail_at = 0;
    name = segment_name(SEGMENT_SPARE, 5);
    assert_int_equal(segment_recycle(&f->disk, name.text, 6), DISK_OK);
    assert_int_equal(segment_recycle(&f->disk, name.text, 7), DISK_ABSENT);
    assert_int_equal(files_of(f), 1);
}

static struct disk_file *make_file(struct failing_disk *f, const char *name, uint64_t size)
{
    struct disk_file *file;
    char *zeros = memory_allocate_zeroed((size_t)size);
    const struct disk_operations *o = f->real->operations;
    assert_int_equal(o->open(f->real->context, name, DISK_OPEN_CREATE, &file), DISK_OK);
    assert_int_equal(o->write(file, 0, (struct slice){zeros, (size_t)size}), DISK_OK);
    memory_free(zeros, (size_t)size);
    return file;
}

/* Only a whole block of zeros was never used; what cannot be read counts as used. */
static void test_was_used(void **state)
{
    struct failing_disk *f = *state;
    const struct disk_operations *o = f->real->operations;
    struct disk_file *file = make_file(f, "whole", SIZE);
    bool used;
    assert_int_equal(segment_was_used(&f->disk, file, &used), DISK_OK);
    assert_false(used);
    static const uint64_t places[] = {0, 1, 4095};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        assert_int_equal(o->write(file, places[i], SLICE("x")), DISK_OK);
        assert_int_equal(segment_was_used(&f->disk, file, &used), DISK_OK);
        assert_true(used);
        assert_int_equal(o->write(file, places[i], (struct slice){"", 1}), DISK_OK);
    }
    assert_int_equal(o->write(file, SEGMENT_HEADER_BYTES, SLICE("x")), DISK_OK);
    assert_int_equal(segment_was_used(&f->disk, file, &used), DISK_OK);
    assert_false(used); /* only the header tells */
    f->calls = 0;
    f->fail_at = 1;
    assert_int_equal(segment_was_used(&f->disk, file, &used), DISK_FAILED);
    assert_true(used);
    o->close(f->real->context, file);
    file = make_file(f, "cut", SEGMENT_HEADER_BYTES / 2);
    assert_int_equal(segment_was_used(&f->disk, file, &used), DISK_OK);
    assert_true(used);
    o->close(f->real->context, file);
}

/* ---- reading ---- */

static void mark(struct failing_disk *f, struct disk_file *file, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += DISK_BLOCK_BYTES) {
        char text[16];
        put(text, at, 8);
        assert_int_equal(f->real->operations->write(file, at, (struct slice){text, 8}), DISK_OK);
    }
}

static void expect_at(struct segment_reader *r, uint64_t offset, uint64_t size, uint64_t expected)
{
    struct slice bytes;
    char text[8];
    assert_int_equal(segment_reader_at(r, offset, size, &bytes), DISK_OK);
    assert_int_equal(bytes.size, expected);
    for (uint64_t at = 0; at < bytes.size; at += DISK_BLOCK_BYTES) {
        put(text, offset + at, 8);
        assert_memory_equal(bytes.data + at, text, 8);
    }
}

/* Any piece, in any order, larger than the window or over the end; each window is read once. */
static void test_window(void **state)
{
    struct failing_disk *f = *state;
    enum { BLOCK = DISK_BLOCK_BYTES, FILE_BYTES = 3 * WINDOW };
    struct disk_file *file = make_file(f, "long", FILE_BYTES);
    struct segment_reader r;
    mark(f, file, FILE_BYTES);
    f->real->operations->close(f->real->context, file);
    assert_int_equal(segment_reader_open(&r, &f->disk, "long", FILE_BYTES + 5), DISK_OK);
    expect_at(&r, FILE_BYTES, BLOCK, 0);
    expect_at(&r, 0, 0, 0);
    assert_int_equal(f->reads, 0);
    expect_at(&r, BLOCK, BLOCK, BLOCK);
    expect_at(&r, WINDOW, BLOCK, BLOCK);
    assert_int_equal(f->reads, 1);
    expect_at(&r, WINDOW, 2 * BLOCK, 2 * BLOCK); /* over the end of the window */
    assert_int_equal(f->reads, 2);
    expect_at(&r, 0, BLOCK, BLOCK); /* before it */
    assert_int_equal(f->reads, 3);
    expect_at(&r, BLOCK, 2 * WINDOW, 2 * WINDOW); /* more than it holds */
    assert_int_equal(f->reads, 4);
    expect_at(&r, FILE_BYTES - BLOCK, 4 * BLOCK, BLOCK);
    assert_int_equal(f->reads, 5);
    segment_reader_close(&r);
    segment_reader_close(&r); /* again: nothing */
}

/* A read that fails gives nothing, not what was there before, and may be tried again. A file that
 * is shorter than the directory says ends where it ends. */
static void test_read_fails(void **state)
{
    struct failing_disk *f = *state;
    struct segment_reader r;
    struct segment_header h;
    enum segment_verdict verdict;
    struct slice bytes;
    struct disk_file *file = make_file(f, "file", SIZE);
    mark(f, file, SIZE);
    f->real->operations->close(f->real->context, file);
    f->fail_at = 1;
    assert_int_equal(segment_reader_open(&r, &f->disk, "file", SIZE), DISK_FAILED);
    segment_reader_close(&r);
    assert_int_equal(segment_reader_open(&r, &f->disk, "file", 2 * SIZE), DISK_OK);
    for (unsigned i = 0; i < 2; i++) {
        f->calls = 0;
        f->fail_at = i == 0 ? 1 : 0;
        enum disk_status status = segment_reader_at(&r, 0, SIZE, &bytes);
        assert_int_equal(status, i == 0 ? DISK_FAILED : DISK_OK);
        assert_int_equal(bytes.size, i == 0 ? 0 : SIZE);
    }
    expect_at(&r, SIZE - DISK_BLOCK_BYTES, 4 * DISK_BLOCK_BYTES, DISK_BLOCK_BYTES);
    f->calls = 0;
    f->fail_at = 1;
    assert_int_equal(segment_reader_header(&r, &h, &verdict), DISK_FAILED);
    assert_int_equal(verdict, SEGMENT_INVALID);
    segment_reader_close(&r);
    f->real->operations->close(f->real->context, make_file(f, "cut", 512));
    assert_int_equal(segment_reader_open(&r, &f->disk, "cut", SIZE), DISK_OK);
    assert_int_equal(segment_reader_header(&r, &h, &verdict), DISK_OK);
    assert_int_equal(verdict, SEGMENT_INVALID);
    segment_reader_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well_hashed_lies),
        cmocka_unit_test(test_names_of_others),
        cmocka_unit_test_setup_teardown(test_make_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recycle_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_was_used, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_fails, setup, teardown),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
