/* The log over the simulated disk: what was promised survives every crash, and every call of the
 * disk may fail. All by seed; IRMAK_SEED shifts them all. Damage: wal_damage_test.c. */
#include "sim_disk.h"
#include "wal_owner.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    LIVES_COUNT = 3000, /* each with several crashes */
    CRASHES_PER_LIFE = 6,
    FAULT_CALLS_MAX = 400,
};

static void fail_seed(const struct wal_owner *o, uint64_t seed, const char *what)
{
    fail_msg("seed %" PRIu64 ": %s; %s (seen %" PRIu64 ", promised %" PRIu64 ", wrong %" PRIu64 ")",
             seed, what, o->recovery.problem, o->seen_lsn, o->promised_lsn, o->wrong);
}

static void require_sound(const struct wal_owner *o, uint64_t seed, uint64_t lost)
{
    if (o->status == WAL_OPEN_CORRUPT) fail_seed(o, seed, "an honest disk was called corrupt");
    if (o->status == WAL_OPEN_NEWER) fail_seed(o, seed, "an honest disk was called newer");
    if (o->wrong > 0) fail_seed(o, seed, "a frame that was not appended there came back");
    if (lost > 0) fail_seed(o, seed, "promised frames are lost");
    if (o->torn_wrongly) fail_seed(o, seed, "a torn tail where nothing was being written");
}

/* Opens, with the power going off in the middle of it now and then, until it is open. */
static uint64_t open_through_crashes(struct wal_owner *o, uint64_t seed)
{
    static const enum wal_policy policies[] = {WAL_SYNC_ALWAYS, WAL_SYNC_EVERYSEC, WAL_SYNC_NO};
    uint64_t crashes = 0;
    for (;;) {
        struct sim_faults faults = {0};
        if (crashes < 5 && random_below(&o->random, 2) == 0)
            faults.power_off_at = 1 + random_below(&o->random, 60);
        sim_disk_set_faults(o->disk, &faults);
        uint64_t lost;
        enum wal_policy policy = policies[random_below(&o->random, 3)];
        bool opened = owner_open(o, policy, &lost);
        require_sound(o, seed, lost);
        if (opened) {
            assert_int_equal(wal_appended_lsn(o->wal), o->seen_lsn);
            assert_int_equal(wal_synced_lsn(o->wal), o->seen_lsn);
            return crashes;
        }
        if (!sim_disk_fault_met(o->disk)) fail_seed(o, seed, "it does not open");
        crashes++;
        owner_power_cut(o);
    }
}

/* A life: open, work, crash (power cut, kill, or power going off in the middle of a flush). */
static uint64_t live_and_crash(struct wal_owner *o, uint64_t seed)
{
    uint64_t crashes = 0;
    for (int i = 0; i < CRASHES_PER_LIFE; i++) {
        crashes += open_through_crashes(o, seed);
        struct sim_faults faults = {0};
        if (random_below(&o->random, 3) == 0)
            faults.power_off_at = 1 + random_below(&o->random, 80);
        sim_disk_set_faults(o->disk, &faults);
        owner_live(o, 60);
        if (random_below(&o->random, 8) == 0 && !o->failed) owner_settle(o);
        crashes++;
        if (random_below(&o->random, 4) == 0 && !sim_disk_fault_met(o->disk)) {
            owner_kill(o);
        } else if (random_below(&o->random, 10) == 0 && !o->failed) {
            owner_close(o);
            sim_disk_kill(o->disk);
        } else {
            owner_power_cut(o);
        }
    }
    return crashes;
}

/* Whatever the crash kept, recovery gives back a prefix of what was appended, with all of what was
 * promised; nothing is called corrupt; recovery itself may be cut short at any call. */
static void test_crashes(void **state)
{
    (void)state;
    uint64_t crashes = 0, renamed = 0, recycled = 0, named = 0;
    for (uint64_t i = 0; i < LIVES_COUNT; i++) {
        uint64_t seed = owner_seed_base() + i;
        struct wal_owner *o = owner_create(seed);
        crashes += live_and_crash(o, seed);
        renamed += o->renamed;
        recycled += o->recycled;
        named += o->named;
        owner_destroy(o);
    }
    print_message("# %" PRIu64 " crash states, %" PRIu64 " snapshots named, %" PRIu64
                  " segments recycled, %" PRIu64 " begun in recycled files\n",
                  crashes, named, renamed, recycled);
    assert_true(crashes >= LIVES_COUNT * CRASHES_PER_LIFE);
    assert_true(named > LIVES_COUNT && renamed > LIVES_COUNT && recycled > LIVES_COUNT);
}

/* The same seed gives the same disk, byte for byte. */
static void test_repeatable(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t hashes[2];
        for (int i = 0; i < 2; i++) {
            struct wal_owner *o = owner_create(seed);
            live_and_crash(o, seed);
            hashes[i] = sim_disk_hash(o->disk);
            owner_destroy(o);
        }
        assert_int_equal(hashes[0], hashes[1]);
    }
}

/* ---- calls that fail ---- */

struct failure {
    enum disk_status status;
    bool for_ever;
    bool while_opening; /* the second start, else the first life */
};

/* A life whose k-th call fails. True: the fault was met. */
static bool fail_call(const struct failure *failure, uint64_t k)
{
    struct wal_owner *o = owner_create(11);
    struct sim_disk *disk = o->disk;
    struct sim_faults faults = {
        .fail_at = k, .fail_for_ever = failure->for_ever, .fail_status = failure->status};
    uint64_t lost = 0;
    if (!failure->while_opening) sim_disk_set_faults(disk, &faults);
    bool opened = owner_open(o, WAL_SYNC_ALWAYS, &lost);
    if (opened) owner_work(o);
    if (failure->while_opening) {
        owner_kill(o);
        sim_disk_set_faults(disk, &faults);
        opened = owner_open(o, WAL_SYNC_ALWAYS, &lost);
        require_sound(o, k, lost);
        if (opened) owner_work(o);
    }
    bool met = sim_disk_fault_met(disk);
    if (!opened) assert_true(met);
    /* The machine lives on, or the power goes: both ways back must work. */
    if (k % 2 == 0) owner_power_cut(o);
    else owner_kill(o);
    sim_disk_set_faults(disk, &(struct sim_faults){0});
    if (!owner_open(o, WAL_SYNC_ALWAYS, &lost)) fail_seed(o, k, "it does not open");
    require_sound(o, k, lost);
    owner_work(o);
    assert_false(o->failed);
    owner_power_cut(o);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    require_sound(o, k, lost);
    owner_destroy(o);
    return met;
}

/* Each call of a short life, and each call of a start, fails once and for ever, with an I/O error
 * and with a full disk: the log stops or goes on, but nothing that was promised is lost. */
static void test_every_call_fails(void **state)
{
    (void)state;
    static const enum disk_status statuses[] = {DISK_FAILED, DISK_FULL};
    uint64_t points = 0;
    for (unsigned variant = 0; variant < 8; variant++) {
        struct failure failure = {.status = statuses[variant & 1],
                                  .for_ever = (variant & 2) != 0,
                                  .while_opening = (variant & 4) != 0};
        uint64_t k = 1;
        while (fail_call(&failure, k)) k++;
        assert_true(k > 50); /* the fault was met at every call before */
        points += k - 1;
    }
    print_message("# %" PRIu64 " failed calls\n", points);
}

/* After a failed sync nothing is acknowledged any more, whatever the disk says then. */
static void test_failed_sync_is_final(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(3);
    owner_must_open(o);
    owner_append(o);
    /* write, sync: the second call */
    sim_disk_set_faults(o->disk, &(struct sim_faults){.fail_at = 2, .fail_status = DISK_FAILED});
    struct wal_flush *f = wal_flush_begin(o->wal, o->now_ms);
    assert_non_null(f);
    wal_flush_run(f);
    assert_int_equal(wal_flush_end(o->wal, f), DISK_FAILED);
    assert_int_equal(wal_durable_lsn(o->wal), 0);
    owner_append(o);
    assert_null(wal_flush_begin(o->wal, o->now_ms + 5000));
    assert_int_equal(wal_flush_due_ms(o->wal), INT64_MAX);
    assert_false(wal_has_room(o->wal));
    wal_set_policy(o->wal, WAL_SYNC_NO);
    assert_int_equal(wal_durable_lsn(o->wal), 0);
    owner_destroy(o);
}

/* The calls of the disk that a job makes; the last one is the sync of the directory. */
static uint64_t spare_calls(struct wal_owner *o)
{
    sim_disk_set_faults(o->disk, &(struct sim_faults){0});
    struct wal_spare *s = wal_spare_begin(o->wal, o->now_ms);
    assert_non_null(s);
    wal_spare_run(s);
    assert_int_equal(wal_spare_end(o->wal, s, o->now_ms), DISK_OK);
    return sim_disk_calls(o->disk);
}

/* A directory that another thread could not sync is the end of the log, too: a batch that is
 * written and synced at that moment is not acknowledged any more, and what was is there. */
static void test_lost_names_are_final(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(4);
    owner_must_open(o);
    while (wal_appended_lsn(o->wal) < 1) owner_append(o);
    owner_must_flush(o);
    assert_int_equal(wal_durable_lsn(o->wal), 1);
    uint64_t calls = spare_calls(o);
    while (wal_appended_lsn(o->wal) < 2) owner_append(o);
    struct wal_flush *f = wal_flush_begin(o->wal, o->now_ms);
    struct wal_spare *s = wal_spare_begin(o->wal, o->now_ms);
    assert_non_null(f);
    assert_non_null(s);
    wal_flush_run(f);
    sim_disk_set_faults(o->disk,
                        &(struct sim_faults){.fail_at = calls, .fail_status = DISK_FAILED});
    wal_spare_run(s);
    assert_int_equal(wal_status(o->wal), DISK_OK);
    assert_int_equal(wal_spare_end(o->wal, s, o->now_ms), DISK_NAMES_LOST);
    assert_int_equal(wal_status(o->wal), DISK_NAMES_LOST);
    assert_int_equal(wal_flush_end(o->wal, f), DISK_NAMES_LOST);
    assert_int_equal(wal_durable_lsn(o->wal), 1);
    assert_null(wal_flush_begin(o->wal, o->now_ms + 5000));
    assert_null(wal_spare_begin(o->wal, o->now_ms + 5000));
    assert_false(wal_has_room(o->wal));
    owner_power_cut(o);
    owner_must_open(o);
    assert_int_equal(wal_appended_lsn(o->wal), 2); /* unknown to the client, but synced */
    owner_destroy(o);
}

/* The same when a snapshot could not be given its name; a file of it that could not be written is
 * no end. */
static void test_snapshot_that_loses_names(void **state)
{
    (void)state;
    bool ended = false;
    for (uint64_t call = 1; !ended; call++) {
        struct wal_owner *o = owner_create(4);
        owner_must_open(o);
        owner_append(o);
        assert_true(owner_flush(o));
        owner_move_snapshot(o); /* begun */
        sim_disk_set_faults(o->disk,
                            &(struct sim_faults){.fail_at = call, .fail_status = DISK_FAILED});
        owner_move_snapshot(o); /* written */
        assert_true(sim_disk_fault_met(o->disk));
        assert_false(o->naming);
        ended = wal_status(o->wal) == DISK_NAMES_LOST;
        if (!ended) assert_int_equal(wal_status(o->wal), DISK_OK);
        if (!ended) assert_true(wal_has_room(o->wal));
        assert_in_range(call, 1, 20);
        owner_destroy(o);
    }
}

/* A full disk: the flush that needs a segment waits, nothing is promised meanwhile, nobody may
 * write, and all of it goes on by itself when there is space again. */
static void test_disk_full(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(5);
    uint64_t lost;
    owner_must_open(o);
    sim_disk_set_faults(
        o->disk, &(struct sim_faults){.capacity = 3 * OWNER_SEGMENT_BYTES + 4 * DISK_BLOCK_BYTES});
    unsigned rounds = 0;
    while (wal_has_room(o->wal)) {
        assert_true(++rounds < 1000);
        owner_append(o);
        owner_flush(o);
        owner_make_spare(o);
        assert_false(o->failed);
        o->now_ms++;
    }
    for (int i = 0; i < 200; i++) owner_append(o); /* those that were under way */
    owner_flush(o);
    lsn_t durable = wal_durable_lsn(o->wal);
    lsn_t appended = wal_appended_lsn(o->wal);
    assert_true(durable < appended);
    for (int i = 0; i < 5; i++) {
        owner_flush(o);
        owner_make_spare(o);
        o->now_ms += 500;
        assert_false(o->failed);
        assert_false(wal_has_room(o->wal));
    }
    assert_int_equal(wal_durable_lsn(o->wal), durable);
    sim_disk_set_faults(o->disk, &(struct sim_faults){0});
    for (int i = 0; i < 5; i++) {
        o->now_ms += 1000;
        owner_flush(o);
        owner_make_spare(o);
    }
    assert_true(wal_has_room(o->wal));
    assert_true(wal_durable_lsn(o->wal) >= appended);
    owner_power_cut(o);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    require_sound(o, 5, lost);
    owner_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_failed_sync_is_final),
        cmocka_unit_test(test_lost_names_are_final),
        cmocka_unit_test(test_snapshot_that_loses_names),
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests_name("wal_crash", tests, NULL, NULL);
}
