/* engine.h - sessions around one database: bytes in, bytes out, ticks.
 *
 * No socket, no clock, no thread: the caller says what arrived and what time it is. The server
 * feeds it from epoll, the simulator from a seed; it is the same engine. It never knows what a
 * command does, nor how bytes travel.
 *
 * One tick (architecture.md): the owner calls session_feed for what arrived, then engine_tick,
 * which executes (waking waiters after each batch) and expires; then engine_flush_begin, run the
 * flush on a helper thread or at once, engine_flush_end; replies whose LSN is durable are
 * released into each session's output chain, and the owner sends them. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/chain.h"
#include "command/command.h"

struct engine;
struct session;

struct engine_limits {
    size_t output_bytes_max;   /* unsent replies of one session; above it the session is closed */
    size_t output_bytes_pause; /* above it no further request of the session is executed */
    size_t portion_bytes;      /* of a long reply's pieces; 0: REPLY_PORTION_BYTES */
    /* Of one request, once authenticated; 0: as in request_limits_full, which nothing exceeds. */
    size_t request_bytes_max;
    size_t bulk_bytes_max;
};

struct engine_options {
    struct db *db; /* borrowed */
    const struct host *host;
    struct engine_limits limits;
    bool loading; /* 'db' is empty, without a log; engine_loaded brings the real one */
};

struct engine *engine_create(const struct engine_options *options);
void engine_destroy(struct engine *e); /* closes every session */
void engine_set_limits(struct engine *e, const struct engine_limits *limits);

/* Between ticks: the recovered db (borrowed) takes the place of the empty one, and every command is
 * served. Until then only those with COMMAND_LOADING are, the others get LOADING. */
void engine_loaded(struct engine *e, struct db *db);

/* ---- sessions ---- */

struct session_options {
    const char *address;       /* copied */
    const char *local_address; /* copied */
    int descriptor;            /* for CLIENT LIST */
    bool unix_socket;
    void *owner; /* the owner's connection, handed back by engine_take_ready */
};

struct session *engine_open_session(struct engine *e, const struct session_options *options,
                                    int64_t now_ms);

/* The connection is gone: the session ends; no call with it is allowed afterwards. Not from inside
 * engine_tick's callbacks (there are none). */
void engine_close_session(struct engine *e, struct session *s);

/* Bytes that arrived. They are borrowed until the next engine_tick returns; what could not be
 * executed by then has been copied. */
void session_feed(struct session *s, struct slice bytes);

/* When the session holds an unfinished request: memory for the owner to receive into directly, at
 * least 1 byte, *size as much as is wanted now. NULL: receive into memory of your own and feed. */
char *session_input_space(struct session *s, size_t *size);
void session_input_received(struct session *s, size_t size); /* into that space */

/* May the owner read more from this connection now? False: too much output is unsent, the log is
 * too far behind its writes, more came than one tick executes, a command is waiting with input
 * queued behind it, or the session is closing. */
bool session_wants_input(const struct session *s);

/* Has every request that arrived whole begun to execute? */
bool session_executed(const struct session *s);

struct chain *session_output(struct session *s); /* the owner sends released bytes, and consumes */
bool session_finished(const struct session *s);  /* closing, and all that may leave has left */
void session_abort(struct session *s);           /* drop output, finish at once */
const struct client *session_client(const struct session *s);
void *session_owner(const struct session *s);

/* ---- the tick ---- */

/* Executes what was fed, wakes and times out waiters, expires keys. Time never goes back. */
void engine_tick(struct engine *e, int64_t now_us);

/* True when the next tick has work although nothing arrives (bounded work left over). */
bool engine_busy(const struct engine *e);

/* When the next tick is due for a deadline (waiters, expiry, log); INT64_MAX: none. */
int64_t engine_due_ms(const struct engine *e);

struct wal_flush *engine_flush_begin(struct engine *e);
enum disk_status engine_flush_end(struct engine *e, struct wal_flush *flush);

/* The host has done an errand (command/host.h): who waits for one is tried. Between ticks. */
void engine_wake_errands(struct engine *e);

/* Releases replies whose LSN is durable: after engine_tick and after engine_flush_end. */
void engine_release(struct engine *e);

/* Sessions with something for the owner to do (bytes to send, input wanted again, or finished)
 * since the last call; each once; NULL: no more. */
struct session *engine_take_ready(struct engine *e);

/* Stopping: no further request is executed, waiters are dropped, no key expires: nothing comes to
 * the log any more. The owner then flushes until the log is durable, releases, sends, closes. */
void engine_stop(struct engine *e);

struct engine_figures {
    uint64_t sessions;
    uint64_t sessions_opened; /* since start */
    uint64_t waiting;
    uint64_t requests; /* executed since start */
    uint64_t input_bytes;
    uint64_t output_limit_closes;
    size_t client_memory_bytes;
    const struct command_statistics *statistics; /* command_table_count rows */
    const struct error_counts *errors;           /* that were replied */
};
struct monitor *engine_monitor(struct engine *e);
void engine_measure(const struct engine *e, struct engine_figures *figures); /* O(sessions) */
uint64_t engine_requests(const struct engine *e);                            /* the figure, O(1) */
void engine_reset_statistics(struct engine *e);

#endif
