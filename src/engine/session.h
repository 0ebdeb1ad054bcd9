/* session.h - one connection as the engine sees it. Private to engine/.
 *
 * States, and the only function that moves between them is session_move:
 *
 *   READY ----- a command waits -----> WAITING      (engine.c: settle)
 *   WAITING --- it replied ----------> READY        (engine.c: settle)
 *   READY, WAITING --- no more ------> CLOSING      (QUIT, protocol error, kill, stop)
 *
 * A session that is CLOSING executes nothing; it is finished when what may leave has left.
 *
 * Gates: replies that are not durable yet. Each says "bytes up to 'position' may leave when 'lsn'
 * is durable"; both increase from gate to gate, so replies leave in order. */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "base/list.h"
#include "engine/engine.h"
#include "engine/waiters.h"
#include "resp/request.h"

enum session_state { SESSION_READY, SESSION_WAITING, SESSION_CLOSING, SESSION_STATES };

struct gate {
    uint64_t position;
    lsn_t lsn;
};

struct session {
    struct client client; /* first: commands get its address */
    struct engine *engine;
    void *owner;
    enum session_state state;
    bool aborted;    /* what is unsent does not matter any more */
    bool incomplete; /* 'input' holds no whole request: nothing to do until more comes */
    bool backlog;    /* it holds more of them than the last tick took: no more is to come */
    struct request_parser parser;
    struct slice fed; /* borrowed until the tick ends */
    struct buf input; /* an unfinished request, and what came behind it */
    struct chain output;
    struct gate *gates; /* gates_first .. gates_first + gates_count - 1 are in use */
    size_t gates_first;
    size_t gates_count;
    size_t gates_capacity;
    struct waiter *waiter;   /* exactly while WAITING */
    struct reply_rest *rest; /* of a long reply: paused until all of it was made */
    struct list all;         /* engine.sessions, by id */
    struct list runnable;    /* engine.runnable: input to execute */
    struct list gated;       /* engine.gated: gates_count > 0 */
    struct list paused;      /* engine.paused: too much is unsent, or not in the log yet */
    struct list closing;     /* engine.closing: CLOSING, until the owner closes it */
    struct list ready;       /* engine.ready: the owner should look */
};

struct session *session_create(struct engine *e, const struct session_options *options, uint64_t id,
                               int64_t now_ms);
void session_destroy(struct session *s); /* in no list any more but those of its own */

void session_move(struct session *s, enum session_state to);

/* What the log has reached, as replies see it. */
struct log_position {
    lsn_t durable_lsn;
    lsn_t tick_lsn; /* appended when this tick began: what is above goes into one group commit */
};

/* The reply that ends at the chain's end may leave when lsn is durable. */
void session_gate(struct session *s, lsn_t lsn, const struct log_position *log);

/* Releases what durable_lsn allows; true when bytes became sendable. */
bool session_release(struct session *s, lsn_t durable_lsn);

/* What a session holds, apart from a copy of the request that it waits with. */
size_t session_memory_bytes(const struct session *s);

void session_drop_rest(struct session *s);

static inline size_t session_unsent_bytes(const struct session *s)
{
    return (size_t)(s->output.appended - s->output.sent);
}

#endif
