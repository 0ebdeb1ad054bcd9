/* event.h - keyspace events: what a change says of itself to whoever listens. docs/decisions/0028.
 *
 * Every change goes through db_change or is an expiry, so one place says all events: db.c, where an
 * effect is applied. The kind of the effect and its keys give the names; a command says a word
 * (struct effect, event) only where one kind serves several commands. Recovery says nothing.
 *
 * What is said in a batch is kept until the batch is committed, and then handed to the sink in the
 * order of the changes, with the LSN of the batch: whoever tells a client must wait until that LSN
 * is durable (docs/decisions/0002). What changes nothing says nothing. A flush of a database, or
 * two that are swapped, say nothing: as in Redis.
 *
 * It never knows who listens, nor how events are named as channels.
 * Source: Redis, notify.c, and the calls of notifyKeyspaceEvent. */
#ifndef DB_EVENT_H
#define DB_EVENT_H

#include "base/slice.h"
#include "wal/wal.h"

struct db;

enum event {
    EVENT_OF_KIND, /* of an effect: what its kind says */
    EVENT_NONE,    /* of an effect: nothing */
#define EVENT(NAME, CLASS, name) EVENT_##NAME,
#include "db/events.def"
#undef EVENT
    EVENTS_END
};

/* The letters that notify-keyspace-events has for them. */
enum event_class {
    EVENT_CLASS_GENERIC = 1 << 0, /* g */
    EVENT_CLASS_STRING = 1 << 1,  /* $ */
    EVENT_CLASS_STREAM = 1 << 2,  /* t */
    EVENT_CLASS_EXPIRED = 1 << 3, /* x */
    EVENT_CLASS_NEW = 1 << 4,     /* n; not part of "A" */
};

/* Of a named event: not of EVENT_OF_KIND and EVENT_NONE. */
const char *event_name(enum event event);
enum event_class event_class(enum event event);

struct key_event {
    enum event event;
    unsigned database; /* the number, as clients say it, when the change was made */
    struct slice key;  /* borrowed for the call */
    lsn_t lsn;         /* of the batch; 0: there is no log */
};

struct event_sink {
    void *context;
    unsigned classes; /* of enum event_class: which events are wanted; not 0 */
    /* Called inside db_commit and db_expire, when the batch is closed; must not use the db. */
    void (*take)(void *context, const struct key_event *event);
};

/* From now on events go to this sink (copied); NULL, as it is at first: nobody listens, which costs
 * one comparison for each change. Between batches. */
void db_listen(struct db *db, const struct event_sink *sink);

#endif
