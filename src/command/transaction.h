/* transaction.h - what a connection has queued between MULTI and EXEC, and watches. Part of struct
 * client; all zero is a connection outside a transaction that watches nothing.
 *
 * Requests are copied: the input that they borrow from is gone when EXEC comes. What a client may
 * queue is bounded by TRANSACTION_BYTES_MAX and TRANSACTION_REQUESTS_MAX, and counted as memory.
 *
 * It knows neither replies nor the engine: command_transaction.c decides what happens. */
#ifndef COMMAND_TRANSACTION_H
#define COMMAND_TRANSACTION_H

#include "db/transaction.h"

struct command;

struct queued_request {
    const struct command *command;
    struct slice *arguments; /* one allocation of bytes_size: slices, then their bytes */
    size_t arguments_count;
    size_t bytes_size;
};

struct transaction {
    bool open;      /* MULTI came */
    bool failed;    /* a request was refused: EXEC will abort */
    uint32_t flags; /* all flags of the queued commands' rows */
    struct queued_request *requests;
    size_t count;
    size_t capacity;
    size_t bytes; /* of memory for 'requests' and what they own */
    struct watcher watcher;
};

/* Queues a copy of the request, whose row has these flags. False: there is no room for it. */
bool transaction_queue(struct transaction *t, const struct command *command, uint32_t flags,
                       const struct slice *arguments, size_t arguments_count);

/* Frees the queue and leaves the transaction; watches stay. */
void transaction_close(struct transaction *t);

/* ... and watches nothing any more: DISCARD, RESET, the end of a connection. */
void transaction_discard(struct transaction *t, struct db *db);

static inline size_t transaction_memory_bytes(const struct transaction *t)
{
    return t->bytes + t->watcher.bytes;
}

#endif
