/* command_save.c - snapshots: SAVE, BGSAVE, LASTSAVE. A snapshot is taken while commands execute;
 * SAVE only answers later (docs/decisions/0011). */
#include "command/arguments.h"
#include "command/commands.h"

static void measure(struct command_context *c, struct snapshot_figures *figures, bool *has_log)
{
    struct db_figures all;
    db_measure(c->db, &all);
    *figures = all.snapshot;
    *has_log = all.has_log;
}

/* False: the client has been told why not. */
static bool begin(struct command_context *c)
{
    struct snapshot_figures figures;
    bool has_log;
    measure(c, &figures, &has_log);
    if (!has_log) refuse(c, REPLY_ERROR_SNAPSHOT_NO_LOG);
    else if (!db_snapshot_start(c->db)) refuse(c, REPLY_ERROR_SNAPSHOT_RUNNING);
    else return true;
    return false;
}

/* SCHEDULE asks Redis to wait for a rewrite of its log; here nothing is in the way of a snapshot
 * but another one. */
enum outcome command_bgsave(struct command_context *c)
{
    bool schedule = c->arguments_count == 2 && argument_is(c, 1, "SCHEDULE");
    if (c->arguments_count > 1 && !schedule) return refuse(c, REPLY_ERROR_SYNTAX);
    if (begin(c)) reply_status(c->reply, "Background saving started");
    return OUTCOME_REPLIED;
}

static enum outcome save_again(struct command_context *c, struct wait *w)
{
    struct snapshot_figures figures;
    bool has_log;
    (void)w;
    measure(c, &figures, &has_log);
    if (figures.running) return OUTCOME_WAIT;
    if (figures.last_failed) return refuse(c, REPLY_ERROR_SNAPSHOT_FAILED);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* CLIENT UNBLOCK: the wait ends, not the snapshot. */
static void save_unblocked(struct command_context *c, const struct wait *w)
{
    (void)w;
    reply_error(c->reply, REPLY_ERROR_SNAPSHOT_UNBLOCKED);
}

/* The end of a snapshot wakes all who wait in database 0; the argument stands for a key. */
enum outcome command_save(struct command_context *c)
{
    if (!begin(c)) return OUTCOME_REPLIED;
    *c->wait = (struct wait){.database = 0,
                             .keys_first = 0,
                             .keys_count = 1,
                             .again = save_again,
                             .expired = save_unblocked};
    return OUTCOME_WAIT;
}

enum outcome command_lastsave(struct command_context *c)
{
    struct snapshot_figures figures;
    bool has_log;
    measure(c, &figures, &has_log);
    reply_integer(c->reply, figures.last_ms / 1000);
    return OUTCOME_REPLIED;
}
