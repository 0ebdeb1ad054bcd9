#include "command/slow_log.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdio.h>

enum { REST_TEXT_MAX = 48 }; /* "... (18446744073709551615 more arguments)" */

/* An argument as it is shown: 'bytes', then 'rest' in words. */
struct shown {
    struct slice bytes;
    char rest[REST_TEXT_MAX];
    size_t rest_size;
};

static void say_rest(struct shown *s, size_t count, const char *what)
{
    int size = snprintf(s->rest, sizeof s->rest, "... (%zu more %s)", count, what);
    CHECK(size > 0 && (size_t)size < sizeof s->rest);
    s->rest_size = (size_t)size;
}

static struct shown show(const struct slow_request *request, size_t index)
{
    struct shown s = {.bytes = request->arguments[index]};
    if (request->arguments_count > SLOW_LOG_ARGUMENTS_MAX && index == SLOW_LOG_ARGUMENTS_MAX - 1) {
        s.bytes.size = 0;
        say_rest(&s, request->arguments_count - index, "arguments");
    } else if ((request->secrets >> index & 1) != 0) {
        s.bytes = SLICE("(redacted)");
    } else if (s.bytes.size > SLOW_LOG_ARGUMENT_BYTES_MAX) {
        say_rest(&s, s.bytes.size - SLOW_LOG_ARGUMENT_BYTES_MAX, "bytes");
        s.bytes.size = SLOW_LOG_ARGUMENT_BYTES_MAX;
    }
    return s;
}

static char *put(char *at, const char *data, size_t size)
{
    if (size > 0) memcpy(at, data, size);
    return at + size;
}

static struct slow_entry *make_entry(const struct slow_request *request, size_t count)
{
    struct shown shown[SLOW_LOG_ARGUMENTS_MAX];
    size_t bytes = sizeof(struct slow_entry) + count * sizeof(struct slice) +
                   request->address.size + request->name.size;
    for (size_t i = 0; i < count; i++) {
        shown[i] = show(request, i);
        bytes += shown[i].bytes.size + shown[i].rest_size;
    }
    struct slow_entry *e = memory_allocate(bytes);
    char *at = (char *)(e->arguments + count);
    *e = (struct slow_entry){.time_s = request->time_s,
                             .duration_us = request->duration_us,
                             .arguments_count = count,
                             .allocated_bytes = bytes};
    for (size_t i = 0; i < count; i++) {
        e->arguments[i] = (struct slice){at, shown[i].bytes.size + shown[i].rest_size};
        at = put(at, shown[i].bytes.data, shown[i].bytes.size);
        at = put(at, shown[i].rest, shown[i].rest_size);
    }
    e->address = (struct slice){at, request->address.size};
    at = put(at, request->address.data, request->address.size);
    e->name = (struct slice){at, request->name.size};
    at = put(at, request->name.data, request->name.size);
    CHECK(at == (char *)e + bytes);
    return e;
}

static void cut(struct slow_log *log, size_t count_max)
{
    while (log->count > count_max) {
        struct slow_entry *oldest = CONTAINER_OF(log->entries.previous, struct slow_entry, link);
        list_remove(&oldest->link);
        memory_free(oldest, oldest->allocated_bytes);
        log->count--;
    }
    CHECK((log->count == 0) == list_empty(&log->entries));
}

void slow_log_init(struct slow_log *log, size_t entries_max)
{
    CHECK(entries_max <= SLOW_LOG_ENTRIES_MAX);
    *log = (struct slow_log){.entries_max = entries_max};
    list_init(&log->entries);
}

void slow_log_reset(struct slow_log *log)
{
    cut(log, 0);
}

void slow_log_set_max(struct slow_log *log, size_t entries_max)
{
    CHECK(entries_max <= SLOW_LOG_ENTRIES_MAX);
    log->entries_max = entries_max;
    cut(log, entries_max);
}

void slow_log_add(struct slow_log *log, const struct slow_request *request)
{
    CHECK(request->arguments_count > 0);
    CHECK(log->count <= log->entries_max);
    size_t count = request->arguments_count;
    if (count > SLOW_LOG_ARGUMENTS_MAX) count = SLOW_LOG_ARGUMENTS_MAX;
    struct slow_entry *e = make_entry(request, count);
    e->id = log->next_id++;
    list_init(&e->link);
    list_append(log->entries.next, &e->link); /* in front of the newest */
    log->count++;
    cut(log, log->entries_max);
}
