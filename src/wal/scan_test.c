/* scan_test.c - a batch that is longer than what is read at once: a disk that fails in its middle
 * is not a torn tail, and a file that is shorter than the directory says ends before it. */
#include "wal/scan.h"

#include "base/memory.h"
#include "wal/batch.h"
#include "wal/failing_disk_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NUMBER = 3, SALT = 77, CONTENT_BYTES = 5 * 1024 * 1024 };

struct fixture {
    struct failing_disk files;
    uint64_t file_bytes;
};

/* A segment of one batch of one frame, LSN 1, but for the last 'cut' bytes. */
static void make_segment(struct fixture *f, size_t cut)
{
    char block[SEGMENT_HEADER_BYTES];
    struct segment_header header = {
        .node_id = 1, .number = NUMBER, .salt = SALT, .first_lsn = 1, .epoch = 1};
    segment_write_header(block, &header);
    struct buf batch = {0}, file = {0};
    memset(buf_reserve(&batch, BATCH_HEADER_BYTES), 0, BATCH_HEADER_BYTES);
    buf_advance(&batch, BATCH_HEADER_BYTES);
    buf_append_u32(&batch, CONTENT_BYTES);
    memset(buf_reserve(&batch, CONTENT_BYTES), 'x', CONTENT_BYTES);
    buf_advance(&batch, CONTENT_BYTES);
    struct batch_header h = {.count = 1,
                             .first_lsn = 1,
                             .epoch = 1,
                             .offset = SEGMENT_HEADER_BYTES,
                             .previous_hash = header.hash};
    batch_seal(&batch, &h, SALT);
    buf_append(&file, (struct slice){block, sizeof block});
    buf_append(&file, buf_slice(&batch));
    f->file_bytes = file.size;
    file.size -= cut;
    struct disk_file *out;
    struct segment_name name = segment_name(SEGMENT_LOG, NUMBER);
    const struct disk_operations *o = f->files.real->operations;
    assert_int_equal(o->open(f->files.real->context, name.text, DISK_OPEN_CREATE, &out), DISK_OK);
    assert_int_equal(o->write(out, 0, buf_slice(&file)), DISK_OK);
    o->close(f->files.real->context, out);
    buf_deinit(&batch);
    buf_deinit(&file);
}

static int setup(void **state)
{
    struct fixture *f = memory_allocate_zeroed(sizeof *f);
    failing_disk_open(&f->files);
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

static enum scan_result scan_one(struct fixture *f, unsigned fail_at, struct scan *s,
                                 enum disk_status *status)
{
    struct batch_header h;
    struct slice batch;
    f->files.fail_at = 0;
    assert_int_equal(scan_open(s, &f->files.disk, NUMBER, f->file_bytes, status), SCAN_OPEN_OK);
    f->files.calls = f->files.reads = 0;
    f->files.fail_at = fail_at;
    return scan_next(s, &h, &batch, status);
}

/* Two reads, each of which may fail: that is no end, and nothing is behind the scan. */
static void test_read_fails(void **state)
{
    struct fixture *f = *state;
    struct scan s;
    enum disk_status status;
    make_segment(f, 0);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(scan_one(f, i, &s, &status), SCAN_DISK);
        assert_int_equal(status, DISK_FAILED);
        assert_int_equal(s.expected_lsn, 1);
        scan_close(&s);
    }
    assert_int_equal(scan_one(f, 0, &s, &status), SCAN_BATCH);
    assert_int_equal(f->files.reads, 2);
    assert_int_equal(s.expected_lsn, 2);
    scan_close(&s);
}

/* The end of the batch, or of all but its header, is missing. */
static void test_cut(void **state)
{
    struct fixture *f = *state;
    static const size_t cuts[] = {DISK_BLOCK_BYTES, CONTENT_BYTES - DISK_BLOCK_BYTES};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct scan s;
        struct scan_proof proof;
        enum disk_status status;
        struct segment_name name = segment_name(SEGMENT_LOG, NUMBER);
        make_segment(f, cuts[i]);
        assert_int_equal(scan_one(f, 0, &s, &status), SCAN_END);
        assert_int_equal(s.expected_lsn, 1);
        assert_int_equal(scan_prove(&s, 1, &proof), DISK_OK);
        assert_false(proof.found);
        scan_close(&s);
        assert_int_equal(f->files.real->operations->remove(f->files.real->context, name.text),
                         DISK_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
