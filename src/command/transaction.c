#include "command/transaction.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"

enum { TRANSACTION_CAPACITY_MIN = 8 };

static void grow(struct transaction *t)
{
    size_t capacity = t->capacity == 0 ? TRANSACTION_CAPACITY_MIN : t->capacity * 2;
    size_t before = t->capacity * sizeof *t->requests, after = capacity * sizeof *t->requests;
    t->requests = memory_resize(t->requests, before, after);
    t->capacity = capacity;
    t->bytes += after - before;
}

bool transaction_queue(struct transaction *t, const struct command *command, uint32_t flags,
                       const struct slice *arguments, size_t arguments_count)
{
    CHECK(t->open);
    CHECK(arguments_count > 0);
    size_t size = arguments_count * sizeof *arguments;
    for (size_t i = 0; i < arguments_count; i++) size += arguments[i].size;
    if (t->count >= TRANSACTION_REQUESTS_MAX) return false;
    if (t->bytes + size > TRANSACTION_BYTES_MAX) return false;
    if (t->count == t->capacity) grow(t);
    struct slice *copies = memory_allocate(size);
    char *at = (char *)(copies + arguments_count);
    for (size_t i = 0; i < arguments_count; i++) {
        if (arguments[i].size > 0) memcpy(at, arguments[i].data, arguments[i].size);
        copies[i] = (struct slice){at, arguments[i].size};
        at += arguments[i].size;
    }
    t->requests[t->count++] = (struct queued_request){command, copies, arguments_count, size};
    t->bytes += size;
    t->flags |= flags;
    return true;
}

void transaction_close(struct transaction *t)
{
    struct watcher watcher = t->watcher;
    for (size_t i = 0; i < t->count; i++)
        memory_free(t->requests[i].arguments, t->requests[i].bytes_size);
    memory_free(t->requests, t->capacity * sizeof *t->requests);
    *t = (struct transaction){.watcher = watcher};
}

void transaction_discard(struct transaction *t, struct db *db)
{
    transaction_close(t);
    if (t->watcher.count > 0) db_unwatch(db, &t->watcher);
    t->watcher.broken = false;
    CHECK(t->watcher.first == NULL);
}
