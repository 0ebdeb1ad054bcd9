/* Wiring: the rooms are created from the ground up and destroyed in the opposite order, and what
 * fails on the way up is undone the same way. */
#include "command/version.h"
#include "env/clock.h"
#include "env/disk_os.h"
#include "env/entropy.h"
#include "server/server_state.h"
#include "server/words.h"
#include "wal/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void run_flush(void *job)
{
    wal_flush_run(job);
}

static void run_snapshot(void *job)
{
    snapshot_run(job);
}

static void run_spare(void *job)
{
    wal_spare_run(job);
}

static void name_process(struct server *s)
{
    unsigned char bytes[RUN_ID_TEXT / 2];
    entropy_fill(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(s->run_id + i * 2, 3, "%02x", bytes[i]);
    ssize_t size = readlink("/proc/self/exe", s->executable, sizeof s->executable - 1);
    s->executable[size > 0 ? size : 0] = '\0';
}

/* Before the first thread exists, so that all of them inherit it. */
static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    int result = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    CHECK(result == 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is a full disk, not an end */
}

static void show_warnings(struct server *s)
{
    struct slice rest = buf_slice(&s->config->warnings);
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '\n', rest.size);
        CHECK(end != NULL);
        size_t size = (size_t)(end - rest.data);
        trace_write(&s->sink.trace, TRACE_WARNING, "%.*s", (int)size, rest.data);
        rest = (struct slice){end + 1, rest.size - size - 1};
    }
    buf_deinit(&s->config->warnings);
}

static bool open_directory(struct server *s, struct buf *problem)
{
    if (config_number(s->config, CONFIG_APPENDONLY) != 0) {
        char reason[512];
        s->disk = disk_os_open(config_path(s->config, CONFIG_DIR), reason, sizeof reason);
        if (s->disk == NULL) {
            buf_append_text(problem, reason);
            return false;
        }
    }
    return settings_make_dir_absolute(s->config, problem);
}

static bool listen_tcp(struct server *s, struct buf *problem)
{
    uint16_t port = (uint16_t)config_number(s->config, CONFIG_PORT);
    if (port == 0) return true;
    struct words addresses = {0};
    /* The directive's own text: words without quotes, each followed by a blank or the end. */
    bool listening = words_split(&addresses, config_text(s->config, CONFIG_BIND)) == WORDS_OK;
    for (size_t i = 0; i < addresses.count && listening; i++) {
        char address[256];
        snprintf(address, sizeof address, "%.*s", (int)addresses.items[i].size,
                 addresses.items[i].data);
        listening = net_listen_tcp(s->net, address, port, problem);
    }
    /* An empty bind means every address, as in redis.conf. */
    if (listening && addresses.count == 0)
        listening = net_listen_tcp(s->net, "*", port, problem) &&
                    net_listen_tcp(s->net, "-::*", port, problem);
    words_deinit(&addresses);
    if (!listening || net_port(s->net) != 0) return listening;
    buf_append_format(problem, "port %u: none of the addresses of bind is there", port);
    return false;
}

static bool listen_all(struct server *s, struct buf *problem)
{
    struct net_options options = {
        .callbacks = peer_callbacks(s),
        .backlog = (int)config_number(s->config, CONFIG_TCP_BACKLOG),
        .keepalive_seconds = (int)config_number(s->config, CONFIG_TCP_KEEPALIVE),
    };
    s->net = net_create(&options);
    const char *path = config_path(s->config, CONFIG_UNIXSOCKET);
    unsigned mode = (unsigned)config_number(s->config, CONFIG_UNIXSOCKETPERM);
    if (path[0] != '\0' && !net_listen_unix(s->net, path, mode, problem)) return false;
    if (!listen_tcp(s, problem)) return false;
    if (path[0] != '\0' || net_port(s->net) != 0) return true;
    buf_append_text(problem, "neither port nor unixsocket says where to listen");
    return false;
}

static bool write_pidfile(struct server *s, struct buf *problem)
{
    const char *path = config_path(s->config, CONFIG_PIDFILE);
    if (path[0] == '\0') return true;
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool written = file >= 0 && dprintf(file, "%d\n", getpid()) > 0;
    if (!written) buf_append_format(problem, "pidfile %s: %s", path, strerror(errno));
    if (file >= 0) close(file);
    s->has_pidfile = file >= 0;
    return written;
}

static void create_engine(struct server *s)
{
    settings_fill_host(s);
    s->db = loading_stand_in(s);
    struct engine_options options = {
        .db = s->db,
        .host = &s->host,
        .limits = settings_engine_limits(s->config),
        .loading = true,
    };
    s->engine = engine_create(&options);
    memory_return_beside();
    s->loader = worker_create("irmak-loader", loading_run);
    settings_set_monitor(s);
    s->sync_worker = worker_create("irmak-sync", run_flush);
    s->spare_worker = worker_create("irmak-spare", run_spare);
    s->snapshot_worker = worker_create("irmak-snapshot", run_snapshot);
    s->config_worker = worker_create("irmak-config", rewriting_run);
    server_watch(s);
}

struct server *server_create(struct config *config, struct buf *problem)
{
    struct server *s = memory_allocate_zeroed(sizeof *s);
    s->config = config;
    s->signals = -1;
    list_init(&s->active);
    list_init(&s->login);
    list_init(&s->ended);
    block_signals();
    name_process(s);
    s->now_us = tick_clock_advance(&s->clock, clock_unix_us(), clock_monotonic_ns());
    s->now_ms = s->started_ms = s->now_us / 1000;

    bool created = trace_sink_open(&s->sink, config_path(config, CONFIG_LOGFILE), problem) &&
                   settings_prepare(s, problem);
    if (created) {
        trace_write(&s->sink.trace, TRACE_NOTICE, "Irmak %s starts, process %d, configuration %s",
                    VERSION_IRMAK, getpid(),
                    config->path.size > 0 ? config->path.data : "by default and command line");
        show_warnings(s);
        created = open_directory(s, problem) && listen_all(s, problem) && write_pidfile(s, problem);
    }
    if (!created) {
        trace_write(&s->sink.trace, TRACE_WARNING, "%.*s", (int)problem->size, problem->data);
        server_destroy(s);
        return NULL;
    }
    trace_sink_start(&s->sink);
    create_engine(s);
    figures_measure_memory(s, 0);
    return s;
}

void server_destroy(struct server *s)
{
    CHECK(s->loading == NULL);
    if (s->loader != NULL) worker_destroy(s->loader);
    if (s->sync_worker != NULL) worker_destroy(s->sync_worker);
    if (s->spare_worker != NULL) worker_destroy(s->spare_worker);
    if (s->snapshot_worker != NULL) worker_destroy(s->snapshot_worker);
    if (s->config_worker != NULL) worker_destroy(s->config_worker);
    rewriting_deinit(&s->rewriting);
    while (!list_empty(&s->active)) {
        struct peer *p = CONTAINER_OF(s->active.next, struct peer, active);
        list_remove(&p->active);
        list_remove(&p->login);
        list_remove(&p->ended);
        memory_free(p, sizeof *p);
    }
    if (s->engine != NULL) engine_destroy(s->engine);
    if (s->net != NULL) net_destroy(s->net);
    if (s->signals >= 0) close(s->signals);
    /* The workers have ended, so what they had is done. */
    if (s->flush != NULL) db_flush_end(s->db, s->flush);
    if (s->spare != NULL) db_spare_end(s->db, s->spare);
    if (s->snapshot != NULL) db_snapshot_end(s->db, s->snapshot);
    if (s->db != NULL) db_close(s->db);
    if (s->disk != NULL) disk_os_close(s->disk);
    if (s->has_pidfile) unlink(config_path(s->config, CONFIG_PIDFILE));
    trace_sink_close(&s->sink);
    memory_free(s, sizeof *s);
}
