/* fixture_host.h - the made-up process and clients that the tests of this room run commands with:
 * what a command asks of its host is answered from, and noted in, struct fixture. */
#ifndef COMMAND_FIXTURE_HOST_H
#define COMMAND_FIXTURE_HOST_H

#include "command/command.h"
#include "resp/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { FIXTURE_CLIENTS = 3, FIXTURE_BYTES_MAX = 1024 * 1024 };
#define FIXTURE_NOW_MS 1700000000000

struct fixture {
    struct db *db;
    struct client clients[FIXTURE_CLIENTS]; /* [0] is the caller; ids 1, 2, 3 */
    bool killed[FIXTURE_CLIENTS];
    struct host host;
    struct session_host sessions;
    struct monitor monitor;
    struct request_parser parser;
    struct command_context context;
    struct wait wait;
    int64_t now_ms;
    enum outcome outcome; /* of the last request */

    const char *password;
    bool out_of_memory;
    bool loading;
    int64_t clock_ns; /* moves by 1000 each time it is read */
    unsigned clock_reads;
    uint64_t random;
    int64_t slept_us;
    int shutdowns[2]; /* by enum host_shutdown */
    unsigned resets;
    bool host_fails; /* config_set and config_rewrite answer with an error */
    bool rewriting;  /* what config_rewrite began is not done */
    char reply[FIXTURE_BYTES_MAX];
};

static inline struct slice fixture_password(void *context)
{
    struct fixture *f = context;
    return slice_of(f->password);
}

static inline void fixture_config_get(void *context, const struct slice *patterns, size_t count,
                                      host_config_visit *visit, void *visit_context)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        if (slice_equal(patterns[i], SLICE("max*"))) {
            visit(visit_context, "maxclients", SLICE("100"));
            visit(visit_context, "maxmemory", SLICE("0"));
        }
}

static inline bool fixture_config_set(void *context, const struct slice *pairs, size_t count,
                                      struct buf *error)
{
    struct fixture *f = context;
    assert_int_equal(count % 2, 0);
    if (f->host_fails) buf_append_format(error, "ERR no %.*s", (int)pairs[0].size, pairs[0].data);
    return !f->host_fails;
}

static inline uint64_t fixture_config_rewrite(void *context, struct buf *error)
{
    struct fixture *f = context;
    if (f->host_fails) buf_append_text(error, "ERR no file");
    return f->host_fails ? 0 : 7;
}

static inline bool fixture_config_rewritten(void *context, uint64_t errand, struct buf *error)
{
    struct fixture *f = context;
    assert_int_equal(errand, 7);
    if (!f->rewriting && f->host_fails) buf_append_text(error, "ERR no space");
    return !f->rewriting;
}

static inline void fixture_reset_statistics(void *context)
{
    ((struct fixture *)context)->resets++;
}

static inline void fixture_info(void *context, const struct slice *sections, size_t count,
                                struct buf *out)
{
    (void)context;
    buf_append_text(out, "# Server\r\n");
    for (size_t i = 0; i < count; i++) buf_append(out, sections[i]);
}

static inline void fixture_shutdown(void *context, enum host_shutdown how)
{
    ((struct fixture *)context)->shutdowns[how]++;
}

static inline void fixture_sleep(void *context, int64_t microseconds)
{
    ((struct fixture *)context)->slept_us += microseconds;
}

static inline int64_t fixture_clock(void *context)
{
    struct fixture *f = context;
    f->clock_reads++;
    return f->clock_ns += 1000;
}

static inline uint64_t fixture_random(void *context)
{
    return ((struct fixture *)context)->random += 0x9E3779B97F4A7C15u;
}

static inline bool fixture_out_of_memory(void *context)
{
    return ((struct fixture *)context)->out_of_memory;
}

static inline const struct client *fixture_next(void *context, uint64_t after_id)
{
    struct fixture *f = context;
    return after_id < FIXTURE_CLIENTS ? &f->clients[after_id] : NULL;
}

static inline bool fixture_kill(void *context, uint64_t id)
{
    struct fixture *f = context;
    assert_in_range(id, 1, FIXTURE_CLIENTS);
    f->killed[id - 1] = true;
    return true;
}

static inline bool fixture_unblock(void *context, uint64_t id, bool with_error)
{
    const struct fixture *f = context;
    (void)with_error;
    return id <= FIXTURE_CLIENTS && f->clients[id - 1].blocked;
}

static inline void fixture_host_init(struct fixture *f)
{
    f->host = (struct host){f,
                            fixture_password,
                            fixture_config_get,
                            fixture_config_set,
                            fixture_config_rewrite,
                            fixture_config_rewritten,
                            fixture_reset_statistics,
                            fixture_info,
                            fixture_shutdown,
                            fixture_sleep,
                            fixture_clock,
                            fixture_random,
                            fixture_out_of_memory};
    f->sessions = (struct session_host){f, fixture_next, fixture_kill, fixture_unblock};
}

#endif
