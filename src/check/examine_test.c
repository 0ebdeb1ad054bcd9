/* The examination of directories that the log itself made, whole and damaged. */
#include "check/examine.h"

#include "base/memory.h"
#include "check/listing.h"
#include "check/report.h"
#include "env/disk_os.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAMES = 8, FIRST_OFFSET = 4096, BATCH_BYTES = 4096 };

struct fixture {
    char path[64];
    struct disk *disk;
    struct output out;
    struct examination x;
    bool examined;
};

static void append_string(struct wal *w, struct store *store, const char *key, int number)
{
    char text[32];
    snprintf(text, sizeof(text), "value %d", number);
    struct effect e = {.kind = EFFECT_STRING_SET, .key = store_key_make(store, 0, slice_of(key))};
    e.string_set.value = slice_of(text);
    e.string_set.expiry_ms = EFFECT_EXPIRY_NONE;
    effect_encode(&e, wal_frame_begin(w));
    wal_frame_end(w);
}

static bool accept_frame(void *context, lsn_t lsn, struct slice frame)
{
    (void)context;
    return lsn > 0 && frame.size > 0;
}

/* FRAMES batches of one frame, each of one block, and no clean close: no witness for the last. */
static void write_log(struct fixture *f)
{
    struct wal_options options = {
        .disk = f->disk, .policy = WAL_SYNC_ALWAYS, .segment_bytes = 64 * 1024, .random_seed = 3};
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct wal *w = wal_open(&options, accept_frame, NULL, &recovery, &status);
    struct store *store = store_create(value_types, TYPES_COUNT, 1);
    assert_non_null(w);
    for (int i = 0; i < FRAMES; i++) {
        append_string(w, store, i % 2 == 0 ? "even" : "odd", i);
        struct wal_flush *flush = wal_flush_begin(w, 1000 + i);
        wal_flush_run(flush);
        assert_int_equal(wal_flush_end(w, flush), DISK_OK);
    }
    store_destroy(store);
    char command[512];
    snprintf(command, sizeof(command), "cp %s/manifest %s/kept", f->path, f->path);
    assert_int_equal(system(command), 0);
    wal_close(w);
    snprintf(command, sizeof(command), "mv %s/kept %s/manifest", f->path, f->path);
    assert_int_equal(system(command), 0);
}

static bool take_block(void *context, struct slice items)
{
    (void)context;
    return items.size > 0;
}

static bool take_end(void *context, lsn_t from_lsn, lsn_t last_lsn)
{
    (void)context;
    return from_lsn == last_lsn + 1;
}

static void forget(void *context)
{
    (void)context;
}

static const struct wal_loader loader = {.block = take_block, .end = take_end, .forget = forget};

static void flush(struct wal *w, int64_t now_ms)
{
    struct wal_flush *flush = wal_flush_begin(w, now_ms);
    if (flush == NULL) return;
    wal_flush_run(flush);
    assert_int_equal(wal_flush_end(w, flush), DISK_OK);
}

static void write_snapshot(struct wal *w, int64_t now_ms)
{
    struct snapshot_writer *writer = wal_snapshot_create(w, now_ms);
    struct wal_snapshot s;
    enum disk_status status;
    bool whole = false;
    snapshot_put(writer, 1, SLICE("head"), SLICE("body"));
    snapshot_finish(writer, wal_appended_lsn(w) + 1, wal_appended_lsn(w));
    struct snapshot_job *job = snapshot_begin(writer);
    snapshot_run(job);
    assert_int_equal(snapshot_end(writer, job, &whole, &s), DISK_OK);
    assert_true(whole);
    snapshot_writer_destroy(writer);
    wal_snapshot_publish(w, &s);
    flush(w, now_ms);
    assert_true(wal_snapshot_published(w, &status));
    assert_int_equal(status, DISK_OK);
}

/* Another start, which names two snapshots and leaves a spare of zeros and a recycled one. */
static void write_snapshots(struct fixture *f)
{
    struct wal_options options = {.disk = f->disk,
                                  .policy = WAL_SYNC_ALWAYS,
                                  .segment_bytes = 64 * 1024,
                                  .random_seed = 4,
                                  .loader = &loader};
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct wal *w = wal_open(&options, accept_frame, NULL, &recovery, &status);
    struct store *store = store_create(value_types, TYPES_COUNT, 1);
    assert_non_null(w);
    for (int i = 0; i < 2; i++) {
        append_string(w, store, "odd", i);
        flush(w, 2000 + i);
        write_snapshot(w, 3000 + i);
        struct wal_spare *job;
        while (i > 0 && (job = wal_spare_begin(w, 4000)) != NULL) {
            wal_spare_run(job);
            assert_int_equal(wal_spare_end(w, job, 4000), DISK_OK);
        }
    }
    append_string(w, store, "odd", 2);
    flush(w, 5000);
    store_destroy(store);
    wal_close(w);
}

static int setup(void **state)
{
    struct fixture *f = memory_allocate_zeroed(sizeof(*f));
    char problem[256];
    snprintf(f->path, sizeof(f->path), "/tmp/irmak-check-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->disk = disk_os_open(f->path, problem, sizeof(problem));
    assert_non_null(f->disk);
    write_log(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->examined) examine_deinit(&f->x);
    output_deinit(&f->out);
    disk_os_close(f->disk);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", f->path);
    assert_int_equal(system(command), 0);
    memory_free(f, sizeof(*f));
    return 0;
}

static const struct examination *examine_again(struct fixture *f, struct examine_options options)
{
    if (f->examined) examine_deinit(&f->x);
    f->examined = true;
    options.disk = f->disk;
    examine(&f->x, &options);
    return &f->x;
}

static void flip(const struct fixture *f, const char *name, off_t offset)
{
    char path[160], byte;
    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, &byte, 1, offset), 1);
    byte = (char)(byte ^ 4);
    assert_int_equal(pwrite(file, &byte, 1, offset), 1);
    assert_int_equal(close(file), 0);
}

static const char *const segment = "log-0000000000000001";

static void expect_shown(struct fixture *f, const char *text)
{
    buf_append_byte(&f->out.text, 0);
    if (strstr(f->out.text.data, text) == NULL) fail_msg("no '%s' in: %s", text, f->out.text.data);
    f->out.text.size--;
}

/* A whole log: its figures, every effect once, in the order of LSNs and only those asked for. */
static void test_clean(void **state)
{
    struct fixture *f = *state;
    const struct examination *x = examine_again(f, (struct examine_options){.applying = true});
    assert_int_equal(x->verdict, VERDICT_CLEAN);
    assert_int_equal(x->effects, FRAMES);
    assert_int_equal(x->keys, 2);
    assert_int_equal(x->report.last_lsn, FRAMES);
    report_show(x, &f->out);
    expect_shown(f, "clean: a start would read all of it and cut nothing\n");
    f->out.text.size = 0;
    examine_again(f, (struct examine_options){.dump = {3, 4, &f->out}});
    assert_true(slice_equal(buf_slice(&f->out.text),
                            SLICE("3 string_set db=0 key=\"even\" value=\"value 2\"\n"
                                  "4 string_set db=0 key=\"odd\" value=\"value 3\"\n")));
    f->out.text.size = 0;
    assert_int_equal(listing_show(&f->x, &f->out), DISK_OK);
    expect_shown(f, "newest: epoch 1, after segment 0, first LSN 1\n");
    expect_shown(f, "LSN 8 to 8 (1 frames), synced up to 7\n");
}

/* The last batch without a witness is a torn tail: named, cut on demand, and then clean. */
static void test_torn(void **state)
{
    struct fixture *f = *state;
    flip(f, segment, FIRST_OFFSET + (FRAMES - 1) * BATCH_BYTES + 80);
    const struct examination *x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_TORN);
    assert_int_equal(x->effects, FRAMES - 1);
    report_show(x, &f->out);
    expect_shown(f, "torn: a start would cut 4096 bytes at log-0000000000000001, offset 32768, "
                    "after LSN 7; nothing acknowledged is in them\n");
    report_explain(x, &f->out);
    expect_shown(f, "It is a torn tail, and is cut.\n");
    assert_int_equal(examine_cut(x), DISK_OK);
    x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_CLEAN);
    assert_int_equal(x->report.last_lsn, FRAMES - 1);
}

/* Any bit of a batch that a later one proves is corruption, with its place. */
static void test_corrupt(void **state)
{
    struct fixture *f = *state;
    flip(f, segment, FIRST_OFFSET + 2 * BATCH_BYTES + 4000);
    const struct examination *x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_CORRUPT);
    assert_int_equal(x->effects, 2);
    f->out.json = true;
    output_open(&f->out, NULL, '{');
    report_show(x, &f->out);
    output_close(&f->out, '}');
    expect_shown(f, "holds no valid batch at offset 12288, but LSN 3 to ");
    expect_shown(f, "\"verdict\":\"corrupt\",\n\"exit_status\":2}");
    flip(f, "manifest", 30);
    x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_CORRUPT);
    assert_non_null(strstr(x->problem, "the file 'manifest' is damaged"));
}

/* No log is not a clean log. */
static void test_nothing_there(void **state)
{
    struct fixture *f = *state;
    char command[160];
    snprintf(command, sizeof(command), "rm %s/manifest %s/log-*", f->path, f->path);
    assert_int_equal(system(command), 0);
    const struct examination *x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_UNREADABLE);
    assert_string_equal(x->problem, "there is no log: no file 'manifest' and no segment");
}

/* Each named snapshot has a line with its own verdict, and the explanation says which is loaded;
 * one that a start can do without changes neither the verdict nor the exit status. */
static void test_snapshots(void **state)
{
    struct fixture *f = *state;
    write_snapshots(f);
    const struct examination *x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_CLEAN);
    assert_int_equal(x->snapshots_count, 2);
    uint64_t newest = x->snapshots[0].said.number, older = x->snapshots[1].said.number;
    assert_true(newest > older);
    struct snapshot_name names[2] = {snapshot_name(newest, true), snapshot_name(older, true)};
    char line[256];
    for (int i = 0; i < 2; i++) {
        f->out.text.size = 0;
        report_show(x, &f->out);
        snprintf(line, sizeof(line),
                 "exact as of LSN %d to %d, needs the log from LSN %d: ", FRAMES + 2 - i,
                 FRAMES + 2 - i, FRAMES + 3 - i);
        expect_shown(f, line);
        expect_shown(f, ": every hash holds\n");
    }
    report_explain(x, &f->out);
    snprintf(line, sizeof(line), "names snapshot %" PRIu64 " (whole): it is loaded", newest);
    expect_shown(f, line);
    snprintf(line, sizeof(line), "names snapshot %" PRIu64 " (whole): it is not needed", older);
    expect_shown(f, line);

    flip(f, names[1].text, 5000);
    x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_CLEAN);
    assert_int_equal(x->snapshots[0].verdict, SNAPSHOT_OK);
    assert_int_equal(x->snapshots[1].verdict, SNAPSHOT_INVALID);
    flip(f, names[1].text, 5000);
    flip(f, names[0].text, 5000);
    x = examine_again(f, (struct examine_options){0});
    assert_int_equal(x->verdict, VERDICT_CLEAN);
    f->out.text.size = 0;
    report_explain(x, &f->out);
    snprintf(line, sizeof(line),
             "(damaged): it cannot be used.\n   It names snapshot %" PRIu64
             " (whole): it is loaded",
             older);
    expect_shown(f, line);
}

/* In JSON a snapshot that is not there is missing, and the number that is loaded is named. */
static void test_snapshots_json(void **state)
{
    struct fixture *f = *state;
    write_snapshots(f);
    const struct examination *x = examine_again(f, (struct examine_options){0});
    struct snapshot_name name = snapshot_name(x->snapshots[0].said.number, true);
    uint64_t older = x->snapshots[1].said.number;
    char text[160];
    snprintf(text, sizeof(text), "%s/%s", f->path, name.text);
    assert_int_equal(unlink(text), 0);
    x = examine_again(f, (struct examine_options){0});
    f->out.json = true;
    output_open(&f->out, NULL, '{');
    report_show(x, &f->out);
    output_close(&f->out, '}');
    expect_shown(f, "\"verdict\":\"missing\"");
    expect_shown(f, "\"verdict\":\"whole\"");
    snprintf(text, sizeof(text), "\"snapshot_loaded\":%" PRIu64, older);
    expect_shown(f, text);
}

/* The list says which snapshot is which, and of each spare whether it has been a segment. */
static void test_list(void **state)
{
    struct fixture *f = *state;
    write_snapshots(f);
    const struct examination *x = examine_again(f, (struct examine_options){0});
    assert_int_equal(listing_show(x, &f->out), DISK_OK);
    expect_shown(f, ", snapshot, newest\n");
    expect_shown(f, ", snapshot, the one before it\n");
    expect_shown(f, ", spare, never used\n");
    expect_shown(f, ", spare, recycled\n  was segment 1: epoch 1, first LSN 1\n");
}

/* Behind the end of a recycled segment old batches may stand: nobody claims there are zeros. */
static void test_explain_recycled(void **state)
{
    struct fixture *f = *state;
    examine_again(f, (struct examine_options){0});
    report_explain(&f->x, &f->out);
    expect_shown(f, "there are only zeros. Nothing is cut.\n");
    for (int i = 0; i < 4 && !f->x.recovery.newest.recycled; i++) {
        write_snapshots(f);
        examine_again(f, (struct examine_options){0});
    }
    assert_true(f->x.recovery.newest.recycled);
    f->out.text.size = 0;
    report_explain(&f->x, &f->out);
    expect_shown(f, "there are zeros, or batches of an\n   earlier life of the file. Nothing");
}

/* Looking changes no byte: the directory is as it was, times included. */
static void test_nothing_is_changed(void **state)
{
    struct fixture *f = *state;
    char command[512];
    flip(f, segment, FIRST_OFFSET + (FRAMES - 1) * BATCH_BYTES + 80);
    snprintf(command, sizeof(command),
             "cd %s && ls -l --full-time > /tmp/$(basename %s).before && cat * | cksum >> "
             "/tmp/$(basename %s).before",
             f->path, f->path, f->path);
    assert_int_equal(system(command), 0);
    const struct examination *x = examine_again(f, (struct examine_options){.applying = true});
    assert_int_equal(listing_show(x, &f->out), DISK_OK);
    snprintf(command, sizeof(command),
             "cd %s && { ls -l --full-time; cat * | cksum; } | cmp -s - /tmp/$(basename %s).before"
             "; status=$?; rm /tmp/$(basename %s).before; exit $status",
             f->path, f->path, f->path);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_corrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explain_recycled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_changed, setup, teardown),
    };
    return cmocka_run_group_tests_name("check examine", tests, NULL, NULL);
}
