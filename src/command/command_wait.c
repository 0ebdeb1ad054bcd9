/* command_wait.c - until what this connection has written is safe elsewhere: WAIT, on replicas, and
 * WAITAOF, on stable storage.
 *
 * There is no replication: no replica ever acknowledges anything, and who asks for one waits until
 * the timeout. What WAITAOF asks for locally is synced at once, whatever the policy
 * (docs/decisions/0020). The newest change of a connection is its client's written_lsn. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"

static enum outcome wait_until(struct command_context *c, int64_t timeout_ms,
                               const struct wait *wait)
{
    *c->wait = *wait;
    c->wait->deadline_ms = timeout_ms == 0 ? 0 : c->now_ms + timeout_ms;
    c->wait->database = c->client->database;
    return OUTCOME_WAIT;
}

/* ---- WAIT ---- */

static enum outcome wait_again(struct command_context *c, struct wait *w)
{
    (void)c;
    (void)w;
    return OUTCOME_WAIT;
}

static void wait_expired(struct command_context *c, const struct wait *w)
{
    (void)w;
    reply_integer(c->reply, 0);
}

enum outcome command_wait(struct command_context *c)
{
    int64_t replicas, timeout_ms;
    if (!argument_integer(c, 1, &replicas)) return OUTCOME_REPLIED;
    if (!argument_timeout_ms(c, 2, &timeout_ms)) return OUTCOME_REPLIED;
    if (replicas > 0)
        return wait_until(c, timeout_ms,
                          &(struct wait){.again = wait_again, .expired = wait_expired});
    reply_integer(c->reply, 0);
    return OUTCOME_REPLIED;
}

/* ---- WAITAOF ---- */

static bool is_synced(const struct command_context *c, lsn_t lsn)
{
    return db_has_log(c->db) && db_synced_lsn(c->db) >= lsn;
}

static void answer_synced(struct command_context *c, lsn_t lsn)
{
    reply_array(c->reply, 2);
    reply_integer(c->reply, is_synced(c, lsn));
    reply_integer(c->reply, 0);
}

static void waitaof_expired(struct command_context *c, const struct wait *w)
{
    answer_synced(c, w->synced_lsn);
}

/* The arguments were right the first time. */
static enum outcome waitaof_again(struct command_context *c, struct wait *w)
{
    int64_t replicas;
    CHECK(number_parse_i64(c->arguments[2], &replicas));
    if (replicas > 0 || !is_synced(c, w->synced_lsn)) return OUTCOME_WAIT;
    answer_synced(c, w->synced_lsn);
    return OUTCOME_REPLIED;
}

static bool read_waitaof(struct command_context *c, int64_t *local, int64_t *replicas)
{
    if (!argument_integer(c, 1, local)) return false;
    if (*local < 0 || *local > 1) reply_error(c->reply, REPLY_ERROR_WAIT_LOCAL);
    else if (!number_parse_i64(c->arguments[2], replicas) || *replicas < 0)
        reply_error(c->reply, REPLY_ERROR_NOT_POSITIVE);
    else return true;
    return false;
}

enum outcome command_waitaof(struct command_context *c)
{
    int64_t local, replicas, timeout_ms;
    lsn_t lsn = c->client->written_lsn;
    if (!read_waitaof(c, &local, &replicas)) return OUTCOME_REPLIED;
    if (!argument_timeout_ms(c, 3, &timeout_ms)) return OUTCOME_REPLIED;
    if (local > 0 && !db_has_log(c->db)) return refuse(c, REPLY_ERROR_WAIT_NO_LOG);

    bool synced = local == 0 || is_synced(c, lsn);
    if (replicas == 0 && synced) {
        answer_synced(c, lsn);
        return OUTCOME_REPLIED;
    }
    if (!synced) db_request_sync(c->db, lsn);
    return wait_until(
        c, timeout_ms,
        &(struct wait){.synced_lsn = lsn, .again = waitaof_again, .expired = waitaof_expired});
}
