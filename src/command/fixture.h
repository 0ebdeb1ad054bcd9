/* fixture.h - for the tests of this room: request lines run through command_execute over a
 * db without a disk, with a host and other clients that the test makes up. Replies are compared
 * byte for byte. Included by tests only; one fixture for each test. */
#ifndef COMMAND_FIXTURE_H
#define COMMAND_FIXTURE_H

#include "base/memory.h"
#include "command/fixture_host.h"

static inline struct fixture *fixture_open(void)
{
    struct fixture *f = memory_allocate_zeroed(sizeof *f);
    struct wal_recovery recovery;
    enum wal_open_status status;
    f->db = db_open(&(struct db_options){.random_seed = 1}, &recovery, &status);
    assert_non_null(f->db);
    f->now_ms = FIXTURE_NOW_MS;
    f->password = "";
    for (size_t i = 0; i < FIXTURE_CLIENTS; i++) {
        f->clients[i] = (struct client){.id = i + 1,
                                        .connected_ms = FIXTURE_NOW_MS - (int64_t)i * 10000,
                                        .last_request_ms = FIXTURE_NOW_MS,
                                        .resp = RESP2,
                                        .authenticated = true};
        snprintf(f->clients[i].address, CLIENT_ADDRESS_MAX, "127.0.0.1:%zu", 1000 + i);
        snprintf(f->clients[i].local_address, CLIENT_ADDRESS_MAX, "127.0.0.1:6379");
    }
    fixture_host_init(f);
    monitor_init(&f->monitor);
    request_init(&f->parser);
    return f;
}

static inline void fixture_close(struct fixture *f)
{
    for (size_t i = 0; i < FIXTURE_CLIENTS; i++) {
        transaction_discard(&f->clients[i].transaction, f->db);
        buf_deinit(&f->clients[i].name);
        buf_deinit(&f->clients[i].library_name);
        buf_deinit(&f->clients[i].library_version);
    }
    monitor_deinit(&f->monitor);
    request_deinit(&f->parser);
    db_close(f->db);
    memory_free(f, sizeof *f);
}

/* Runs one request; its reply is in f->reply, with a zero after it, and its size is returned. */
static inline size_t fixture_run(struct fixture *f, const struct slice *arguments, size_t count)
{
    struct chain out = {0};
    struct reply reply = {.version = f->clients[0].resp, .out = &out};
    int64_t clock_ns = f->context.clock_ns;
    lsn_t lsn;
    db_set_now(f->db, f->now_ms);
    f->wait = (struct wait){0};
    f->context = (struct command_context){.arguments = arguments,
                                          .arguments_count = count,
                                          .client = &f->clients[0],
                                          .db = f->db,
                                          .reply = &reply,
                                          .host = &f->host,
                                          .sessions = &f->sessions,
                                          .monitor = &f->monitor,
                                          .wait = &f->wait,
                                          .now_us = f->now_ms * 1000 + 7,
                                          .now_ms = f->now_ms,
                                          .clock_ns = clock_ns,
                                          .loading = f->loading};
    f->outcome = command_execute(&f->context, &lsn);
    assert_int_equal(lsn, 0); /* there is no log */
    chain_release(&out, out.appended);
    size_t size = 0;
    struct iovec vector;
    while (chain_vectors(&out, &vector, 1) == 1) {
        assert_true(size + vector.iov_len < sizeof f->reply);
        memcpy(f->reply + size, vector.iov_base, vector.iov_len);
        size += vector.iov_len;
        chain_consume(&out, vector.iov_len);
    }
    f->reply[size] = '\0';
    chain_deinit(&out);
    return size;
}

/* The same for a line as a person types it into a terminal. */
static inline const char *fixture_send(struct fixture *f, const char *line)
{
    struct buf input = {0};
    buf_append_text(&input, line);
    buf_append_text(&input, "\r\n");
    enum request_status status =
        request_parse(&f->parser, (struct slice){input.data, input.size}, &request_limits_full);
    assert_int_equal(status, REQUEST_READY);
    fixture_run(f, f->parser.arguments, f->parser.arguments_count);
    buf_deinit(&input);
    return f->reply;
}

#define EXPECT(f, line, bytes) assert_string_equal(fixture_send(f, line), bytes)

/* A conversation: lines, and the bytes that answer each. */
struct exchange {
    const char *line;
    const char *reply;
};

static inline void fixture_converse(struct fixture *f, const struct exchange *exchanges,
                                    size_t count)
{
    for (size_t i = 0; i < count; i++) EXPECT(f, exchanges[i].line, exchanges[i].reply);
}

#define CONVERSE(f, ...)                                        \
    fixture_converse(f, (const struct exchange[]){__VA_ARGS__}, \
                     sizeof((const struct exchange[]){__VA_ARGS__}) / sizeof(struct exchange))

#endif
