/* The log over the simulated disk: what was promised survives every crash, what is damaged is
 * noticed, and every call of the disk may fail. All by seed; IRMAK_SEED shifts them all. */
#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "sim_disk.h"
#include "wal/batch.h"
#include "wal/manifest.h"
#include "wal/segment.h"
#include "wal_owner.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    LIVES_COUNT = 3000, /* each with several crashes */
    CRASHES_PER_LIFE = 6,
    FAULT_CALLS_MAX = 400,
};

static uint64_t seed_base(void)
{
    const char *text = getenv("IRMAK_SEED");
    return text == NULL ? 0 : strtoull(text, NULL, 10) * 1000003;
}

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
            wal_close(o->wal);
            o->wal = NULL;
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
    uint64_t crashes = 0;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    for (uint64_t i = 0; i < LIVES_COUNT; i++) {
        uint64_t seed = seed_base() + i;
        struct sim_disk *disk = sim_disk_create(seed);
        owner_init(o, disk, ~seed);
        crashes += live_and_crash(o, seed);
        sim_disk_destroy(disk);
    }
    print_message("# %" PRIu64 " crash states\n", crashes);
    assert_true(crashes >= LIVES_COUNT * CRASHES_PER_LIFE);
    memory_free(o, sizeof(*o));
}

/* The same seed gives the same disk, byte for byte. */
static void test_repeatable(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t hashes[2];
        for (int i = 0; i < 2; i++) {
            struct sim_disk *disk = sim_disk_create(seed);
            owner_init(o, disk, seed);
            live_and_crash(o, seed);
            hashes[i] = sim_disk_hash(disk);
            sim_disk_destroy(disk);
        }
        assert_int_equal(hashes[0], hashes[1]);
    }
    memory_free(o, sizeof(*o));
}

/* ---- calls that fail ---- */

struct failure {
    enum disk_status status;
    bool for_ever;
    bool while_opening; /* the second start, else the first life */
};

static void work(struct wal_owner *o)
{
    for (int i = 0; i < 30 && !o->failed; i++) {
        owner_append(o);
        owner_append(o);
        owner_flush(o);
        owner_make_spare(o);
        o->now_ms += 7;
    }
}

/* A life whose k-th call fails. True: the fault was met. */
static bool fail_call(struct wal_owner *o, const struct failure *failure, uint64_t k)
{
    struct sim_disk *disk = sim_disk_create(k);
    owner_init(o, disk, 11);
    struct sim_faults faults = {
        .fail_at = k, .fail_for_ever = failure->for_ever, .fail_status = failure->status};
    uint64_t lost = 0;
    if (!failure->while_opening) sim_disk_set_faults(disk, &faults);
    bool opened = owner_open(o, WAL_SYNC_ALWAYS, &lost);
    if (opened) work(o);
    if (failure->while_opening) {
        owner_kill(o);
        sim_disk_set_faults(disk, &faults);
        opened = owner_open(o, WAL_SYNC_ALWAYS, &lost);
        require_sound(o, k, lost);
        if (opened) work(o);
    }
    bool met = sim_disk_fault_met(disk);
    if (!opened) assert_true(met);
    /* The machine lives on, or the power goes: both ways back must work. */
    if (k % 2 == 0) owner_power_cut(o);
    else owner_kill(o);
    sim_disk_set_faults(disk, &(struct sim_faults){0});
    if (!owner_open(o, WAL_SYNC_ALWAYS, &lost)) fail_seed(o, k, "it does not open");
    require_sound(o, k, lost);
    work(o);
    assert_false(o->failed);
    owner_power_cut(o);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    require_sound(o, k, lost);
    owner_die(o);
    sim_disk_destroy(disk);
    return met;
}

/* Each call of a short life, and each call of a start, fails once and for ever, with an I/O error
 * and with a full disk: the log stops or goes on, but nothing that was promised is lost. */
static void test_every_call_fails(void **state)
{
    (void)state;
    static const enum disk_status statuses[] = {DISK_FAILED, DISK_FULL};
    struct wal_owner *o = memory_allocate(sizeof(*o));
    uint64_t points = 0;
    for (unsigned variant = 0; variant < 8; variant++) {
        struct failure failure = {.status = statuses[variant & 1],
                                  .for_ever = (variant & 2) != 0,
                                  .while_opening = (variant & 4) != 0};
        uint64_t k = 1;
        while (fail_call(o, &failure, k)) k++;
        assert_true(k > 50); /* the fault was met at every call before */
        points += k - 1;
    }
    print_message("# %" PRIu64 " failed calls\n", points);
    memory_free(o, sizeof(*o));
}

/* After a failed sync nothing is acknowledged any more, whatever the disk says then. */
static void test_failed_sync_is_final(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(3);
    uint64_t lost;
    owner_init(o, disk, 3);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    owner_append(o);
    /* write, sync: the second call */
    sim_disk_set_faults(disk, &(struct sim_faults){.fail_at = 2, .fail_status = DISK_FAILED});
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
    owner_die(o);
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* A full disk: the flush that needs a segment waits, nothing is promised meanwhile, nobody may
 * write, and all of it goes on by itself when there is space again. */
static void test_disk_full(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(5);
    uint64_t lost;
    owner_init(o, disk, 5);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    sim_disk_set_faults(
        disk, &(struct sim_faults){.capacity = 3 * OWNER_SEGMENT_BYTES + 4 * DISK_BLOCK_BYTES});
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
    sim_disk_set_faults(disk, &(struct sim_faults){0});
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
    owner_die(o);
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* ---- damage ---- */

struct file_names {
    char names[64][DISK_NAME_MAX + 1];
    uint64_t sizes[64];
    size_t count;
};

static void collect_name(void *context, struct slice name, uint64_t size)
{
    struct file_names *t = context;
    enum segment_kind kind;
    uint64_t number;
    bool counts = slice_equal(name, SLICE(MANIFEST_NAME)) ||
                  (segment_parse_name(name, &kind, &number) && kind == SEGMENT_LOG);
    if (!counts) return;
    CHECK(t->count < 64 && name.size <= DISK_NAME_MAX);
    memcpy(t->names[t->count], name.data, name.size);
    t->names[t->count][name.size] = '\0';
    t->sizes[t->count++] = size;
}

static void collect_names(struct sim_disk *s, struct file_names *t)
{
    memset(t, 0, sizeof(*t));
    struct disk *d = sim_disk_disk(s);
    assert_int_equal(d->operations->list(d->context, collect_name, t), DISK_OK);
}

/* A log of several segments and epochs, settled: its idle marker is written. */
static void make_log(struct wal_owner *o, struct sim_disk *disk, uint64_t seed, unsigned starts)
{
    uint64_t lost;
    owner_init(o, disk, seed);
    for (unsigned i = 0; i < starts; i++) {
        assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
        assert_int_equal(lost, 0);
        for (int j = 0; j < 10; j++) {
            owner_append(o);
            owner_flush(o);
            o->now_ms += j == 5 ? 20 : 1;
        }
        owner_settle(o);
        assert_int_equal(o->promised_lsn, o->appended_lsn);
        owner_kill(o);
    }
}

struct verdicts {
    uint64_t detected;
    uint64_t harmless;
};

/* Recovers a damaged copy: either it is refused, or all that was promised is there. */
static void judge(const struct wal_owner *made, struct sim_disk *copy, const char *what,
                  struct verdicts *v)
{
    struct wal_owner *o = memory_allocate(sizeof(*o));
    *o = *made;
    o->disk = copy;
    o->wal = NULL;
    uint64_t lost;
    uint64_t before = sim_disk_hash(copy);
    bool opened = owner_open(o, WAL_SYNC_ALWAYS, &lost);
    if (opened) {
        if (lost > 0 || o->wrong > 0) fail_seed(o, 0, what);
        v->harmless++;
    } else {
        if (o->status != WAL_OPEN_CORRUPT) fail_seed(o, 0, what);
        assert_true(strlen(o->recovery.problem) > 0);
        assert_int_equal(sim_disk_hash(copy), before); /* nothing was changed */
        v->detected++;
    }
    owner_kill(o);
    memory_free(o, sizeof(*o));
}

/* Every kind of damage in every sector of log and manifest: noticed, or harmless. */
static void test_damage(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct verdicts v = {0};
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct sim_disk *disk = sim_disk_create(seed);
        make_log(o, disk, seed_base() + seed, 2);
        struct file_names t;
        collect_names(disk, &t);
        for (size_t i = 0; i < t.count; i++) {
            for (uint64_t n = 0; n < t.sizes[i] / SIM_SECTOR_BYTES * SIM_DAMAGES_COUNT; n++) {
                struct sim_disk *copy = sim_disk_clone(disk, n);
                uint64_t sector = n / SIM_DAMAGES_COUNT;
                enum sim_damage kind = (enum sim_damage)(n % SIM_DAMAGES_COUNT);
                char what[128];
                snprintf(what, sizeof(what), "damage %d of %s sector %" PRIu64 " was not noticed",
                         (int)kind, t.names[i], sector);
                if (sim_disk_damage(copy, t.names[i], sector, kind)) judge(o, copy, what, &v);
                sim_disk_destroy(copy);
            }
        }
        sim_disk_destroy(disk);
    }
    print_message("# damaged sectors: %" PRIu64 " noticed, %" PRIu64 " harmless\n", v.detected,
                  v.harmless);
    assert_true(v.detected > 1000);
    memory_free(o, sizeof(*o));
}

/* Every byte of a small log and its manifest, one bit of each flipped: noticed or harmless.
 * Harmless are the marker, whose loss costs nothing, and the free space behind it. */
static void test_every_byte(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct verdicts v = {0};
    struct sim_disk *disk = sim_disk_create(1);
    make_log(o, disk, seed_base() + 78, 1);
    struct file_names t;
    collect_names(disk, &t);
    struct random r = {seed_base()};
    struct sim_disk *copy = sim_disk_clone(disk, 1);
    for (size_t i = 0; i < t.count; i++) {
        for (uint64_t at = 0; at < t.sizes[i]; at++) {
            uint64_t size, opened_before = v.harmless;
            char old = sim_disk_bytes(copy, t.names[i], &size)[at];
            char byte = (char)(old ^ (1 << random_below(&r, 8)));
            sim_disk_patch(copy, t.names[i], at, (struct slice){&byte, 1});
            char what[128];
            snprintf(what, sizeof(what), "a flip in %s at %" PRIu64, t.names[i], at);
            judge(o, copy, what, &v);
            if (v.harmless == opened_before) { /* refused, so nothing else was changed */
                sim_disk_patch(copy, t.names[i], at, (struct slice){&old, 1});
            } else {
                sim_disk_destroy(copy);
                copy = sim_disk_clone(disk, at);
            }
        }
    }
    sim_disk_destroy(copy);
    print_message("# flipped bytes: %" PRIu64 " noticed, %" PRIu64 " harmless\n", v.detected,
                  v.harmless);
    assert_true(v.detected > 2 * DISK_BLOCK_BYTES);
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* A file of the log that vanished, or is cut short, is noticed. */
static void test_lost_files(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(1);
    make_log(o, disk, 1, 3);
    struct file_names t;
    collect_names(disk, &t);
    assert_true(t.count >= 4);
    for (size_t i = 0; i < t.count; i++) {
        struct verdicts v = {0};
        struct sim_disk *copy = sim_disk_clone(disk, 1);
        struct disk *d = sim_disk_disk(copy);
        assert_int_equal(d->operations->remove(d->context, t.names[i]), DISK_OK);
        judge(o, copy, "a lost file was not noticed", &v);
        assert_int_equal(v.detected, 1);
        sim_disk_destroy(copy);
    }
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* An older manifest put back in place (a rename that the disk took back later) is noticed. */
static void test_stale_manifest(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(1);
    uint64_t lost, size;
    owner_init(o, disk, 9);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    struct wal_figures figures;
    uint64_t noticed = 0;
    char old[MANIFEST_BYTES];
    memcpy(old, sim_disk_bytes(disk, MANIFEST_NAME, &size), MANIFEST_BYTES);
    wal_measure(o->wal, &figures);
    uint64_t number = figures.segment_number;
    while (noticed < 3) {
        owner_append(o);
        owner_flush(o);
        wal_measure(o->wal, &figures);
        if (figures.segment_number == number) continue;
        number = figures.segment_number;
        struct sim_disk *copy = sim_disk_clone(disk, 1);
        sim_disk_patch(copy, MANIFEST_NAME, 0, (struct slice){old, MANIFEST_BYTES});
        struct verdicts v = {0};
        judge(o, copy, "an old manifest was not noticed", &v);
        assert_int_equal(v.detected, 1);
        noticed++;
        sim_disk_destroy(copy);
        memcpy(old, sim_disk_bytes(disk, MANIFEST_NAME, &size), MANIFEST_BYTES);
    }
    owner_die(o);
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* Right after an acknowledged batch, before the marker, the last batch has no witness yet: damage
 * to it looks like a torn tail. That is all that it can cost, and never more than one batch. */
static void test_last_batch_without_witness(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(1);
    uint64_t lost;
    owner_init(o, disk, 4);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    owner_append(o);
    while (owner_flush(o)) continue;
    lsn_t before = wal_durable_lsn(o->wal);
    owner_append(o);
    struct wal_flush *f = wal_flush_begin(o->wal, o->now_ms);
    assert_non_null(f);
    wal_flush_run(f);
    assert_int_equal(wal_flush_end(o->wal, f), DISK_OK);
    owner_kill(o);
    struct file_names t;
    collect_names(disk, &t);
    for (size_t i = 0; i < t.count; i++) {
        for (uint64_t sector = 0; sector < t.sizes[i] / SIM_SECTOR_BYTES; sector++) {
            struct sim_disk *copy = sim_disk_clone(disk, sector);
            if (sim_disk_damage(copy, t.names[i], sector, SIM_FLIP)) {
                struct wal_owner *other = memory_allocate(sizeof(*other));
                *other = *o;
                other->disk = copy;
                if (owner_open(other, WAL_SYNC_ALWAYS, &lost)) {
                    assert_int_equal(other->wrong, 0);
                    assert_true(other->seen_lsn >= before);
                    if (lost > 0) assert_true(other->recovery.torn_bytes > 0);
                }
                owner_die(other);
                memory_free(other, sizeof(*other));
            }
            sim_disk_destroy(copy);
        }
    }
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* The manifest is a witness too: after a clean close, and after a start that copied batches, the
 * whole tail of the log may vanish (its marker with it), and that is noticed. */
static void test_vanished_tail(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    for (uint64_t closed = 0; closed < 2; closed++) {
        struct verdicts v = {0};
        struct sim_disk *disk = sim_disk_create(closed);
        uint64_t lost;
        owner_init(o, disk, 14);
        assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
        for (int i = 0; i < 4; i++) {
            owner_append(o);
            owner_flush(o);
        }
        if (closed) wal_close(o->wal);
        if (closed) o->wal = NULL;
        owner_kill(o);
        if (!closed) assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
        owner_kill(o);
        struct segment_name name = segment_name(SEGMENT_LOG, closed ? 1 : 2);
        uint64_t size, end = OWNER_SEGMENT_BYTES;
        assert_non_null(sim_disk_bytes(disk, name.text, &size));
        static const char zeros[OWNER_SEGMENT_BYTES];
        while (end > SEGMENT_HEADER_BYTES && sim_disk_bytes(disk, name.text, &size)[end - 1] == 0)
            end--;
        for (uint64_t from = SEGMENT_HEADER_BYTES; from < end; from += DISK_BLOCK_BYTES) {
            struct sim_disk *copy = sim_disk_clone(disk, from);
            sim_disk_patch(copy, name.text, from, (struct slice){zeros, (size_t)(size - from)});
            judge(o, copy, "a vanished tail was not noticed", &v);
            sim_disk_destroy(copy);
        }
        assert_true(v.detected >= 1);
        assert_int_equal(v.harmless, 0);
        sim_disk_destroy(disk);
    }
    memory_free(o, sizeof(*o));
}

/* A client that stores bytes which look like batch headers, right in all but the salt that it
 * cannot know, makes no torn tail look like corruption. */
static void test_forged_headers(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(1);
    uint64_t lost;
    owner_init(o, disk, 4);
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    struct buf *frame = wal_frame_begin(o->wal);
    size_t lead = DISK_BLOCK_BYTES - BATCH_HEADER_BYTES - BATCH_FRAME_HEADER_BYTES;
    for (size_t i = 0; i < lead; i++) buf_append_byte(frame, 'x');
    for (uint64_t block = 2; block < 6; block++) {
        struct buf forged = {0};
        struct batch_header h = {
            .first_lsn = 1000, .synced_lsn = 999, .epoch = 1, .offset = block * DISK_BLOCK_BYTES};
        buf_reserve(&forged, BATCH_HEADER_BYTES);
        buf_advance(&forged, BATCH_HEADER_BYTES);
        batch_seal(&forged, &h, 42);
        buf_append(frame, buf_slice(&forged));
        buf_deinit(&forged);
    }
    wal_frame_end(o->wal);
    struct wal_flush *f = wal_flush_begin(o->wal, o->now_ms);
    wal_flush_run(f);
    assert_int_equal(wal_flush_end(o->wal, f), DISK_OK);
    owner_kill(o);
    uint64_t size;
    const char *name = "log-0000000000000001";
    const char *bytes = sim_disk_bytes(disk, name, &size);
    /* The forgery stands where a header would: magic, and the offset of its block. */
    assert_memory_equal(bytes + 2 * DISK_BLOCK_BYTES + 16, bytes + DISK_BLOCK_BYTES + 16, 4);
    assert_true(sim_disk_damage(disk, name, DISK_BLOCK_BYTES / SIM_SECTOR_BYTES, SIM_ZERO));
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    assert_int_equal(o->seen_lsn, 0);
    assert_true(o->recovery.torn_bytes > 0);
    owner_die(o);
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* ---- well-formed lies ---- */

static void put_u64(char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) at[i] = (char)(uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const char *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return value;
}

static uint64_t strange_number(struct random *r, uint64_t old)
{
    switch (random_below(r, 7)) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    case 2: return old + 1;
    case 3: return old - 1;
    case 4: return old ^ ((uint64_t)1 << random_below(r, 64));
    case 5: return random_below(r, 100);
    default: return random_next(r);
    }
}

/* Makes the hashes of a batch of one block, or of a header block, right again. */
static void rehash(char bytes[DISK_BLOCK_BYTES], bool batch, uint64_t salt)
{
    if (batch)
        put_u64(bytes + 8, hash_bytes((struct slice){bytes + 16, BATCH_HEADER_BYTES - 16}, salt));
    put_u64(bytes, hash_bytes((struct slice){bytes + 8, DISK_BLOCK_BYTES - 8}, salt));
}

/* Changes some fields of the block and makes its hashes right again. */
static void lie(struct sim_disk *s, const char *name, uint64_t block, struct random *r)
{
    uint64_t size;
    const char *whole = sim_disk_bytes(s, name, &size);
    uint64_t salt = block == 0 ? 0 : get_u64(whole + 48);
    char bytes[DISK_BLOCK_BYTES];
    memcpy(bytes, whole + block * DISK_BLOCK_BYTES, sizeof(bytes));
    for (uint64_t left = 1 + random_below(r, 3); left > 0; left--) {
        char *at = bytes + 16 + 4 * random_below(r, 20);
        put_u64(at, strange_number(r, get_u64(at)));
    }
    rehash(bytes, block > 0, salt);
    sim_disk_patch(s, name, block * DISK_BLOCK_BYTES, (struct slice){bytes, sizeof(bytes)});
}

/* A batch replaced by another one that is valid in itself is noticed by the batch behind it. */
static void test_replaced_batch(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(1);
    make_log(o, disk, 21, 1);
    const char *name = "log-0000000000000001";
    uint64_t size;
    const char *whole = sim_disk_bytes(disk, name, &size);
    char bytes[DISK_BLOCK_BYTES];
    memcpy(bytes, whole + DISK_BLOCK_BYTES, sizeof(bytes));
    assert_true(get_u64(bytes + 24) <= sizeof(bytes)); /* the first batch is one block */
    bytes[BATCH_HEADER_BYTES + BATCH_FRAME_HEADER_BYTES] ^= 1;
    rehash(bytes, true, get_u64(whole + 48));
    sim_disk_patch(disk, name, DISK_BLOCK_BYTES, (struct slice){bytes, sizeof(bytes)});
    struct verdicts v = {0};
    judge(o, disk, "a replaced batch was not noticed", &v);
    assert_int_equal(v.detected, 1);
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

/* Bytes whose hashes are right but whose content makes no sense: recovery may say anything, but it
 * must end, in its memory, without a failed CHECK; and what it opens must work. */
static void test_well_formed_lies(void **state)
{
    (void)state;
    struct wal_owner *o = memory_allocate(sizeof(*o));
    struct sim_disk *disk = sim_disk_create(1);
    make_log(o, disk, 21, 2);
    struct file_names t;
    collect_names(disk, &t);
    struct random r = {seed_base() + 1};
    uint64_t outcomes[WAL_OPEN_REFUSED + 1] = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        struct sim_disk *copy = sim_disk_clone(disk, i);
        size_t file = random_below(&r, t.count);
        uint64_t blocks = t.sizes[file] / DISK_BLOCK_BYTES;
        lie(copy, t.names[file], random_below(&r, blocks), &r);
        struct wal_owner *other = memory_allocate(sizeof(*other));
        *other = *o;
        other->disk = copy;
        uint64_t lost;
        if (owner_open(other, WAL_SYNC_ALWAYS, &lost) && other->seen_lsn < OWNER_FRAMES_MAX)
            work(other);
        outcomes[other->status]++;
        owner_die(other);
        memory_free(other, sizeof(*other));
        sim_disk_destroy(copy);
    }
    print_message("# lies: %" PRIu64 " opened, %" PRIu64 " corrupt, %" PRIu64 " newer\n",
                  outcomes[WAL_OPEN_OK], outcomes[WAL_OPEN_CORRUPT], outcomes[WAL_OPEN_NEWER]);
    assert_true(outcomes[WAL_OPEN_CORRUPT] > 0 && outcomes[WAL_OPEN_NEWER] > 0);
    sim_disk_destroy(disk);
    memory_free(o, sizeof(*o));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crashes),          cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_every_call_fails), cmocka_unit_test(test_failed_sync_is_final),
        cmocka_unit_test(test_disk_full),        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_every_byte),       cmocka_unit_test(test_lost_files),
        cmocka_unit_test(test_stale_manifest),   cmocka_unit_test(test_last_batch_without_witness),
        cmocka_unit_test(test_vanished_tail),    cmocka_unit_test(test_forged_headers),
        cmocka_unit_test(test_replaced_batch),   cmocka_unit_test(test_well_formed_lies),
    };
    return cmocka_run_group_tests_name("wal_crash", tests, NULL, NULL);
}
