/* event_queue.h - the keyspace events of the open batch. Private to db/.
 *
 * Invariant: the queue is empty between batches, and always while nobody listens. */
#ifndef DB_EVENT_QUEUE_H
#define DB_EVENT_QUEUE_H

#include "db/effect.h"

struct event_queue {
    const struct store *store; /* borrowed */
    struct event_sink sink;    /* classes 0: nobody listens */
    struct buf bytes;          /* event (1 byte), database (1 byte), name (varint size, bytes) */
};

/* Adds what an effect says, before it is applied: a key is new when it is not there yet. expiry: it
 * removes a key because its deadline has passed. */
void event_queue_add(struct event_queue *q, const struct effect *e, bool expiry, int64_t now_ms);

/* The batch has been committed: hands out what it said, and is empty again. */
void event_queue_deliver(struct event_queue *q, lsn_t lsn);

#endif
