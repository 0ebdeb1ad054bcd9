#include "sigkill_load.h"

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

enum {
    ARGUMENTS_MAX = 64,
    VALUE_MAX = 100 * 1024,
    TEXT_KEYS = 8, /* of each writer's keys; the others are counters */
    FIELDS_MAX = 5,
    TIMEOUT_S = 60,
    READ_COUNT_MAX = 50,
};

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

/* The arguments of one command; short texts live in 'text'. */
struct command {
    const char *values[ARGUMENTS_MAX];
    size_t sizes[ARGUMENTS_MAX];
    int count;
    char text[ARGUMENTS_MAX * 48];
    size_t text_size;
};

static void add_bytes(struct command *command, const char *bytes, size_t size)
{
    assert_true(command->count < ARGUMENTS_MAX);
    command->values[command->count] = bytes;
    command->sizes[command->count++] = size;
}

static void add_text(struct command *command, const char *format, ...)
{
    char *place = command->text + command->text_size;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(place, sizeof command->text - command->text_size, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && command->text_size + (size_t)size < sizeof command->text);
    command->text_size += (size_t)size + 1;
    add_bytes(command, place, (size_t)size);
}

static void send_command(struct load_connection *connection, struct command *command,
                         struct load_request request)
{
    assert_true(connection->request_count < LOAD_BATCH_MAX);
    connection->requests[connection->request_count++] = request;
    redisAppendCommandArgv(connection->context, command->count, command->values, command->sizes);
}

static size_t random_size(struct load *load)
{
    uint64_t kind = load_random(load, 200);
    if (kind == 0) return 20000 + load_random(load, VALUE_MAX - 20000);
    if (kind < 10) return 1000 + load_random(load, 4000);
    return 1 + load_random(load, 60);
}

/* Bytes that no other call gives, also binary ones. 'buffer' holds VALUE_MAX. */
static struct slice random_bytes(struct load *load, char *buffer, size_t size)
{
    int head = snprintf(buffer, 32, "%" PRIu64 ":", load->sequence++);
    if (size < (size_t)head) size = (size_t)head;
    for (size_t i = (size_t)head; i < size; i++)
        buffer[i] = (char)(load->sequence * 131 + i * (i >> 3));
    return (struct slice){buffer, size};
}

static void write_text(struct load *load, uint32_t writer, char *buffer)
{
    uint32_t key = writer * LOAD_KEYS_EACH + (uint32_t)load_random(load, TEXT_KEYS);
    char name[32];
    struct command command = {0};
    struct oracle_write write = {.key = key};
    struct load_request request = {LOAD_WRITE_INTEGER, key};
    load_key_name(key, name);
    uint64_t kind = load_random(load, 10);
    if (kind == 0) {
        write.kind = ORACLE_DELETE;
        add_text(&command, "DEL");
        add_text(&command, "%s", name);
    } else if (kind < 4) {
        write.kind = ORACLE_APPEND;
        write.value = random_bytes(load, buffer, 1 + load_random(load, 40));
        add_text(&command, "APPEND");
        add_text(&command, "%s", name);
        add_bytes(&command, write.value.data, write.value.size);
    } else {
        write.kind = ORACLE_SET;
        write.value = random_bytes(load, buffer, random_size(load));
        request.kind = LOAD_WRITE;
        add_text(&command, "SET");
        add_text(&command, "%s", name);
        add_bytes(&command, write.value.data, write.value.size);
    }
    crash_oracle_invoke_writes(load->oracle, writer, &write, 1);
    send_command(&load->connections[writer], &command, request);
}

static void write_number(struct load *load, uint32_t writer)
{
    uint32_t key = writer * LOAD_KEYS_EACH + TEXT_KEYS +
                   (uint32_t)load_random(load, LOAD_KEYS_EACH - TEXT_KEYS);
    char name[32];
    struct command command = {0};
    struct oracle_write write = {ORACLE_INCREMENT, key, SLICE(""),
                                 (int64_t)load_random(load, 2000) - 500};
    if (load_random(load, 20) == 0) write.kind = ORACLE_DELETE;
    load_key_name(key, name);
    add_text(&command, write.kind == ORACLE_DELETE ? "DEL" : "INCRBY");
    add_text(&command, "%s", name);
    if (write.kind == ORACLE_INCREMENT) add_text(&command, "%" PRId64, write.delta);
    crash_oracle_invoke_writes(load->oracle, writer, &write, 1);
    send_command(&load->connections[writer], &command,
                 (struct load_request){LOAD_WRITE_INTEGER, key});
}

/* MSET of neighbouring keys: atomic. */
static void write_several(struct load *load, uint32_t writer, char *buffer)
{
    char name[32];
    struct command command = {0};
    struct oracle_write writes[4];
    uint32_t first = writer * LOAD_KEYS_EACH + (uint32_t)load_random(load, TEXT_KEYS - 4);
    add_text(&command, "MSET");
    for (uint32_t i = 0; i < 4; i++) {
        writes[i] = (struct oracle_write){ORACLE_SET, first + i,
                                          random_bytes(load, buffer + (size_t)i * 64, 40), 0};
        load_key_name(first + i, name);
        add_text(&command, "%s", name);
        add_bytes(&command, writes[i].value.data, writes[i].value.size);
    }
    crash_oracle_invoke_writes(load->oracle, writer, writes, 4);
    send_command(&load->connections[writer], &command, (struct load_request){LOAD_WRITE, first});
}

static void send_write(struct load *load, uint32_t writer, char *buffer)
{
    switch (load_random(load, 8)) {
    case 0: write_several(load, writer, buffer); break;
    case 1:
    case 2: write_number(load, writer); break;
    default: write_text(load, writer, buffer); break;
    }
}

static void send_add(struct load *load, uint32_t client, char *buffer)
{
    static char payload[VALUE_MAX * 2];
    uint32_t stream = (uint32_t)load_random(load, LOAD_STREAMS);
    uint64_t fields = 2 + load_random(load, FIELDS_MAX - 1);
    size_t size = 0, used = 0;
    struct command command = {0};
    add_text(&command, "XADD");
    add_text(&command, "%s", LOAD_STREAM_NAMES[stream]);
    add_text(&command, "*");
    for (uint64_t i = 0; i < fields; i++) {
        size_t wanted = i == 0 ? random_size(load) / 4 : load_random(load, 30);
        struct slice value = random_bytes(load, buffer + used, wanted);
        used += value.size;
        add_text(&command, "field%" PRIu64, load_random(load, 3) == 0 ? load->sequence : i);
        add_bytes(&command, value.data, value.size);
    }
    for (int i = 3; i < command.count; i++)
        size = load_encode_part(payload, size, command.values[i], command.sizes[i]);
    crash_oracle_invoke_add(load->oracle, client, stream, (struct slice){payload, size});
    send_command(&load->connections[client], &command, (struct load_request){LOAD_ADD, stream});
}

static void add_ids(struct command *command, const struct oracle_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_text(command, "%" PRIu64 "-%" PRIu64, ids[i].ms, ids[i].sequence);
}

/* Takes 'count' IDs out of 'from', the oldest or any. */
static void take_ids(struct load *load, struct load_ids *from, struct oracle_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t place = load_random(load, 4) == 0 ? load_random(load, from->count) : 0;
        ids[i] = from->ids[place];
        from->count--;
        memmove(&from->ids[place], &from->ids[place + 1], (from->count - place) * sizeof *ids);
    }
}

void load_remember_id(struct load_ids *into, struct oracle_id id)
{
    if (into->count < LOAD_RECENT_IDS) into->ids[into->count++] = id;
}

/* XDEL of some of its own entries, or XTRIM up to one of them. */
static void send_removal(struct load *load, uint32_t producer)
{
    uint32_t client = LOAD_WRITERS + producer;
    struct load_ids *added = &load->added[producer];
    struct oracle_id ids[4];
    struct command command = {0};
    size_t count = 1 + load_random(load, 4);
    if (added->count < 64) return;
    bool trims = load_random(load, 4) == 0;
    if (trims) {
        size_t gone = load_random(load, 32);
        memmove(added->ids, added->ids + gone, (added->count - gone) * sizeof *added->ids);
        added->count -= gone;
        crash_oracle_invoke_trim(load->oracle, client, 1, added->ids[0]);
        add_text(&command, "XTRIM");
        add_text(&command, "%s", LOAD_STREAM_NAMES[1]);
        add_text(&command, "MINID");
        add_text(&command, "=");
        add_ids(&command, added->ids, 1);
    } else {
        take_ids(load, added, ids, count);
        crash_oracle_invoke_remove(load->oracle, client,
                                   &(struct oracle_stream_ids){1, ids, count});
        add_text(&command, "XDEL");
        add_text(&command, "%s", LOAD_STREAM_NAMES[1]);
        add_ids(&command, ids, count);
    }
    send_command(&load->connections[client], &command, (struct load_request){LOAD_CHANGE, 1});
}

static void send_group_requests(struct load *load, uint32_t consumer)
{
    uint32_t client = LOAD_WRITERS + LOAD_PRODUCERS + consumer;
    struct load_connection *connection = &load->connections[client];
    struct load_ids *waiting = &load->to_acknowledge[consumer];
    struct oracle_id ids[16];
    while (waiting->count > 32 || (waiting->count > 0 && load_random(load, 3) > 0)) {
        struct command command = {0};
        size_t count = 1 + load_random(load, waiting->count < 16 ? waiting->count : 16);
        take_ids(load, waiting, ids, count);
        crash_oracle_invoke_acknowledge(load->oracle, client,
                                        &(struct oracle_stream_ids){consumer, ids, count});
        add_text(&command, "XACK");
        add_text(&command, "%s", LOAD_STREAM_NAMES[consumer]);
        add_text(&command, "%s", LOAD_GROUP_NAME);
        add_ids(&command, ids, count);
        send_command(connection, &command, (struct load_request){LOAD_CHANGE, consumer});
        if (connection->request_count > LOAD_BATCH_MAX / 2) break;
    }
    size_t count = 1 + load_random(load, READ_COUNT_MAX);
    struct command command = {0};
    const char *const words[] = {"XREADGROUP", "GROUP", LOAD_GROUP_NAME};
    for (size_t i = 0; i < 3; i++) add_text(&command, "%s", words[i]);
    add_text(&command, "consumer%u", client);
    add_text(&command, "COUNT");
    add_text(&command, "%zu", count);
    add_text(&command, "STREAMS");
    add_text(&command, "%s", LOAD_STREAM_NAMES[consumer]);
    add_text(&command, ">");
    crash_oracle_invoke_read(load->oracle, client, consumer, count);
    send_command(connection, &command, (struct load_request){LOAD_GROUP_READ, consumer});
}

static void send_peek(struct load *load)
{
    struct command command = {0};
    char name[32];
    struct load_request request = {LOAD_PEEK_VALUE, (uint32_t)load_random(load, LOAD_KEYS)};
    if (load_random(load, 2) == 0) {
        load_key_name(request.index, name);
        add_text(&command, "GET");
        add_text(&command, "%s", name);
    } else {
        request =
            (struct load_request){LOAD_PEEK_ENTRIES, (uint32_t)load_random(load, LOAD_STREAMS)};
        add_text(&command, "XREVRANGE");
        add_text(&command, "%s", LOAD_STREAM_NAMES[request.index]);
        add_text(&command, "+");
        add_text(&command, "-");
        add_text(&command, "COUNT");
        add_text(&command, "5");
    }
    send_command(&load->connections[LOAD_CLIENTS], &command, request);
}

/* A batch of the connection's own kind. The first of each kind sends one command at a time. */
static void send_batch(struct load *load, uint32_t index)
{
    static char buffer[VALUE_MAX * (FIELDS_MAX + 1)];
    static const uint64_t depths[] = {1, 8, 32, LOAD_BATCH_MAX};
    struct load_connection *connection = &load->connections[index];
    connection->request_count = connection->answer_count = 0;
    uint64_t depth = depths[index < LOAD_WRITERS ? index % 4 : (index - LOAD_WRITERS) % 3];
    depth = 1 + load_random(load, depth);
    for (uint64_t i = 0; i < depth; i++) {
        if (index < LOAD_WRITERS) send_write(load, index, buffer);
        else if (index < LOAD_WRITERS + LOAD_PRODUCERS && load_random(load, 12) == 0 &&
                 i + 1 < depth)
            send_removal(load, index - LOAD_WRITERS);
        else if (index < LOAD_WRITERS + LOAD_PRODUCERS) send_add(load, index, buffer);
        else if (index == LOAD_CLIENTS) send_peek(load);
    }
    if (index >= LOAD_WRITERS + LOAD_PRODUCERS && index < LOAD_CLIENTS)
        send_group_requests(load, index - LOAD_WRITERS - LOAD_PRODUCERS);
    /* A server that was killed under us is found out by the next read. */
    for (int done = 0; !done && redisBufferWrite(connection->context, &done) == REDIS_OK;) {
    }
}

/* --- Answers. -------------------------------------------------------------------------------- */

static void take_group_read(struct load *load, uint32_t index, const redisReply *reply)
{
    uint32_t consumer = index - LOAD_WRITERS - LOAD_PRODUCERS;
    struct load_entries entries = {0};
    struct oracle_answer answer = {0};
    if (reply->type == REDIS_REPLY_ARRAY) {
        entries = load_parse_entries(reply->element[0]->element[1]);
        answer.entries = entries.items;
        answer.entry_count = entries.count;
    }
    crash_oracle_answered(load->oracle, index, &answer);
    for (size_t i = 0; i < entries.count; i++)
        load_remember_id(&load->to_acknowledge[consumer], entries.items[i].id);
    load_free_entries(&entries);
}

static void take_peek(struct load *load, const struct load_request *request,
                      const redisReply *reply)
{
    if (request->kind == LOAD_PEEK_VALUE) {
        /* The answer may be older than what is acknowledged by now. Only a text tells of which
         * write it is; a number, or that nothing is there, may come again. */
        bool is_text = request->index % LOAD_KEYS_EACH < TEXT_KEYS;
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

static void take_answer(struct load *load, uint32_t index, const redisReply *reply)
{
    struct load_connection *connection = &load->connections[index];
    assert_true(connection->answer_count < connection->request_count);
    const struct load_request *request = &connection->requests[connection->answer_count++];
    struct oracle_answer answer = {.is_error = reply->type == REDIS_REPLY_ERROR};
    if (answer.is_error)
        fail_msg("connection %u, request kind %d: %s", index, (int)request->kind, reply->str);
    switch (request->kind) {
    case LOAD_GROUP_READ: take_group_read(load, index, reply); return;
    case LOAD_PEEK_VALUE:
    case LOAD_PEEK_ENTRIES: take_peek(load, request, reply); return;
    case LOAD_ADD:
        answer.id = load_parse_id(reply);
        if (request->index == 1) load_remember_id(&load->added[index - LOAD_WRITERS], answer.id);
        break;
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
