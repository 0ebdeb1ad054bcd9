/* crash.c - one seed of the crash simulation: lives of a server, each ended by a crash.
 *
 *   life:   ticks with random requests, the flush spread over them, disk faults of this life's plan
 *   crash:  power cut, kill, or shutdown; at any phase of a flush
 *   after:  copies of the disk lose other halves of what was not synced (each is one crash state);
 *           the last one goes on, perhaps after recoveries that crash themselves, and is judged by
 *           the oracle too
 *
 * A damaged copy (a flipped bit, a stale sector ...) may refuse to open, but must never open as
 * something that was not. */
#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "crash_world.h"
#include "dump.h"

#include <inttypes.h>

enum {
    LIVES_MAX = 5,
    TICKS_MAX = 40,
    COPIES = 10,
    CALLS_MAX = 60, /* of the disk, in which a planned fault strikes */
    RECOVERY_CALLS_MAX = 40,
    SIM_SEGMENT_BYTES = 8 * DISK_BLOCK_BYTES,
};

enum crash_kind { CRASH_POWER_CUT, CRASH_KILL, CRASH_SHUTDOWN };

/* ---- what actors and moments need ---- */

struct sent *world_sent(struct world *w, struct actor *a, enum sent_kind kind)
{
    (void)w;
    CHECK(a->sent_count < SENT_MAX);
    struct sent *sent = &a->sent[a->sent_count++];
    *sent = (struct sent){.kind = kind};
    return sent;
}

void world_remember_id(struct known_ids *known, struct oracle_id id)
{
    if (known->count == KNOWN_IDS_MAX) {
        memmove(known->ids, known->ids + 1, (KNOWN_IDS_MAX - 1) * sizeof *known->ids);
        known->count--;
    }
    known->ids[known->count++] = id;
}

bool world_parse_id(struct slice text, struct oracle_id *id)
{
    const char *dash = text.size == 0 ? NULL : memchr(text.data, '-', text.size);
    if (dash == NULL) return false;
    struct slice ms = {text.data, (size_t)(dash - text.data)};
    struct slice sequence = {dash + 1, text.size - ms.size - 1};
    return number_parse_u64(ms, &id->ms) && number_parse_u64(sequence, &id->sequence);
}

static bool is_faithful(const struct world *w, const struct actor *a)
{
    return a - w->actors < FAITHFUL_COUNT;
}

/* ---- a tick ---- */

static void actors_send(struct world *w)
{
    for (size_t i = 0; i < ACTORS_COUNT; i++) {
        struct actor *a = &w->actors[i];
        bool talkative = world_chance(w, 12);
        uint32_t count = talkative ? 6 : world_pick(w, 3);
        for (uint32_t n = 0; n < count && a->sent_count + SENT_AT_ONCE_MAX < SENT_MAX; n++) {
            if (!is_faithful(w, a)) wild_send(w, a);
            else if (w->promises) traffic_send(w, a);
        }
    }
}

/* Which requests did this tick execute? Their effects stand at or below its LSN. */
static void note_executed(struct world *w)
{
    lsn_t tick_lsn = db_appended_lsn(w->machine.db);
    for (size_t i = 0; i < ACTORS_COUNT; i++) {
        struct actor *a = &w->actors[i];
        const struct session *session = w->machine.links[a->link].session;
        CHECK(session != NULL);
        const struct client *client = session_client(session);
        uint64_t executed = client->requests - (client->blocked ? 1 : 0);
        for (; a->executed < executed; a->executed++) {
            CHECK(a->executed >= a->taken);
            struct sent *sent = &a->sent[a->executed - a->taken];
            sent->executed = true;
            sent->tick_lsn = tick_lsn;
            if (sent->kind == SENT_WILD) sent->seen_lsn = w->wild_lsn[sent->place];
        }
    }
}

static void note_moment(struct world *w)
{
    lsn_t lsn = db_appended_lsn(w->machine.db);
    CHECK(lsn >= w->tick_lsn);
    CHECK(lsn <= LSN_MAX);
    bool moved = lsn > w->tick_lsn;
    w->tick_lsn = lsn;
    if (!moved) return;
    struct moment *m = &w->moments[lsn];
    *m = (struct moment){true, dump_hash(w->machine.db), db_now_ms(w->machine.db)};
    journal_hash_number(w->journal, m->hash);
    wild_note_tick(w);
}

static bool says_changed(const struct sent *sent, const struct answer *item)
{
    switch (sent->rule) {
    case RULE_NEVER: return false;
    case RULE_POSITIVE: return item->kind == ANSWER_INTEGER && item->integer > 0;
    case RULE_ACCEPTED: break;
    }
    if (item->kind == ANSWER_ERROR || item->kind == ANSWER_NULL) return false;
    return !((item->kind == ANSWER_ARRAY || item->kind == ANSWER_MAP) && item->integer == 0);
}

static void take_answer(struct world *w, struct actor *a, struct slice reply)
{
    struct answer item;
    struct slice in = reply;
    CHECK(a->sent_count > 0);
    const struct sent sent = a->sent[0];
    a->sent_count--;
    memmove(a->sent, a->sent + 1, a->sent_count * sizeof *a->sent);
    a->taken++;
    CHECK(sent.executed);
    CHECK(answer_take(&in, &item));
    journal_hash(w->journal, reply);
    w->journal->operations++;
    if (w->promises && says_changed(&sent, &item) && sent.tick_lsn > w->needed_lsn)
        w->needed_lsn = sent.tick_lsn;
    if (is_faithful(w, a)) traffic_answered(w, a, &sent, reply);
    else wild_answered(w, a, &sent, reply);
}

static void take_answers(struct world *w)
{
    for (size_t i = 0; i < ACTORS_COUNT; i++) {
        struct actor *a = &w->actors[i];
        struct buf *incoming = &w->machine.links[a->link].incoming;
        size_t size;
        while ((size = answer_size(buf_slice(incoming))) > 0) {
            take_answer(w, a, (struct slice){incoming->data, size});
            buf_consume(incoming, size);
        }
    }
}

/* ---- a life ---- */

static void plan_faults(struct world *w)
{
    static const enum disk_status kinds[] = {DISK_FAILED, DISK_FULL, DISK_DENIED};
    struct sim_faults f = {0};
    uint64_t at = 1 + random_below(&w->random, CALLS_MAX);
    switch (w->disk_faults ? world_pick(w, 8) : 7) {
    case 0:
    case 1: f.power_off_at = at; break;
    case 2:
    case 3:
        f.fail_at = at;
        f.fail_for_ever = world_chance(w, 2);
        f.fail_status = kinds[world_pick(w, 3)];
        break;
    case 4: f.capacity = (uint64_t)(2 + world_pick(w, 12)) * SIM_SEGMENT_BYTES; break;
    default: break;
    }
    journal_note(w->journal,
                 "faults: power off at %" PRIu64 ", fail at %" PRIu64 "%s (%s), capacity %" PRIu64,
                 f.power_off_at, f.fail_at, f.fail_for_ever ? " and on" : "",
                 disk_status_text(f.fail_status), f.capacity);
    sim_disk_set_faults(w->disk, &f);
}

/* One step of the flush, as the sync thread would come along. */
static void move_flush(struct world *w)
{
    struct machine *m = &w->machine;
    uint32_t steps = world_pick(w, 4);
    if (m->flush == NULL && steps-- > 0) machine_flush_begin(m);
    if (m->flush != NULL && !m->flush_ran && steps-- > 0 && steps < 4) machine_flush_run(m);
    if (m->flush != NULL && m->flush_ran && steps > 0 && steps < 4) (void)machine_flush_end(m);
}

/* A snapshot begins at times, slow enough for traffic to come between its steps; its jobs are run
 * as another thread would. */
static void move_snapshot(struct world *w)
{
    struct machine *m = &w->machine;
    uint32_t steps = world_pick(w, 5);
    if (world_chance(w, 10)) {
        db_snapshot_set_pace(m->db, world_chance(w, 3) ? 0 : 1 + random_below(&w->random, 100000));
        if (db_snapshot_start(m->db)) journal_note(w->journal, "a snapshot begins");
    }
    if (m->snapshot == NULL && steps-- > 0) machine_snapshot_begin(m);
    if (m->snapshot != NULL && !m->snapshot_ran && steps-- > 0 && steps < 5)
        machine_snapshot_run(m);
    if (m->snapshot != NULL && m->snapshot_ran && steps > 0 && steps < 5) machine_snapshot_end(m);
}

/* False: the log failed, and the server stops without a further word. */
static bool tick(struct world *w)
{
    struct machine *m = &w->machine;
    w->now_us += (int64_t)random_below(&w->random, 8000);
    if (world_chance(w, 30)) w->now_us += 1000000;
    m->now_us = w->now_us;
    if (!w->promises && world_chance(w, 50))
        db_set_policy(m->db, (enum wal_policy)world_pick(w, 3));
    actors_send(w);
    machine_tick(m, world_chance(w, 3));
    note_executed(w);
    for (size_t i = 0; w->promises && i < FAITHFUL_COUNT; i++)
        traffic_note_refused(w, &w->actors[i]);
    note_moment(w);
    if (world_chance(w, 3)) machine_make_spare(m);
    move_snapshot(w);
    move_flush(w);
    machine_release(m);
    take_answers(w);
    return m->log_status == DISK_OK;
}

/* Until the crash is due. Returns how this life ends. */
static enum crash_kind live(struct world *w)
{
    uint32_t ticks = world_chance(w, 8) ? 0 : world_pick(w, TICKS_MAX);
    plan_faults(w);
    for (uint32_t i = 0; i < ticks; i++) {
        if (!tick(w)) {
            journal_note(w->journal, "tick %u: the log failed", i);
            return world_chance(w, 2) ? CRASH_KILL : CRASH_POWER_CUT;
        }
        if (world_chance(w, 20)) sim_disk_set_faults(w->disk, &(struct sim_faults){0});
    }
    switch (world_pick(w, 8)) {
    case 0: return CRASH_KILL;
    case 1: return CRASH_SHUTDOWN;
    default: return CRASH_POWER_CUT;
    }
}

/* ---- starting ---- */

static bool start(struct world *w, struct machine *m, struct sim_disk *disk,
                  struct wal_recovery *recovery, enum wal_open_status *status)
{
    struct machine_options options = {
        .disk = disk,
        .policy = w->policy,
        .segment_bytes = SIM_SEGMENT_BYTES,
        .stream_block = w->stream_block,
        .limits = {.output_bytes_max = 64 * MIB, .output_bytes_pause = MIB},
        .seed = random_next(&w->random),
        .now_us = w->now_us,
    };
    return machine_start(m, &options, recovery, status);
}

static void connect_actors(struct world *w)
{
    for (size_t i = 0; i < ACTORS_COUNT; i++) {
        struct actor *a = &w->actors[i];
        *a = (struct actor){.link = i};
        if (is_faithful(w, a)) traffic_connect(w, a);
        else wild_connect(w, a);
    }
}

/* ---- judging ---- */

/* Is what came back a moment that was, and late enough? */
static void judge_moment(struct world *w, struct machine *m, const struct wal_recovery *recovery,
                         lsn_t needed_lsn)
{
    lsn_t lsn = recovery->last_lsn;
    if (lsn < needed_lsn) {
        journal_fail(w->journal, "recovered up to LSN %" PRIu64 ", but %" PRIu64 " was promised",
                     lsn, needed_lsn);
        return;
    }
    if (lsn > w->tick_lsn || !w->moments[lsn].known) {
        journal_fail(w->journal, "recovered up to LSN %" PRIu64 ", where no group commit ended",
                     lsn);
        return;
    }
    db_set_now(m->db, w->moments[lsn].now_ms);
    uint64_t hash = dump_hash(m->db);
    db_set_now(m->db, m->now_us / 1000);
    if (hash == w->moments[lsn].hash) return;
    journal_fail(w->journal, "the key space at LSN %" PRIu64 " is not what it was", lsn);
}

/* A snapshot that nothing has damaged is whole. */
static void judge_snapshots(struct world *w, const struct wal_recovery *recovery)
{
    if (recovery->snapshots_refused == 0) return;
    journal_fail(w->journal, "%" PRIu64 " snapshots were refused", recovery->snapshots_refused);
}

static void damage(struct world *w, struct sim_disk *disk);

/* A copy of the crashed disk loses what it may, opens, is judged, and vanishes. */
static void try_copy(struct world *w, bool quiet)
{
    struct sim_disk *disk = sim_disk_clone(w->disk, random_next(&w->random));
    struct machine m;
    struct wal_recovery recovery;
    enum wal_open_status status;
    bool damaged = w->disk_faults && world_chance(w, 4);
    sim_disk_power_cut(disk);
    if (damaged) damage(w, disk);
    if (w->disk_faults && !damaged && world_chance(w, 4)) {
        /* The recovery crashes, too. */
        sim_disk_set_faults(
            disk,
            &(struct sim_faults){.power_off_at = 1 + random_below(&w->random, RECOVERY_CALLS_MAX)});
        if (start(w, &m, disk, &recovery, &status)) machine_die(&m);
        sim_disk_power_cut(disk);
    }
    w->journal->states++;
    if (start(w, &m, disk, &recovery, &status)) {
        journal_hash_number(w->journal, recovery.last_lsn);
        if (recovery.snapshot.number != 0) w->journal->snapshots++;
        if (!damaged) judge_snapshots(w, &recovery);
        judge_moment(w, &m, &recovery, damaged && !quiet ? 0 : w->needed_lsn);
        machine_die(&m);
    } else if (damaged && status != WAL_OPEN_REFUSED) {
        w->journal->refusals++;
    } else {
        journal_fail(w->journal, "it does not open: %s", recovery.problem);
    }
    sim_disk_destroy(disk);
}

struct name_list {
    char names[64][DISK_NAME_MAX + 1];
    uint64_t sizes[64];
    uint32_t count;
};

static void add_name(void *context, struct slice name, uint64_t size)
{
    struct name_list *list = context;
    CHECK(list->count < 64);
    memcpy(list->names[list->count], name.data, name.size);
    list->names[list->count][name.size] = '\0';
    list->sizes[list->count++] = size;
}

static void damage(struct world *w, struct sim_disk *disk)
{
    struct name_list list = {.count = 0};
    struct disk *d = sim_disk_disk(disk);
    CHECK(d->operations->list(d->context, add_name, &list) == DISK_OK);
    if (list.count == 0) return;
    uint32_t file = world_pick(w, list.count);
    uint64_t sectors = (list.sizes[file] + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES;
    if (sectors == 0) return;
    sim_disk_damage(disk, list.names[file], random_below(&w->random, sectors),
                    (enum sim_damage)world_pick(w, SIM_DAMAGES_COUNT));
}

/* ---- a crash and what comes after ---- */

static void end_life(struct world *w, enum crash_kind kind)
{
    static const char *const names[] = {"power cut", "kill", "shutdown"};
    struct machine *m = &w->machine;
    journal_note(w->journal,
                 "%s at LSN %" PRIu64 ", flush %s, durable %" PRIu64 ", promised %" PRIu64,
                 names[kind], w->tick_lsn,
                 m->flush == NULL ? "none"
                 : m->flush_ran   ? "written"
                                  : "begun",
                 db_durable_lsn(m->db), w->needed_lsn);
    bool quiet = db_flush_due_ms(m->db) == INT64_MAX && m->flush == NULL &&
                 m->log_status == DISK_OK && db_appended_lsn(m->db) == db_durable_lsn(m->db);
    struct db_figures figures;
    db_measure(m->db, &figures);
    w->journal->recycled += figures.log.segments_recycled;
    if (kind == CRASH_SHUTDOWN) {
        bool good = machine_shut_down(m);
        /* A weaker policy leaves the last sync to the close, which cannot say that it failed. */
        if (good && (w->promises || !sim_disk_fault_met(w->disk)) && w->tick_lsn > w->needed_lsn)
            w->needed_lsn = w->tick_lsn;
        sim_disk_set_faults(w->disk, &(struct sim_faults){.power_off_at = 1});
    } else {
        machine_die(m);
    }
    for (int i = 0; i < COPIES && !w->journal->failed; i++) try_copy(w, quiet && w->promises);
    journal_hash_number(w->journal, sim_disk_hash(w->disk));
    if (kind == CRASH_POWER_CUT) sim_disk_power_cut(w->disk);
    else sim_disk_kill(w->disk);
}

/* Opens the disk, after some tries that crash on the way. */
static void recover(struct world *w, enum crash_kind kind)
{
    struct wal_recovery recovery;
    enum wal_open_status status;
    for (int tries = 0; w->disk_faults && tries < 2 && world_chance(w, 4); tries++) {
        sim_disk_set_faults(
            w->disk,
            &(struct sim_faults){.power_off_at = 1 + random_below(&w->random, RECOVERY_CALLS_MAX)});
        if (start(w, &w->machine, w->disk, &recovery, &status)) machine_die(&w->machine);
        if (kind == CRASH_POWER_CUT) sim_disk_power_cut(w->disk);
        else sim_disk_kill(w->disk);
    }
    w->journal->states++;
    w->journal->lives++;
    if (!start(w, &w->machine, w->disk, &recovery, &status)) {
        w->machine.db = NULL;
        journal_fail(w->journal, "it does not open: %s", recovery.problem);
        return;
    }
    journal_note(w->journal,
                 "recovered up to LSN %" PRIu64 ", %" PRIu64 " torn bytes, snapshot %" PRIu64
                 " (log from LSN %" PRIu64 ")",
                 recovery.last_lsn, recovery.torn_bytes, recovery.snapshot.number,
                 recovery.snapshot.from_lsn);
    if (recovery.snapshot.number != 0) w->journal->snapshots++;
    judge_snapshots(w, &recovery);
    judge_moment(w, &w->machine, &recovery, w->needed_lsn);
    if (w->journal->failed) return;
    if (w->promises) traffic_judge(w);
    for (lsn_t lsn = recovery.last_lsn + 1; lsn <= w->tick_lsn; lsn++)
        w->moments[lsn].known = false;
    w->tick_lsn = recovery.last_lsn;
    if (w->needed_lsn < recovery.last_lsn) w->needed_lsn = recovery.last_lsn;
    wild_forget(w);
}

static void create_world(struct world *w, struct journal *journal, uint64_t seed, bool disk_faults)
{
    static const struct stream_block_limits limits[] = {{0, 3}, {200, 0}, {4096, 100}};
    *w = (struct world){.journal = journal,
                        .random = {seed},
                        .disk_faults = disk_faults,
                        .now_us = MACHINE_EPOCH_US};
    w->promises = !world_chance(w, 8);
    w->policy = w->promises          ? WAL_SYNC_ALWAYS
                : world_chance(w, 2) ? WAL_SYNC_EVERYSEC
                                     : WAL_SYNC_NO;
    w->stream_block = limits[world_pick(w, 3)];
    w->moments = memory_allocate_zeroed((LSN_MAX + 1) * sizeof *w->moments);
    w->moments[0] = (struct moment){true, 0, MACHINE_EPOCH_US / 1000};
    w->disk = sim_disk_create(random_next(&w->random));
    struct wal_recovery recovery;
    enum wal_open_status status;
    CHECK(start(w, &w->machine, w->disk, &recovery, &status));
    traffic_create(w);
    note_moment(w);
    w->needed_lsn = w->promises ? w->tick_lsn : 0;
}

static void destroy_world(struct world *w)
{
    struct oracle_figures figures;
    if (w->machine.db != NULL) machine_die(&w->machine);
    crash_oracle_measure(w->oracle, &figures);
    w->journal->unknown += figures.unknown;
    crash_oracle_destroy(w->oracle);
    sim_disk_destroy(w->disk);
    memory_free(w->moments, (LSN_MAX + 1) * sizeof *w->moments);
}

bool crash_run_seed(struct journal *journal, uint64_t seed, bool disk_faults)
{
    struct world *w = memory_allocate_zeroed(sizeof *w);
    journal_begin(journal, seed);
    create_world(w, journal, seed, disk_faults);
    uint32_t lives = 1 + world_pick(w, LIVES_MAX);
    for (uint32_t i = 0; i < lives && !journal->failed; i++) {
        connect_actors(w);
        enum crash_kind kind = live(w);
        end_life(w, kind);
        if (!journal->failed) recover(w, kind);
    }
    journal_hash_number(journal, w->needed_lsn);
    destroy_world(w);
    memory_free(w, sizeof *w);
    if (!journal->failed) journal->seeds++;
    return !journal->failed;
}
