/* server_state.h - struct server, shared by the files of server/ and by nobody else. */
#ifndef SERVER_SERVER_STATE_H
#define SERVER_SERVER_STATE_H

#include "base/list.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "env/disk.h"
#include "net/net.h"
#include "server/config.h"
#include "server/refusals.h"
#include "server/server.h"
#include "server/tick_clock.h"
#include "server/trace_sink.h"
#include "server/worker.h"

enum {
    RATE_SAMPLES = 16, /* of the last RATE_SAMPLES * RATE_SAMPLE_MS */
    RATE_SAMPLE_MS = 100,
    MEMORY_MEASURE_MS = 100,      /* the figure that maxmemory is held against is no older */
    LOGIN_SECONDS = 60,           /* to authenticate in, once a password is set */
    DESCRIPTORS_RESERVED = 64,    /* beside those of clients: log, workers, listeners ... */
    OUTPUT_PAUSE_BYTES = 1 << 20, /* with more unsent, a client's next request waits */
    RUN_ID_TEXT = 40,
    LOADING_QUIET_MS = 100, /* a load that is shorter keeps connections waiting instead */
};

/* Moves forward only, in loading.c and loop.c. */
enum server_phase {
    SERVER_LOADING, /* the data is being recovered: most commands get LOADING */
    SERVER_RUNNING,
    SERVER_STOPPING, /* nothing more is executed; the log is written and replies are sent */
    SERVER_STOPPED,
};

/* A connection and its session. */
struct peer {
    struct server *server;
    struct connection *connection;
    struct session *session;
    struct list active; /* server.active: by last activity */
    struct list login;  /* server.login: by when it was opened, until it has authenticated */
    struct list ended;  /* server.ended: sends no more, but something is left for it */
    int64_t active_ms;
    int64_t opened_ms;
    int64_t above_soft_ms; /* since when its output is above the soft limit; 0: it is not */
};

struct rate_sample {
    int64_t at_ms;
    uint64_t requests;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t flush_us;         /* since start, with the one under way */
    uint64_t log_busy_percent; /* of a rate: how much of the span a flush was under way */
};

struct turn_longest {
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

struct turns {
    struct turn_longest all;      /* since the last CONFIG RESETSTAT */
    struct turn_longest snapshot; /* while the last snapshot was made, or is */
    bool saving;                  /* at the end of the last turn */
    int64_t cpu_ns;               /* of this thread, as of cpu_read_ns */
    int64_t cpu_read_ns;
};

/* CONFIG REWRITE: rewriting.c. */
struct rewriting {
    uint64_t asked;      /* the number of the last one that was asked for */
    uint64_t done;       /* ... that was done; one more is under way or not yet begun */
    struct config *copy; /* of the values of the one under way; NULL: none is */
    struct buf error;    /* of the one done last; the worker's while one is under way */
};

struct server {
    struct config *config; /* borrowed */
    struct trace_sink sink;
    struct disk *disk; /* NULL: appendonly no */
    struct db *db;     /* while LOADING an empty one, without a log */
    struct engine *engine;
    struct host host;
    struct net *net;
    struct worker *loader;
    struct loading *loading; /* at the loader; NULL: done */
    struct worker *sync_worker;
    struct worker *spare_worker;
    struct wal_flush *flush; /* at the sync worker */
    bool input_ready;        /* the last turn of the network found something */
    unsigned company_turns;  /* that the next flush has waited for more requests */
    struct wal_spare *spare; /* at the spare worker */
    struct worker *config_worker;
    struct rewriting rewriting; /* at the config worker, while it has a copy */
    struct worker *snapshot_worker;
    struct snapshot_job *snapshot; /* at the snapshot worker */
    int64_t saving_checked_ms;     /* when it was last seen whether a snapshot is due */
    uint64_t saving_requests;      /* executed by then */
    int signals;                   /* signalfd */
    struct tick_clock clock;
    int64_t now_us; /* of this turn */
    int64_t now_ms;

    enum server_phase phase;
    bool stop_requested;
    bool stop_signalled;      /* by a first signal; SHUTDOWN is none */
    bool stop_saves;          /* with a snapshot, which began with the request to stop */
    bool stop_now;            /* without waiting for clients that do not read */
    int64_t stop_deadline_ms; /* unix time; while STOPPING */
    int exit_status;

    struct list active, login, ended; /* peers */
    size_t peers_count;
    int64_t soft_check_ms;

    struct wal_recovery recovery;
    int64_t started_ms;
    char run_id[RUN_ID_TEXT + 1];
    char executable[256];
    bool has_pidfile;
    uint64_t rejected_connections; /* over maxclients */
    uint64_t refused_connections;  /* by protected mode */
    uint64_t idle_closes;          /* timeout */
    uint64_t received_base;        /* of the net's figures, at CONFIG RESETSTAT */
    uint64_t sent_base;
    uint64_t connections_base;
    struct memory_figures memory;
    int64_t memory_measured_ms;
    size_t memory_peak;
    struct rate_sample samples[RATE_SAMPLES];
    size_t samples_count;     /* since start */
    int64_t flush_started_us; /* of the flush at the sync worker */
    struct refusals refusals;
    struct turns turns;
};

/* peer.c: connections */
struct net_callbacks peer_callbacks(struct server *s);
void peer_serve(struct peer *p);              /* sends, closes, sets whether it is read from */
void peers_check(struct server *s);           /* timeouts and limits that time brings */
int64_t peers_due_ms(const struct server *s); /* when peers_check is next needed */

/* loop.c */
void server_request_stop(struct server *s, bool now);
void server_watch(struct server *s); /* workers and signals */

/* loading.c: the data, on its way from the disk */
struct db *loading_stand_in(const struct server *s); /* the empty db */
void loading_run(void *job);                         /* at the loader */
void loading_begin(struct server *s);
void loading_move(struct server *s);
void loading_give_up(struct server *s); /* the process is to end */
struct loading_figures {
    uint64_t bytes; /* behind the loader; of bytes_total, which is 0 at first */
    uint64_t bytes_total;
};
struct loading_figures loading_measure(const struct server *s);

/* saving.c: snapshots on their way, and when one begins by itself */
void saving_move(struct server *s);
int64_t saving_due_ms(const struct server *s);

/* rewriting.c: the configuration, on its way into its file */
uint64_t rewriting_begin(struct server *s, struct buf *error); /* as host.config_rewrite */
bool rewriting_is_done(const struct server *s, uint64_t number, struct buf *error);
void rewriting_run(void *job); /* at the config worker */
void rewriting_move(struct server *s);
void rewriting_deinit(struct rewriting *r); /* nothing is under way */

/* settings.c: what values of the configuration do */
bool settings_prepare(struct server *s, struct buf *problem); /* at start, after the sink */
bool settings_make_dir_absolute(struct config *c, struct buf *problem);
struct engine_limits settings_engine_limits(const struct config *c);
struct stream_block_limits settings_stream_block(const struct config *c);
struct stream_idmp_limits settings_stream_idmp(const struct config *c);
enum wal_policy settings_policy(const struct config *c);
void settings_apply_to_db(struct server *s);
void settings_set_monitor(struct server *s);
void settings_fill_host(struct server *s);

/* figures.c */
void figures_measure_memory(struct server *s, int64_t age_max_ms);
void figures_sample(struct server *s);                   /* once a turn */
struct rate_sample figures_rate(const struct server *s); /* per second; at_ms is the span */

/* turns.c: the longest turns of the loop */
uint64_t turns_end(struct server *s); /* the turn is over; returns its wall time in nanoseconds */
void turns_reset(struct server *s);

/* info.c */
void info_append(struct server *s, const struct slice *sections, size_t count, struct buf *out);

#endif
