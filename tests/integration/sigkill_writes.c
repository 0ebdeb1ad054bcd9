/* sigkill_writes.c - what writers and producers send. Both have keys of their own. */
#include "sigkill_command.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
    FIELDS_MAX = 5,
    MESSAGE_AGE_MAX_MS = 60000, /* below the 100 s for which a stream remembers one */
    RAISE_MS = 10000,           /* above what the others add meanwhile */
    RAISE_ONE_IN = 20,
    REMOVE_ONE_IN = 12,
    MESSAGE_ONE_IN = 6,
    OUTBOX_ONE_IN = 6,
    REMOVABLE_MIN = 64, /* entries that a producer leaves alone */
};

static_assert(LOAD_BUFFER_BYTES >= (FIELDS_MAX + 1) * LOAD_VALUE_MAX, "a buffer holds an XADD");

static size_t random_size(struct load *load)
{
    uint64_t kind = load_random(load, 200);
    if (kind == 0) return 20000 + load_random(load, LOAD_VALUE_MAX - 20000);
    if (kind < 10) return 1000 + load_random(load, 4000);
    return 1 + load_random(load, 60);
}

/* Bytes that no other call gives, also binary ones. 'buffer' holds LOAD_VALUE_MAX. */
static struct slice random_bytes(struct load *load, char *buffer, size_t size)
{
    int head = snprintf(buffer, 32, "%" PRIu64 ":", load->sequence++);
    if (size < (size_t)head) size = (size_t)head;
    for (size_t i = (size_t)head; i < size; i++)
        buffer[i] = (char)(load->sequence * 131 + i * (i >> 3));
    return (struct slice){buffer, size};
}

static uint32_t text_key(struct load *load, uint32_t client)
{
    return client * LOAD_KEYS_EACH + (uint32_t)load_random(load, LOAD_TEXT_KEYS);
}

static struct oracle_write random_increment(struct load *load, uint32_t client)
{
    uint32_t key = client * LOAD_KEYS_EACH + LOAD_TEXT_KEYS +
                   (uint32_t)load_random(load, LOAD_KEYS_EACH - LOAD_TEXT_KEYS);
    return (struct oracle_write){ORACLE_INCREMENT, key, SLICE(""),
                                 (int64_t)load_random(load, 2000) - 500};
}

/* The command that does what 'write' says. */
static void send_one(struct load *load, uint32_t client, const struct oracle_write *write,
                     enum load_request_kind answer)
{
    char name[32];
    struct command command = {0};
    load_key_name(write->key, name);
    switch (write->kind) {
    case ORACLE_SET: command_words(&command, "SET %s", name); break;
    case ORACLE_DELETE: command_words(&command, "DEL %s", name); break;
    case ORACLE_APPEND: command_words(&command, "APPEND %s", name); break;
    case ORACLE_INCREMENT: command_words(&command, "INCRBY %s %" PRId64, name, write->delta); break;
    }
    if (write->kind == ORACLE_SET || write->kind == ORACLE_APPEND)
        command_bytes(&command, write->value.data, write->value.size);
    command_send(&load->connections[client], &command, (struct load_request){answer, write->key});
}

static void send_word(struct load *load, uint32_t client, const char *word,
                      struct load_request request)
{
    struct command command = {0};
    command_words(&command, "%s", word);
    command_send(&load->connections[client], &command, request);
}

/* --- Writers. -------------------------------------------------------------------------------- */

static void write_text(struct load *load, uint32_t writer, char *buffer)
{
    struct oracle_write write = {.kind = ORACLE_SET, .key = text_key(load, writer)};
    enum load_request_kind answer = LOAD_WRITE_INTEGER;
    uint64_t kind = load_random(load, 10);
    if (kind == 0) {
        write.kind = ORACLE_DELETE;
    } else if (kind < 4) {
        write.kind = ORACLE_APPEND;
        write.value = random_bytes(load, buffer, 1 + load_random(load, 40));
    } else {
        write.value = random_bytes(load, buffer, random_size(load));
        answer = LOAD_WRITE;
    }
    crash_oracle_invoke_writes(load->oracle, writer, &write, 1);
    send_one(load, writer, &write, answer);
}

static void write_number(struct load *load, uint32_t writer)
{
    struct oracle_write write = random_increment(load, writer);
    if (load_random(load, 20) == 0) write.kind = ORACLE_DELETE;
    crash_oracle_invoke_writes(load->oracle, writer, &write, 1);
    send_one(load, writer, &write, LOAD_WRITE_INTEGER);
}

/* MSET of neighbouring keys: atomic. */
static void write_several(struct load *load, uint32_t writer, char *buffer)
{
    char name[32];
    struct command command = {0};
    struct oracle_write writes[4];
    uint32_t first = writer * LOAD_KEYS_EACH + (uint32_t)load_random(load, LOAD_TEXT_KEYS - 4);
    command_words(&command, "MSET");
    for (uint32_t i = 0; i < 4; i++) {
        writes[i] = (struct oracle_write){ORACLE_SET, first + i,
                                          random_bytes(load, buffer + (size_t)i * 64, 40), 0};
        load_key_name(first + i, name);
        command_words(&command, "%s", name);
        command_bytes(&command, writes[i].value.data, writes[i].value.size);
    }
    crash_oracle_invoke_writes(load->oracle, writer, writes, 4);
    command_send(&load->connections[writer], &command, (struct load_request){LOAD_WRITE, first});
}

/* EXEC of several writes: for the oracle one operation, as MSET is. */
static void write_transaction(struct load *load, uint32_t writer, char *buffer)
{
    uint32_t key = text_key(load, writer);
    struct oracle_write writes[4] = {
        {ORACLE_SET, key, random_bytes(load, buffer, random_size(load)), 0},
        random_increment(load, writer),
        {ORACLE_DELETE, text_key(load, writer), SLICE(""), 0},
        {ORACLE_APPEND, key, random_bytes(load, buffer + LOAD_VALUE_MAX, 20), 0},
    };
    crash_oracle_invoke_writes(load->oracle, writer, writes, 4);
    send_word(load, writer, "MULTI", (struct load_request){LOAD_QUEUED, 0});
    for (size_t i = 0; i < 4; i++) send_one(load, writer, &writes[i], LOAD_QUEUED);
    send_word(load, writer, "EXEC", (struct load_request){LOAD_WRITE, key});
}

void load_send_write(struct load *load, uint32_t writer, char *buffer)
{
    switch (load_random(load, 9)) {
    case 0: write_several(load, writer, buffer); break;
    case 1:
    case 2: write_number(load, writer); break;
    case 3: write_transaction(load, writer, buffer); break;
    default: write_text(load, writer, buffer); break;
    }
}

/* --- Producers. ------------------------------------------------------------------------------ */

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t random_stream(struct load *load)
{
    return (uint32_t)load_random(load, LOAD_STREAMS);
}

/* XADD of some fields, of which the oracle is told. */
static void make_add(struct load *load, uint32_t client, uint32_t stream, struct command *command)
{
    static char buffer[LOAD_BUFFER_BYTES], payload[LOAD_BUFFER_BYTES];
    uint64_t fields = 2 + load_random(load, FIELDS_MAX - 1);
    size_t size = 0, used = 0;
    command_words(command, "XADD %s *", LOAD_STREAM_NAMES[stream]);
    for (uint64_t i = 0; i < fields; i++) {
        size_t wanted = i == 0 ? random_size(load) / 4 : load_random(load, 30);
        struct slice value = random_bytes(load, buffer + used, wanted);
        used += value.size;
        command_words(command, "field%" PRIu64, load_random(load, 3) == 0 ? load->sequence : i);
        command_bytes(command, value.data, value.size);
    }
    for (int i = 3; i < command->count; i++)
        size = load_encode_part(payload, size, command->values[i], command->sizes[i]);
    crash_oracle_invoke_add(load->oracle, client, stream, (struct slice){payload, size});
}

static void send_add(struct load *load, uint32_t client)
{
    struct command command = {0};
    uint32_t stream = random_stream(load);
    make_add(load, client, stream, &command);
    command_send(&load->connections[client], &command, (struct load_request){LOAD_ADD, stream});
}

/* EXEC of what a service stores and of the entry that tells the others: all of it or nothing. */
static void send_outbox(struct load *load, uint32_t client, char *buffer)
{
    struct command command = {0};
    uint32_t stream = random_stream(load);
    struct oracle_write writes[2] = {
        {ORACLE_SET, text_key(load, client), random_bytes(load, buffer, 40), 0},
        random_increment(load, client),
    };
    make_add(load, client, stream, &command);
    crash_oracle_join_writes(load->oracle, client, writes, 2);
    send_word(load, client, "MULTI", (struct load_request){LOAD_QUEUED, 0});
    command_send(&load->connections[client], &command, (struct load_request){LOAD_QUEUED, 0});
    for (size_t i = 0; i < 2; i++) send_one(load, client, &writes[i], LOAD_QUEUED);
    send_word(load, client, "EXEC", (struct load_request){LOAD_OUTBOX, stream});
}

/* XADD IDMP of one field; its idempotent ID is the number that the value begins with. */
static void send_message(struct load *load, uint32_t client, uint32_t stream, struct slice value)
{
    struct command command = {0};
    const char *end = memchr(value.data, ':', value.size);
    assert_non_null(end);
    command_words(&command, "XADD %s IDMP producer%u %.*s * message", LOAD_STREAM_NAMES[stream],
                  client, (int)(end - value.data), value.data);
    command_bytes(&command, value.data, value.size);
    command_send(&load->connections[client], &command, (struct load_request){LOAD_ADD, stream});
}

static void send_new_message(struct load *load, uint32_t client, char *buffer)
{
    char payload[256];
    uint32_t stream = random_stream(load);
    struct slice value = random_bytes(load, buffer, 1 + load_random(load, 100));
    size_t size = load_encode_part(payload, 0, "message", 7);
    size = load_encode_part(payload, size, value.data, value.size);
    crash_oracle_invoke_message(load->oracle, client, stream, (struct slice){payload, size});
    load->message_ms[client - LOAD_WRITERS] = now_ms(CLOCK_MONOTONIC);
    send_message(load, client, stream, value);
}

/* As a client does that has no answer, or does not trust it: it wants the message stored once. */
static bool send_message_again(struct load *load, uint32_t client)
{
    uint32_t stream;
    struct slice payload;
    int64_t age_ms = now_ms(CLOCK_MONOTONIC) - load->message_ms[client - LOAD_WRITERS];
    if (age_ms > MESSAGE_AGE_MAX_MS) return false;
    if (!crash_oracle_message(load->oracle, client, &stream, &payload)) return false;
    /* "7:message", the value's size, a colon, the value */
    const char *colon = memchr(payload.data + 9, ':', payload.size - 9);
    assert_non_null(colon);
    struct slice value = {colon + 1, payload.size - (size_t)(colon + 1 - payload.data)};
    send_message(load, client, stream, value);
    crash_oracle_invoke_message_again(load->oracle, client);
    return true;
}

static void send_some_message(struct load *load, uint32_t client, char *buffer)
{
    if (crash_oracle_message_under_way(load->oracle, client)) return;
    if (load_random(load, 2) == 0 && send_message_again(load, client)) return;
    send_new_message(load, client, buffer);
}

/* XSETID, by one client only, so that they come in order. */
static void send_raise(struct load *load, uint32_t client)
{
    struct command command = {0};
    uint32_t stream = random_stream(load);
    uint64_t ms = (uint64_t)now_ms(CLOCK_REALTIME) + RAISE_MS;
    if (ms <= load->raised_ms[stream]) ms = load->raised_ms[stream] + 1;
    load->raised_ms[stream] = ms;
    crash_oracle_invoke_raise(load->oracle, client, stream, (struct oracle_id){ms, 0});
    command_words(&command, "XSETID %s %" PRIu64 "-0", LOAD_STREAM_NAMES[stream], ms);
    command_send(&load->connections[client], &command, (struct load_request){LOAD_CHANGE, stream});
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

/* XDEL, XDELEX KEEPREF, or XDELEX ACKED where it does the same. */
static void send_delete(struct load *load, uint32_t client, struct load_ids *added)
{
    struct command command = {0};
    struct oracle_id ids[4];
    size_t count = 1 + load_random(load, 4);
    take_ids(load, added, ids, count);
    bool is_done = true;
    for (size_t i = 0; i < count; i++) is_done &= crash_oracle_is_done(load->oracle, 1, ids[i]);
    crash_oracle_invoke_remove(load->oracle, client, &(struct oracle_stream_ids){1, ids, count});
    uint64_t kind = load->has_new_commands ? load_random(load, is_done ? 3 : 2) : 0;
    if (kind == 0) command_words(&command, "XDEL %s", LOAD_STREAM_NAMES[1]);
    else
        command_words(&command, "XDELEX %s %s IDS %zu", LOAD_STREAM_NAMES[1],
                      kind == 1 ? "KEEPREF" : "ACKED", count);
    command_ids(&command, ids, count);
    command_send(&load->connections[client], &command, (struct load_request){LOAD_CHANGE, 1});
}

/* Some of its own entries, or all up to one of them. */
static void send_removal(struct load *load, uint32_t client)
{
    struct load_ids *added = &load->added[client - LOAD_WRITERS];
    struct command command = {0};
    if (added->count < REMOVABLE_MIN) return;
    if (load_random(load, 4) > 0) {
        send_delete(load, client, added);
        return;
    }
    size_t gone = load_random(load, REMOVABLE_MIN / 2);
    memmove(added->ids, added->ids + gone, (added->count - gone) * sizeof *added->ids);
    added->count -= gone;
    crash_oracle_invoke_trim(load->oracle, client, 1, added->ids[0]);
    command_words(&command, "XTRIM %s MINID =", LOAD_STREAM_NAMES[1]);
    command_ids(&command, added->ids, 1);
    command_send(&load->connections[client], &command, (struct load_request){LOAD_CHANGE, 1});
}

void load_send_produce(struct load *load, uint32_t client, char *buffer)
{
    if (load_random(load, REMOVE_ONE_IN) == 0) send_removal(load, client);
    else if (client == LOAD_WRITERS && load_random(load, RAISE_ONE_IN) == 0)
        send_raise(load, client);
    else if (load->has_new_commands && load_random(load, MESSAGE_ONE_IN) == 0)
        send_some_message(load, client, buffer);
    else if (load_random(load, OUTBOX_ONE_IN) == 0) send_outbox(load, client, buffer);
    else send_add(load, client);
}
