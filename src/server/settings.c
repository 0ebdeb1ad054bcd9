/* What the values of the configuration do, at start and when CONFIG SET changes them; and the rest
 * of what commands may ask of the process (command/host.h). */
#include "env/clock.h"
#include "env/entropy.h"
#include "server/server_state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- descriptors for maxclients ---- */

/* Raises the process' limit; returns how many clients it allows then. */
static int64_t raise_descriptor_limit(int64_t clients)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return clients;
    rlim_t wanted = (rlim_t)clients + DESCRIPTORS_RESERVED;
    if (limit.rlim_cur >= wanted) return clients;
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return clients;
    struct rlimit most = {limit.rlim_max, limit.rlim_max}; /* without privileges */
    if (setrlimit(RLIMIT_NOFILE, &most) == 0) limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_cur >= wanted) return clients;
    return (int64_t)limit.rlim_cur - DESCRIPTORS_RESERVED;
}

static bool fit_maxclients(struct server *s, struct buf *problem)
{
    int64_t wanted = config_number(s->config, CONFIG_MAXCLIENTS);
    int64_t possible = raise_descriptor_limit(wanted);
    if (possible == wanted) return true;
    if (possible < 1) {
        buf_append_text(problem, "the limit of open files (ulimit -n) is too low to serve anybody");
        return false;
    }
    trace_write(
        &s->sink.trace, TRACE_WARNING,
        "maxclients is %lld instead of %lld: the limit of open files (ulimit -n) is too low",
        (long long)possible, (long long)wanted);
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)possible);
    struct slice word = slice_of(text);
    return config_set_words(s->config, CONFIG_MAXCLIENTS, &word, 1, problem);
}

/* So that CONFIG GET dir means something to people in another directory. */
bool settings_make_dir_absolute(struct config *c, struct buf *problem)
{
    char absolute[PATH_MAX];
    if (realpath(config_path(c, CONFIG_DIR), absolute) == NULL) return true;
    struct slice word = slice_of(absolute);
    return config_set_words(c, CONFIG_DIR, &word, 1, problem);
}

/* ---- values that others take over ---- */

struct engine_limits settings_engine_limits(const struct config *c)
{
    uint64_t hard = config_output_limit_normal(c).hard_bytes;
    return (struct engine_limits){
        .output_bytes_max = hard > 0 ? hard : SIZE_MAX,
        .output_bytes_pause = OUTPUT_PAUSE_BYTES,
        .request_bytes_max = (size_t)config_number(c, CONFIG_CLIENT_QUERY_BUFFER_LIMIT),
        .bulk_bytes_max = (size_t)config_number(c, CONFIG_PROTO_MAX_BULK_LEN),
    };
}

struct stream_block_limits settings_stream_block(const struct config *c)
{
    return (struct stream_block_limits){
        .bytes_max = (size_t)config_number(c, CONFIG_STREAM_NODE_MAX_BYTES),
        .entries_max = (size_t)config_number(c, CONFIG_STREAM_NODE_MAX_ENTRIES)};
}

struct stream_idmp_limits settings_stream_idmp(const struct config *c)
{
    return (struct stream_idmp_limits){
        .duration_s = (uint32_t)config_number(c, CONFIG_STREAM_IDMP_DURATION),
        .count_max = (uint32_t)config_number(c, CONFIG_STREAM_IDMP_MAXSIZE)};
}

void settings_set_monitor(struct server *s)
{
    struct monitor_options options = {
        .tracks_latency = config_number(s->config, CONFIG_LATENCY_TRACKING) != 0,
        .slow_log_us = config_number(s->config, CONFIG_SLOWLOG_SLOWER_THAN),
        .slow_log_entries_max = (size_t)config_number(s->config, CONFIG_SLOWLOG_MAX_LEN),
        .event_threshold_ms = (uint64_t)config_number(s->config, CONFIG_LATENCY_THRESHOLD),
    };
    monitor_set(engine_monitor(s->engine), &options);
}

enum wal_policy settings_policy(const struct config *c)
{
    static const enum wal_policy policies[] = {WAL_SYNC_ALWAYS, WAL_SYNC_EVERYSEC, WAL_SYNC_NO};
    return policies[config_number(c, CONFIG_APPENDFSYNC)];
}

/* What may have been set while the db was being loaded. */
void settings_apply_to_db(struct server *s)
{
    db_set_policy(s->db, settings_policy(s->config));
    db_snapshot_set_pace(s->db, (uint64_t)config_number(s->config, CONFIG_SNAPSHOT_RATE));
    db_set_stream_block(s->db, settings_stream_block(s->config));
    db_set_stream_idmp(s->db, settings_stream_idmp(s->config));
}

static void apply(struct server *s, enum config_id id)
{
    switch ((int)id) {
    case CONFIG_APPENDFSYNC: db_set_policy(s->db, settings_policy(s->config)); break;
    case CONFIG_SNAPSHOT_RATE:
        db_snapshot_set_pace(s->db, (uint64_t)config_number(s->config, CONFIG_SNAPSHOT_RATE));
        break;
    case CONFIG_STREAM_NODE_MAX_BYTES:
    case CONFIG_STREAM_NODE_MAX_ENTRIES:
        db_set_stream_block(s->db, settings_stream_block(s->config));
        break;
    case CONFIG_STREAM_IDMP_DURATION:
    case CONFIG_STREAM_IDMP_MAXSIZE:
        db_set_stream_idmp(s->db, settings_stream_idmp(s->config));
        break;
    case CONFIG_CLIENT_OUTPUT_BUFFER_LIMIT:
    case CONFIG_CLIENT_QUERY_BUFFER_LIMIT:
    case CONFIG_PROTO_MAX_BULK_LEN: {
        struct engine_limits limits = settings_engine_limits(s->config);
        engine_set_limits(s->engine, &limits);
        s->soft_check_ms = s->now_ms;
        break;
    }
    case CONFIG_TCP_KEEPALIVE:
        net_set_keepalive(s->net, (int)config_number(s->config, CONFIG_TCP_KEEPALIVE));
        break;
    case CONFIG_SLOWLOG_SLOWER_THAN:
    case CONFIG_SLOWLOG_MAX_LEN:
    case CONFIG_LATENCY_THRESHOLD:
    case CONFIG_LATENCY_TRACKING: settings_set_monitor(s); break;
    case CONFIG_LOGLEVEL: s->sink.level = (int)config_number(s->config, CONFIG_LOGLEVEL); break;
    default: break; /* read where it is needed */
    }
}

bool settings_prepare(struct server *s, struct buf *problem)
{
    s->sink.level = (int)config_number(s->config, CONFIG_LOGLEVEL);
    return fit_maxclients(s, problem);
}

/* ---- the host of commands ---- */

static struct slice host_password(void *context)
{
    const struct server *s = context;
    return config_text(s->config, CONFIG_REQUIREPASS);
}

static void host_config_get(void *context, const struct slice *patterns, size_t count,
                            host_config_visit *visit, void *visit_context)
{
    const struct server *s = context;
    config_get(s->config, patterns, count, visit, visit_context);
}

static bool judge(void *context, enum config_id id, int64_t number, struct buf *problem)
{
    (void)context;
    if (id != CONFIG_MAXCLIENTS) return true;
    int64_t possible = raise_descriptor_limit(number);
    if (possible == number) return true;
    buf_append_format(problem,
                      "The operating system is not able to handle the specified number of clients, "
                      "try with %lld",
                      (long long)possible);
    return false;
}

static bool host_config_set(void *context, const struct slice *pairs, size_t count,
                            struct buf *error)
{
    struct server *s = context;
    struct config_request request = {pairs, count, judge, s};
    bool changed[CONFIG_COUNT];
    if (!config_set(s->config, &request, changed, error)) return false;
    for (enum config_id id = 0; id < CONFIG_COUNT; id++)
        if (changed[id]) apply(s, id);
    return true;
}

static uint64_t host_config_rewrite(void *context, struct buf *error)
{
    return rewriting_begin(context, error);
}

static bool host_config_rewritten(void *context, uint64_t errand, struct buf *error)
{
    return rewriting_is_done(context, errand, error);
}

static void host_reset_statistics(void *context)
{
    struct server *s = context;
    struct net_figures net;
    net_measure(s->net, &net);
    s->received_base = net.received_bytes;
    s->sent_base = net.sent_bytes;
    s->connections_base = net.accepted;
    s->rejected_connections = s->refused_connections = s->idle_closes = 0;
    s->samples_count = 0;
    turns_reset(s);
    refusals_reset(&s->refusals, s->now_ms);
    figures_measure_memory(s, 0);
    s->memory_peak = s->memory.allocated_bytes;
    engine_reset_statistics(s->engine);
    db_reset_statistics(s->db);
}

static void host_info(void *context, const struct slice *sections, size_t count, struct buf *out)
{
    info_append(context, sections, count, out);
}

static void host_shutdown(void *context, enum host_shutdown how)
{
    struct server *s = context;
    if (how == HOST_SHUTDOWN_SAVE) s->stop_saves = true;
    server_request_stop(s, how == HOST_SHUTDOWN_NOW);
}

static void host_sleep(void *context, int64_t microseconds)
{
    (void)context;
    struct timespec left = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static int64_t host_monotonic_ns(void *context)
{
    (void)context;
    return clock_monotonic_ns();
}

static uint64_t host_random(void *context)
{
    (void)context;
    return entropy_u64();
}

static bool host_out_of_memory(void *context)
{
    struct server *s = context;
    int64_t limit = config_number(s->config, CONFIG_MAXMEMORY);
    if (limit == 0) return false;
    figures_measure_memory(s, MEMORY_MEASURE_MS);
    return s->memory.allocated_bytes > (size_t)limit;
}

void settings_fill_host(struct server *s)
{
    s->host = (struct host){
        .context = s,
        .password = host_password,
        .config_get = host_config_get,
        .config_set = host_config_set,
        .config_rewrite = host_config_rewrite,
        .config_rewritten = host_config_rewritten,
        .reset_statistics = host_reset_statistics,
        .info = host_info,
        .shutdown = host_shutdown,
        .sleep = host_sleep,
        .monotonic_ns = host_monotonic_ns,
        .random = host_random,
        .out_of_memory = host_out_of_memory,
    };
}
