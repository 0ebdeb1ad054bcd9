#include "sigkill_load.h"

#include "sigkill_command.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { TIMEOUT_S = 60 };

/* xorshift64*: the same seed gives the same clients, although not the same moment of the kill. */
uint64_t load_random(struct load *load, uint64_t below)
{
    load->random ^= load->random >> 12;
    load->random ^= load->random << 25;
    load->random ^= load->random >> 27;
    return (load->random * UINT64_C(2685821657736338717) >> 16) % below;
}

redisContext *load_connect(const struct server_process *server)
{
    redisContext *context =
        redisConnectWithTimeout("127.0.0.1", server->port, (struct timeval){.tv_sec = TIMEOUT_S});
    if (context == NULL || context->err != 0)
        fail_msg("cannot connect: %s", context ? context->errstr : "no memory");
    redisSetTimeout(context, (struct timeval){.tv_sec = TIMEOUT_S});
    return context;
}

static void expect_ok(redisContext *context, const char *command)
{
    redisReply *reply = redisCommand(context, command);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
}

void load_init(struct load *load, struct server_process *server, uint64_t seed)
{
    *load = (struct load){.server = server, .random = seed | 1};
    load->has_new_commands = !server_process_is_redis();
    load->oracle = crash_oracle_create(LOAD_CLIENTS);
    for (uint32_t i = 0; i < LOAD_KEYS; i++)
        assert_int_equal(crash_oracle_add_key(load->oracle, i / LOAD_KEYS_EACH), i);
    redisContext *context = load_connect(server);
    for (uint32_t i = 0; i < LOAD_STREAMS; i++) {
        char command[128];
        assert_int_equal(crash_oracle_add_stream(load->oracle, true), i);
        snprintf(command, sizeof command, "XGROUP CREATE %s %s 0 MKSTREAM", LOAD_STREAM_NAMES[i],
                 LOAD_GROUP_NAME);
        expect_ok(context, command);
    }
    redisFree(context);
}

void load_deinit(struct load *load)
{
    crash_oracle_destroy(load->oracle);
}

/* --- Requests. ------------------------------------------------------------------------------- */

static void send_peek(struct load *load)
{
    struct command command = {0};
    struct load_request request = {LOAD_PEEK_VALUE, (uint32_t)load_random(load, LOAD_KEYS)};
    if (load_random(load, 2) == 0) {
        char name[32];
        load_key_name(request.index, name);
        command_words(&command, "GET %s", name);
    } else {
        request =
            (struct load_request){LOAD_PEEK_ENTRIES, (uint32_t)load_random(load, LOAD_STREAMS)};
        command_words(&command, "XREVRANGE %s + - COUNT 5", LOAD_STREAM_NAMES[request.index]);
    }
    command_send(&load->connections[LOAD_CLIENTS], &command, request);
}

/* A batch of the connection's own kind. The first of each kind sends one request at a time. */
static void send_batch(struct load *load, uint32_t index)
{
    static char buffer[LOAD_BUFFER_BYTES];
    static const uint64_t depths[] = {1, 8, 32, LOAD_DEPTH_MAX};
    struct load_connection *connection = &load->connections[index];
    connection->request_count = connection->answer_count = 0;
    uint64_t depth = depths[index < LOAD_WRITERS ? index % 4 : (index - LOAD_WRITERS) % 3];
    bool consumes = index >= LOAD_WRITERS + LOAD_PRODUCERS && index < LOAD_CLIENTS;
    depth = consumes ? 1 : 1 + load_random(load, depth);
    for (uint64_t i = 0; i < depth; i++) {
        if (index < LOAD_WRITERS) load_send_write(load, index, buffer);
        else if (index < LOAD_WRITERS + LOAD_PRODUCERS) load_send_produce(load, index, buffer);
        else if (consumes) load_send_consume(load, index);
        else send_peek(load);
    }
    /* A server that was killed under us is found out by the next read. */
    for (int done = 0; !done && redisBufferWrite(connection->context, &done) == REDIS_OK;) {
    }
}

/* --- Answers. -------------------------------------------------------------------------------- */

/* The part of the answer that has entries; NULL if it gives none. */
static const redisReply *find_entries(const redisReply *reply, enum load_request_kind kind)
{
    if (kind == LOAD_CLAIM) return reply;
    if (kind == LOAD_AUTOCLAIM) return reply->element[1];
    return reply->type == REDIS_REPLY_ARRAY ? reply->element[0]->element[1] : NULL;
}

static void take_entries(struct load *load, uint32_t index, const redisReply *part)
{
    struct load_entries entries = {0};
    if (part != NULL) entries = load_parse_entries(part);
    struct oracle_answer answer = {.entries = entries.items, .entry_count = entries.count};
    crash_oracle_answered(load->oracle, index, &answer);
    load_free_entries(&entries);
}

static void take_peek(struct load *load, const struct load_request *request,
                      const redisReply *reply)
{
    if (request->kind == LOAD_PEEK_VALUE) {
        /* The answer may be older than what is acknowledged by now. Only a text tells of which
         * write it is; a number, or that nothing is there, may come again. */
        bool is_text = request->index % LOAD_KEYS_EACH < LOAD_TEXT_KEYS;
        if (!is_text || reply->type != REDIS_REPLY_STRING) return;
        crash_oracle_saw_value(load->oracle, request->index, true,
                               (struct slice){reply->str, reply->len});
        return;
    }
    struct load_entries entries = load_parse_entries(reply);
    for (size_t i = entries.count; i-- > 0;)
        crash_oracle_saw_entry(load->oracle, request->index, &entries.items[i]);
    load_free_entries(&entries);
}

/* The answer of XADD, alone or as the second command of a transaction. */
static struct oracle_id take_added(struct load *load, uint32_t index, uint32_t stream,
                                   const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY) reply = reply->element[0];
    struct oracle_id id = load_parse_id(reply);
    struct load_ids *added = &load->added[index - LOAD_WRITERS];
    /* A message that is sent again gives an ID that is older. */
    bool is_newest = added->count == 0 || oracle_id_compare(added->ids[added->count - 1], id) < 0;
    if (stream == 1 && is_newest && added->count < LOAD_RECENT_IDS) added->ids[added->count++] = id;
    return id;
}

static void expect_no_error(const redisReply *reply, uint32_t index, enum load_request_kind kind)
{
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("connection %u, request kind %d: %s", index, (int)kind, reply->str);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            fail_msg("connection %u, part %zu of request kind %d: %s", index, i, (int)kind,
                     reply->element[i]->str);
}

static void take_answer(struct load *load, uint32_t index, const redisReply *reply)
{
    struct load_connection *connection = &load->connections[index];
    assert_true(connection->answer_count < connection->request_count);
    const struct load_request *request = &connection->requests[connection->answer_count++];
    struct oracle_answer answer = {0};
    expect_no_error(reply, index, request->kind);
    switch (request->kind) {
    case LOAD_QUEUED: return;
    case LOAD_GROUP_READ:
    case LOAD_CLAIM:
    case LOAD_AUTOCLAIM: take_entries(load, index, find_entries(reply, request->kind)); return;
    case LOAD_PEEK_VALUE:
    case LOAD_PEEK_ENTRIES: take_peek(load, request, reply); return;
    case LOAD_ADD:
    case LOAD_OUTBOX: answer.id = take_added(load, index, request->index, reply); break;
    case LOAD_DEREFERENCE: answer.integer = reply->element[0]->integer; break;
    case LOAD_WRITE_INTEGER:
        answer.has_integer = true;
        answer.integer = reply->integer;
        break;
    case LOAD_WRITE:
    case LOAD_CHANGE: break;
    }
    crash_oracle_answered(load->oracle, index, &answer);
}

/* Reads once; false when the connection has ended. */
static bool receive(struct load *load, uint32_t index)
{
    redisContext *context = load->connections[index].context;
    if (redisBufferRead(context) != REDIS_OK) return false;
    for (;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
            fail_msg("connection %u: %s", index, context->errstr);
        if (reply == NULL) return true;
        take_answer(load, index, reply);
        freeReplyObject(reply);
    }
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void load_run_and_kill(struct load *load, int64_t run_us)
{
    struct pollfd polled[LOAD_CONNECTIONS];
    for (uint32_t i = 0; i < LOAD_CONNECTIONS; i++) {
        load->connections[i] = (struct load_connection){.context = load_connect(load->server)};
        const redisContext *context = load->connections[i].context;
        assert_non_null(context);
        polled[i] = (struct pollfd){.fd = context == NULL ? -1 : context->fd, .events = POLLIN};
    }
    for (int64_t end = now_us() + run_us; now_us() < end;) {
        for (uint32_t i = 0; i < LOAD_CONNECTIONS; i++)
            if (load->connections[i].answer_count == load->connections[i].request_count)
                send_batch(load, i);
        int64_t left_us = end - now_us();
        if (left_us <= 0) break;
        struct timespec wait = {left_us / 1000000, left_us % 1000000 * 1000};
        if (ppoll(polled, LOAD_CONNECTIONS, &wait, NULL) < 0) break;
        for (uint32_t i = 0; i < LOAD_CONNECTIONS; i++)
            if (polled[i].revents != 0 && !receive(load, i))
                fail_msg("connection %u ended before the kill: %s", i,
                         load->connections[i].context->errstr);
    }
    if (load->cut != NULL) load->cut(load);
    else server_process_kill(load->server);
    for (uint32_t i = 0; i < LOAD_CONNECTIONS; i++) {
        while (receive(load, i)) {
        }
        redisFree(load->connections[i].context);
    }
}
