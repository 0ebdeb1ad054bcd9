/* The loop: one turn of the network, one tick of the engine, the log on its way to the disk, and
 * out with the replies that may leave (architecture.md, "One tick").
 *
 *   net_turn -> session_feed -> engine_tick -> flush to the sync worker -> engine_release -> send
 *
 * While a flush is at the worker the next ticks execute; their frames are the next flush. */
#include "env/clock.h"
#include "server/server_state.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    WAIT_MAX_MS = 60 * 1000,
    SPARE_RETRY_MS = 1000,
    COMPANY_TURNS_MAX = 2, /* that a group commit waits for more requests: decisions/0019 */
};

/* ---- stopping ---- */

void server_request_stop(struct server *s, bool now)
{
    s->stop_requested = true;
    s->stop_now = s->stop_now || now;
}

static void begin_stopping(struct server *s)
{
    CHECK(s->phase == SERVER_RUNNING);
    trace_write(&s->sink.trace, TRACE_NOTICE, "Stopping: no more commands are executed");
    net_stop_listening(s->net);
    engine_stop(s->engine);
    if (s->stop_saves) db_snapshot_set_pace(s->db, 0);
    db_set_policy(s->db, WAL_SYNC_ALWAYS); /* whatever it was: the end is synced, and at once */
    s->phase = SERVER_STOPPING;
    int64_t seconds = s->stop_now ? 0 : config_number(s->config, CONFIG_SHUTDOWN_TIMEOUT);
    s->stop_deadline_ms = s->now_ms + seconds * 1000;
}

/* The log has nothing more to do: written, synced as its policy wants, and marked as closed. */
static bool log_is_quiet(const struct server *s)
{
    return s->flush == NULL && db_flush_due_ms(s->db) == INT64_MAX;
}

static void go_on_stopping(struct server *s)
{
    if (s->stop_saves && db_snapshot_running(s->db)) return;
    bool late = s->now_ms >= s->stop_deadline_ms;
    if (!log_is_quiet(s)) {
        /* A sync takes as long as it takes; only a full disk may keep us for ever. */
        if (!late || db_writable(s->db)) return;
        trace_write(&s->sink.trace, TRACE_WARNING,
                    "The disk is full: writes that were not acknowledged are lost");
        s->exit_status = EXIT_FAILURE;
    } else if (s->peers_count > 0 && !late) {
        return;
    }
    if (s->peers_count > 0)
        trace_write(&s->sink.trace, TRACE_NOTICE, "%zu clients did not read their replies in time",
                    s->peers_count);
    s->phase = SERVER_STOPPED;
}

/* Nothing is acknowledged any more: not what waits for the log, nor anything after it. */
static void stop_at_once(struct server *s, enum disk_status status)
{
    trace_write(&s->sink.trace, TRACE_WARNING,
                "The log cannot be written (%s): stopping without acknowledging what it lacks",
                disk_status_text(status));
    s->exit_status = EXIT_FAILURE;
    s->phase = SERVER_STOPPED;
}

static void take_signal(void *context)
{
    struct server *s = context;
    struct signalfd_siginfo signal;
    while (read(s->signals, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGHUP) {
            trace_sink_reopen(&s->sink);
            trace_write(&s->sink.trace, TRACE_NOTICE, "SIGHUP: the logfile is open anew");
        } else if (s->stop_signalled) {
            trace_write(&s->sink.trace, TRACE_WARNING, "A second signal: exiting at once");
            trace_sink_hurry(&s->sink);
            _exit(EXIT_FAILURE);
        } else {
            trace_write(&s->sink.trace, TRACE_NOTICE, "Received SIG%s from process %u",
                        signal.ssi_signo == SIGINT ? "INT" : "TERM", signal.ssi_pid);
            s->stop_signalled = true;
            server_request_stop(s, false);
        }
    }
}

static void acknowledge(void *context)
{
    worker_acknowledge(context);
}

void server_watch(struct server *s)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    s->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(s->signals >= 0);
    net_watch(s->net, s->signals, take_signal, s);
    net_watch(s->net, worker_descriptor(s->loader), acknowledge, s->loader);
    net_watch(s->net, worker_descriptor(s->sync_worker), acknowledge, s->sync_worker);
    net_watch(s->net, worker_descriptor(s->spare_worker), acknowledge, s->spare_worker);
    net_watch(s->net, worker_descriptor(s->snapshot_worker), acknowledge, s->snapshot_worker);
    net_watch(s->net, worker_descriptor(s->config_worker), acknowledge, s->config_worker);
}

/* ---- the log ---- */

/* A group commit costs the processor as much as five requests. So while requests keep coming in, it
 * waits for them, a turn or two; it begins at once when none is ready. */
static bool waits_for_company(struct server *s)
{
    bool waits = s->input_ready && s->company_turns < COMPANY_TURNS_MAX &&
                 s->phase == SERVER_RUNNING && db_pending_bytes(s->db) > 0;
    s->company_turns = waits ? s->company_turns + 1 : 0;
    return waits;
}

static void note_flush(struct server *s)
{
    struct monitor *monitor = engine_monitor(s->engine);
    struct wal_flush_times times = wal_flush_times(s->flush);
    bool always = settings_policy(s->config) == WAL_SYNC_ALWAYS;
    monitor_note(monitor, LATENCY_WRITE, s->now_ms, times.write_ns);
    monitor_note(monitor, always ? LATENCY_SYNC_ALWAYS : LATENCY_SYNC, s->now_ms, times.sync_ns);
}

static void move_flush(struct server *s)
{
    if (s->flush != NULL && worker_take(s->sync_worker) != NULL) {
        note_flush(s);
        (void)engine_flush_end(s->engine, s->flush);
        s->flush = NULL;
    }
    if (s->flush != NULL || waits_for_company(s)) return;
    s->flush = engine_flush_begin(s->engine);
    if (s->flush == NULL) return;
    s->flush_started_us = s->now_us;
    worker_start(s->sync_worker, s->flush);
}

static void move_spare(struct server *s)
{
    if (s->spare != NULL && worker_take(s->spare_worker) != NULL) {
        /* The log says what failed. It tries again, and when it matters, writes are refused; or it
         * is the end of the log. */
        (void)db_spare_end(s->db, s->spare);
        s->spare = NULL;
    }
    if (s->spare != NULL || s->phase != SERVER_RUNNING) return;
    s->spare = db_spare_begin(s->db);
    if (s->spare != NULL) worker_start(s->spare_worker, s->spare);
}

/* ---- the turn ---- */

static int wait_ms(const struct server *s)
{
    if (engine_busy(s->engine) || s->company_turns > 0) return 0;
    int64_t due = engine_due_ms(s->engine);
    int64_t peers_due = peers_due_ms(s);
    int64_t saving_due = saving_due_ms(s);
    if (peers_due < due) due = peers_due;
    if (saving_due < due) due = saving_due;
    if (s->phase == SERVER_STOPPING && s->stop_deadline_ms < due) due = s->stop_deadline_ms;
    if (!db_writable(s->db) && s->now_ms + SPARE_RETRY_MS < due) due = s->now_ms + SPARE_RETRY_MS;
    if (due == INT64_MAX) return -1;
    if (due <= s->now_ms) return 0;
    return due - s->now_ms < WAIT_MAX_MS ? (int)(due - s->now_ms) : WAIT_MAX_MS;
}

static void turn(struct server *s)
{
    s->input_ready = net_turn(s->net, wait_ms(s));
    loading_move(s);
    figures_sample(s);
    engine_tick(s->engine, s->now_us);
    if (s->stop_requested && s->phase == SERVER_LOADING) loading_give_up(s);
    if (s->stop_requested && s->phase == SERVER_RUNNING) begin_stopping(s);
    move_flush(s);
    move_spare(s);
    saving_move(s);
    if (db_log_status(s->db) != DISK_OK) stop_at_once(s, db_log_status(s->db));
    if (s->phase == SERVER_STOPPED) return;
    rewriting_move(s);
    engine_release(s->engine);
    struct session *session;
    while ((session = engine_take_ready(s->engine)) != NULL) peer_serve(session_owner(session));
    peers_check(s);
    if (s->phase == SERVER_STOPPING) go_on_stopping(s);
    monitor_note(engine_monitor(s->engine), LATENCY_TURN, s->now_ms, turns_end(s));
}

int server_run(struct server *s, struct buf *problem)
{
    CHECK(s->phase == SERVER_LOADING);
    loading_begin(s);
    while (s->phase != SERVER_STOPPED) turn(s);
    if (s->exit_status != EXIT_SUCCESS) buf_append_text(problem, s->recovery.problem);
    trace_write(&s->sink.trace, TRACE_NOTICE, "Irmak ends with status %d", s->exit_status);
    return s->exit_status;
}
