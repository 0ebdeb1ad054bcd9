#include "wal_owner.h"

#include "base/check.h"

#include <stdlib.h>

uint64_t owner_seed_base(void)
{
    const char *text = getenv("IRMAK_SEED");
    return text == NULL ? 0 : strtoull(text, NULL, 10) * 1000003;
}

void owner_init(struct wal_owner *o, struct sim_disk *disk, uint64_t seed)
{
    memset(o, 0, sizeof(*o));
    o->disk = disk;
    o->random.state = seed;
    o->now_ms = 5000;
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
    return true;
}

bool owner_open(struct wal_owner *o, enum wal_policy policy, uint64_t *lost)
{
    CHECK(o->wal == NULL);
    struct wal_options options = {
        .disk = sim_disk_disk(o->disk),
        .policy = policy,
        .segment_bytes = OWNER_SEGMENT_BYTES,
        .random_seed = random_next(&o->random),
    };
    o->seen_lsn = 0;
    o->failed = false;
    o->always = policy == WAL_SYNC_ALWAYS;
    *lost = 0;
    o->wal = wal_open(&options, visit, o, &o->recovery, &o->status);
    if (o->wal == NULL) return false;
    CHECK(o->written_lsn >= o->promised_lsn);
    if (o->seen_lsn < o->written_lsn) *lost = o->written_lsn - o->seen_lsn;
    /* What a server has loaded it shows to clients: from now on it may not vanish any more. */
    o->appended_lsn = o->seen_lsn;
    o->promised_lsn = o->seen_lsn;
    o->written_lsn = o->seen_lsn;
    o->loaded_lsn = o->seen_lsn;
    return true;
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
    wal_flush_run(f);
    /* While it ran, the event loop went on. */
    while (random_below(&o->random, 3) == 0) owner_append(o);
    if (wal_flush_end(o->wal, f) != DISK_OK) o->failed = true;
    remember_promise(o);
    struct wal_figures figures;
    wal_measure(o->wal, &figures);
    o->written_lsn = o->loaded_lsn + figures.frames;
    return !o->failed;
}

void owner_make_spare(struct wal_owner *o)
{
    struct wal_spare *s = wal_spare_begin(o->wal, o->now_ms);
    if (s == NULL) return;
    wal_spare_run(s);
    (void)wal_spare_end(o->wal, s, o->now_ms);
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
        case 6: o->now_ms += (int64_t)random_below(&o->random, 40); break;
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

void owner_die(struct wal_owner *o)
{
    /* The only way to free a log without its close touching the disk: a disk that is dead. */
    sim_disk_set_faults(o->disk, &(struct sim_faults){.power_off_at = 1});
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
