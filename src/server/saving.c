/* Snapshots on their way: the thread that writes them, and what begins one without being asked -
 * the points of the directive 'save', and a log that has grown by as much as the last snapshot. */
#include "base/number.h"
#include "server/server_state.h"

#include <inttypes.h>

enum { SAVING_CHECK_MS = 1000, SAVING_RETRY_MS = 5000 };

/* ---- the points of 'save': seconds, changes, seconds, changes ... ---- */

static bool take_number(struct slice *rest, uint64_t *number)
{
    size_t size = 0;
    while (size < rest->size && rest->data[size] != ' ') size++;
    if (size == 0) return false;
    bool parsed = number_parse_u64((struct slice){rest->data, size}, number);
    CHECK(parsed); /* the directive's own text */
    size += size < rest->size;
    *rest = (struct slice){rest->data + size, rest->size - size};
    return true;
}

static bool point_reached(const struct server *s, const struct snapshot_figures *f)
{
    struct slice rest = config_text(s->config, CONFIG_SAVE);
    uint64_t seconds, changes;
    int64_t since_ms = f->last_ms > s->started_ms ? f->last_ms : s->started_ms;
    while (take_number(&rest, &seconds)) {
        bool whole = take_number(&rest, &changes);
        CHECK(whole);
        if (f->changes < changes || f->changes == 0) continue;
        if ((uint64_t)(s->now_ms - since_ms) / 1000 >= seconds) return true;
    }
    return false;
}

static bool log_has_grown(const struct server *s, const struct snapshot_figures *f)
{
    uint64_t percentage = (uint64_t)config_number(s->config, CONFIG_LOG_GROWTH);
    uint64_t least = (uint64_t)config_number(s->config, CONFIG_LOG_GROWTH_MIN);
    if (percentage == 0 || f->log_bytes < least || f->changes == 0) return false;
    return f->log_bytes / percentage >= f->last_bytes / 100;
}

static void check(struct server *s)
{
    struct db_figures figures;
    s->saving_checked_ms = s->now_ms;
    s->saving_requests = engine_requests(s->engine);
    db_measure(s->db, &figures);
    const struct snapshot_figures *f = &figures.snapshot;
    if (!figures.has_log || f->running) return;
    if (f->last_failed && s->now_ms - f->started_ms < SAVING_RETRY_MS) return;
    bool point = point_reached(s, f);
    if (!point && !log_has_grown(s, f)) return;
    trace_write(&s->sink.trace, TRACE_NOTICE,
                "A snapshot is due: %" PRIu64 " changes and %" PRIu64 " bytes of log (%s)",
                f->changes, f->log_bytes, point ? "save" : "auto-aof-rewrite-percentage");
    db_snapshot_start(s->db);
}

int64_t saving_due_ms(const struct server *s)
{
    if (s->disk == NULL || s->phase != SERVER_RUNNING) return INT64_MAX;
    /* With nothing executed since the last look, only the points wait for time to pass. */
    bool points = config_text(s->config, CONFIG_SAVE).size > 0;
    bool executed = engine_requests(s->engine) != s->saving_requests;
    return points || executed ? s->saving_checked_ms + SAVING_CHECK_MS : INT64_MAX;
}

void saving_move(struct server *s)
{
    if (s->snapshot != NULL && worker_take(s->snapshot_worker) != NULL) {
        db_snapshot_end(s->db, s->snapshot);
        s->snapshot = NULL;
    }
    if (s->phase == SERVER_RUNNING && s->now_ms >= saving_due_ms(s)) check(s);
    if (s->snapshot != NULL || (s->phase != SERVER_RUNNING && !s->stop_saves)) return;
    s->snapshot = db_snapshot_begin(s->db);
    if (s->snapshot != NULL) worker_start(s->snapshot_worker, s->snapshot);
}
