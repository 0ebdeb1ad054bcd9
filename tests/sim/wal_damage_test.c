/* The log on a disk that damages what it holds: every damage is noticed or harmless, and bytes that
 * lie under right hashes do no more than be refused. By seed; IRMAK_SEED shifts them all. */
#include "base/check.h"
#include "base/hash.h"
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

#include <cmocka.h>

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
static struct wal_owner *make_log(uint64_t seed, unsigned starts)
{
    struct wal_owner *o = owner_create(seed);
    for (unsigned i = 0; i < starts; i++) {
        owner_must_open(o);
        for (int j = 0; j < 10; j++) {
            owner_append(o);
            owner_flush(o);
            o->now_ms += j == 5 ? 20 : 1;
        }
        owner_settle(o);
        assert_int_equal(o->promised_lsn, o->appended_lsn);
        owner_kill(o);
    }
    return o;
}

struct verdicts {
    uint64_t detected;
    uint64_t harmless;
};

/* Recovers a damaged copy: either it is refused, or all that was promised is there. */
static void judge(struct wal_owner *o, const char *what, struct verdicts *v)
{
    uint64_t lost;
    uint64_t before = sim_disk_hash(o->disk);
    bool opened = owner_open(o, WAL_SYNC_ALWAYS, &lost);
    if (opened) {
        if (lost > 0 || o->wrong > 0) fail_msg("%s: %s", what, o->recovery.problem);
        v->harmless++;
    } else {
        if (o->status != WAL_OPEN_CORRUPT) fail_msg("%s: %s", what, o->recovery.problem);
        assert_true(strlen(o->recovery.problem) > 0);
        assert_int_equal(sim_disk_hash(o->disk), before); /* nothing was changed */
        v->detected++;
    }
}

/* Every kind of damage in every sector of log and manifest: noticed, or harmless. */
static void test_damage(void **state)
{
    (void)state;
    struct verdicts v = {0};
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct wal_owner *o = make_log(owner_seed_base() + seed, 2);
        struct file_names t;
        collect_names(o->disk, &t);
        for (size_t i = 0; i < t.count; i++) {
            for (uint64_t n = 0; n < t.sizes[i] / SIM_SECTOR_BYTES * SIM_DAMAGES_COUNT; n++) {
                struct wal_owner *copy = owner_clone(o, n);
                uint64_t sector = n / SIM_DAMAGES_COUNT;
                enum sim_damage kind = (enum sim_damage)(n % SIM_DAMAGES_COUNT);
                char what[128];
                snprintf(what, sizeof(what), "damage %d of %s sector %" PRIu64 " was not noticed",
                         (int)kind, t.names[i], sector);
                if (sim_disk_damage(copy->disk, t.names[i], sector, kind)) judge(copy, what, &v);
                owner_destroy(copy);
            }
        }
        owner_destroy(o);
    }
    print_message("# damaged sectors: %" PRIu64 " noticed, %" PRIu64 " harmless\n", v.detected,
                  v.harmless);
    assert_true(v.detected > 1000);
}

/* Every byte of a small log and its manifest, one bit of each flipped: noticed or harmless.
 * Harmless are the marker, whose loss costs nothing, and the free space behind it. */
static void test_every_byte(void **state)
{
    (void)state;
    struct verdicts v = {0};
    struct wal_owner *o = make_log(owner_seed_base() + 78, 1);
    struct file_names t;
    collect_names(o->disk, &t);
    struct random r = {owner_seed_base()};
    struct wal_owner *copy = owner_clone(o, 1);
    for (size_t i = 0; i < t.count; i++) {
        for (uint64_t at = 0; at < t.sizes[i]; at++) {
            uint64_t size, opened_before = v.harmless;
            char old = sim_disk_bytes(copy->disk, t.names[i], &size)[at];
            char byte = (char)(old ^ (1 << random_below(&r, 8)));
            sim_disk_patch(copy->disk, t.names[i], at, (struct slice){&byte, 1});
            char what[128];
            snprintf(what, sizeof(what), "a flip in %s at %" PRIu64, t.names[i], at);
            judge(copy, what, &v);
            if (v.harmless == opened_before) { /* refused, so nothing else was changed */
                sim_disk_patch(copy->disk, t.names[i], at, (struct slice){&old, 1});
            } else {
                owner_destroy(copy);
                copy = owner_clone(o, at);
            }
        }
    }
    owner_destroy(copy);
    print_message("# flipped bytes: %" PRIu64 " noticed, %" PRIu64 " harmless\n", v.detected,
                  v.harmless);
    assert_true(v.detected > 2 * DISK_BLOCK_BYTES);
    owner_destroy(o);
}

/* A file of the log that vanished, or is cut short, is noticed. */
static void test_lost_files(void **state)
{
    (void)state;
    struct wal_owner *o = make_log(1, 3);
    struct file_names t;
    collect_names(o->disk, &t);
    assert_true(t.count >= 4);
    for (size_t i = 0; i < t.count; i++) {
        struct verdicts v = {0};
        struct wal_owner *copy = owner_clone(o, 1);
        struct disk *d = sim_disk_disk(copy->disk);
        assert_int_equal(d->operations->remove(d->context, t.names[i]), DISK_OK);
        judge(copy, "a lost file was not noticed", &v);
        assert_int_equal(v.detected, 1);
        owner_destroy(copy);
    }
    owner_destroy(o);
}

/* An older manifest put back in place (a rename that the disk took back later) is noticed. */
static void test_stale_manifest(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(9);
    uint64_t size;
    owner_must_open(o);
    struct wal_figures figures;
    uint64_t noticed = 0;
    char old[MANIFEST_BYTES];
    memcpy(old, sim_disk_bytes(o->disk, MANIFEST_NAME, &size), MANIFEST_BYTES);
    wal_measure(o->wal, &figures);
    uint64_t number = figures.segment_number;
    while (noticed < 3) {
        owner_append(o);
        owner_flush(o);
        wal_measure(o->wal, &figures);
        if (figures.segment_number == number) continue;
        number = figures.segment_number;
        struct wal_owner *copy = owner_clone(o, 1);
        sim_disk_patch(copy->disk, MANIFEST_NAME, 0, (struct slice){old, MANIFEST_BYTES});
        struct verdicts v = {0};
        judge(copy, "an old manifest was not noticed", &v);
        assert_int_equal(v.detected, 1);
        noticed++;
        owner_destroy(copy);
        memcpy(old, sim_disk_bytes(o->disk, MANIFEST_NAME, &size), MANIFEST_BYTES);
    }
    owner_destroy(o);
}

/* Right after an acknowledged batch, before the marker, the last batch has no witness yet: damage
 * to it looks like a torn tail. That is all that it can cost, and never more than one batch. */
static void test_last_batch_without_witness(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(4);
    uint64_t lost;
    owner_must_open(o);
    owner_append(o);
    while (owner_flush(o)) continue;
    lsn_t before = wal_durable_lsn(o->wal);
    owner_append(o);
    owner_must_flush(o);
    owner_kill(o);
    struct file_names t;
    collect_names(o->disk, &t);
    for (size_t i = 0; i < t.count; i++) {
        for (uint64_t sector = 0; sector < t.sizes[i] / SIM_SECTOR_BYTES; sector++) {
            struct wal_owner *copy = owner_clone(o, sector);
            if (sim_disk_damage(copy->disk, t.names[i], sector, SIM_FLIP) &&
                owner_open(copy, WAL_SYNC_ALWAYS, &lost)) {
                assert_int_equal(copy->wrong, 0);
                assert_true(copy->seen_lsn >= before);
                if (lost > 0) assert_true(copy->recovery.torn_bytes > 0);
            }
            owner_destroy(copy);
        }
    }
    owner_destroy(o);
}

/* The manifest is a witness too: after a clean close, and after a start that copied batches, the
 * whole tail of the log may vanish (its marker with it), and that is noticed. */
static void test_vanished_tail(void **state)
{
    (void)state;
    for (uint64_t closed = 0; closed < 2; closed++) {
        struct verdicts v = {0};
        struct wal_owner *o = owner_create(14);
        owner_must_open(o);
        for (int i = 0; i < 4; i++) {
            owner_append(o);
            owner_flush(o);
        }
        if (closed) wal_close(o->wal);
        if (closed) o->wal = NULL;
        owner_kill(o);
        if (!closed) owner_must_open(o);
        owner_kill(o);
        struct segment_name name = segment_name(SEGMENT_LOG, closed ? 1 : 2);
        uint64_t size, end = OWNER_SEGMENT_BYTES;
        assert_non_null(sim_disk_bytes(o->disk, name.text, &size));
        static const char zeros[OWNER_SEGMENT_BYTES];
        const char *bytes = sim_disk_bytes(o->disk, name.text, &size);
        while (end > SEGMENT_HEADER_BYTES && bytes[end - 1] == 0) end--;
        for (uint64_t from = SEGMENT_HEADER_BYTES; from < end; from += DISK_BLOCK_BYTES) {
            struct wal_owner *copy = owner_clone(o, from);
            struct slice tail = {zeros, (size_t)(size - from)};
            sim_disk_patch(copy->disk, name.text, from, tail);
            judge(copy, "a vanished tail was not noticed", &v);
            owner_destroy(copy);
        }
        assert_true(v.detected >= 1);
        assert_int_equal(v.harmless, 0);
        owner_destroy(o);
    }
}

/* A client that stores bytes which look like batch headers, right in all but the salt that it
 * cannot know, makes no torn tail look like corruption. */
static void test_forged_headers(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(4);
    uint64_t lost;
    owner_must_open(o);
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
    owner_must_flush(o);
    owner_kill(o);
    uint64_t size;
    const char *name = "log-0000000000000001";
    const char *bytes = sim_disk_bytes(o->disk, name, &size);
    /* The forgery stands where a header would: magic, and the offset of its block. */
    assert_memory_equal(bytes + 2 * DISK_BLOCK_BYTES + 16, bytes + DISK_BLOCK_BYTES + 16, 4);
    assert_true(sim_disk_damage(o->disk, name, DISK_BLOCK_BYTES / SIM_SECTOR_BYTES, SIM_ZERO));
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    assert_int_equal(o->seen_lsn, 0);
    assert_true(o->recovery.torn_bytes > 0);
    owner_destroy(o);
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

/* A batch replaced by another one that is valid in itself is noticed by the one behind it, and at
 * the end of a segment by the header of the next. */
static void test_replaced_batch(void **state)
{
    (void)state;
    struct wal_owner *o = make_log(21, 2);
    const char *name = "log-0000000000000001";
    uint64_t size;
    const char *whole = sim_disk_bytes(o->disk, name, &size);
    struct verdicts v = {0};
    uint64_t replaced = 0;
    for (uint64_t at = DISK_BLOCK_BYTES; at < size; at += DISK_BLOCK_BYTES) {
        char bytes[DISK_BLOCK_BYTES];
        memcpy(bytes, whole + at, sizeof(bytes));
        bool one_block = memcmp(bytes + 16, "IrBa", 4) == 0 && get_u64(bytes + 24) <= size &&
                         get_u64(bytes + 24) > BATCH_HEADER_BYTES + BATCH_FRAME_HEADER_BYTES;
        if (!one_block || get_u64(bytes + 24) > sizeof(bytes)) continue;
        bytes[BATCH_HEADER_BYTES + BATCH_FRAME_HEADER_BYTES] ^= 1;
        rehash(bytes, true, get_u64(whole + 48));
        struct wal_owner *copy = owner_clone(o, 1);
        sim_disk_patch(copy->disk, name, at, (struct slice){bytes, sizeof(bytes)});
        judge(copy, "a replaced batch was not noticed", &v);
        owner_destroy(copy);
        replaced++;
    }
    assert_true(replaced > 3);
    assert_int_equal(v.detected, replaced);
    owner_destroy(o);
}

/* The last batch, with one field of its header changed under right hashes: the marker behind it
 * says that it had been synced, so each lie is noticed. */
static void test_every_field_counts(void **state)
{
    (void)state;
    static const struct {
        size_t offset; /* in the header */
        uint64_t change;
    } lies[] = {
        {20, 1},                /* count */
        {24, 1},                /* size */
        {32, 1},                /* first_lsn */
        {40, 1},                /* synced_lsn, as great as first_lsn */
        {48, 1},                /* epoch */
        {56, DISK_BLOCK_BYTES}, /* offset */
        {64, 1},                /* previous_hash */
    };
    const char *name = "log-0000000000000001";
    struct wal_owner *o = owner_create(3);
    uint64_t size;
    owner_must_open(o);
    owner_append(o);
    struct wal_flush *f;
    while ((f = wal_flush_begin(o->wal, o->now_ms)) != NULL) { /* the batch, then the marker */
        wal_flush_run(f);
        assert_int_equal(wal_flush_end(o->wal, f), DISK_OK);
        o->now_ms += 20;
    }
    o->promised_lsn = 1;
    o->written_lsn = 1;
    owner_kill(o);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct wal_owner *copy = owner_clone(o, 1);
        const char *whole = sim_disk_bytes(copy->disk, name, &size);
        char bytes[DISK_BLOCK_BYTES];
        memcpy(bytes, whole + DISK_BLOCK_BYTES, sizeof(bytes));
        put_u64(bytes + lies[i].offset, get_u64(bytes + lies[i].offset) ^ lies[i].change);
        rehash(bytes, true, get_u64(whole + 48));
        sim_disk_patch(copy->disk, name, DISK_BLOCK_BYTES, (struct slice){bytes, sizeof(bytes)});
        struct verdicts v = {0};
        judge(copy, "a changed field was not noticed", &v);
        if (v.detected != 1) fail_msg("the field at %zu was not compared", lies[i].offset);
        owner_destroy(copy);
    }
    owner_destroy(o);
}

/* Bytes whose hashes are right but whose content makes no sense: recovery may say anything, but it
 * must end, in its memory, without a failed CHECK; and what it opens must work. */
static void test_well_formed_lies(void **state)
{
    (void)state;
    struct wal_owner *o = make_log(21, 2);
    struct file_names t;
    collect_names(o->disk, &t);
    struct random r = {owner_seed_base() + 1};
    uint64_t outcomes[WAL_OPEN_REFUSED + 1] = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        struct wal_owner *copy = owner_clone(o, i);
        size_t file = random_below(&r, t.count);
        uint64_t blocks = t.sizes[file] / DISK_BLOCK_BYTES;
        lie(copy->disk, t.names[file], random_below(&r, blocks), &r);
        uint64_t lost;
        if (owner_open(copy, WAL_SYNC_ALWAYS, &lost) && copy->seen_lsn < OWNER_FRAMES_MAX)
            owner_work(copy);
        outcomes[copy->status]++;
        owner_destroy(copy);
    }
    print_message("# lies: %" PRIu64 " opened, %" PRIu64 " corrupt, %" PRIu64 " newer\n",
                  outcomes[WAL_OPEN_OK], outcomes[WAL_OPEN_CORRUPT], outcomes[WAL_OPEN_NEWER]);
    assert_true(outcomes[WAL_OPEN_CORRUPT] > 0 && outcomes[WAL_OPEN_NEWER] > 0);
    owner_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_lost_files),
        cmocka_unit_test(test_stale_manifest),
        cmocka_unit_test(test_last_batch_without_witness),
        cmocka_unit_test(test_vanished_tail),
        cmocka_unit_test(test_forged_headers),
        cmocka_unit_test(test_replaced_batch),
        cmocka_unit_test(test_every_field_counts),
        cmocka_unit_test(test_well_formed_lies),
    };
    return cmocka_run_group_tests_name("wal_damage", tests, NULL, NULL);
}
