/* command_transaction.c - MULTI, EXEC, DISCARD, WATCH, UNWATCH. docs/decisions/0022.
 *
 * Between MULTI and EXEC, execute.c checks and queues every request but those whose row says
 * NOT_QUEUED. EXEC runs them one after the other in the one batch that it was given, so recovery
 * sees all of it or none, its replies leave together, and waiters are served behind it. A request
 * that fails inside EXEC fails alone. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/execute.h"

enum outcome command_multi(struct command_context *c)
{
    struct transaction *t = &c->client->transaction;
    if (t->open) return refuse(c, REPLY_ERROR_MULTI_NESTED);
    CHECK(t->count == 0);
    t->open = true;
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_discard(struct command_context *c)
{
    struct transaction *t = &c->client->transaction;
    if (!t->open) return refuse(c, REPLY_ERROR_DISCARD_ALONE);
    transaction_discard(t, c->db);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* False: the watcher is full; the keys before that one are watched. */
static bool watch_all(struct command_context *c)
{
    struct watcher *watcher = &c->client->transaction.watcher;
    for (size_t i = 1; i < c->arguments_count; i++) {
        struct store_key key = argument_key(c, i);
        if (!db_watch_key(c->db, watcher, &key)) return false;
    }
    return true;
}

enum outcome command_watch(struct command_context *c)
{
    struct transaction *t = &c->client->transaction;
    if (t->open) return refuse(c, REPLY_ERROR_WATCH_IN_MULTI);
    /* A change has been seen already: EXEC will fail, whatever else is watched. */
    if (!t->watcher.broken && !watch_all(c)) {
        reply_error_format(c->reply, REPLY_ERROR_WATCH_FULL, WATCHED_BYTES_MAX);
        return OUTCOME_REPLIED;
    }
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_unwatch(struct command_context *c)
{
    db_unwatch(c->db, &c->client->transaction.watcher);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* ---- EXEC ---- */

/* One request of the queue, as a part of EXEC's batch. */
static void run_part(struct command_context *c, const struct queued_request *request)
{
    struct wait wait = {0};
    struct command_context part = *c;
    part.arguments = request->arguments;
    part.arguments_count = request->arguments_count;
    part.command = request->command;
    part.wait = &wait;
    part.portions = NULL; /* its reply stands inside that of EXEC */
    part.clock_ns = c->host->monotonic_ns(c->host->context);
    command_run_part(&part);
}

static void run_all(struct command_context *c)
{
    const struct transaction *t = &c->client->transaction;
    reply_array(c->reply, t->count);
    for (size_t i = 0; i < t->count; i++) run_part(c, &t->requests[i]);
    db_begin_part(c->db, false); /* EXEC's own, in which nothing more happens */
    c->reply->failed = false;    /* the errors are in the array */
}

enum outcome command_exec(struct command_context *c)
{
    struct transaction *t = &c->client->transaction;
    if (!t->open) return refuse(c, REPLY_ERROR_EXEC_ALONE);
    bool broken = db_watch_broken(c->db, &t->watcher);
    db_unwatch(c->db, &t->watcher); /* what EXEC itself changes is no change */
    if (t->failed) reply_error(c->reply, REPLY_ERROR_EXEC_ABORTED);
    else if (broken) reply_null_array(c->reply);
    else run_all(c);
    transaction_close(t);
    return OUTCOME_REPLIED;
}
