#include "machine.h"

#include "base/check.h"
#include "base/memory.h"
#include "wal/snapshot.h"

#include <stdarg.h>
#include <stdio.h>

enum { SETTLE_TICKS_MAX = 10000, WORDS_MAX = 64, WITHHELD_PARTS_MAX = 256 };

/* ---- the process around the engine ---- */

static struct slice host_password(void *context)
{
    struct machine *m = context;
    return slice_of(m->password);
}

static void host_config_get(void *context, const struct slice *patterns, size_t count,
                            host_config_visit *visit, void *visit_context)
{
    (void)context;
    (void)patterns;
    (void)count;
    (void)visit;
    (void)visit_context;
}

static bool set_policy(struct machine *m, struct slice value)
{
    static const char *const names[] = {"always", "everysec", "no"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!slice_equal(value, slice_of(names[i]))) continue;
        db_set_policy(m->db, (enum wal_policy)i);
        return true;
    }
    return false;
}

static bool set_monitor(struct machine *m, struct slice name, int64_t value)
{
    struct monitor *monitor = engine_monitor(m->engine);
    struct monitor_options options = monitor->options;
    bool switches_off = value == -1 && slice_equal(name, SLICE("slowlog-log-slower-than"));
    if (value < 0 && !switches_off) return false;
    if (slice_equal(name, SLICE("slowlog-log-slower-than"))) options.slow_log_us = value;
    else if (slice_equal(name, SLICE("slowlog-max-len")))
        options.slow_log_entries_max = (size_t)value;
    else if (slice_equal(name, SLICE("latency-monitor-threshold")))
        options.event_threshold_ms = (uint64_t)value;
    else return false;
    monitor_set(monitor, &options);
    return true;
}

/* The few directives that scenarios need, one at a time. */
static bool host_config_set(void *context, const struct slice *pairs, size_t count,
                            struct buf *error)
{
    struct machine *m = context;
    int64_t value;
    if (count == 2 && slice_equal(pairs[0], SLICE("appendfsync")) && set_policy(m, pairs[1]))
        return true;
    if (count == 2 && number_parse_i64(pairs[1], &value) && set_monitor(m, pairs[0], value))
        return true;
    buf_append_text(error, "ERR the simulator has no such configuration");
    return false;
}

static uint64_t host_config_rewrite(void *context, struct buf *error)
{
    (void)context;
    buf_append_text(error, "ERR the simulator has no configuration file");
    return 0;
}

static bool host_config_rewritten(void *context, uint64_t errand, struct buf *error)
{
    (void)context;
    (void)errand;
    (void)error;
    CHECK(false);
    return true;
}

static void host_reset_statistics(void *context)
{
    struct machine *m = context;
    engine_reset_statistics(m->engine);
    db_reset_statistics(m->db);
}

static void host_info(void *context, const struct slice *sections, size_t count, struct buf *out)
{
    (void)context;
    (void)sections;
    (void)count;
    buf_append_text(out, "# Server\r\nirmak:simulator\r\n");
}

static void host_shutdown(void *context, enum host_shutdown how)
{
    struct machine *m = context;
    (void)how;
    m->stop_asked = true;
}

static void host_sleep(void *context, int64_t microseconds)
{
    struct machine *m = context;
    m->now_us += microseconds;
}

static int64_t host_monotonic_ns(void *context)
{
    struct machine *m = context;
    return m->now_us * 1000;
}

static uint64_t host_random(void *context)
{
    struct machine *m = context;
    return random_next(&m->random);
}

static bool host_out_of_memory(void *context)
{
    struct machine *m = context;
    return m->out_of_memory;
}

/* ---- life ---- */

bool machine_start(struct machine *m, const struct machine_options *options,
                   struct wal_recovery *recovery, enum wal_open_status *status)
{
    *m =
        (struct machine){.options = *options, .random = {options->seed}, .now_us = options->now_us};
    struct db_options db = {
        .disk = options->disk == NULL ? NULL : sim_disk_disk(options->disk),
        .policy = options->policy,
        .segment_bytes = options->segment_bytes,
        .random_seed = random_next(&m->random),
        .stream_block = options->stream_block,
        .opened_ms = options->now_us / 1000,
        .transaction_bytes_max = options->transaction_bytes_max,
    };
    m->db = db_open(&db, recovery, status);
    if (m->db == NULL) return false;
    m->host = (struct host){m,
                            host_password,
                            host_config_get,
                            host_config_set,
                            host_config_rewrite,
                            host_config_rewritten,
                            host_reset_statistics,
                            host_info,
                            host_shutdown,
                            host_sleep,
                            host_monotonic_ns,
                            host_random,
                            host_out_of_memory};
    struct engine_options engine = {.db = m->db, .host = &m->host, .limits = options->limits};
    m->engine = engine_create(&engine);
    db_set_now(m->db, m->now_us / 1000);
    return true;
}

static void forget_links(struct machine *m)
{
    for (size_t i = 0; i < MACHINE_LINKS_MAX; i++) {
        struct machine_link *link = &m->links[i];
        buf_deinit(&link->outgoing);
        buf_deinit(&link->incoming);
        buf_deinit(&link->lent);
        *link = (struct machine_link){0};
    }
}

static void destroy(struct machine *m)
{
    if (m->flush != NULL) {
        if (!m->flush_ran) wal_flush_run(m->flush);
        (void)engine_flush_end(m->engine, m->flush);
    }
    machine_snapshot_run(m);
    machine_snapshot_end(m);
    engine_destroy(m->engine);
    db_close(m->db);
    forget_links(m);
    m->flush = NULL;
    m->engine = NULL;
    m->db = NULL;
}

void machine_die(struct machine *m)
{
    CHECK(m->db != NULL);
    /* Freeing touches the disk: a disk that is dead. */
    if (m->options.disk != NULL)
        sim_disk_set_faults(m->options.disk, &(struct sim_faults){.power_off_at = 1});
    destroy(m);
}

bool machine_shut_down(struct machine *m)
{
    CHECK(m->db != NULL);
    engine_stop(m->engine);
    for (int i = 0; i < SETTLE_TICKS_MAX && m->log_status == DISK_OK; i++) {
        machine_flush_begin(m);
        if (m->flush == NULL && db_flush_due_ms(m->db) == INT64_MAX) break;
        machine_flush_run(m);
        machine_flush_end(m);
        machine_release(m);
        m->now_us += 1000;
        db_set_now(m->db, m->now_us / 1000);
    }
    bool good = m->log_status == DISK_OK && db_flush_due_ms(m->db) == INT64_MAX;
    destroy(m);
    return good;
}

/* ---- connections ---- */

void machine_connect(struct machine *m, size_t link)
{
    CHECK(link < MACHINE_LINKS_MAX);
    CHECK(m->links[link].session == NULL);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%zu", 40000 + link);
    struct session_options options = {.address = address,
                                      .local_address = "127.0.0.1:6379",
                                      .descriptor = -1,
                                      .owner = &m->links[link]};
    m->links[link].session = engine_open_session(m->engine, &options, m->now_us / 1000);
    m->links[link].incoming.size = 0;
    m->links[link].outgoing.size = 0;
}

void machine_disconnect(struct machine *m, size_t link)
{
    CHECK(link < MACHINE_LINKS_MAX);
    if (m->links[link].session != NULL) engine_close_session(m->engine, m->links[link].session);
    m->links[link].session = NULL;
}

void machine_send_words(struct machine *m, size_t link, const struct slice *words, size_t count)
{
    struct buf *out = &m->links[link].outgoing;
    buf_append_format(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_append_format(out, "$%zu\r\n", words[i].size);
        buf_append(out, words[i]);
        buf_append_text(out, "\r\n");
    }
}

void machine_send(struct machine *m, size_t link, const char *format, ...)
{
    struct slice words[WORDS_MAX];
    struct buf line = {0};
    size_t count = 0;
    va_list list;
    va_start(list, format);
    int size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    CHECK(size > 0);
    va_start(list, format);
    vsnprintf(buf_reserve(&line, (size_t)size + 1), (size_t)size + 1, format, list);
    va_end(list);
    for (const char *at = line.data; *at != '\0';) {
        size_t length = strcspn(at, " ");
        CHECK(count < WORDS_MAX);
        if (length > 0) words[count++] = (struct slice){at, length};
        at += length;
        if (*at == ' ') at++;
    }
    machine_send_words(m, link, words, count);
    buf_deinit(&line);
}

void machine_withheld(const struct machine *m, size_t link, struct buf *out)
{
    struct iovec vectors[WITHHELD_PARTS_MAX];
    CHECK(link < MACHINE_LINKS_MAX);
    if (m->links[link].session == NULL) return;
    struct chain all = *session_output(m->links[link].session);
    all.released = all.appended;
    size_t count = chain_vectors(&all, vectors, WITHHELD_PARTS_MAX);
    CHECK(count < WITHHELD_PARTS_MAX);
    for (size_t i = 0; i < count; i++)
        buf_append(out, (struct slice){vectors[i].iov_base, vectors[i].iov_len});
}

/* ---- the tick ---- */

static void feed(struct machine *m, struct machine_link *link, bool in_pieces)
{
    if (link->session == NULL || link->outgoing.size == 0) return;
    if (!session_wants_input(link->session)) return;
    size_t size = link->outgoing.size;
    if (in_pieces && random_below(&m->random, 2) == 0)
        size = 1 + (size_t)random_below(&m->random, size);
    size_t wanted;
    char *space = session_input_space(link->session, &wanted);
    if (space != NULL && random_below(&m->random, 2) == 0) {
        if (size > wanted) size = wanted;
        memcpy(space, link->outgoing.data, size);
        session_input_received(link->session, size);
    } else {
        link->lent.size = 0;
        buf_append(&link->lent, (struct slice){link->outgoing.data, size});
        session_feed(link->session, buf_slice(&link->lent));
    }
    buf_consume(&link->outgoing, size);
}

void machine_tick(struct machine *m, bool in_pieces)
{
    CHECK(m->engine != NULL);
    CHECK(IMPLIES(m->flush_ran, m->flush != NULL));
    for (size_t i = 0; i < MACHINE_LINKS_MAX; i++) feed(m, &m->links[i], in_pieces);
    engine_tick(m->engine, m->now_us);
}

void machine_flush_begin(struct machine *m)
{
    if (m->flush != NULL || m->log_status != DISK_OK) return;
    m->flush = engine_flush_begin(m->engine);
    m->flush_ran = false;
}

void machine_flush_run(struct machine *m)
{
    if (m->flush == NULL || m->flush_ran) return;
    wal_flush_run(m->flush);
    m->flush_ran = true;
}

bool machine_flush_end(struct machine *m)
{
    if (m->flush == NULL || !m->flush_ran) return m->log_status == DISK_OK;
    m->log_status = engine_flush_end(m->engine, m->flush);
    m->flush = NULL;
    m->flush_ran = false;
    return m->log_status == DISK_OK;
}

void machine_make_spare(struct machine *m)
{
    struct wal_spare *spare = db_spare_begin(m->db);
    if (spare == NULL) return;
    wal_spare_run(spare);
    (void)db_spare_end(m->db, spare);
    m->log_status = db_log_status(m->db);
}

void machine_snapshot_begin(struct machine *m)
{
    if (m->snapshot != NULL) return;
    m->snapshot = db_snapshot_begin(m->db);
    m->snapshot_ran = false;
}

void machine_snapshot_run(struct machine *m)
{
    if (m->snapshot == NULL || m->snapshot_ran) return;
    snapshot_run(m->snapshot);
    m->snapshot_ran = true;
}

void machine_snapshot_end(struct machine *m)
{
    if (m->snapshot == NULL || !m->snapshot_ran) return;
    db_snapshot_end(m->db, m->snapshot);
    m->log_status = db_log_status(m->db);
    m->snapshot = NULL;
    m->snapshot_ran = false;
}

static void receive(struct machine_link *link)
{
    struct chain *output = session_output(link->session);
    struct iovec vector;
    while (!link->deaf && chain_vectors(output, &vector, 1) == 1) {
        buf_append(&link->incoming, (struct slice){vector.iov_base, vector.iov_len});
        chain_consume(output, vector.iov_len);
    }
}

void machine_release(struct machine *m)
{
    struct session *session;
    if (m->log_status != DISK_OK) return;
    engine_release(m->engine);
    while ((session = engine_take_ready(m->engine)) != NULL) {
        struct machine_link *link = session_owner(session);
        CHECK(link->session == session);
        receive(link);
        if (!session_finished(session)) continue;
        engine_close_session(m->engine, session);
        link->session = NULL;
    }
}

static bool has_input(const struct machine *m)
{
    for (size_t i = 0; i < MACHINE_LINKS_MAX; i++) {
        const struct machine_link *link = &m->links[i];
        if (link->session != NULL && link->outgoing.size > 0 && session_wants_input(link->session))
            return true;
    }
    return false;
}

bool machine_settle(struct machine *m)
{
    for (int i = 0; i < SETTLE_TICKS_MAX; i++) {
        uint64_t requests = engine_requests(m->engine);
        machine_tick(m, false);
        machine_flush_begin(m);
        machine_flush_run(m);
        if (!machine_flush_end(m)) return false;
        machine_release(m);
        machine_snapshot_begin(m);
        machine_snapshot_run(m);
        machine_snapshot_end(m);
        bool moved = engine_requests(m->engine) != requests;
        if (m->stop_asked) return true;
        if (!moved && !db_snapshot_running(m->db) && !has_input(m) && !engine_busy(m->engine) &&
            m->flush == NULL && db_appended_lsn(m->db) == db_durable_lsn(m->db))
            return true;
    }
    return true;
}
