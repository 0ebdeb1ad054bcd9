/* INFO: sections of "name:value" lines, with Redis' names where the meaning is the same, because
 * libraries and monitoring read them. Only what is true is here: a figure that Irmak does not
 * have is absent, not zero. */
#include "base/number.h"
#include "command/version.h"
#include "env/clock.h"
#include "server/server_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What a section may need, measured once for each INFO. */
struct info {
    struct server *server;
    struct buf *out;
    struct engine_figures engine;
    struct net_figures net;
    struct db_figures db;
    struct rate_sample rate;
};

static void line_text(struct info *i, const char *name, const char *value)
{
    buf_append_format(i->out, "%s:%s\r\n", name, value);
}

static void line_number(struct info *i, const char *name, uint64_t value)
{
    buf_append_format(i->out, "%s:%" PRIu64 "\r\n", name, value);
}

/* As Redis' bytesToHuman: "1.50M". */
static void line_human(struct info *i, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGTP";
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < sizeof units - 2) {
        value /= 1024;
        unit++;
    }
    if (unit == 0) buf_append_format(i->out, "%s:%" PRIu64 "B\r\n", name, bytes);
    else buf_append_format(i->out, "%s:%.2f%c\r\n", name, value, units[unit]);
}

static void line_bytes(struct info *i, const char *name, uint64_t bytes)
{
    char human[64];
    snprintf(human, sizeof human, "%s_human", name);
    line_number(i, name, bytes);
    line_human(i, human, bytes);
}

static void line_ratio(struct info *i, const char *name, double above, double below)
{
    buf_append_format(i->out, "%s:%.2f\r\n", name, below > 0 ? above / below : 0);
}

static void section_server(struct info *i)
{
    const struct server *s = i->server;
    struct utsname system;
    uname(&system);
    uint64_t uptime = (uint64_t)(s->now_ms - s->started_ms) / 1000;
    line_text(i, "redis_version", VERSION_REDIS);
    line_text(i, "irmak_version", VERSION_IRMAK);
    line_text(i, "redis_mode", "standalone");
    buf_append_format(i->out, "os:%s %s %s\r\n", system.sysname, system.release, system.machine);
    line_number(i, "arch_bits", sizeof(void *) * 8);
    line_text(i, "monotonic_clock", "POSIX clock_gettime");
    line_text(i, "multiplexing_api", "epoll");
    line_text(i, "gcc_version", __VERSION__);
    line_number(i, "process_id", (uint64_t)getpid());
    line_text(i, "run_id", s->run_id);
    line_number(i, "tcp_port", net_port(s->net));
    line_number(i, "server_time_usec", (uint64_t)s->now_us);
    line_number(i, "uptime_in_seconds", uptime);
    line_number(i, "uptime_in_days", uptime / 86400);
    line_text(i, "executable", s->executable);
    line_text(i, "config_file", s->config->path.size > 0 ? s->config->path.data : "");
    line_number(i, "io_threads_active", 0);
}

static void section_clients(struct info *i)
{
    const struct server *s = i->server;
    line_number(i, "connected_clients", i->engine.sessions);
    line_number(i, "maxclients", (uint64_t)config_number(s->config, CONFIG_MAXCLIENTS));
    line_number(i, "blocked_clients", i->engine.waiting);
}

static uint64_t total_system_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

/* From the kernel, because the allocator does not know stacks and code. */
static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long total, resident = 0;
    if (file == NULL) return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2) resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void section_memory(struct info *i)
{
    struct server *s = i->server;
    figures_measure_memory(s, 0);
    uint64_t used = s->memory.allocated_bytes;
    uint64_t resident = resident_bytes();
    line_bytes(i, "used_memory", used);
    line_bytes(i, "used_memory_rss", resident);
    line_bytes(i, "used_memory_peak", s->memory_peak);
    line_number(i, "allocator_allocated", used);
    line_number(i, "allocator_resident", s->memory.resident_bytes);
    line_bytes(i, "total_system_memory", total_system_memory());
    line_bytes(i, "maxmemory", (uint64_t)config_number(s->config, CONFIG_MAXMEMORY));
    line_text(i, "maxmemory_policy", config_path(s->config, CONFIG_MAXMEMORY_POLICY));
    line_ratio(i, "mem_fragmentation_ratio", (double)resident, (double)used);
    line_number(i, "mem_clients_normal", i->engine.client_memory_bytes);
    line_number(i, "mem_log_buffer", i->db.pending_bytes);
    line_text(i, "mem_allocator", memory_allocator_name());
}

static void log_lines(struct info *i)
{
    const struct wal_figures *log = &i->db.log;
    const struct wal_recovery *recovery = &i->server->recovery;
    uint64_t refused_ms = (uint64_t)refusals_ms(&i->server->refusals, i->server->now_ms);
    line_text(i, "log_fsync", config_path(i->server->config, CONFIG_APPENDFSYNC));
    line_number(i, "log_writable", db_writable(i->server->db));
    line_number(i, "log_appended_lsn", i->db.appended_lsn);
    line_number(i, "log_durable_lsn", i->db.durable_lsn);
    line_number(i, "log_synced_lsn", db_synced_lsn(i->server->db));
    line_number(i, "log_pending_bytes", i->db.pending_bytes);
    line_number(i, "log_segments", log->segments);
    line_number(i, "log_bytes", log->bytes);
    line_number(i, "log_spares", log->spares);
    line_number(i, "log_spare_bytes", log->spare_bytes);
    line_number(i, "log_segments_recycled", log->segments_recycled);
    line_number(i, "log_batches", log->batches);
    line_number(i, "log_frames", log->frames);
    line_number(i, "log_syncs", log->syncs);
    line_number(i, "log_sync_usec_last", log->sync_ns_last / 1000);
    line_number(i, "log_sync_usec_p50", log->sync_ns_p50 / 1000);
    line_number(i, "log_sync_usec_p99", log->sync_ns_p99 / 1000);
    line_number(i, "log_sync_usec_max", log->sync_ns_max / 1000);
    line_number(i, "log_sync_usec_total", log->sync_ns_total / 1000);
    line_number(i, "log_commit_usec_p50", log->commit_ns_p50 / 1000);
    line_number(i, "log_commit_usec_p99", log->commit_ns_p99 / 1000);
    line_number(i, "log_commit_usec_max", log->commit_ns_max / 1000);
    line_number(i, "log_commit_usec_total", log->commit_ns_total / 1000);
    line_number(i, "log_batch_frames_p50", log->batch_frames_p50);
    line_number(i, "log_batch_frames_p99", log->batch_frames_p99);
    line_number(i, "log_batch_frames_max", log->batch_frames_max);
    line_number(i, "log_batch_bytes_p50", log->batch_bytes_p50);
    line_number(i, "log_batch_bytes_p99", log->batch_bytes_p99);
    line_number(i, "log_batch_bytes_max", log->batch_bytes_max);
    line_number(i, "log_busy_percent", i->rate.log_busy_percent);
    line_number(i, "log_refused_seconds", refused_ms / 1000);
    line_number(i, "log_recovered_frames", recovery->frames);
    line_number(i, "log_recovered_bytes", recovery->bytes);
    line_number(i, "log_recovered_torn_bytes", recovery->torn_bytes);
}

static void snapshot_lines(struct info *i)
{
    const struct snapshot_figures *f = &i->db.snapshot;
    const struct server *s = i->server;
    uint64_t elapsed_ms = f->running ? (uint64_t)(s->now_ms - f->started_ms) : 0;
    uint64_t percent = f->keys_total == 0 ? 100 : f->keys * 100 / f->keys_total;
    line_number(i, "current_save_keys_processed", f->running ? f->keys : 0);
    line_number(i, "current_save_keys_total", f->running ? f->keys_total : 0);
    line_number(i, "rdb_changes_since_last_save", f->changes);
    line_number(i, "rdb_bgsave_in_progress", f->running);
    line_number(i, "rdb_last_save_time", (uint64_t)(f->last_ms / 1000));
    line_text(i, "rdb_last_bgsave_status", f->last_failed ? "err" : "ok");
    buf_append_format(i->out, "rdb_last_bgsave_time_sec:%" PRId64 "\r\n",
                      f->last_took_ms < 0 ? -1 : f->last_took_ms / 1000);
    buf_append_format(i->out, "rdb_current_bgsave_time_sec:%" PRId64 "\r\n",
                      f->running ? (int64_t)(elapsed_ms / 1000) : -1);
    line_number(i, "rdb_saves", f->done);
    line_number(i, "snapshot_percent", f->running ? (percent < 100 ? percent : 100) : 0);
    line_number(i, "snapshot_bytes", f->running ? f->bytes : 0);
    line_number(i, "snapshot_bytes_per_second", elapsed_ms == 0 ? 0 : f->bytes * 1000 / elapsed_ms);
    line_number(i, "snapshot_moved_keys", f->moved);
    line_number(i, "snapshot_loop_usec_max", s->turns.snapshot.wall_ns / 1000);
    line_number(i, "snapshot_loop_cpu_usec_max", s->turns.snapshot.cpu_ns / 1000);
    buf_append_format(i->out, "snapshot_seconds_since:%" PRId64 "\r\n",
                      i->db.log.snapshots == 0 ? -1 : (s->now_ms - f->last_ms) / 1000);
    line_number(i, "snapshot_last_bytes", f->last_bytes);
    line_number(i, "snapshot_last_msec", f->last_took_ms < 0 ? 0 : (uint64_t)f->last_took_ms);
    line_number(i, "snapshot_generations", i->db.log.snapshots);
    line_number(i, "snapshot_files_bytes", i->db.log.snapshot_bytes);
    line_number(i, "snapshot_log_bytes_since", f->log_bytes);
    line_number(i, "snapshot_loaded", i->server->recovery.snapshot.number);
    line_number(i, "snapshots_refused", i->server->recovery.snapshots_refused);
}

static void loading_lines(struct info *i)
{
    const struct server *s = i->server;
    struct loading_figures f = loading_measure(s);
    double elapsed = (double)(s->now_ms - s->started_ms) / 1000, left = 1;
    if (f.bytes > 0) left = elapsed * (double)(f.bytes_total - f.bytes) / (double)f.bytes;
    line_number(i, "loading_start_time", (uint64_t)(s->started_ms / 1000));
    line_number(i, "loading_total_bytes", f.bytes_total);
    line_number(i, "loading_loaded_bytes", f.bytes);
    line_ratio(i, "loading_loaded_perc", (double)f.bytes * 100, (double)f.bytes_total);
    line_number(i, "loading_eta_seconds", (uint64_t)(left + 0.5));
}

/* Of the directory: what an operator finds there, but for two blocks and files that are on their
 * way, to be a spare or to be removed. */
static uint64_t dir_bytes(const struct info *i)
{
    const struct wal_figures *log = &i->db.log;
    const struct snapshot_figures *f = &i->db.snapshot;
    return log->bytes + log->spare_bytes + log->snapshot_bytes + (f->running ? f->bytes : 0);
}

static void section_persistence(struct info *i)
{
    bool loading = i->server->loading != NULL;
    line_number(i, "loading", loading);
    line_number(i, "async_loading", 0);
    line_number(i, "aof_enabled", i->server->disk != NULL);
    if (loading) loading_lines(i);
    /* A failed write stops the process: while anybody reads this, the last one was good. */
    if (i->db.has_log) line_text(i, "aof_last_write_status", "ok");
    if (i->db.has_log) line_number(i, "dir_bytes", dir_bytes(i));
    if (i->db.has_log) snapshot_lines(i);
    if (i->db.has_log) log_lines(i);
}

static void section_stats(struct info *i)
{
    const struct server *s = i->server;
    line_number(i, "total_connections_received", i->net.accepted - s->connections_base);
    line_number(i, "total_commands_processed", i->engine.requests);
    line_number(i, "instantaneous_ops_per_sec", i->rate.requests);
    line_number(i, "loop_usec_max", s->turns.all.wall_ns / 1000);
    line_number(i, "loop_cpu_usec_max", s->turns.all.cpu_ns / 1000);
    line_number(i, "total_net_input_bytes", i->net.received_bytes - s->received_base);
    line_number(i, "total_net_output_bytes", i->net.sent_bytes - s->sent_base);
    buf_append_format(i->out, "instantaneous_input_kbps:%.2f\r\n",
                      (double)i->rate.input_bytes / 1024);
    buf_append_format(i->out, "instantaneous_output_kbps:%.2f\r\n",
                      (double)i->rate.output_bytes / 1024);
    line_number(i, "rejected_connections", s->rejected_connections);
    line_number(i, "protected_mode_refusals", s->refused_connections);
    line_number(i, "accept_errors", i->net.accept_errors);
    line_number(i, "idle_closes", s->idle_closes);
    line_number(i, "client_output_buffer_limit_disconnections", i->engine.output_limit_closes);
    line_number(i, "expired_keys", i->db.expired);
    line_number(i, "keyspace_hits", i->db.hits);
    line_number(i, "keyspace_misses", i->db.misses);
    line_number(i, "evicted_keys", 0);
    line_number(i, "total_error_replies", i->engine.errors->total);
    line_number(i, "total_effects_applied", i->db.effects);
}

static void section_replication(struct info *i)
{
    line_text(i, "role", "master");
    line_number(i, "connected_slaves", 0);
}

static void line_time(struct info *i, const char *name, const struct timeval *time)
{
    buf_append_format(i->out, "%s:%ld.%06ld\r\n", name, (long)time->tv_sec, (long)time->tv_usec);
}

static void section_cpu(struct info *i)
{
    struct rusage self, main_thread;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_THREAD, &main_thread);
    line_time(i, "used_cpu_sys", &self.ru_stime);
    line_time(i, "used_cpu_user", &self.ru_utime);
    line_time(i, "used_cpu_sys_main_thread", &main_thread.ru_stime);
    line_time(i, "used_cpu_user_main_thread", &main_thread.ru_utime);
}

static void section_commandstats(struct info *i)
{
    for (size_t row = 0; row < command_table_count; row++) {
        const struct command_statistics *f = &i->engine.statistics[row];
        if (f->calls == 0 && f->rejected == 0) continue;
        double microseconds = (double)f->nanoseconds / 1000;
        buf_append_format(i->out,
                          "cmdstat_%s:calls=%" PRIu64 ",usec=%.0f,usec_per_call=%.2f,"
                          "rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n",
                          command_table[row].full_name, f->calls, microseconds,
                          f->calls > 0 ? microseconds / (double)f->calls : 0, f->rejected,
                          f->failed);
    }
}

/* As Redis: "p99.9", without zeros at the end. */
static void append_percentile(struct info *i, double percent, const struct histogram *h)
{
    char name[32];
    int size = snprintf(name, sizeof name, "%f", percent);
    CHECK(size > 0 && (size_t)size < sizeof name);
    while (name[size - 1] == '0') size--;
    if (name[size - 1] == '.') size--;
    uint64_t rank = (uint64_t)ceil((double)h->count * percent / 100);
    uint64_t ns = histogram_value_at(h, rank < h->count ? rank : h->count);
    buf_append_format(i->out, "p%.*s=%.3f", size, name, (double)ns / 1000);
}

static void section_latencystats(struct info *i)
{
    struct slice list = config_text(i->server->config, CONFIG_LATENCY_PERCENTILES);
    for (size_t row = 0; row < command_table_count; row++) {
        const struct histogram *h = i->engine.statistics[row].latency;
        if (h == NULL) continue;
        buf_append_format(i->out, "latency_percentiles_usec_%s:", command_table[row].full_name);
        for (size_t at = 0; at < list.size; at++) {
            struct slice word = {list.data + at, strcspn(list.data + at, " ")};
            double percent;
            CHECK(number_parse_double(word, &percent)); /* it is our own text */
            if (at > 0) buf_append_byte(i->out, ',');
            append_percentile(i, percent, h);
            at += word.size;
        }
        buf_append_text(i->out, "\r\n");
    }
}

static void section_errorstats(struct info *i)
{
    const struct error_counts *errors = i->engine.errors;
    for (size_t kind = 0; kind < errors->kinds_count; kind++)
        buf_append_format(i->out, "errorstat_%s:count=%" PRIu64 "\r\n", errors->kinds[kind].name,
                          errors->kinds[kind].count);
}

static void section_cluster(struct info *i)
{
    line_number(i, "cluster_enabled", 0);
}

static void section_keyspace(struct info *i)
{
    for (size_t database = 0; database < DATABASES_COUNT; database++) {
        if (i->db.keys[database] == 0) continue;
        buf_append_format(i->out, "db%zu:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=0\r\n",
                          database, i->db.keys[database], i->db.expiring[database]);
    }
}

static const struct {
    const char *name;
    const char *title;
    void (*append)(struct info *i);
    bool initial; /* among the sections of INFO without arguments */
} sections_table[] = {
    {"server", "Server", section_server, true},
    {"clients", "Clients", section_clients, true},
    {"memory", "Memory", section_memory, true},
    {"persistence", "Persistence", section_persistence, true},
    {"stats", "Stats", section_stats, true},
    {"replication", "Replication", section_replication, true},
    {"cpu", "CPU", section_cpu, true},
    {"commandstats", "Commandstats", section_commandstats, false},
    {"latencystats", "Latencystats", section_latencystats, false},
    {"errorstats", "Errorstats", section_errorstats, true},
    {"cluster", "Cluster", section_cluster, true},
    {"keyspace", "Keyspace", section_keyspace, true},
};

static bool is_wanted(size_t index, const struct slice *sections, size_t count)
{
    if (count == 0) return sections_table[index].initial;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_ignoring_case(sections[i], slice_of(sections_table[index].name)) ||
            slice_equal_ignoring_case(sections[i], SLICE("all")) ||
            slice_equal_ignoring_case(sections[i], SLICE("everything")))
            return true;
        if (slice_equal_ignoring_case(sections[i], SLICE("default")) &&
            sections_table[index].initial)
            return true;
    }
    return false;
}

void info_append(struct server *s, const struct slice *sections, size_t count, struct buf *out)
{
    struct info i = {.server = s, .out = out, .rate = figures_rate(s)};
    engine_measure(s->engine, &i.engine);
    net_measure(s->net, &i.net);
    db_measure(s->db, &i.db);
    bool first = true;
    for (size_t index = 0; index < sizeof sections_table / sizeof sections_table[0]; index++) {
        if (!is_wanted(index, sections, count)) continue;
        buf_append_format(out, "%s# %s\r\n", first ? "" : "\r\n", sections_table[index].title);
        sections_table[index].append(&i);
        first = false;
    }
}
