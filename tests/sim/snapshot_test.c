/* snapshot_test.c - what a snapshot must withstand: every damage to its file, a crash at every call
 * of the disk while it is made and named, and changes between the steps of its walk. */
#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "db/replay.h"
#include "dump.h"
#include "machine.h"
#include "wal/manifest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TEST_SEGMENT_BYTES = 16 * DISK_BLOCK_BYTES, CALLS_MAX = 400, TAGGED_KEYS = 3000 };

#define FIRST "snapshot-0000000000000001"

/* ---- a server ---- */

static bool open_machine(struct machine *m, struct sim_disk *disk, struct wal_recovery *recovery)
{
    enum wal_open_status status;
    struct machine_options options = {
        .disk = disk,
        .policy = WAL_SYNC_ALWAYS,
        .segment_bytes = TEST_SEGMENT_BYTES,
        .stream_block = {400, 0},
        .limits = {.output_bytes_max = 64 * MIB, .output_bytes_pause = MIB},
        .seed = 5,
        .now_us = MACHINE_EPOCH_US,
    };
    if (!machine_start(m, &options, recovery, &status)) return false;
    machine_connect(m, 0);
    return true;
}

static void must_open(struct machine *m, struct sim_disk *disk)
{
    struct wal_recovery recovery;
    assert_true(open_machine(m, disk, &recovery));
}

/* A little of everything that a snapshot can hold. */
static void fill(struct machine *m)
{
    for (int i = 0; i < 40; i++) machine_send(m, 0, "SET key%d value%d", i, i);
    machine_send(m, 0, "SET number 12345");
    machine_send(m, 0, "SET late 1 PX 86400000");
    machine_send(m, 0, "SETRANGE large 70000 end");
    for (int i = 1; i < 60; i++) machine_send(m, 0, "XADD stream %d-1 name value%d", i, i);
    for (int i = 0; i < 12; i++) machine_send(m, 0, "SET bulk%d %03000d", i, i);
    machine_send(m, 0, "XGROUP CREATE stream group 0");
    machine_send(m, 0, "XREADGROUP GROUP group alice COUNT 20 STREAMS stream >");
    machine_send(m, 0, "XADD stream IDMP producer one 70-1 name value");
    machine_send(m, 0, "XDEL stream 7-1 8-1");
    machine_send(m, 0, "SELECT 3");
    machine_send(m, 0, "SET elsewhere 1");
    machine_send(m, 0, "SELECT 0");
    assert_true(machine_settle(m));
}

/* Takes a snapshot to its end. */
static void save(struct machine *m)
{
    struct db_figures before, after;
    db_measure(m->db, &before);
    machine_send(m, 0, "SAVE");
    assert_true(machine_settle(m));
    db_measure(m->db, &after);
    assert_int_equal(after.snapshot.done, before.snapshot.done + 1);
    while (after.log.segments > 0 && db_writable(m->db)) {
        struct wal_spare *spare = db_spare_begin(m->db);
        if (spare == NULL) break;
        wal_spare_run(spare);
        (void)db_spare_end(m->db, spare);
    }
}

/* A disk with a filled server's directory, its first snapshot taken. */
static struct sim_disk *make_disk(uint64_t *hash)
{
    struct sim_disk *disk = sim_disk_create(3);
    struct machine m;
    must_open(&m, disk);
    fill(&m);
    save(&m);
    *hash = dump_hash(m.db);
    assert_true(machine_shut_down(&m));
    sim_disk_kill(disk);
    return disk;
}

/* ---- damage to the file ---- */

static bool accept_block(void *context, struct slice items)
{
    uint64_t *blocks = context;
    (*blocks)++;
    return items.size > 0;
}

static bool accept_end(void *context, lsn_t from_lsn, lsn_t last_lsn)
{
    (void)context;
    return from_lsn <= last_lsn + 1;
}

static void forget_all(void *context)
{
    *(uint64_t *)context = 0;
}

static struct manifest read_manifest(struct sim_disk *disk)
{
    struct manifest m;
    enum manifest_verdict verdict;
    assert_int_equal(manifest_read(sim_disk_disk(disk), &m, &verdict), DISK_OK);
    assert_int_equal(verdict, MANIFEST_OK);
    assert_true(m.snapshots_count > 0);
    return m;
}

static bool file_is_good(struct sim_disk *disk, uint64_t file_size)
{
    struct manifest m = read_manifest(disk);
    uint64_t blocks = 0;
    char problem[256];
    struct wal_loader loader = {
        .context = &blocks, .block = accept_block, .end = accept_end, .forget = forget_all};
    struct snapshot_source source = {.disk = sim_disk_disk(disk),
                                     .node_id = m.node_id,
                                     .file_size = file_size,
                                     .expected = &m.snapshots[0]};
    return snapshot_read(&source, &loader, problem, sizeof problem) == SNAPSHOT_OK;
}

/* One bit of every byte, and every shorter size: none of them is taken. */
static void test_every_byte(void **state)
{
    (void)state;
    uint64_t hash, size;
    struct sim_disk *disk = make_disk(&hash);
    const char *bytes = sim_disk_bytes(disk, FIRST, &size);
    assert_non_null(bytes);
    assert_true(size > 3 * SNAPSHOT_BLOCK_BYTES);
    assert_true(file_is_good(disk, size));
    struct random r = {1};
    for (uint64_t at = 0; at < size; at += 1 + random_below(&r, 9)) {
        char right = bytes[at], wrong = (char)(right ^ (1 << random_below(&r, 8)));
        sim_disk_patch(disk, FIRST, at, (struct slice){&wrong, 1});
        assert_false(file_is_good(disk, size));
        sim_disk_patch(disk, FIRST, at, (struct slice){&right, 1});
        bytes = sim_disk_bytes(disk, FIRST, &size);
    }
    assert_true(file_is_good(disk, size));
    for (uint64_t cut = 0; cut < size; cut += SIM_SECTOR_BYTES)
        assert_false(file_is_good(disk, cut));
    sim_disk_destroy(disk);
}

/* Two blocks that have changed places are not taken, though each is whole. */
static void test_misplaced_blocks(void **state)
{
    (void)state;
    uint64_t hash, size;
    struct sim_disk *disk = make_disk(&hash);
    const char *bytes = sim_disk_bytes(disk, FIRST, &size);
    char *blocks = memory_allocate(2 * SNAPSHOT_BLOCK_BYTES);
    memcpy(blocks, bytes + SNAPSHOT_HEADER_BYTES + SNAPSHOT_BLOCK_BYTES, SNAPSHOT_BLOCK_BYTES);
    memcpy(blocks + SNAPSHOT_BLOCK_BYTES, bytes + SNAPSHOT_HEADER_BYTES, SNAPSHOT_BLOCK_BYTES);
    sim_disk_patch(disk, FIRST, SNAPSHOT_HEADER_BYTES,
                   (struct slice){blocks, 2 * SNAPSHOT_BLOCK_BYTES});
    assert_false(file_is_good(disk, size));
    memory_free(blocks, 2 * SNAPSHOT_BLOCK_BYTES);
    sim_disk_destroy(disk);
}

static void flip(struct sim_disk *disk, const char *name)
{
    uint64_t size;
    const char *bytes = sim_disk_bytes(disk, name, &size);
    assert_non_null(bytes);
    char wrong = (char)(bytes[size / 2] ^ 4);
    sim_disk_patch(disk, name, size / 2, (struct slice){&wrong, 1});
}

/* A damaged snapshot is replaced by the log, or by the one before it; without either the start is
 * refused, and nothing else is loaded. */
static void test_generations(void **state)
{
    (void)state;
    uint64_t hash;
    struct sim_disk *disk = make_disk(&hash);
    struct machine m;
    struct wal_recovery recovery;
    flip(disk, FIRST);
    assert_true(open_machine(&m, disk, &recovery));
    assert_int_equal(recovery.snapshots_refused, 1);
    assert_int_equal(recovery.snapshot.number, 0);
    assert_int_equal(dump_hash(m.db), hash);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) fill(&m); /* more than a segment holds */
        save(&m);
    }
    hash = dump_hash(m.db);
    struct db_figures figures;
    db_measure(m.db, &figures);
    assert_int_equal(figures.log.snapshots, 2);
    assert_true(figures.log.first_lsn > 1);
    assert_true(machine_shut_down(&m));
    sim_disk_kill(disk);

    uint64_t size;
    assert_null(sim_disk_bytes(disk, FIRST, &size));
    flip(disk, "snapshot-0000000000000004");
    assert_true(open_machine(&m, disk, &recovery));
    assert_int_equal(recovery.snapshot.number, 3);
    assert_int_equal(dump_hash(m.db), hash);
    assert_true(machine_shut_down(&m));
    sim_disk_kill(disk);

    flip(disk, "snapshot-0000000000000003");
    assert_false(open_machine(&m, disk, &recovery));
    assert_non_null(strstr(recovery.problem, "no snapshot can be used"));
    sim_disk_destroy(disk);
}

/* ---- items that no hash protects ---- */

static bool keep_block(void *context, struct slice items)
{
    struct buf *all = context;
    buf_append_bytes(all, items);
    return true;
}

static void keep_nothing(void *context)
{
    ((struct buf *)context)->size = 0;
}

/* The bytes of all blocks, each behind its size. */
static void read_blocks(struct sim_disk *disk, struct buf *all)
{
    struct manifest m = read_manifest(disk);
    char problem[256];
    struct wal_loader loader = {
        .context = all, .block = keep_block, .end = accept_end, .forget = keep_nothing};
    struct snapshot_source source = {.disk = sim_disk_disk(disk),
                                     .node_id = m.node_id,
                                     .file_size = m.snapshots[0].bytes,
                                     .expected = &m.snapshots[0]};
    assert_int_equal(snapshot_read(&source, &loader, problem, sizeof problem), SNAPSHOT_OK);
}

static void check_stream(void *context, struct slice name, const struct value *value,
                         int64_t expiry_ms)
{
    (void)context;
    (void)name;
    (void)expiry_ms;
    if (value->type == TYPE_STREAM) stream_check(value->body);
}

/* Blocks whose bytes were changed behind the hash's back: refused, or taken as something sound. */
static bool load_items(const struct buf *all, const struct manifest *m)
{
    struct effect_target target = {store_create(value_types, TYPES_COUNT, 9), {0, 0}};
    struct replay replay;
    replay_init(&replay, &target);
    struct wal_loader loader = replay_loader(&replay);
    struct reader in = {buf_slice(all)};
    struct slice items;
    bool good = true;
    while (good && read_bytes(&in, &items)) {
        char *copy = memory_allocate(items.size); /* of this size, for ASan */
        memcpy(copy, items.data, items.size);
        good = loader.block(loader.context, (struct slice){copy, items.size});
        memory_free(copy, items.size);
    }
    good = good && loader.end(loader.context, m->snapshots[0].from_lsn, m->snapshots[0].last_lsn);
    for (unsigned database = 0; database < DATABASES_COUNT; database++) {
        struct store_scan scan = {.database = database, .count = 1000};
        do store_scan_keys(target.store, &scan, check_stream, NULL);
        while (scan.cursor != 0);
    }
    replay_deinit(&replay);
    store_destroy(target.store);
    return good;
}

static void test_changed_items(void **state)
{
    (void)state;
    uint64_t hash;
    struct sim_disk *disk = make_disk(&hash);
    struct manifest m = read_manifest(disk);
    struct buf all = {0};
    struct random r = {11};
    read_blocks(disk, &all);
    assert_true(load_items(&all, &m));
    unsigned refused = 0, taken = 0;
    for (int i = 0; i < 3000; i++) {
        /* The large string's zeros would take nearly all the hits. */
        size_t at = (size_t)random_below(&r, all.size);
        while (all.data[at] == 0 || all.data[at] == '0') at = (size_t)random_below(&r, all.size);
        char right = all.data[at];
        all.data[at] = (char)random_next(&r);
        if (load_items(&all, &m)) taken++;
        else refused++;
        all.data[at] = right;
    }
    assert_true(refused > 100 && taken > 100);
    buf_deinit(&all);
    sim_disk_destroy(disk);
}

/* ---- crashes ---- */

struct history {
    uint64_t hashes[4096]; /* of the key space, by LSN */
};

/* Writes while a snapshot is made, the second one, so that log and a file go. */
static void change_and_save(struct machine *m, struct history *h)
{
    db_snapshot_set_pace(m->db, 2000000);
    machine_send(m, 0, "BGSAVE");
    for (int i = 0; i < 60; i++) {
        m->now_us += 2000;
        if (i < 40)
            machine_send(m, 0, i % 3 == 0 ? "RENAME key%d key%d" : "SET key%d new%d", i, i + 1);
        machine_tick(m, false);
        CHECK(db_appended_lsn(m->db) < 4096);
        h->hashes[db_appended_lsn(m->db)] = dump_hash(m->db);
        machine_snapshot_begin(m);
        machine_snapshot_run(m);
        machine_snapshot_end(m);
        machine_flush_begin(m);
        machine_flush_run(m);
        if (!machine_flush_end(m)) return;
        machine_make_spare(m);
        machine_release(m);
    }
}

/* With the power off from any call of the disk on, what opens afterwards is a moment that was, and
 * no earlier one than was promised. */
static void test_every_call(void **state)
{
    (void)state;
    static struct history history;
    uint64_t hash, from_snapshot[3] = {0};
    struct sim_disk *prepared = make_disk(&hash);
    bool met = true;
    uint64_t call = 1;
    for (; met; call++) {
        struct sim_disk *disk = sim_disk_clone(prepared, call);
        struct machine m;
        struct wal_recovery recovery;
        assert_true(call < CALLS_MAX);
        must_open(&m, disk);
        history.hashes[db_appended_lsn(m.db)] = hash;
        sim_disk_set_faults(disk, &(struct sim_faults){.power_off_at = call});
        change_and_save(&m, &history);
        lsn_t promised = db_durable_lsn(m.db);
        met = sim_disk_fault_met(disk);
        machine_die(&m);
        sim_disk_power_cut(disk);
        assert_true(open_machine(&m, disk, &recovery));
        assert_true(recovery.last_lsn >= promised);
        assert_int_equal(dump_hash(m.db), history.hashes[recovery.last_lsn]);
        assert_in_range(recovery.snapshot.number, 1, 2);
        from_snapshot[recovery.snapshot.number]++;
        machine_die(&m);
        sim_disk_destroy(disk);
    }
    assert_true(from_snapshot[1] > 10 && from_snapshot[2] > 3);
    sim_disk_destroy(prepared);
}

/* ---- the walk ---- */

/* A slot with thousands of keys is several sections; keys that change, come, go and move between
 * its steps are what they were at the end. */
static void test_huge_slot(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct sim_disk *disk = sim_disk_create(seed);
        struct random r = {seed};
        struct machine m;
        struct wal_recovery recovery;
        must_open(&m, disk);
        for (int i = 0; i < TAGGED_KEYS; i++) machine_send(&m, 0, "SET {tag}%d %d", i, i);
        assert_true(machine_settle(&m));
        db_snapshot_set_pace(m.db, 500000);
        machine_send(&m, 0, "BGSAVE");
        for (int i = 0; i < 400; i++) {
            int a = (int)random_below(&r, TAGGED_KEYS * 2), b = (int)random_below(&r, TAGGED_KEYS);
            m.now_us += 1000;
            machine_send(&m, 0, "APPEND {tag}%d x", a);
            machine_send(&m, 0, "RENAME {tag}%d %s%d", b, i % 2 == 0 ? "{tag}" : "other", a);
            machine_send(&m, 0, "DEL {tag}%d", b / 2);
            if (i == 50 && seed % 3 == 0) machine_send(&m, 0, "FLUSHDB");
            machine_tick(&m, false);
            machine_snapshot_begin(&m);
            machine_snapshot_run(&m);
            machine_snapshot_end(&m);
            machine_flush_begin(&m);
            machine_flush_run(&m);
            assert_true(machine_flush_end(&m));
            machine_release(&m);
        }
        struct db_figures figures;
        db_snapshot_set_pace(m.db, 0);
        assert_true(machine_settle(&m));
        db_measure(m.db, &figures);
        assert_int_equal(figures.snapshot.done, 1);
        assert_true(figures.snapshot.moved > 5);
        uint64_t hash = dump_hash(m.db);
        assert_true(machine_shut_down(&m));
        sim_disk_kill(disk);
        if (!open_machine(&m, disk, &recovery)) fail_msg("%s", recovery.problem);
        assert_int_equal(recovery.snapshot.number, 1);
        assert_true(recovery.frames > 200);
        assert_int_equal(dump_hash(m.db), hash);
        machine_die(&m);
        sim_disk_destroy(disk);
    }
}

/* ---- when the loop must come back ---- */

/* The loop sleeps until db_snapshot_due_ms says, and wakes when a job has ended: by these two alone
 * a snapshot comes to its end. 'fail': the disk is full at its first job. */
static void follow_due_times(struct machine *m, uint64_t pace, bool fail)
{
    struct db_figures before, after;
    db_measure(m->db, &before);
    assert_int_equal(db_snapshot_due_ms(m->db), INT64_MAX);
    db_snapshot_set_pace(m->db, pace);
    machine_send(m, 0, "BGSAVE");
    machine_tick(m, false);
    for (unsigned steps = 0; db_snapshot_running(m->db); steps++) {
        assert_true(steps < 100000);
        machine_snapshot_begin(m);
        int64_t due_ms = db_snapshot_due_ms(m->db);
        if (due_ms == INT64_MAX || steps % 5 == 4) {
            if (due_ms == INT64_MAX) assert_non_null(m->snapshot);
            struct sim_faults faults = {.fail_at = 1, .fail_status = DISK_FULL};
            if (fail && m->snapshot != NULL) sim_disk_set_faults(m->options.disk, &faults);
            machine_snapshot_run(m);
            sim_disk_set_faults(m->options.disk, &(struct sim_faults){0});
            machine_snapshot_end(m);
        } else if (due_ms * 1000 > m->now_us) {
            m->now_us = due_ms * 1000;
        }
        machine_tick(m, false);
        machine_flush_begin(m);
        machine_flush_run(m);
        assert_true(machine_flush_end(m));
    }
    db_measure(m->db, &after);
    assert_int_equal(after.snapshot.done, before.snapshot.done + !fail);
    assert_int_equal(after.snapshot.last_failed, fail);
    assert_int_equal(db_snapshot_due_ms(m->db), INT64_MAX);
}

static void test_due(void **state)
{
    (void)state;
    struct sim_disk *disk = sim_disk_create(3);
    struct machine m;
    must_open(&m, disk);
    fill(&m);
    for (int i = 0; i < 3; i++) machine_send(&m, 0, "SETRANGE huge%d 3000000 end", i);
    assert_true(machine_settle(&m));
    follow_due_times(&m, 0, false);
    follow_due_times(&m, 5000000, false);
    follow_due_times(&m, 0, true);
    follow_due_times(&m, 5000000, true);
    follow_due_times(&m, 5000000, false);
    assert_true(machine_shut_down(&m));
    sim_disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),  cmocka_unit_test(test_misplaced_blocks),
        cmocka_unit_test(test_generations), cmocka_unit_test(test_changed_items),
        cmocka_unit_test(test_every_call),  cmocka_unit_test(test_huge_slot),
        cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
