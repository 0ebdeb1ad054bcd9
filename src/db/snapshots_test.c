/* snapshots_test.c - a snapshot step by step, over a real directory: how fast it may go, what waits
 * for a slow disk, what a failed one leaves. What stands in the file is proved in tests/sim. */
#include "db/snapshots.h"

#include "base/memory.h"
#include "db/effect.h"
#include "env/disk_os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SEED = 11,
    VALUE_BYTES = 1000,
    ITEM_BYTES_MAX = VALUE_BYTES + 50,
    SEGMENT_BYTES_SMALL = 64 * 1024,
    STAGED_BYTES = 1024 * 1024, /* as snapshots.c has it */
    STEPS_MAX = 100000,
    KEYS = 900, /* less than is kept in memory for a slow disk */
};

struct fixture {
    char path[64];
    struct disk *real;
    struct disk disk;
    struct disk_operations operations;
    struct wal *wal;
    struct store *store;
    struct snapshots *x;
    int64_t now_ms;
};

/* The operations of a file do not get the disk's context. */
static bool disk_is_full;
static const struct disk_operations *real_operations;

static enum disk_status write_file(struct disk_file *file, uint64_t offset, struct slice bytes)
{
    return disk_is_full ? DISK_FULL : real_operations->write(file, offset, bytes);
}

static bool visit(void *context, lsn_t lsn, struct slice frame)
{
    (void)context;
    (void)frame;
    return lsn > 0;
}

static int setup(void **state)
{
    struct fixture *f = memory_allocate_zeroed(sizeof *f);
    char problem[256];
    struct wal_recovery recovery;
    enum wal_open_status status;
    snprintf(f->path, sizeof f->path, "/tmp/irmak-snapshots-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->real = disk_os_open(f->path, problem, sizeof problem);
    assert_non_null(f->real);
    real_operations = f->real->operations;
    f->operations = *real_operations;
    f->operations.write = write_file;
    f->disk = (struct disk){.operations = &f->operations, .context = f->real->context};
    disk_is_full = false;
    struct wal_options options = {
        .disk = &f->disk, .segment_bytes = SEGMENT_BYTES_SMALL, .random_seed = 7};
    f->wal = wal_open(&options, visit, NULL, &recovery, &status);
    assert_non_null(f->wal);
    f->store = store_create(value_types, TYPES_COUNT, SEED);
    f->x = snapshots_create(
        &(struct snapshots_options){.store = f->store, .wal = f->wal, .seed = SEED});
    f->now_ms = 1000;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    if (f->x != NULL) snapshots_destroy(f->x);
    store_destroy(f->store);
    wal_close(f->wal);
    disk_os_close(f->real);
    snprintf(command, sizeof command, "rm -rf %s", f->path);
    assert_int_equal(system(command), 0);
    memory_free(f, sizeof *f);
    return 0;
}

static void fill(struct fixture *f, unsigned keys)
{
    static char bytes[VALUE_BYTES];
    for (unsigned i = 0; i < keys; i++) {
        char name[16];
        snprintf(name, sizeof name, "key%u", i);
        struct store_key key = store_key_make(f->store, 0, slice_of(name));
        struct value value = {
            .type = TYPE_STRING, .form = FORM_BYTES, .bytes = {bytes, sizeof bytes}};
        store_put(f->store, &key, &value, STORE_NO_EXPIRY);
    }
}

static uint64_t keys_walked(const struct fixture *f)
{
    struct snapshot_figures figures;
    snapshots_measure(f->x, &figures);
    return figures.keys;
}

static bool run_job(struct fixture *f)
{
    struct snapshot_job *job = snapshots_begin(f->x);
    if (job == NULL) return false;
    assert_null(snapshots_begin(f->x)); /* one at a time */
    snapshot_run(job);
    snapshots_end(f->x, job);
    return true;
}

static void flush(struct fixture *f)
{
    struct wal_flush *flush = wal_flush_begin(f->wal, f->now_ms);
    if (flush == NULL) return;
    wal_flush_run(flush);
    assert_int_equal(wal_flush_end(f->wal, flush), DISK_OK);
}

/* Steps when they are due, until the snapshot has ended. */
static void finish(struct fixture *f)
{
    for (unsigned steps = 0; snapshots_running(f->x); steps++) {
        assert_true(steps < STEPS_MAX);
        int64_t due_ms = snapshots_due_ms(f->x);
        assert_true(due_ms <= f->now_ms + 1);
        if (due_ms > f->now_ms) f->now_ms = due_ms;
        bool ended = snapshots_step(f->x, f->now_ms);
        assert_int_equal(ended, !snapshots_running(f->x));
        (void)run_job(f);
        flush(f);
    }
    assert_int_equal(snapshots_due_ms(f->x), INT64_MAX);
}

static void count_snapshots(void *context, struct slice name, uint64_t size)
{
    uint64_t number;
    bool whole;
    (void)size;
    *(unsigned *)context += snapshot_parse_name(name, &number, &whole);
}

static unsigned snapshot_files(struct fixture *f)
{
    unsigned files = 0;
    assert_int_equal(real_operations->list(f->real->context, count_snapshots, &files), DISK_OK);
    return files;
}

/* What a step puts beyond its part is paid back before the next one: over any time, no more is
 * written than the pace allows, whatever the values' sizes. Time that passes unused, or backwards,
 * earns no burst. */
static void test_pace(void **state)
{
    struct fixture *f = *state;
    enum { PACE = 100 * 1000, BURST_MS = 20, STEP_KEYS = 18 };
    fill(f, KEYS);
    snapshots_set_pace(f->x, PACE);
    assert_true(snapshots_start(f->x, f->now_ms));
    assert_false(snapshots_start(f->x, f->now_ms)); /* one is under way */
    assert_false(snapshots_step(f->x, f->now_ms));
    assert_int_equal(keys_walked(f), 0);
    assert_int_equal(snapshots_due_ms(f->x), f->now_ms + 1);
    int64_t began_ms = f->now_ms;
    for (unsigned i = 0; i < 1000; i++) {
        f->now_ms++;
        (void)snapshots_step(f->x, f->now_ms);
        uint64_t allowed = (uint64_t)(f->now_ms - began_ms) * PACE / 1000;
        assert_true(keys_walked(f) * VALUE_BYTES <= allowed + STEP_KEYS * ITEM_BYTES_MAX);
    }
    assert_true(keys_walked(f) * ITEM_BYTES_MAX > 90 * 1000); /* it does go on */

    uint64_t before = keys_walked(f);
    f->now_ms += 100000;
    for (unsigned i = 0; i < 10; i++) (void)snapshots_step(f->x, f->now_ms);
    assert_true(keys_walked(f) - before <= BURST_MS * PACE / 1000 / VALUE_BYTES + STEP_KEYS);
    before = keys_walked(f);
    for (unsigned i = 0; i < 10; i++) (void)snapshots_step(f->x, f->now_ms - 1000 + i);
    assert_int_equal(keys_walked(f), before);

    snapshots_set_pace(f->x, 0); /* a server that stops does not wait for it */
    int64_t now_ms = f->now_ms;
    finish(f);
    assert_true(f->now_ms <= now_ms + 1);
    assert_int_equal(keys_walked(f), KEYS);
}

/* The slowest pace goes on, if slowly; the largest number is a pace like any other. */
static void test_extreme_paces(void **state)
{
    struct fixture *f = *state;
    fill(f, 3);
    snapshots_set_pace(f->x, 500);
    assert_true(snapshots_start(f->x, f->now_ms));
    finish(f);
    assert_in_range(f->now_ms, 1000 + 2 * VALUE_BYTES * 1000 / 500, 100000);
    static const uint64_t paces[] = {UINT64_MAX, INT64_MAX, UINT64_C(922337203685477581)};
    for (size_t i = 0; i < sizeof paces / sizeof *paces; i++) {
        int64_t now_ms = f->now_ms;
        snapshots_set_pace(f->x, paces[i]);
        assert_true(snapshots_start(f->x, f->now_ms));
        finish(f);
        assert_true(f->now_ms <= now_ms + 2);
    }
}

/* No more than a megabyte waits for the disk; the walk goes on when a job has ended. */
static void test_slow_disk(void **state)
{
    struct fixture *f = *state;
    enum { MANY_KEYS = 4000 };
    fill(f, MANY_KEYS);
    assert_true(snapshots_start(f->x, f->now_ms));
    for (unsigned i = 0; i < 1000; i++) assert_false(snapshots_step(f->x, f->now_ms));
    uint64_t waiting = keys_walked(f);
    assert_in_range(waiting, (STAGED_BYTES - 64 * 1024) / ITEM_BYTES_MAX,
                    (STAGED_BYTES + 64 * 1024) / VALUE_BYTES);
    assert_int_equal(snapshots_due_ms(f->x), f->now_ms + 1);

    struct snapshot_job *job = snapshots_begin(f->x);
    assert_non_null(job);
    assert_int_equal(snapshots_due_ms(f->x), f->now_ms); /* there is room again */
    for (unsigned i = 0; i < 1000; i++) assert_false(snapshots_step(f->x, f->now_ms));
    assert_in_range(keys_walked(f), waiting + 1, 2 * waiting + 64);
    assert_int_equal(snapshots_due_ms(f->x), INT64_MAX); /* the end of the job wakes the loop */
    snapshot_run(job);
    snapshots_end(f->x, job);
    finish(f);
    assert_int_equal(keys_walked(f), MANY_KEYS);
    assert_int_equal(snapshot_files(f), 1);
}

static void expect_failed(struct fixture *f)
{
    struct snapshot_figures figures;
    assert_null(snapshots_begin(f->x));
    assert_int_equal(snapshots_due_ms(f->x), f->now_ms);
    assert_true(snapshots_step(f->x, f->now_ms));
    assert_false(snapshots_running(f->x));
    snapshots_measure(f->x, &figures);
    assert_true(figures.last_failed);
    assert_int_equal(figures.done, 0);
    assert_int_equal(snapshot_files(f), 0);
}

/* A job that fails, while there is more to walk or at the end, ends the snapshot: its file goes,
 * and the next one can be made. */
static void test_failures(void **state)
{
    struct fixture *f = *state;
    struct snapshot_figures figures;
    fill(f, KEYS);
    for (int at_end = 0; at_end < 2; at_end++) {
        assert_true(snapshots_start(f->x, f->now_ms));
        for (unsigned i = 0; i < (at_end ? 1000 : 12); i++)
            assert_false(snapshots_step(f->x, f->now_ms));
        assert_int_equal(snapshots_walk(f->x) == NULL, at_end);
        disk_is_full = true;
        assert_true(run_job(f));
        disk_is_full = false;
        expect_failed(f);
    }
    assert_true(snapshots_start(f->x, f->now_ms));
    finish(f);
    snapshots_measure(f->x, &figures);
    assert_false(figures.last_failed);
    assert_int_equal(figures.done, 1);
    assert_int_equal(figures.keys, KEYS);
    assert_true(figures.last_bytes > KEYS * VALUE_BYTES);
    assert_int_equal(snapshot_files(f), 1);
}

/* A job that fails while the walk comes to its end, and one that ends after the walk has. */
static void test_job_beside_the_walk(void **state)
{
    struct fixture *f = *state;
    fill(f, KEYS);
    for (int full = 1; full >= 0; full--) {
        assert_true(snapshots_start(f->x, f->now_ms));
        for (unsigned i = 0; i < 12; i++) assert_false(snapshots_step(f->x, f->now_ms));
        struct snapshot_job *job = snapshots_begin(f->x);
        assert_non_null(job);
        for (unsigned i = 0; i < 1000; i++) assert_false(snapshots_step(f->x, f->now_ms));
        assert_null(snapshots_walk(f->x));
        assert_int_equal(snapshots_due_ms(f->x), INT64_MAX);
        disk_is_full = full;
        snapshot_run(job);
        disk_is_full = false;
        snapshots_end(f->x, job);
        if (full) expect_failed(f);
    }
    finish(f);
    assert_int_equal(snapshot_files(f), 1);
}

/* What is dropped before it is whole leaves no file. A new owner of the log knows the newest. */
static void test_dropped(void **state)
{
    struct fixture *f = *state;
    struct snapshots_options options = {.store = f->store, .wal = f->wal, .seed = SEED};
    struct snapshot_figures figures;
    fill(f, KEYS);
    assert_true(snapshots_start(f->x, f->now_ms));
    for (unsigned i = 0; i < 12; i++) assert_false(snapshots_step(f->x, f->now_ms));
    assert_true(run_job(f));
    assert_int_equal(snapshot_files(f), 1);
    snapshots_destroy(f->x);
    assert_int_equal(snapshot_files(f), 0);

    f->x = snapshots_create(&options);
    snapshots_measure(f->x, &figures);
    assert_int_equal(figures.last_ms, 0);
    assert_int_equal(figures.last_took_ms, -1);
    f->now_ms = 5000;
    assert_true(snapshots_start(f->x, f->now_ms));
    finish(f);
    snapshots_destroy(f->x);
    f->x = snapshots_create(&options);
    snapshots_measure(f->x, &figures);
    assert_int_equal(figures.last_ms, 5000);
    assert_int_equal(figures.done, 0);
    assert_true(figures.last_bytes > KEYS * VALUE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extreme_paces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_job_beside_the_walk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
    };
    return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
