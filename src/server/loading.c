/* The data, on its way from the disk: a thread of its own recovers it while the loop answers
 * LOADING.
 *
 *   event loop                     loader                       event loop
 *   loading_begin --options--> db_open: reads, applies --db, or why not--> loading_move
 *
 * In between the job is the loader's. Shared are how far it is and the wish that it give up. The
 * loop has an empty db meanwhile, and no command that could look into it is served. A client that
 * comes while a load takes less than LOADING_QUIET_MS waits for its connection instead, so that the
 * ordinary restart of a small server is not seen as an error by anybody. */
#include "base/memory.h"
#include "env/entropy.h"
#include "server/server_state.h"

#include <stdatomic.h>
#include <stdlib.h>

struct loading {
    struct db_options options;
    struct wal_observer observer;
    unsigned arena; /* the loop's, who will own the data */
    atomic_bool given_up;
    _Atomic uint64_t bytes;
    _Atomic uint64_t bytes_total;
    /* The result: */
    struct wal_recovery recovery;
    struct db *db; /* NULL: recovery.problem says why */
    enum wal_open_status status;
};

static bool progress(void *context, uint64_t bytes, uint64_t bytes_total)
{
    struct loading *l = context;
    CHECK(bytes <= bytes_total);
    atomic_store_explicit(&l->bytes_total, bytes_total, memory_order_relaxed);
    atomic_store_explicit(&l->bytes, bytes, memory_order_relaxed);
    return !atomic_load_explicit(&l->given_up, memory_order_relaxed);
}

struct loading_figures loading_measure(const struct server *s)
{
    const struct loading *l = s->loading;
    struct loading_figures f = {
        .bytes = atomic_load_explicit(&l->bytes, memory_order_relaxed),
        .bytes_total = atomic_load_explicit(&l->bytes_total, memory_order_relaxed),
    };
    if (f.bytes > f.bytes_total) f.bytes = f.bytes_total; /* of different moments */
    return f;
}

struct db *loading_stand_in(const struct server *s)
{
    struct db_options options = {
        .policy = settings_policy(s->config),
        .random_seed = entropy_u64(),
        .opened_ms = s->started_ms,
    };
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct db *db = db_open(&options, &recovery, &status);
    CHECK(db != NULL);
    return db;
}

void loading_run(void *job)
{
    struct loading *l = job;
    memory_use_arena(l->arena);
    l->db = db_open(&l->options, &l->recovery, &l->status);
}

void loading_begin(struct server *s)
{
    CHECK(s->phase == SERVER_LOADING);
    CHECK(s->loading == NULL);
    struct loading *l = memory_allocate_zeroed(sizeof *l);
    l->arena = memory_arena();
    l->observer = (struct wal_observer){l, progress};
    l->options = (struct db_options){
        .disk = s->disk,
        .trace = &s->sink.trace,
        .policy = settings_policy(s->config),
        .segment_bytes = (uint64_t)config_number(s->config, CONFIG_LOG_SEGMENT_SIZE) /
                         DISK_BLOCK_BYTES * DISK_BLOCK_BYTES,
        .random_seed = entropy_u64(),
        .stream_block = settings_stream_block(s->config),
        .stream_idmp = settings_stream_idmp(s->config),
        .observer = &l->observer,
        .opened_ms = s->started_ms,
    };
    s->loading = l;
    worker_start(s->loader, l);
    worker_await(s->loader, LOADING_QUIET_MS);
    loading_move(s);
    if (s->phase == SERVER_LOADING)
        trace_write(&s->sink.trace, TRACE_NOTICE,
                    "Loading the data: commands that need it get LOADING until that is done");
}

static void drop(struct server *s)
{
    memory_free(s->loading, sizeof *s->loading);
    s->loading = NULL;
}

static void take_db(struct server *s)
{
    struct db *stand_in = s->db;
    s->db = s->loading->db;
    engine_loaded(s->engine, s->db);
    db_close(stand_in);
    settings_apply_to_db(s);
    figures_measure_memory(s, 0);
    s->phase = SERVER_RUNNING;
    if (!s->stop_requested)
        trace_write(&s->sink.trace, TRACE_NOTICE, "Ready to accept connections");
}

/* Nothing was recovered, because that failed or was given up: the process ends. */
static void end(struct server *s)
{
    bool wanted = s->loading->status == WAL_OPEN_CANCELLED;
    CHECK(IMPLIES(wanted, s->stop_requested));
    trace_write(&s->sink.trace, wanted ? TRACE_NOTICE : TRACE_WARNING, "%s", s->recovery.problem);
    s->exit_status = wanted ? EXIT_SUCCESS : EXIT_FAILURE;
    s->phase = SERVER_STOPPED;
}

void loading_give_up(struct server *s)
{
    CHECK(s->phase == SERVER_LOADING);
    CHECK(s->stop_requested);
    if (atomic_exchange(&s->loading->given_up, true)) return;
    trace_write(&s->sink.trace, TRACE_NOTICE, "Stopping while the data is being loaded");
}

void loading_move(struct server *s)
{
    struct loading *l = s->loading;
    if (l == NULL || worker_take(s->loader) == NULL) return;
    s->recovery = l->recovery;
    if (l->db != NULL) take_db(s);
    else end(s);
    drop(s);
}
