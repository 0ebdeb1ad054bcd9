/* Segments that nobody needs become spares and then segments again, with their old batches in them:
 * those are never taken for new ones, never hide a torn tail, and every crash on the way recovers.
 * By seed; IRMAK_SEED shifts them all. */
#include "sim_disk.h"
#include "wal/batch.h"
#include "wal/spares.h"
#include "wal_owner.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { CALLS_MAX = 1000, BLOCKS = OWNER_SEGMENT_BYTES / DISK_BLOCK_BYTES };

static uint64_t get_u64(const char *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return value;
}

static struct segment_name newest_name(const struct wal_owner *o)
{
    struct wal_figures figures;
    wal_measure(o->wal, &figures);
    return segment_name(SEGMENT_LOG, figures.segment_number);
}

static struct segment_header read_header(const struct sim_disk *disk, const char *name)
{
    struct segment_header h;
    uint64_t size;
    const char *bytes = sim_disk_bytes(disk, name, &size);
    assert_non_null(bytes);
    assert_int_equal(segment_read_header(bytes, &h), SEGMENT_OK);
    return h;
}

/* One frame, one flush, nothing else. */
static void write_batch(struct wal_owner *o)
{
    lsn_t before = wal_appended_lsn(o->wal);
    while (wal_appended_lsn(o->wal) == before) owner_append(o);
    owner_must_flush(o);
    o->promised_lsn = o->written_lsn = wal_synced_lsn(o->wal);
    assert_int_equal(o->promised_lsn, o->appended_lsn);
}

/* Where the next batch will go, and the hash of the one before it. */
struct place {
    struct segment_name name;
    struct segment_header header;
    uint64_t end;
    uint64_t chain_hash;
    lsn_t expected_lsn;
};

static struct place find_place(const struct wal_owner *o)
{
    struct place p = {.name = newest_name(o), .end = SEGMENT_HEADER_BYTES};
    p.header = read_header(o->disk, p.name.text);
    p.chain_hash = p.header.hash;
    p.expected_lsn = p.header.first_lsn;
    uint64_t size;
    const char *bytes = sim_disk_bytes(o->disk, p.name.text, &size);
    while (p.end < size) {
        struct batch_header h;
        struct slice block = {bytes + p.end, DISK_BLOCK_BYTES};
        if (!batch_read_header(block, p.header.salt, &h) || h.offset != p.end) break;
        p.chain_hash = h.hash;
        p.expected_lsn = batch_last_lsn(&h) + 1;
        p.end += batch_padded_size(h.size);
    }
    return p;
}

/* An old batch stands exactly where the next one will go. */
static bool old_batch_at(const struct sim_disk *disk, const struct place *p)
{
    uint64_t size;
    const char *bytes = sim_disk_bytes(disk, p->name.text, &size);
    if (p->end >= size || memcmp(bytes + p->end + 16, "IrBa", 4) != 0) return false;
    assert_true(get_u64(bytes + p->end + 32) < p->expected_lsn);
    return get_u64(bytes + p->end + 56) == p->end;
}

/* A log whose newest segment is recycled, with 'batches' of its own and old ones behind them. */
static struct wal_owner *make_recycled(unsigned batches, struct place *p)
{
    struct wal_owner *o = owner_create(owner_seed_base() + 77);
    owner_must_open(o);
    for (unsigned saved = 0, tries = 0;; tries++) {
        assert_true(tries < OWNER_FRAMES_MAX - 100);
        write_batch(o);
        *p = find_place(o);
        if (saved >= 2 && p->header.recycled && old_batch_at(o->disk, p) &&
            p->end == (1 + batches) * DISK_BLOCK_BYTES)
            return o;
        if (tries % 40 != 39) continue;
        assert_true(owner_save(o));
        saved++;
        for (int i = 0; i < 20; i++) owner_make_spare(o);
    }
}

/* Nothing was being written: no old batch is loaded, and none looks like a torn tail. */
static void test_old_batches_behind_the_end(void **state)
{
    (void)state;
    for (unsigned batches = 1; batches < 6; batches++) {
        struct place p;
        struct wal_owner *o = make_recycled(batches, &p);
        owner_kill(o);
        owner_must_open(o);
        assert_int_equal(o->recovery.torn_bytes, 0);
        owner_work(o);
        owner_power_cut(o);
        owner_must_open(o);
        owner_destroy(o);
    }
}

/* A batch of several blocks that was written in part, over old ones: cut, and said so as soon as
 * its header is there; the batches before it stay. */
static void test_torn_tail(void **state)
{
    (void)state;
    struct place p;
    struct wal_owner *o = make_recycled(2, &p);
    while (wal_pending_bytes(o->wal) < 2 * DISK_BLOCK_BYTES) owner_append(o);
    lsn_t before = o->promised_lsn;
    sim_disk_set_faults(o->disk, &(struct sim_faults){.fail_at = 1, .fail_status = DISK_FAILED});
    struct wal_flush *f = wal_flush_begin(o->wal, o->now_ms);
    wal_flush_run(f);
    assert_int_equal(wal_flush_end(o->wal, f), DISK_FAILED);
    o->quiet = false;
    owner_die(o);
    uint64_t torn = 0, nothing = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct wal_owner *copy = owner_clone(o, seed);
        uint64_t lost, size;
        struct batch_header h;
        sim_disk_power_cut(copy->disk);
        const char *bytes = sim_disk_bytes(copy->disk, p.name.text, &size);
        bool begun =
            batch_read_header((struct slice){bytes + p.end, DISK_BLOCK_BYTES}, p.header.salt, &h);
        uint64_t padded = begun ? batch_padded_size(h.size) : 0;
        copy->written_lsn = copy->promised_lsn;
        assert_true(owner_open(copy, WAL_SYNC_ALWAYS, &lost));
        assert_int_equal(lost + copy->wrong, 0);
        bool whole = copy->seen_lsn > before; /* by luck all of it is there */
        if (!whole) assert_int_equal(copy->recovery.torn_bytes, padded);
        torn += copy->recovery.torn_bytes > 0;
        nothing += !begun;
        owner_destroy(copy);
    }
    assert_true(torn > 20 && nothing > 20);
    owner_destroy(o);
}

/* Each byte of the last batch, which has no witness: what is lost is said. */
static void test_flips_without_witness(void **state)
{
    (void)state;
    struct random r = {owner_seed_base()};
    struct place p;
    struct wal_owner *o = make_recycled(3, &p);
    owner_kill(o);
    for (uint64_t at = p.end - DISK_BLOCK_BYTES; at < p.end; at++) {
        struct wal_owner *copy = owner_clone(o, at);
        uint64_t lost, size;
        char byte = sim_disk_bytes(o->disk, p.name.text, &size)[at];
        byte = (char)(byte ^ (1 << random_below(&r, 8)));
        sim_disk_patch(copy->disk, p.name.text, at, (struct slice){&byte, 1});
        assert_true(owner_open(copy, WAL_SYNC_ALWAYS, &lost));
        assert_int_equal(copy->wrong, 0);
        assert_int_equal(lost, 1);
        if (copy->recovery.torn_bytes == 0) fail_msg("byte %" PRIu64, at);
        owner_destroy(copy);
    }
    owner_destroy(o);
}

/* Each byte of a recycled segment with a marker at its end: noticed, or nothing is lost; what is
 * changed in old batches is not even seen. */
static void test_flips(void **state)
{
    (void)state;
    struct random r = {owner_seed_base()};
    struct place p;
    struct wal_owner *o = make_recycled(2, &p);
    owner_settle(o);
    p = find_place(o);
    assert_true(p.end < OWNER_SEGMENT_BYTES && old_batch_at(o->disk, &p));
    owner_kill(o);
    uint64_t noticed = 0, size;
    for (uint64_t at = 0; at < OWNER_SEGMENT_BYTES; at += at < p.end ? 1 : 7) {
        struct wal_owner *copy = owner_clone(o, at);
        uint64_t lost;
        char byte = sim_disk_bytes(o->disk, p.name.text, &size)[at];
        byte = (char)(byte ^ (1 << random_below(&r, 8)));
        sim_disk_patch(copy->disk, p.name.text, at, (struct slice){&byte, 1});
        if (owner_open(copy, WAL_SYNC_ALWAYS, &lost)) {
            assert_int_equal(lost + copy->wrong, 0);
            if (at >= p.end) assert_int_equal(copy->recovery.torn_bytes, 0);
        } else {
            assert_int_equal(copy->status, WAL_OPEN_CORRUPT);
            assert_true(at < p.end);
            noticed++;
        }
        owner_destroy(copy);
    }
    assert_true(noticed >= p.end - 2 * DISK_BLOCK_BYTES);
    owner_destroy(o);
}

static uint64_t forge(struct sim_disk *disk, const struct place *p, struct batch_header h,
                      uint64_t salt)
{
    struct buf forged = {0};
    buf_reserve(&forged, BATCH_HEADER_BYTES);
    buf_advance(&forged, BATCH_HEADER_BYTES);
    buf_append_u32(&forged, 4);
    buf_append_text(&forged, "evil");
    h.count = 1;
    batch_seal(&forged, &h, salt);
    sim_disk_patch(disk, p->name.text, h.offset, buf_slice(&forged));
    buf_deinit(&forged);
    return h.hash;
}

/* Old batches whose every field is the one that would be right here, with hashes that are right
 * under the salt of the life before: neither loaded, nor a proof of anything. */
static void test_plausible_old_batches(void **state)
{
    (void)state;
    uint64_t lost;
    struct place p;
    struct wal_owner *o = make_recycled(2, &p);
    struct batch_header h = {.first_lsn = p.expected_lsn,
                             .synced_lsn = p.expected_lsn - 1,
                             .epoch = p.header.epoch,
                             .offset = p.end,
                             .previous_hash = p.chain_hash};
    h.previous_hash = forge(o->disk, &p, h, p.header.salt + 1);
    h.offset += DISK_BLOCK_BYTES;
    h.synced_lsn = h.first_lsn++;
    forge(o->disk, &p, h, p.header.salt + 1);
    owner_kill(o);
    owner_must_open(o);
    assert_int_equal(o->seen_lsn, p.expected_lsn - 1);
    owner_destroy(o);

    /* The same under the segment's own salt are a proof: the test can see a difference. */
    o = make_recycled(2, &p);
    h = (struct batch_header){.first_lsn = p.expected_lsn + 1,
                              .synced_lsn = p.expected_lsn,
                              .epoch = p.header.epoch,
                              .offset = p.end + DISK_BLOCK_BYTES};
    forge(o->disk, &p, h, p.header.salt);
    owner_kill(o);
    assert_false(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    assert_int_equal(o->status, WAL_OPEN_CORRUPT);
    owner_destroy(o);
}

/* ---- crashes ---- */

/* Two snapshots' worth of work: segments are doomed, renamed, lent, begun. */
static void recycle_all_the_way(struct wal_owner *o)
{
    for (int i = 0; i < 45 && !o->failed; i++) {
        owner_append(o);
        owner_flush(o);
        if (i % 6 == 0) owner_make_spare(o);
        if (i % 4 == 0) owner_move_snapshot(o);
        o->now_ms += 7;
    }
}

struct trouble {
    struct sim_faults faults;
    bool killed; /* afterwards, else the power is cut */
};

/* True: the fault was met. */
static bool meet(const struct wal_owner *made, struct trouble t, uint64_t k, uint64_t *recycled)
{
    struct wal_owner *o = owner_clone(made, k);
    uint64_t lost;
    assert_true(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    sim_disk_set_faults(o->disk, &t.faults);
    recycle_all_the_way(o);
    bool met = sim_disk_fault_met(o->disk);
    *recycled += o->recycled;
    if (t.killed) owner_kill(o);
    else owner_power_cut(o);
    for (int i = 0; i < 2; i++) {
        if (!owner_open(o, WAL_SYNC_ALWAYS, &lost)) fail_msg("%s", o->recovery.problem);
        if (lost + o->wrong > 0 || o->torn_wrongly) fail_msg("call %" PRIu64, k);
        recycle_all_the_way(o);
        assert_false(o->failed);
        owner_power_cut(o);
    }
    owner_destroy(o);
    return met;
}

/* The power goes off, or a call fails, at each call of the disk on the way of recycled segments. */
static void test_every_call(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(owner_seed_base() + 5);
    uint64_t recycled = 0, points = 0;
    owner_must_open(o);
    for (int i = 0; i < 6; i++) recycle_all_the_way(o);
    owner_kill(o);
    for (unsigned variant = 0; variant < 6; variant++) {
        bool met = true;
        for (uint64_t k = 1; met; k++) {
            struct trouble t = {.killed = variant % 2 == 1};
            assert_true(k < CALLS_MAX);
            if (variant < 2) t.faults.power_off_at = k;
            else
                t.faults =
                    (struct sim_faults){.fail_at = k,
                                        .fail_for_ever = variant == 3,
                                        .fail_status = variant < 4 ? DISK_FAILED : DISK_FULL};
            met = meet(o, t, k, &recycled);
            points += met;
        }
    }
    print_message("# %" PRIu64 " calls, %" PRIu64 " segments in recycled files\n", points,
                  recycled);
    assert_true(points > 1000 && recycled > points);
    owner_destroy(o);
}

/* ---- spares at a start ---- */

struct spare_list {
    struct segment_name names[32];
    size_t count;
};

static void collect_spare(void *context, struct slice name, uint64_t size)
{
    struct spare_list *t = context;
    enum segment_kind kind;
    uint64_t number;
    if (!segment_parse_name(name, &kind, &number) || kind != SEGMENT_SPARE) return;
    assert_int_equal(size, OWNER_SEGMENT_BYTES);
    assert_true(t->count < 32);
    t->names[t->count++] = segment_name(kind, number);
}

/* Recycled spares are found and used at a start, whatever became of their headers. */
static void test_spares_at_a_start(void **state)
{
    (void)state;
    struct random r = {owner_seed_base()};
    for (unsigned damage = 0; damage < 12; damage++) {
        struct spare_list t = {0};
        struct place p;
        struct wal_owner *o = make_recycled(1 + damage % 5, &p);
        struct disk *d = sim_disk_disk(o->disk);
        for (int j = 0; j < 40; j++) write_batch(o);
        assert_true(owner_save(o));
        for (int i = 0; i < 20; i++) owner_make_spare(o);
        owner_kill(o);
        assert_int_equal(d->operations->list(d->context, collect_spare, &t), DISK_OK);
        assert_true(t.count >= 2);
        size_t used = 0;
        for (size_t i = 0; i < t.count; i++) {
            uint64_t size;
            struct segment_header h;
            used += segment_read_header(sim_disk_bytes(o->disk, t.names[i].text, &size), &h) ==
                    SEGMENT_OK;
            if (damage > 0)
                sim_disk_damage(o->disk, t.names[i].text, random_below(&r, 8),
                                (enum sim_damage)(damage % SIM_DAMAGES_COUNT));
        }
        assert_true(used >= 2);
        owner_must_open(o);
        assert_int_equal(o->recovery.torn_bytes, 0);
        struct wal_figures figures;
        wal_measure(o->wal, &figures);
        assert_true(figures.spares + 1 >= t.count);
        if (damage == 0) assert_true(read_header(o->disk, newest_name(o).text).recycled);
        owner_work(o);
        owner_power_cut(o);
        owner_must_open(o);
        owner_destroy(o);
    }
}

/* What is kept for recycling is no more than what one period between snapshots needs, and goes when
 * space is asked back; what is too many is removed. */
static void test_bounds(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(7);
    struct wal_figures figures;
    owner_must_open(o);
    static const unsigned periods[] = {200, 200, 30, 30, 1, 1};
    size_t most = 0;
    for (size_t i = 0; i < sizeof(periods) / sizeof(*periods); i++) {
        for (unsigned j = 0; j < periods[i]; j++) write_batch(o);
        assert_true(owner_save(o));
        for (int j = 0; j < 100; j++) owner_make_spare(o);
        wal_measure(o->wal, &figures);
        assert_in_range(figures.spares, SPARES_AHEAD, SPARES_MAX);
        if (figures.spares > most) most = figures.spares;
        if (i == 3) assert_in_range(figures.spares, 4, 8);
        if (i == 5) assert_int_equal(figures.spares, SPARES_AHEAD);
    }
    assert_int_equal(most, SPARES_MAX);
    for (int i = 0; i < 2; i++) {
        for (unsigned j = 0; j < 60; j++) write_batch(o);
        assert_true(owner_save(o));
        for (int j = 0; j < 100; j++) owner_make_spare(o);
    }
    wal_measure(o->wal, &figures);
    assert_true(figures.spares > SPARES_AHEAD);
    wal_snapshot_failed(o->wal, DISK_FULL);
    for (int j = 0; j < 100; j++) owner_make_spare(o);
    wal_measure(o->wal, &figures);
    struct spare_list t = {0};
    struct disk *d = sim_disk_disk(o->disk);
    assert_int_equal(d->operations->list(d->context, collect_spare, &t), DISK_OK);
    assert_int_equal(figures.spares, SPARES_AHEAD);
    assert_int_equal(t.count, SPARES_AHEAD);
    owner_destroy(o);
}

/* ---- a full disk ---- */

static void add_size(void *context, struct slice name, uint64_t size)
{
    (void)name;
    *(uint64_t *)context += size;
}

static void fill_disk(struct sim_disk *disk, uint64_t left)
{
    struct disk *d = sim_disk_disk(disk);
    uint64_t used = 0;
    assert_int_equal(d->operations->list(d->context, add_size, &used), DISK_OK);
    sim_disk_set_faults(disk, &(struct sim_faults){.capacity = used + left});
}

static void write_to_the_end(struct wal_owner *o)
{
    do write_batch(o);
    while (find_place(o).end < (BLOCKS - 3) * DISK_BLOCK_BYTES);
}

/* Less than a segment holds, more than the rest of the present one. */
static lsn_t append_much(struct wal_owner *o)
{
    while (wal_pending_bytes(o->wal) < BLOCKS / 2 * DISK_BLOCK_BYTES) owner_append(o);
    assert_true(wal_pending_bytes(o->wal) < (BLOCKS - 1) * DISK_BLOCK_BYTES - 100);
    return wal_appended_lsn(o->wal);
}

static void flush_to_parking(struct wal_owner *o)
{
    owner_must_flush(o);
    assert_false(wal_has_room(o->wal));
}

/* From now on batches are not synced: one more is only written. */
static void write_unsynced(struct wal_owner *o)
{
    wal_set_policy(o->wal, WAL_SYNC_NO);
    o->always = false;
    owner_append(o);
    owner_must_flush(o);
    assert_true(wal_synced_lsn(o->wal) < wal_appended_lsn(o->wal));
}

static void free_itself(enum wal_policy policy)
{
    struct wal_owner *o = owner_create(9);
    owner_must_open(o);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 20; j++) write_batch(o);
        assert_true(owner_save(o));
    }
    for (int j = 0; j < 20; j++) write_batch(o);
    write_to_the_end(o);
    if (policy != WAL_SYNC_ALWAYS) write_unsynced(o);
    for (int i = 0; i < 40 && !o->naming; i++) owner_move_snapshot(o);
    assert_true(o->naming);
    lsn_t written = wal_appended_lsn(o->wal), appended = append_much(o);
    uint64_t number = wal_snapshot_newest(o->wal)->number;
    fill_disk(o->disk, 2 * DISK_BLOCK_BYTES);
    flush_to_parking(o);
    assert_int_equal(wal_snapshot_newest(o->wal)->number, number);
    assert_int_equal(wal_synced_lsn(o->wal), written);

    assert_int_equal(wal_flush_due_ms(o->wal), 0);
    owner_must_flush(o);
    assert_int_equal(wal_snapshot_newest(o->wal)->number, number + 1);
    assert_int_equal(wal_synced_lsn(o->wal), written);
    assert_int_equal(wal_durable_lsn(o->wal), policy == WAL_SYNC_ALWAYS ? written : appended);
    assert_false(wal_has_room(o->wal));
    assert_null(wal_flush_begin(o->wal, o->now_ms));
    owner_move_snapshot(o);
    assert_false(o->naming);

    struct wal_spare *s = wal_spare_begin(o->wal, o->now_ms);
    assert_non_null(s);
    assert_int_equal(s->work, SPARE_RECYCLE);
    wal_spare_run(s);
    assert_int_equal(wal_spare_end(o->wal, s, o->now_ms), DISK_OK);
    assert_true(owner_flush(o));
    assert_true(wal_synced_lsn(o->wal) >= appended);
    assert_true(wal_has_room(o->wal));
    struct wal_figures figures;
    wal_measure(o->wal, &figures);
    assert_true(figures.segments_recycled > 0);
    owner_power_cut(o);
    owner_must_open(o);
    assert_int_equal(o->recovery.snapshot.number, number + 1);
    owner_destroy(o);
}

/* On a full disk a batch waits for a segment; a snapshot that was whole before is named all the
 * same, the log that it makes needless becomes the segment, and not a byte of space was needed. */
static void test_full_disk_frees_itself(void **state)
{
    (void)state;
    free_itself(WAL_SYNC_ALWAYS);
}

/* The same when the snapshot holds what was only written: the step that met the full disk had
 * synced it, and there may be no other sync before there is space. */
static void test_full_disk_frees_itself_unsynced(void **state)
{
    (void)state;
    free_itself(WAL_SYNC_NO);
}

static void count_spares(void *context, struct slice name, uint64_t size)
{
    enum segment_kind kind;
    uint64_t number;
    (void)size;
    *(unsigned *)context += segment_parse_name(name, &kind, &number) && kind != SEGMENT_LOG;
}

/* A spare that cannot be made leaves nothing behind, whichever call it is that finds the disk full:
 * it is tried each second. */
static void test_failed_spare_leaves_nothing(void **state)
{
    (void)state;
    bool met = true;
    unsigned names_lost = 0;
    for (uint64_t call = 1; met; call++) {
        unsigned files = 0;
        struct sim_disk *disk = sim_disk_create(1);
        struct disk *d = sim_disk_disk(disk);
        sim_disk_set_faults(disk, &(struct sim_faults){.fail_at = call, .fail_status = DISK_FULL});
        enum disk_status status = segment_make_spare(d, 1, OWNER_SEGMENT_BYTES);
        met = sim_disk_fault_met(disk);
        sim_disk_set_faults(disk, &(struct sim_faults){0});
        if (status == DISK_NAMES_LOST) names_lost++;
        else assert_int_equal(status, met ? DISK_FULL : DISK_OK);
        assert_int_equal(d->operations->list(d->context, count_spares, &files), DISK_OK);
        assert_int_equal(files, met ? 0 : 1);
        assert_in_range(call, 1, CALLS_MAX);
        sim_disk_destroy(disk);
    }
    assert_int_equal(names_lost, 1);
}

/* A snapshot that holds something of the waiting batch waits with it. */
static void test_full_disk_names_nothing_unsynced(void **state)
{
    (void)state;
    struct wal_owner *o = owner_create(9);
    owner_must_open(o);
    write_to_the_end(o);
    append_much(o);
    for (int i = 0; i < 40 && !o->naming; i++) owner_move_snapshot(o);
    assert_true(o->naming);
    fill_disk(o->disk, 2 * DISK_BLOCK_BYTES);
    flush_to_parking(o);
    assert_int_equal(wal_flush_due_ms(o->wal), o->now_ms + 1000);
    assert_null(wal_flush_begin(o->wal, o->now_ms + 999));
    assert_null(wal_snapshot_newest(o->wal));
    sim_disk_set_faults(o->disk, &(struct sim_faults){0});
    o->now_ms += 1000;
    for (int i = 0; i < 4; i++) owner_flush(o);
    assert_non_null(wal_snapshot_newest(o->wal));
    owner_power_cut(o);
    owner_must_open(o);
    assert_int_equal(o->recovery.snapshot.number, 1);
    owner_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_batches_behind_the_end),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_flips_without_witness),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_plausible_old_batches),
        cmocka_unit_test(test_every_call),
        cmocka_unit_test(test_spares_at_a_start),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_full_disk_frees_itself),
        cmocka_unit_test(test_full_disk_frees_itself_unsynced),
        cmocka_unit_test(test_failed_spare_leaves_nothing),
        cmocka_unit_test(test_full_disk_names_nothing_unsynced),
    };
    return cmocka_run_group_tests_name("wal_recycle", tests, NULL, NULL);
}
