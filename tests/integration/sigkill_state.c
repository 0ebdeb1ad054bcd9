/* sigkill_state.c - reads the whole state of a server and shows it to the oracle. */
#include "sigkill_load.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *const LOAD_STREAM_NAMES[LOAD_STREAMS] = {"stream:kept", "stream:trimmed"};

void load_key_name(uint32_t key, char name[32])
{
    snprintf(name, 32, "writer:%u:key:%u", key / LOAD_KEYS_EACH, key % LOAD_KEYS_EACH);
}

size_t load_encode_part(char *payload, size_t size, const char *bytes, size_t bytes_size)
{
    size += (size_t)snprintf(payload + size, 24, "%zu:", bytes_size);
    memcpy(payload + size, bytes, bytes_size);
    return size + bytes_size;
}

struct oracle_id load_parse_id(const redisReply *reply)
{
    struct oracle_id id;
    char *rest;
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    id.ms = strtoull(reply->str, &rest, 10);
    assert_int_equal(*rest, '-');
    id.sequence = strtoull(rest + 1, &rest, 10);
    assert_int_equal(*rest, '\0');
    return id;
}

struct load_entries load_parse_entries(const redisReply *reply)
{
    size_t bytes = 1;
    for (size_t i = 0; i < reply->elements; i++)
        for (size_t k = 0; k < reply->element[i]->element[1]->elements; k++)
            bytes += reply->element[i]->element[1]->element[k]->len + 24;
    struct load_entries entries = {calloc(reply->elements + 1, sizeof *entries.items),
                                   reply->elements, malloc(bytes)};
    assert_non_null(entries.items);
    assert_non_null(entries.payloads);
    char *payload = entries.payloads;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *fields = reply->element[i]->element[1];
        size_t size = 0;
        for (size_t k = 0; k < fields->elements; k++)
            size =
                load_encode_part(payload, size, fields->element[k]->str, fields->element[k]->len);
        entries.items[i] =
            (struct oracle_entry){load_parse_id(reply->element[i]->element[0]), {payload, size}};
        payload += size;
    }
    return entries;
}

void load_free_entries(struct load_entries *entries)
{
    free(entries->items);
    free(entries->payloads);
}

static redisReply *ask(redisContext *context, int type, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(context, format, arguments);
    va_end(arguments);
    if (reply == NULL) {
        fail_msg("%s: %s", format, context->errstr);
        abort(); /* fail_msg does not come back; this is for those who cannot know */
    }
    if (reply->type != type) fail_msg("%s: type %d: %s", format, reply->type, reply->str);
    return reply;
}

/* The value of a field in a flat array of names and values; NULL if it is not there. */
static const redisReply *find_field(const redisReply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (strcmp(reply->element[i]->str, name) == 0) return reply->element[i + 1];
    fail_msg("there is no field %s", name);
    return NULL;
}

static int64_t integer_field(const redisReply *reply, const char *name)
{
    const redisReply *value = find_field(reply, name);
    return value->type == REDIS_REPLY_INTEGER ? value->integer : -1;
}

static size_t show_values(struct load *load, redisContext *context)
{
    size_t count = 0;
    for (uint32_t i = 0; i < LOAD_KEYS; i++) {
        char name[32];
        load_key_name(i, name);
        redisReply *reply = redisCommand(context, "GET %s", name);
        assert_non_null(reply);
        bool exists = reply->type == REDIS_REPLY_STRING;
        if (!exists) assert_int_equal(reply->type, REDIS_REPLY_NIL);
        crash_oracle_judge_value(load->oracle, i, exists,
                                 (struct slice){exists ? reply->str : "", exists ? reply->len : 0});
        count += exists;
        freeReplyObject(reply);
    }
    return count;
}

/* No client of ours, but somebody. */
#define STRANGER (ORACLE_NOBODY - 1)

static struct oracle_pending *parse_pending(const redisReply *reply)
{
    struct oracle_pending *pending = calloc(reply->elements + 1, sizeof *pending);
    assert_non_null(pending);
    for (size_t i = 0; i < reply->elements; i++) {
        redisReply *const *row = reply->element[i]->element;
        uint32_t client = row[1]->len == 0 ? ORACLE_NOBODY : STRANGER;
        if (strncmp(row[1]->str, "consumer", 8) == 0)
            client = (uint32_t)strtoul(row[1]->str + 8, NULL, 10);
        pending[i] =
            (struct oracle_pending){load_parse_id(row[0]), client, (uint64_t)row[3]->integer};
    }
    return pending;
}

static void show_stream(struct load *load, redisContext *context, uint32_t stream)
{
    const char *name = LOAD_STREAM_NAMES[stream];
    struct oracle_recovered_stream shown = {.exists = true, .lag = -1, .entries_read = -1};
    redisReply *range = ask(context, REDIS_REPLY_ARRAY, "XRANGE %s - +", name);
    redisReply *facts = ask(context, REDIS_REPLY_ARRAY, "XINFO STREAM %s", name);
    redisReply *groups = ask(context, REDIS_REPLY_ARRAY, "XINFO GROUPS %s", name);
    redisReply *rows =
        ask(context, REDIS_REPLY_ARRAY, "XPENDING %s %s - + 1000000", name, LOAD_GROUP_NAME);
    struct load_entries entries = load_parse_entries(range);
    struct oracle_pending *pending = parse_pending(rows);
    shown.entries = entries.items;
    shown.entry_count = entries.count;
    shown.length = (uint64_t)integer_field(facts, "length");
    shown.last_id = load_parse_id(find_field(facts, "last-generated-id"));
    shown.entries_added = (uint64_t)integer_field(facts, "entries-added");
    shown.pending = pending;
    shown.pending_count = rows->elements;
    shown.group_exists = groups->elements == 1;
    if (shown.group_exists) {
        const redisReply *group = groups->element[0];
        shown.last_delivered_id = load_parse_id(find_field(group, "last-delivered-id"));
        /* Redis does not know the lag once entries were removed; Irmak always does. */
        if (stream == 0 || !server_process_is_redis()) shown.lag = integer_field(group, "lag");
        shown.entries_read = integer_field(group, "entries-read");
        assert_int_equal(integer_field(group, "pending"), rows->elements);
    }
    crash_oracle_judge_stream(load->oracle, stream, &shown);
    free(pending);
    load_free_entries(&entries);
    freeReplyObject(range);
    freeReplyObject(facts);
    freeReplyObject(groups);
    freeReplyObject(rows);
}

bool load_judge(struct load *load)
{
    redisContext *context = load_connect(load->server);
    crash_oracle_judge_begin(load->oracle);
    size_t keys = show_values(load, context);
    for (uint32_t i = 0; i < LOAD_STREAMS; i++) show_stream(load, context, i);
    bool good = crash_oracle_judge_end(load->oracle);
    redisReply *size = ask(context, REDIS_REPLY_INTEGER, "DBSIZE");
    if ((size_t)size->integer != keys + LOAD_STREAMS) {
        print_error("%lld keys, of which %zu are known\n", size->integer, keys + LOAD_STREAMS);
        good = false;
    }
    freeReplyObject(size);
    redisFree(context);
    return good;
}
