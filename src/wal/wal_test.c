/* The log over the real disk in a temporary directory; crashes: tests/sim/wal_crash_test.c. */
#include "wal/wal.h"

#include "base/memory.h"
#include "base/random.h"
#include "env/disk_os.h"
#include "wal/segment.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SMALL_SEGMENT_BYTES = 64 * 1024 };

struct fixture {
    char path[64];
    struct disk *disk;
    struct wal *wal;
    struct wal_recovery recovery;
    enum wal_open_status status;
    uint64_t segment_bytes;
    enum wal_policy policy;
    int64_t now_ms;
    /* Of the observer: */
    uint64_t bytes;
    uint64_t bytes_total;
    unsigned told;
    unsigned patience; /* it gives up when it was told so often; 0: never */
    /* What recovery gave back: */
    lsn_t seen;
    uint64_t wrong;
};

/* Frame n is its number in text, then a filling whose size depends on n. */
static void make_frame(lsn_t lsn, struct buf *b)
{
    buf_append_format(b, "frame %llu ", (unsigned long long)lsn);
    struct random r = {lsn};
    for (uint64_t left = random_below(&r, 900); left > 0; left--) buf_append_byte(b, (uint8_t)left);
}

static bool visit(void *context, lsn_t lsn, struct slice frame)
{
    struct fixture *f = context;
    struct buf expected = {0};
    make_frame(lsn, &expected);
    if (lsn != f->seen + 1 || !slice_equal(frame, buf_slice(&expected))) f->wrong++;
    f->seen = lsn;
    buf_deinit(&expected);
    return true;
}

static bool observe(void *context, uint64_t bytes, uint64_t bytes_total)
{
    struct fixture *f = context;
    if (bytes < f->bytes || bytes > bytes_total) f->wrong++;
    if (f->told > 0 && bytes_total != f->bytes_total) f->wrong++;
    f->bytes = bytes;
    f->bytes_total = bytes_total;
    f->told++;
    return f->told != f->patience;
}

static void open_wal(struct fixture *f)
{
    char problem[256];
    f->disk = disk_os_open(f->path, problem, sizeof(problem));
    assert_non_null(f->disk);
    struct wal_options options = {
        .disk = f->disk,
        .policy = f->policy,
        .segment_bytes = f->segment_bytes,
        .random_seed = 7,
        .observer = &(struct wal_observer){f, observe},
    };
    f->told = 0;
    f->bytes = 0;
    f->seen = 0;
    f->wrong = 0;
    f->wal = wal_open(&options, visit, f, &f->recovery, &f->status);
}

static void close_wal(struct fixture *f)
{
    if (f->wal != NULL) wal_close(f->wal);
    disk_os_close(f->disk);
    f->wal = NULL;
    f->disk = NULL;
}

static int setup(void **state)
{
    struct fixture *f = memory_allocate_zeroed(sizeof(*f));
    snprintf(f->path, sizeof(f->path), "/tmp/irmak-wal-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->segment_bytes = SMALL_SEGMENT_BYTES;
    f->policy = WAL_SYNC_ALWAYS;
    f->now_ms = 1000;
    open_wal(f);
    assert_int_equal(f->status, WAL_OPEN_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->disk != NULL) close_wal(f);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", f->path);
    assert_int_equal(system(command), 0);
    memory_free(f, sizeof(*f));
    return 0;
}

static void append(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct buf *b = wal_frame_begin(f->wal);
        make_frame(wal_appended_lsn(f->wal) + 1, b);
        wal_frame_end(f->wal);
    }
}

static bool flush(struct fixture *f)
{
    struct wal_flush *flush = wal_flush_begin(f->wal, f->now_ms);
    if (flush == NULL) return false;
    wal_flush_run(flush);
    assert_int_equal(wal_flush_end(f->wal, flush), DISK_OK);
    return true;
}

static void make_spares(struct fixture *f)
{
    struct wal_spare *s;
    while ((s = wal_spare_begin(f->wal, f->now_ms)) != NULL) {
        wal_spare_run(s);
        assert_int_equal(wal_spare_end(f->wal, s, f->now_ms), DISK_OK);
    }
}

/* The figures tell how large batches are, without markers, and how long syncs take. */
static void test_distributions(void **state)
{
    struct fixture *f = *state;
    struct wal_figures figures;
    for (unsigned i = 0; i < 100; i++) {
        append(f, i < 98 ? 3 : i == 98 ? 15 : 9);
        assert_true(flush(f));
        f->now_ms += 1000;
        assert_true(flush(f)); /* the marker */
    }
    wal_measure(f->wal, &figures);
    assert_int_equal(figures.batches, 200);
    assert_int_equal(figures.batch_frames_p50, 3);
    assert_int_equal(figures.batch_frames_p99, 9);
    assert_int_equal(figures.batch_frames_max, 15);
    assert_true(figures.sync_ns_p50 > 0);
    assert_true(figures.sync_ns_p50 <= figures.sync_ns_p99);
    assert_true(figures.sync_ns_p99 <= figures.sync_ns_max);
}

/* What was flushed comes back in order, over many segments and many starts. */
static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    for (int start = 0; start < 20; start++) {
        for (unsigned batch = 0; batch < 40; batch++) {
            append(f, batch % 7 + 1);
            assert_true(flush(f));
            assert_int_equal(wal_durable_lsn(f->wal), wal_appended_lsn(f->wal));
            if (batch % 10 == 0) make_spares(f);
        }
        lsn_t last = wal_appended_lsn(f->wal);
        close_wal(f);
        open_wal(f);
        assert_int_equal(f->status, WAL_OPEN_OK);
        assert_int_equal(f->seen, last);
        assert_int_equal(f->wrong, 0);
        assert_int_equal(f->recovery.torn_bytes, 0);
        assert_int_equal(wal_appended_lsn(f->wal), last);
    }
    struct wal_figures figures;
    wal_measure(f->wal, &figures);
    assert_true(figures.segments > 5);
}

/* A server that is started again and again without writing keeps one segment. */
static void test_starts_leave_no_trail(void **state)
{
    struct fixture *f = *state;
    append(f, 3);
    flush(f);
    for (int start = 0; start < 30; start++) {
        close_wal(f);
        open_wal(f);
        assert_int_equal(f->status, WAL_OPEN_OK);
        assert_int_equal(f->seen, 3);
        struct wal_figures figures;
        wal_measure(f->wal, &figures);
        assert_int_equal(figures.segments, 1);
        assert_int_equal(figures.bytes, SMALL_SEGMENT_BYTES);
    }
}

/* A frame that was cancelled never existed. */
static void test_cancel(void **state)
{
    struct fixture *f = *state;
    append(f, 1);
    buf_append_text(wal_frame_begin(f->wal), "never");
    assert_int_equal(wal_frame_size(f->wal), 5);
    wal_frame_cancel(f->wal);
    append(f, 1);
    flush(f);
    close_wal(f);
    open_wal(f);
    assert_int_equal(f->seen, 2);
    assert_int_equal(f->wrong, 0);
}

/* A batch larger than a segment gets a segment of its own, and the log goes on behind it. */
static void test_oversized_batch(void **state)
{
    struct fixture *f = *state;
    make_spares(f);
    append(f, 1000); /* about 450 KiB at once */
    assert_true(wal_pending_bytes(f->wal) > 4 * SMALL_SEGMENT_BYTES);
    assert_true(flush(f));
    append(f, 5);
    assert_true(flush(f));
    close_wal(f);
    open_wal(f);
    assert_int_equal(f->status, WAL_OPEN_OK);
    assert_int_equal(f->seen, 1005);
    assert_int_equal(f->wrong, 0);
}

/* Frames that are appended while a flush runs belong to the next batch. */
static void test_append_during_flush(void **state)
{
    struct fixture *f = *state;
    append(f, 2);
    struct wal_flush *first = wal_flush_begin(f->wal, f->now_ms);
    assert_non_null(first);
    append(f, 3);
    assert_null(wal_flush_begin(f->wal, f->now_ms));
    assert_int_equal(wal_durable_lsn(f->wal), 0);
    wal_flush_run(first);
    append(f, 1);
    assert_int_equal(wal_flush_end(f->wal, first), DISK_OK);
    assert_int_equal(wal_durable_lsn(f->wal), 2);
    assert_true(flush(f));
    assert_int_equal(wal_durable_lsn(f->wal), 6);
    close_wal(f);
    open_wal(f);
    assert_int_equal(f->seen, 6);
    assert_int_equal(f->wrong, 0);
}

/* An idle log writes one marker after 10 ms, and then nothing. */
static void test_marker(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wal_flush_due_ms(f->wal), INT64_MAX);
    append(f, 1);
    assert_true(flush(f));
    assert_int_equal(wal_flush_due_ms(f->wal), f->now_ms + 10);
    f->now_ms += 9;
    assert_false(flush(f));
    f->now_ms += 1;
    assert_true(flush(f));
    assert_int_equal(wal_flush_due_ms(f->wal), INT64_MAX);
    f->now_ms += 1000;
    assert_false(flush(f));
    struct wal_figures figures;
    wal_measure(f->wal, &figures);
    assert_int_equal(figures.batches, 2);
    assert_int_equal(figures.frames, 1);
}

/* everysec: replies never wait, batches are written at once and synced when a second has passed. */
static void test_everysec(void **state)
{
    struct fixture *f = *state;
    wal_set_policy(f->wal, WAL_SYNC_EVERYSEC);
    append(f, 1);
    assert_int_equal(wal_durable_lsn(f->wal), 1);
    assert_int_equal(wal_synced_lsn(f->wal), 0);
    assert_true(flush(f));
    assert_int_equal(wal_synced_lsn(f->wal), 1); /* the first is due at once */
    append(f, 1);
    f->now_ms += 400;
    assert_true(flush(f));
    assert_int_equal(wal_synced_lsn(f->wal), 1);
    assert_false(flush(f));
    assert_int_equal(wal_flush_due_ms(f->wal), f->now_ms + 600);
    f->now_ms += 600;
    assert_true(flush(f));
    assert_int_equal(wal_synced_lsn(f->wal), 2);
}

/* no: written, never synced; changing to always syncs what was only written, at once. */
static void test_policy_change(void **state)
{
    struct fixture *f = *state;
    wal_set_policy(f->wal, WAL_SYNC_NO);
    append(f, 3);
    assert_true(flush(f));
    f->now_ms += 100000;
    assert_false(flush(f));
    assert_int_equal(wal_synced_lsn(f->wal), 0);
    assert_int_equal(wal_durable_lsn(f->wal), 3);

    wal_set_policy(f->wal, WAL_SYNC_ALWAYS);
    assert_int_equal(wal_flush_due_ms(f->wal), 0);
    append(f, 1);
    assert_int_equal(wal_durable_lsn(f->wal), 3);
    assert_true(flush(f));
    assert_int_equal(wal_synced_lsn(f->wal), 4);
    assert_int_equal(wal_durable_lsn(f->wal), 4);

    wal_set_policy(f->wal, WAL_SYNC_NO);
    append(f, 1);
    assert_true(flush(f));
    wal_set_policy(f->wal, WAL_SYNC_ALWAYS);
    assert_true(flush(f)); /* nothing to write, but something to sync */
    assert_int_equal(wal_synced_lsn(f->wal), 5);
}

/* Two spares are made and kept over a restart, and no more. The segment that a start has copied
 * whole becomes one. */
static void test_spares(void **state)
{
    struct fixture *f = *state;
    struct wal_figures figures;
    make_spares(f);
    append(f, 3);
    flush(f);
    close_wal(f);
    open_wal(f); /* the new segment takes one of them, the old one is recycled */
    assert_int_equal(f->seen, 3);
    assert_null(wal_spare_begin(f->wal, f->now_ms));
    wal_measure(f->wal, &figures);
    assert_int_equal(figures.spares, 2);
    for (int i = 0; i < 10; i++) {
        append(f, 1);
        flush(f);
    }
    close_wal(f);
    open_wal(f); /* now the old one is needed */
    struct wal_spare *s = wal_spare_begin(f->wal, f->now_ms);
    assert_non_null(s);
    assert_null(wal_spare_begin(f->wal, f->now_ms));
    wal_spare_run(s);
    assert_int_equal(wal_spare_end(f->wal, s, f->now_ms), DISK_OK);
    assert_null(wal_spare_begin(f->wal, f->now_ms));
    assert_true(wal_has_room(f->wal));
}

static bool refuse_third(void *context, lsn_t lsn, struct slice frame)
{
    (void)context;
    (void)frame;
    return lsn < 3;
}

/* A frame that the owner cannot apply stops the recovery and says which. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    append(f, 5);
    flush(f);
    wal_close(f->wal);
    struct wal_options options = {.disk = f->disk, .segment_bytes = f->segment_bytes};
    f->wal = wal_open(&options, refuse_third, NULL, &f->recovery, &f->status);
    assert_null(f->wal);
    assert_int_equal(f->status, WAL_OPEN_REFUSED);
    assert_non_null(strstr(f->recovery.problem, "LSN 3"));
}

/* A recovery tells how far it is, up to the end; one that is given up, wherever it is, has changed
 * nothing: the next one finds the same log, and the same epoch. */
static void test_progress(void **state)
{
    struct fixture *f = *state;
    struct wal_figures figures;
    enum { BATCHES = 40, FRAMES = 10 };
    for (int i = 0; i < BATCHES; i++) {
        append(f, FRAMES);
        assert_true(flush(f));
    }
    wal_measure(f->wal, &figures);
    assert_true(figures.segments > 2);
    uint64_t epoch = figures.epoch;
    close_wal(f);
    unsigned most = 0;
    for (f->patience = 1; f->patience < BATCHES; f->patience += 7) {
        open_wal(f);
        assert_null(f->wal);
        assert_int_equal(f->status, WAL_OPEN_CANCELLED);
        assert_non_null(strstr(f->recovery.problem, "given up; nothing was changed"));
        assert_int_equal(f->told, f->patience);
        assert_true(f->seen > most && f->seen < BATCHES * FRAMES);
        assert_int_equal(f->wrong, 0);
        most = (unsigned)f->seen;
        close_wal(f);
    }
    f->patience = BATCHES + 1; /* after the last batch, before anything is written */
    open_wal(f);
    assert_int_equal(f->status, WAL_OPEN_CANCELLED);
    assert_int_equal(f->seen, BATCHES * FRAMES);
    assert_int_equal(f->bytes, f->bytes_total);
    close_wal(f);
    f->patience = 0;
    open_wal(f);
    assert_int_equal(f->status, WAL_OPEN_OK);
    assert_int_equal(f->told, BATCHES + 1);
    assert_int_equal(f->seen, BATCHES * FRAMES);
    assert_int_equal(f->wrong, 0);
    wal_measure(f->wal, &figures);
    assert_int_equal(figures.epoch, epoch + 1);
}

/* A byte of the manifest that is not what was written, or no manifest, is never a new log. */
static void test_manifest_lost(void **state)
{
    struct fixture *f = *state;
    append(f, 5);
    flush(f);
    close_wal(f);
    char name[128], other[128];
    snprintf(name, sizeof(name), "%s/manifest", f->path);
    snprintf(other, sizeof(other), "%s/elsewhere", f->path);
    assert_int_equal(rename(name, other), 0);
    open_wal(f);
    assert_int_equal(f->status, WAL_OPEN_CORRUPT);
    assert_non_null(strstr(f->recovery.problem, "no file 'manifest'"));
    close_wal(f);
    assert_int_equal(rename(other, name), 0);
    open_wal(f);
    assert_int_equal(f->status, WAL_OPEN_OK);
    assert_int_equal(f->seen, 5);
}

/* What is named as a later segment, but is none, or one of another directory, is no part of the
 * log, and is cleared away. */
static void test_files_beyond(void **state)
{
    struct fixture *f = *state;
    struct segment_header foreign = {.node_id = 12345, .number = 99, .first_lsn = 1};
    char path[128], block[SEGMENT_HEADER_BYTES] = {0};
    snprintf(path, sizeof(path), "%s/%s", f->path, segment_name(SEGMENT_LOG, 99).text);
    append(f, 5);
    flush(f);
    for (int i = 0; i < 2; i++) {
        close_wal(f);
        if (i == 1) segment_write_header(block, &foreign);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(block, 1, sizeof(block), file), sizeof(block));
        assert_int_equal(fclose(file), 0);
        open_wal(f);
        assert_int_equal(f->status, WAL_OPEN_OK);
        assert_int_equal(f->seen, 5);
        assert_int_equal(f->wrong, 0);
        assert_null(fopen(path, "r"));
    }
}

static void *run_flush(void *context)
{
    wal_flush_run(context);
    return NULL;
}

static void *run_spare(void *context)
{
    wal_spare_run(context);
    return NULL;
}

/* A flush and a spare run on threads of their own while the event loop appends: nothing is shared
 * (TSan would say), nothing is lost. */
static void test_threads(void **state)
{
    struct fixture *f = *state;
    lsn_t last = 0;
    for (int i = 0; i < 60; i++) {
        append(f, 20);
        struct wal_flush *flush_now = wal_flush_begin(f->wal, f->now_ms);
        struct wal_spare *spare = wal_spare_begin(f->wal, f->now_ms);
        pthread_t flusher, maker;
        assert_int_equal(pthread_create(&flusher, NULL, run_flush, flush_now), 0);
        if (spare != NULL) assert_int_equal(pthread_create(&maker, NULL, run_spare, spare), 0);
        append(f, 10);
        assert_true(wal_durable_lsn(f->wal) <= last);
        assert_int_equal(pthread_join(flusher, NULL), 0);
        if (spare != NULL) {
            assert_int_equal(pthread_join(maker, NULL), 0);
            assert_int_equal(wal_spare_end(f->wal, spare, f->now_ms), DISK_OK);
        }
        assert_int_equal(wal_flush_end(f->wal, flush_now), DISK_OK);
        last = wal_appended_lsn(f->wal) - 10;
        assert_int_equal(wal_durable_lsn(f->wal), last);
    }
    assert_true(flush(f));
    close_wal(f);
    open_wal(f);
    assert_int_equal(f->seen, 60 * 30);
    assert_int_equal(f->wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_distributions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_starts_leave_no_trail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversized_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_during_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_everysec, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policy_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spares, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_manifest_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_beyond, setup, teardown),
    };
    return cmocka_run_group_tests_name("wal", tests, NULL, NULL);
}
