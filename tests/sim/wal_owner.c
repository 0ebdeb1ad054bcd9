#include "wal_owner.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "wal/spares.h"

#include <stdlib.h>

enum { ITEM_KIND = 1, ITEM_BYTES = 8, FRAMES_BELOW_MAX = 20 };

uint64_t owner_seed_base(void)
{
    const char *text = getenv("IRMAK_SEED");
    return text == NULL ? 0 : strtoull(text, NULL, 10) * 1000003;
}

struct wal_owner *owner_create(uint64_t seed)
{
    struct wal_owner *o = memory_allocate_zeroed(sizeof(*o));
    o->disk = sim_disk_create(seed);
    o->random.state = ~seed; /* not the numbers that the disk throws */
    o->now_ms = 5000;
    return o;
}

struct wal_owner *owner_clone(const struct wal_owner *o, uint64_t seed)
{
    struct wal_owner *copy = memory_allocate(sizeof(*copy));
    *copy = *o;
    copy->disk = sim_disk_clone(o->disk, seed);
    copy->wal = NULL;
    return copy;
}

void owner_destroy(struct wal_owner *o)
{
    owner_die(o);
    sim_disk_destroy(o->disk);
    memory_free(o, sizeof(*o));
}

static void make_frame(uint64_t tag, struct buf *b)
{
    struct random r = {tag};
    buf_append_u64(b, tag);
    /* Mostly small, sometimes a few blocks, rarely more than a segment. */
    uint64_t bound = random_below(&r, 100) < 80 ? 200 : 2 * DISK_BLOCK_BYTES;
    if (random_below(&r, 300) == 0) bound = 2 * OWNER_SEGMENT_BYTES;
    for (uint64_t left = random_below(&r, bound) / 8; left > 0; left--)
        buf_append_u64(b, random_next(&r));
}

static bool visit(void *context, lsn_t lsn, struct slice frame)
{
    struct wal_owner *o = context;
    if (lsn != o->seen_lsn + 1 || lsn > o->appended_lsn) {
        o->wrong++;
    } else {
        struct buf expected = {0};
        make_frame(o->tags[lsn], &expected);
        if (!slice_equal(frame, buf_slice(&expected))) o->wrong++;
        buf_deinit(&expected);
    }
    o->seen_lsn = lsn;
    o->visited++;
    return true;
}

/* ---- snapshots ---- */

static uint64_t state_hash(const struct wal_owner *o, lsn_t lsn)
{
    CHECK(lsn <= OWNER_FRAMES_MAX);
    return hash_bytes((struct slice){(const char *)o->tags, (size_t)(lsn + 1) * sizeof *o->tags},
                      lsn);
}

static bool load_block(void *context, struct slice items)
{
    struct wal_owner *o = context;
    struct reader r = {items};
    struct slice bytes;
    if (items.size == 0 || items.data[0] != ITEM_KIND) return false;
    r.rest = (struct slice){items.data + 1, items.size - 1};
    if (!read_bytes(&r, &bytes)) return false;
    struct reader item = {bytes};
    return read_u64(&item, &o->loaded_hash);
}

static bool load_end(void *context, lsn_t from_lsn, lsn_t last_lsn)
{
    struct wal_owner *o = context;
    if (last_lsn > o->appended_lsn || state_hash(o, last_lsn) != o->loaded_hash) o->wrong++;
    o->seen_lsn = from_lsn - 1;
    return true;
}

static void load_forget(void *context)
{
    struct wal_owner *o = context;
    o->seen_lsn = 0;
}

static void load_ahead(void *context, const struct slice *frames, size_t count)
{
    struct wal_owner *o = context;
    CHECK(count > 0 && frames[count - 1].data != NULL);
    if (o->announced > o->visited) o->wrong++;
    o->announced += count;
}

static void begin_snapshot(struct wal_owner *o)
{
    struct buf item = {0};
    const struct wal_snapshot *before = wal_snapshot_newest(o->wal);
    lsn_t last = o->appended_lsn, below = random_below(&o->random, FRAMES_BELOW_MAX);
    lsn_t from = last + 1 - (below < last ? below : last);
    if (before != NULL && from < before->from_lsn) from = before->from_lsn;
    o->snapshot = wal_snapshot_create(o->wal, o->now_ms);
    buf_append_u64(&item, state_hash(o, last));
    snapshot_put(o->snapshot, ITEM_KIND, buf_slice(&item), (struct slice){NULL, 0});
    snapshot_finish(o->snapshot, from, last);
    buf_deinit(&item);
}

static void drop_snapshot(struct wal_owner *o)
{
    if (o->snapshot != NULL) snapshot_writer_destroy(o->snapshot);
    o->snapshot = NULL;
}

static void write_snapshot(struct wal_owner *o)
{
    struct snapshot_job *job = snapshot_begin(o->snapshot);
    struct wal_snapshot s;
    bool whole;
    CHECK(job != NULL);
    snapshot_run(job);
    enum disk_status status = snapshot_end(o->snapshot, job, &whole, &s);
    CHECK(whole == (status == DISK_OK));
    drop_snapshot(o);
    if (status != DISK_OK) wal_snapshot_failed(o->wal, status);
    o->failed = o->failed || wal_status(o->wal) != DISK_OK;
    o->naming = whole;
    if (whole) wal_snapshot_publish(o->wal, &s);
}

void owner_move_snapshot(struct wal_owner *o)
{
    enum disk_status status;
    if (o->failed) return;
    if (o->naming && wal_snapshot_published(o->wal, &status)) {
        o->naming = false;
        o->named += status == DISK_OK;
    } else if (!o->naming && o->snapshot == NULL) {
        begin_snapshot(o);
    } else if (o->snapshot != NULL) {
        write_snapshot(o);
    }
}

bool owner_save(struct wal_owner *o)
{
    uint64_t named = o->named;
    for (int i = 0; i < 100 && !o->failed && o->named == named; i++) {
        owner_move_snapshot(o);
        owner_flush(o);
    }
    return o->named > named;
}

bool owner_open(struct wal_owner *o, enum wal_policy policy, uint64_t *lost)
{
    struct wal_loader loader = {.context = o,
                                .block = load_block,
                                .end = load_end,
                                .forget = load_forget,
                                .ahead = load_ahead};
    CHECK(o->wal == NULL);
    struct wal_options options = {
        .disk = sim_disk_disk(o->disk),
        .policy = policy,
        .segment_bytes = OWNER_SEGMENT_BYTES,
        .random_seed = random_next(&o->random),
        .loader = &loader,
    };
    o->seen_lsn = 0;
    o->announced = o->visited = 0;
    o->failed = false;
    o->always = policy == WAL_SYNC_ALWAYS;
    *lost = 0;
    o->wal = wal_open(&options, visit, o, &o->recovery, &o->status);
    o->torn_wrongly = o->quiet && o->recovery.torn_bytes > 0;
    if (o->wal == NULL) return false;
    if (o->announced != o->visited) o->wrong++;
    CHECK(o->written_lsn >= o->promised_lsn);
    if (o->seen_lsn < o->written_lsn) *lost = o->written_lsn - o->seen_lsn;
    /* What a server has loaded it shows to clients: from now on it may not vanish any more. */
    o->appended_lsn = o->seen_lsn;
    o->promised_lsn = o->seen_lsn;
    o->written_lsn = o->seen_lsn;
    o->loaded_lsn = o->seen_lsn;
    o->quiet = true;
    o->recycled_seen = 0;
    return true;
}

void owner_must_open(struct wal_owner *o)
{
    uint64_t lost;
    CHECK(owner_open(o, WAL_SYNC_ALWAYS, &lost));
    CHECK(lost == 0 && o->wrong == 0);
}

void owner_must_flush(struct wal_owner *o)
{
    struct wal_flush *f = wal_flush_begin(o->wal, o->now_ms);
    CHECK(f != NULL);
    wal_flush_run(f);
    CHECK(wal_flush_end(o->wal, f) == DISK_OK);
}

void owner_append(struct wal_owner *o)
{
    if (o->appended_lsn == OWNER_FRAMES_MAX) return;
    uint64_t tag = ++o->tag_next;
    make_frame(tag, wal_frame_begin(o->wal));
    if (random_below(&o->random, 16) == 0) {
        wal_frame_cancel(o->wal);
        return;
    }
    lsn_t lsn = wal_frame_end(o->wal);
    CHECK(lsn == o->appended_lsn + 1);
    o->appended_lsn = lsn;
    o->tags[lsn] = tag;
}

static void remember_promise(struct wal_owner *o)
{
    lsn_t synced = wal_synced_lsn(o->wal);
    if (synced > o->promised_lsn) o->promised_lsn = synced;
    if (synced > o->written_lsn) o->written_lsn = synced;
    CHECK(wal_durable_lsn(o->wal) >= synced);
    CHECK(IMPLIES(o->always, wal_durable_lsn(o->wal) == synced));
    CHECK(wal_durable_lsn(o->wal) <= wal_appended_lsn(o->wal));
}

bool owner_flush(struct wal_owner *o)
{
    struct wal_flush *f = wal_flush_begin(o->wal, o->now_ms);
    if (f == NULL) return false;
    o->quiet = false;
    /* Before, while and after it runs, the event loop and the other thread go on. */
    if (random_below(&o->random, 4) == 0) owner_make_spare(o);
    wal_flush_run(f);
    if (random_below(&o->random, 4) == 0) owner_make_spare(o);
    while (random_below(&o->random, 3) == 0) owner_append(o);
    if (wal_flush_end(o->wal, f) != DISK_OK) o->failed = true;
    remember_promise(o);
    struct wal_figures figures;
    wal_measure(o->wal, &figures);
    o->written_lsn = o->loaded_lsn + figures.frames;
    o->recycled += figures.segments_recycled - o->recycled_seen;
    o->recycled_seen = figures.segments_recycled;
    o->quiet = o->always && !o->failed && wal_has_room(o->wal);
    return !o->failed;
}

void owner_make_spare(struct wal_owner *o)
{
    struct wal_spare *s = wal_spare_begin(o->wal, o->now_ms);
    if (s == NULL) return;
    wal_spare_run(s);
    bool recycling = s->work == SPARE_RECYCLE;
    if (wal_spare_end(o->wal, s, o->now_ms) == DISK_OK && recycling) o->renamed++;
    o->failed = o->failed || wal_status(o->wal) != DISK_OK;
}

void owner_live(struct wal_owner *o, unsigned steps)
{
    static const enum wal_policy policies[] = {WAL_SYNC_ALWAYS, WAL_SYNC_EVERYSEC, WAL_SYNC_NO};
    for (unsigned i = 0; i < steps && !o->failed; i++) {
        switch (random_below(&o->random, 8)) {
        case 0:
        case 1:
        case 2: owner_append(o); break;
        case 3:
        case 4: owner_flush(o); break;
        case 5: owner_make_spare(o); break;
        case 6:
            owner_move_snapshot(o);
            o->now_ms += (int64_t)random_below(&o->random, 40);
            break;
        default:
            if (random_below(&o->random, 8) == 0) o->now_ms += 1000;
            if (random_below(&o->random, 12) == 0) {
                wal_set_policy(o->wal, policies[random_below(&o->random, 3)]);
                o->always = false;
            }
            break;
        }
    }
}

void owner_work(struct wal_owner *o)
{
    for (int i = 0; i < 30 && !o->failed; i++) {
        owner_append(o);
        owner_append(o);
        owner_flush(o);
        owner_make_spare(o);
        owner_move_snapshot(o);
        o->now_ms += 7;
    }
}

void owner_settle(struct wal_owner *o)
{
    for (int i = 0; i < 64 && !o->failed; i++) {
        owner_flush(o);
        o->now_ms += 1000;
    }
}

void owner_close(struct wal_owner *o)
{
    drop_snapshot(o);
    o->naming = false;
    wal_close(o->wal);
    o->wal = NULL;
}

void owner_die(struct wal_owner *o)
{
    /* The only way to free a log without its close touching the disk: a disk that is dead. */
    sim_disk_set_faults(o->disk, &(struct sim_faults){.power_off_at = 1});
    drop_snapshot(o);
    o->naming = false;
    if (o->wal != NULL) wal_close(o->wal);
    o->wal = NULL;
}

void owner_power_cut(struct wal_owner *o)
{
    owner_die(o);
    sim_disk_power_cut(o->disk);
    o->written_lsn = o->promised_lsn;
}

void owner_kill(struct wal_owner *o)
{
    owner_die(o);
    sim_disk_kill(o->disk);
}
