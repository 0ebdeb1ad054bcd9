/* fault_test.c - every call on the disk fails once, and from then on for ever: in a run and in a
 * recovery.
 *
 * A short trace is played again and again against a real server; at the nth repetition the nth
 * call of a kind fails (fault_preload.c), until a repetition in which none was left to fail. What
 * docs/durability.md promises is asked after each: a failed write or sync of a segment, or sync of
 * the directory, ends the process with status 1; a full disk refuses writes with MISCONF and goes
 * on by itself; what was acknowledged is there after the next start, what was refused is not, what
 * was neither is whole or absent; and no failure ever leaves a directory that is corrupt. The trace
 * has snapshots in it, so that an old snapshot goes and an old segment is recycled and written
 * again; a snapshot may fail, and so may a segment's new name, and nothing else is the matter then.
 *
 * Each point fails once with EIO; each third also with ENOSPC, for ever, and (a write) in part.
 * FAULT_STEP=1 strikes at all points in all these ways, FAULT_STEP=n at each nth. */
#include "damage.h"
#include "fault_page.h"
#include "waiting.h"
#include "wire.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    TRACE = 14,
    SAVES_EACH = 5, /* a snapshot behind each 5th write: the third takes the first and its log */
    RECYCLED_BEHIND = 10,     /* that third one; a large write follows, which begins a segment */
    LARGE_BYTES = 600 * 1024, /* a segment of 1 MiB has room for one */
    SMALL_BYTES = 20,
    POINTS_MAX = 400,
    STRIDE = 3,
    ALLOCATION_POINTS = 25,
    PATIENCE_MS = 150, /* without an answer after a failure: the disk recovers */
    LIMIT_MS = 15000,
};

enum outcome { NOT_SENT, ACKNOWLEDGED, REFUSED, UNKNOWN };

struct world {
    struct server_process server;
    struct fault_page *page;
    enum outcome outcomes[TRACE];
    bool server_ended;
    bool broken; /* the trace: the connection ended */
};

struct point {
    enum fault_call call;
    int error;
    bool sticky;
};

static const char *const call_names[FAULT_CALLS_COUNT] = {"open",   "read",   "write",     "sync",
                                                          "rename", "remove", "sync_names"};

static void world_init(struct world *w)
{
    *w = (struct world){0};
    server_process_init(&w->server);
    server_process_option(&w->server, "--log-segment-size", "1mb");
    w->page = fault_page_open(&w->server);
}

static void world_deinit(struct world *w)
{
    server_process_deinit(&w->server);
    fault_page_close(&w->server, w->page);
}

static void arm(struct world *w, const struct point *p, unsigned after)
{
    *w->page = (struct fault_page){
        .call = (uint32_t)p->call, .after = after, .sticky = p->sticky, .error = p->error};
    __atomic_store_n(&w->page->armed, 1, __ATOMIC_RELEASE);
}

static void disarm(struct world *w)
{
    __atomic_store_n(&w->page->armed, 0, __ATOMIC_RELEASE);
}

static unsigned fired(const struct world *w)
{
    return __atomic_load_n(&w->page->fired, __ATOMIC_ACQUIRE);
}

/* --- The trace: atomic writes of two keys each, one at a time. -------------------------------- */

static size_t value_size(int index)
{
    return index % 3 == 2 ? LARGE_BYTES : SMALL_BYTES;
}

/* The answer's line. False: the connection ended. While a failure holds an answer back, the disk
 * gets well again after a while: then the answer must come. */
static bool await_line(struct world *w, const struct wire *wire, char line[256])
{
    struct pollfd polled = {.fd = wire->descriptor, .events = POLLIN};
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end;) {
        if (poll(&polled, 1, PATIENCE_MS) == 0) {
            if (fired(w) > 0) disarm(w);
            continue;
        }
        char byte;
        if (wire_read(wire, &byte, 1) == 0) return false;
        line[0] = byte;
        wire_read_line(wire, line + 1, 255);
        return true;
    }
    fail_msg("no answer, and the connection is open");
    return false;
}

static enum outcome write_pair(struct world *w, const struct wire *wire, int index)
{
    char line[256], header[160];
    size_t size = value_size(index);
    char *value = malloc(size);
    assert_non_null(value);
    memset(value, 'a' + index, size);
    int header_size =
        snprintf(header, sizeof header,
                 "*5\r\n$4\r\nMSET\r\n$3\r\na%02d\r\n$1\r\n%c\r\n$3\r\nb%02d\r\n$%zu\r\n", index,
                 'a' + index, index, size);
    bool sent = wire_send(wire, (struct slice){header, (size_t)header_size}) &&
                wire_send(wire, (struct slice){value, size}) && wire_send_text(wire, "\r\n");
    free(value);
    if (!sent || !await_line(w, wire, line)) return UNKNOWN;
    if (strcmp(line, "+OK") == 0) return ACKNOWLEDGED;
    if (strncmp(line, "-MISCONF The log has no room on the disk", 40) != 0)
        fail_msg("command %d: %s", index, line);
    return REFUSED;
}

/* A snapshot, made and named, or not: writes must not care. False: the server has ended. */
static bool save(struct world *w, const struct wire *wire)
{
    char line[256];
    if (!wire_send_text(wire, "SAVE\r\n") || !await_line(w, wire, line)) return false;
    if (strcmp(line, "+OK") != 0 && (line[0] != '-' || fired(w) == 0)) fail_msg("SAVE: %s", line);
    return true;
}

/* The value of a field of INFO persistence. False: the server has ended. */
static bool ask_info(struct world *w, const struct wire *wire, const char *field, long *value)
{
    char line[256];
    size_t name_size = strlen(field);
    bool found = false;
    if (!wire_send_text(wire, "INFO persistence\r\n") || !await_line(w, wire, line)) return false;
    long left = strtol(line + 1, NULL, 10) + 2; /* the bulk's own CR LF */
    while (left > 0) {
        if (!await_line(w, wire, line)) return false;
        left -= (long)strlen(line) + 2;
        if (strncmp(line, field, name_size) != 0 || line[name_size] != ':') continue;
        *value = strtol(line + name_size + 1, NULL, 10);
        found = true;
    }
    if (!found) fail_msg("INFO persistence has no %s", field);
    return true;
}

/* Files in the directory whose names begin so. */
static long count_files(const struct server_process *server, const char *begin)
{
    long count = 0;
    DIR *directory = opendir(server->directory);
    assert_non_null(directory);
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        count += strncmp(entry->d_name, begin, strlen(begin)) == 0;
    closedir(directory);
    return count;
}

/* Unless something has failed: an old segment has become a spare, and the log knows. False: the
 * server has ended. */
static bool await_recycled(struct world *w, const struct wire *wire)
{
    for (int64_t end = now_ms() + LIMIT_MS; fired(w) == 0 && now_ms() < end;) {
        long spares = 0;
        bool recycled = __atomic_load_n(&w->page->recycled, __ATOMIC_ACQUIRE) > 0;
        if (!ask_info(w, wire, "log_spares", &spares)) return false;
        if (recycled && spares == count_files(&w->server, "spare-")) return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (fired(w) == 0) fail_msg("no segment was recycled");
    return true;
}

/* Nothing has failed: the segment that was recycled is a segment again. */
static void expect_reused(struct world *w, const struct wire *wire)
{
    long recycled = 0;
    if (!ask_info(w, wire, "log_segments_recycled", &recycled) || fired(w) > 0) return;
    if (recycled == 0 || w->page->reused == 0) fail_msg("no recycled segment was begun");
}

static void play(struct world *w)
{
    w->broken = false;
    for (int i = 0; i < TRACE; i++) w->outcomes[i] = NOT_SENT;
    /* The server may have ended already: a spare is not vital, but the marker of an idle log is. */
    struct wire wire = {server_process_connect(w->server.port)};
    if (wire.descriptor < 0) return;
    for (int i = 0; i < TRACE && !w->broken; i++) {
        w->outcomes[i] = write_pair(w, &wire, i);
        w->broken = w->outcomes[i] == UNKNOWN || (i % SAVES_EACH == 0 && !save(w, &wire)) ||
                    (i == RECYCLED_BEHIND && !await_recycled(w, &wire));
    }
    if (!w->broken) expect_reused(w, &wire);
    wire_close(&wire);
}

/* Every pair as it was answered. */
static void expect_outcomes(const struct world *w)
{
    struct wire wire = wire_open(w->server.port);
    for (int i = 0; i < TRACE; i++) {
        char command[64], line[64];
        snprintf(command, sizeof command, "EXISTS a%02d b%02d\r\nSTRLEN b%02d\r\n", i, i, i);
        wire_send_text(&wire, command);
        wire_read_line(&wire, line, sizeof line);
        long found = strtol(line + 1, NULL, 10);
        wire_read_line(&wire, line, sizeof line);
        size_t size = strtoull(line + 1, NULL, 10);
        if (w->outcomes[i] == ACKNOWLEDGED && found != 2) fail_msg("write %d was lost", i);
        if (w->outcomes[i] == REFUSED && found != 0) fail_msg("write %d was refused, but done", i);
        if (w->outcomes[i] == NOT_SENT) assert_int_equal(found, 0);
        assert_true(found == 0 || found == 2);
        assert_int_equal(size, found == 2 ? value_size(i) : 0);
    }
    wire_close(&wire);
}

static void expect_not_corrupt(const struct server_process *server)
{
    char *text;
    int status = damage_check(server, "", &text);
    if (status > 1) fail_msg("irmak-check: status %d: %s", status, text);
    free(text);
}

/* --- A run. ----------------------------------------------------------------------------------- */

/* The disk is well again: writes are accepted by themselves. */
static void expect_writable(struct world *w)
{
    disarm(w);
    struct wire wire = wire_open(w->server.port);
    char line[256] = "";
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end && strcmp(line, "+OK") != 0;) {
        if (!wire_send_text(&wire, "SET after 1\r\n") || !await_line(w, &wire, line)) break;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    if (strcmp(line, "+OK") != 0) fail_msg("no write after the disk got well: '%s'", line);
    wire_close(&wire);
}

static void expect_stopped(struct world *w, const struct point *p)
{
    int status = 0;
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end && w->server.pid != 0;) {
        if (waitpid(w->server.pid, &status, WNOHANG) == w->server.pid) w->server.pid = 0;
        else pause_briefly();
    }
    char *log = server_process_read_log(&w->server);
    bool good = w->server.pid == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
                strstr(log, "log: writing it failed (") != NULL;
    if (!good)
        print_error("%s of %s (errno %d): status %#x, expected an end with status 1; log: %s\n",
                    call_names[p->call], w->page->name, p->error, (unsigned)status, log);
    free(log);
    assert_true(good);
}

/* A segment that could not become a spare costs its space, and nothing else. */
static void expect_only_warned(struct world *w)
{
    char *log = server_process_read_log(&w->server);
    bool good = !w->broken && strstr(log, "is not needed, but cannot be recycled: ") != NULL;
    if (!good) print_error("a segment could not be recycled; log: %s\n", log);
    free(log);
    assert_true(good);
}

/* False: no call was left to fail. '*on_recycled': points at which one failed that recycles a
 * segment, or that is on a recycled one. */
static bool run_point(const struct point *p, unsigned after, unsigned *on_recycled)
{
    struct world w;
    world_init(&w);
    server_process_start(&w.server);
    arm(&w, p, after);
    play(&w);
    disarm(&w);
    bool struck = fired(&w) > 0;
    *on_recycled += w.page->on_recycled;
    bool fatal = w.page->on_segment != 0 && p->error != FAULT_SHORT;
    bool is_recycling = w.page->on_recycled != 0 && strncmp(w.page->name, "spare-", 6) != 0;
    if (is_recycling && !p->sticky && p->call == FAULT_RENAME) expect_only_warned(&w);
    if (p->call == FAULT_SYNC_NAMES) fatal = struck; /* whoever asked for it */
    if (w.broken || fatal || w.outcomes[0] == NOT_SENT) expect_stopped(&w, p);
    else expect_writable(&w);
    disarm(&w);
    if (w.server.pid != 0) server_process_kill(&w.server);
    expect_not_corrupt(&w.server);
    server_process_start(&w.server);
    expect_outcomes(&w);
    world_deinit(&w);
    return struck;
}

/* --- A recovery. ------------------------------------------------------------------------------ */

static void expect_refused_start(const struct world *w, const struct point *p, int status)
{
    char *log = server_process_read_log(&w->server);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 1 && strstr(log, ": ") != NULL &&
                (strstr(log, "irmak-server: ") != NULL || strstr(log, "log: ") != NULL);
    if (!good)
        print_error("%s of %s (errno %d) in recovery: status %#x; log: %s\n", call_names[p->call],
                    w->page->name, p->error, (unsigned)status, log);
    free(log);
    assert_true(good);
}

static bool recover_point(struct world *w, const char *base, const struct point *p, unsigned after)
{
    int status = 0;
    damage_copy(&w->server, base);
    arm(w, p, after);
    bool refused = server_process_fails_to_start(&w->server, &status);
    bool struck = fired(w) > 0;
    if (refused) expect_refused_start(w, p, status);
    disarm(w);
    if (w->server.pid != 0) server_process_kill(&w->server);
    expect_not_corrupt(&w->server);
    server_process_start(&w->server);
    expect_outcomes(w);
    server_process_kill(&w->server);
    return struck;
}

/* --- All points. ------------------------------------------------------------------------------ */

static unsigned step(void)
{
    const char *text = getenv("FAULT_STEP");
    unsigned number = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 0;
    return number;
}

typedef bool try_point(void *context, const struct point *p, unsigned after);

static void try_all(try_point *try, void *context, const struct point *p)
{
    bool whole = p->error == EIO && !p->sticky;
    unsigned stride = step() > 0 ? step() : whole ? 1 : STRIDE;
    unsigned first = stride == 1 ? 0 : ((p->error == EIO) + 2 * p->sticky) % stride;
    unsigned points = 0;
    for (unsigned after = first; try(context, p, after); after += stride) {
        points++;
        assert_true(points < POINTS_MAX);
    }
    printf("# %s, %s, %s: %u points\n", call_names[p->call],
           p->error == FAULT_SHORT ? "short" : strerror(p->error), p->sticky ? "sticky" : "once",
           points);
    fflush(stdout);
}

static void try_call(try_point *try, void *context, enum fault_call call)
{
    static const int errors[] = {EIO, ENOSPC};
    for (size_t e = 0; e < 2; e++)
        for (int sticky = 0; sticky < 2; sticky++)
            try_all(try, context, &(struct point){call, errors[e], sticky != 0});
    if (call == FAULT_WRITE) try_all(try, context, &(struct point){call, FAULT_SHORT, false});
}

static bool try_run(void *context, const struct point *p, unsigned after)
{
    return run_point(p, after, context);
}

/* All ways in which calls of this kind can fail; those of recycling must be among them. */
static void try_runs(enum fault_call call)
{
    unsigned on_recycled = 0;
    try_call(try_run, &on_recycled, call);
    printf("# %s: %u points at a recycled segment\n", call_names[call], on_recycled);
    fflush(stdout);
    if (call != FAULT_REMOVE && step() <= 1) assert_true(on_recycled > 0);
}

struct recovery_context {
    struct world *world;
    const char *base;
};

static bool try_recovery(void *context, const struct point *p, unsigned after)
{
    const struct recovery_context *c = context;
    return recover_point(c->world, c->base, p, after);
}

static void test_failed_writes(void **state)
{
    (void)state;
    try_runs(FAULT_WRITE);
}

static void test_failed_syncs(void **state)
{
    (void)state;
    try_runs(FAULT_SYNC);
}

static void test_failed_names(void **state)
{
    (void)state;
    try_runs(FAULT_OPEN);
    try_runs(FAULT_RENAME);
    try_runs(FAULT_SYNC_NAMES);
    try_runs(FAULT_REMOVE);
}

/* A log of several segments whose server was killed, recovered over a disk that fails. */
static void test_failures_in_recovery(void **state)
{
    (void)state;
    struct world w;
    char base[SERVER_PATH_SIZE];
    world_init(&w);
    server_process_start(&w.server);
    play(&w);
    server_process_kill(&w.server);
    snprintf(base, sizeof base, "%.200s.base", w.server.directory);
    damage_shell("cp -r '%s' '%s'", w.server.directory, base);
    struct recovery_context context = {&w, base};
    for (int call = 0; call < FAULT_CALLS_COUNT; call++)
        try_call(try_recovery, &context, (enum fault_call)call);
    damage_shell("rm -rf '%s'", base);
    world_deinit(&w);
}

/* --- Memory (docs/decisions/0007). ------------------------------------------------------------ */

/* The server said what it wanted, and stopped. */
static void expect_aborted(struct world *w, int status, unsigned after)
{
    for (int64_t end = now_ms() + LIMIT_MS; now_ms() < end && w->server.pid != 0;) {
        if (waitpid(w->server.pid, &status, WNOHANG) == w->server.pid) w->server.pid = 0;
        else pause_briefly();
    }
    char *log = server_process_read_log(&w->server);
    bool good = w->server.pid == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
                strstr(log, "irmak: out of memory allocating ") != NULL;
    if (!good) print_error("allocation %u: status %#x; log: %s\n", after, (unsigned)status, log);
    free(log);
    assert_true(good);
}

/* The last line of the logfile says so, too. */
static void expect_last_words(const char *path)
{
    char *log = server_process_read_file(path);
    size_t size = strlen(log);
    assert_true(size > 0 && log[size - 1] == '\n');
    log[size - 1] = '\0';
    const char *last = strrchr(log, '\n');
    if (last == NULL || strstr(last, " # irmak: out of memory allocating ") == NULL)
        fail_msg("the last words are: %s", last == NULL ? log : last + 1);
    free(log);
}

static unsigned allocations(const struct world *w)
{
    return __atomic_load_n(&w->page->seen[FAULT_ALLOCATE], __ATOMIC_RELAXED);
}

/* Every nth allocation, so that there are about ALLOCATION_POINTS of them. */
static unsigned allocation_stride(unsigned count)
{
    return step() > 0 ? step() : 1 + count / ALLOCATION_POINTS;
}

/* In a run: the process ends, and nothing that was acknowledged is lost. */
static void test_failed_allocations(void **state)
{
    (void)state;
    struct world w;
    unsigned points = 0, count = UINT_MAX;
    for (unsigned after = 0; after < count; after += points == 1 ? 0 : allocation_stride(count)) {
        char logfile[SERVER_PATH_SIZE];
        world_init(&w);
        server_process_path(&w.server, "server.log", logfile);
        server_process_option(&w.server, "--logfile", logfile);
        server_process_start(&w.server);
        arm(&w, &(struct point){.call = FAULT_ALLOCATE}, points == 0 ? UINT_MAX / 2 : after);
        play(&w);
        if (points++ == 0) count = allocations(&w); /* since it was armed */
        if (count == 0) break;                      /* a sanitizer's heap */
        if (fired(&w) > 0) {
            expect_aborted(&w, 0, after);
            expect_last_words(logfile);
        }
        disarm(&w);
        if (w.server.pid != 0) server_process_kill(&w.server);
        expect_not_corrupt(&w.server);
        server_process_start(&w.server);
        expect_outcomes(&w);
        world_deinit(&w);
    }
    if (count == 0) {
        world_deinit(&w);
        skip();
    }
    printf("# %u of %u allocations of a run\n", points - 1, count);
}

/* In a recovery: it ends, and the next one finds everything. */
static void test_failed_allocations_in_recovery(void **state)
{
    (void)state;
    struct world w;
    int status = 0;
    unsigned points = 0;
    world_init(&w);
    server_process_start(&w.server);
    play(&w);
    server_process_kill(&w.server);
    arm(&w, &(struct point){.call = FAULT_ALLOCATE}, UINT_MAX / 2);
    server_process_start(&w.server);
    server_process_kill(&w.server);
    unsigned count = allocations(&w);
    for (unsigned after = 0; after < count; after += allocation_stride(count), points++) {
        arm(&w, &(struct point){.call = FAULT_ALLOCATE}, after);
        bool ended = server_process_fails_to_start(&w.server, &status);
        if (!ended && fired(&w) == 0) break;
        expect_aborted(&w, status, after);
        disarm(&w);
        expect_not_corrupt(&w.server);
    }
    disarm(&w);
    if (w.server.pid != 0) server_process_kill(&w.server);
    server_process_start(&w.server);
    expect_outcomes(&w);
    printf("# %u of %u allocations of a recovery\n", points, count);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_allocations),
        cmocka_unit_test(test_failed_allocations_in_recovery),
        cmocka_unit_test(test_failed_writes),
        cmocka_unit_test(test_failed_syncs),
        cmocka_unit_test(test_failed_names),
        cmocka_unit_test(test_failures_in_recovery),
    };
    if (server_process_is_redis()) return 0;
    return cmocka_run_group_tests_name("integration faults", tests, NULL, NULL);
}
