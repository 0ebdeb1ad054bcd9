/* command_server.c - the process: configuration, figures, time, stopping. What these need from
 * outside comes from host.h. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"

#include <math.h>

enum outcome command_time(struct command_context *c)
{
    reply_array(c->reply, 2);
    reply_bulk_integer(c->reply, c->now_us / 1000000);
    reply_bulk_integer(c->reply, c->now_us % 1000000);
    return OUTCOME_REPLIED;
}

enum outcome command_info(struct command_context *c)
{
    struct buf text = {0};
    c->host->info(c->host->context, c->arguments + 1, c->arguments_count - 1, &text);
    reply_verbatim(c->reply, buf_slice(&text));
    buf_deinit(&text);
    return OUTCOME_REPLIED;
}

/* ---- CONFIG ---- */

static void count_parameter(void *context, const char *name, struct slice value)
{
    size_t *count = context;
    (void)name;
    (void)value;
    (*count)++;
}

static void send_parameter(void *context, const char *name, struct slice value)
{
    struct reply *reply = context;
    reply_bulk_text(reply, name);
    reply_bulk(reply, value);
}

/* Two walks, because a reply begins with how many elements it has. */
enum outcome command_config_get(struct command_context *c)
{
    const struct slice *patterns = c->arguments + 2;
    size_t patterns_count = c->arguments_count - 2, count = 0;
    c->host->config_get(c->host->context, patterns, patterns_count, count_parameter, &count);
    reply_map(c->reply, count);
    c->host->config_get(c->host->context, patterns, patterns_count, send_parameter, c->reply);
    return OUTCOME_REPLIED;
}

static enum outcome answer_ok_or(struct command_context *c, bool ok, struct buf *error)
{
    CHECK(ok == (error->size == 0));
    if (ok) reply_ok(c->reply);
    else reply_error_message(c->reply, buf_slice(error));
    buf_deinit(error);
    return OUTCOME_REPLIED;
}

static enum outcome policy_again(struct command_context *c, struct wait *w)
{
    if (db_synced_lsn(c->db) < w->synced_lsn) return OUTCOME_WAIT;
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* CLIENT UNBLOCK: the policy stays. */
static void policy_unblocked(struct command_context *c, const struct wait *w)
{
    (void)w;
    reply_error(c->reply, REPLY_ERROR_POLICY_UNBLOCKED);
}

/* appendfsync is 'always' now, and something that a weaker policy acknowledged is not synced. */
static bool waits_for_sync(const struct command_context *c)
{
    struct db_figures figures;
    bool sets_policy = false;
    for (size_t i = 2; i < c->arguments_count; i += 2)
        sets_policy = sets_policy || argument_is(c, i, "appendfsync");
    if (!sets_policy || !db_has_log(c->db)) return false;
    db_measure(c->db, &figures);
    return figures.policy == WAL_SYNC_ALWAYS && db_synced_lsn(c->db) < figures.durable_lsn;
}

/* "appendfsync always" says OK when all that was acknowledged before is on stable storage, so that
 * its OK means what every later one means (docs/decisions/0020). */
enum outcome command_config_set(struct command_context *c)
{
    struct buf error = {0};
    if (c->arguments_count % 2 != 0) return refuse(c, REPLY_ERROR_SYNTAX);
    bool ok =
        c->host->config_set(c->host->context, c->arguments + 2, c->arguments_count - 2, &error);
    if (!ok || !waits_for_sync(c)) return answer_ok_or(c, ok, &error);
    *c->wait = (struct wait){.synced_lsn = db_appended_lsn(c->db),
                             .database = c->client->database,
                             .again = policy_again,
                             .expired = policy_unblocked};
    return OUTCOME_WAIT;
}

static enum outcome rewrite_again(struct command_context *c, struct wait *w)
{
    struct buf error = {0};
    if (!c->host->config_rewritten(c->host->context, w->errand, &error)) return OUTCOME_WAIT;
    return answer_ok_or(c, error.size == 0, &error);
}

/* CLIENT UNBLOCK, and EXEC, which waits for nothing. */
static void rewrite_unblocked(struct command_context *c, const struct wait *w)
{
    (void)w;
    reply_error(c->reply, REPLY_ERROR_REWRITE_UNBLOCKED);
}

/* Answers when the file is on stable storage; meanwhile others are served. */
enum outcome command_config_rewrite(struct command_context *c)
{
    struct buf error = {0};
    uint64_t errand = c->host->config_rewrite(c->host->context, &error);
    if (errand == 0) return answer_ok_or(c, false, &error);
    *c->wait = (struct wait){.errand = errand,
                             .database = c->client->database,
                             .again = rewrite_again,
                             .expired = rewrite_unblocked};
    return rewrite_again(c, c->wait);
}

enum outcome command_config_resetstat(struct command_context *c)
{
    c->host->reset_statistics(c->host->context);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* ---- stopping ---- */

struct shutdown_options {
    bool save;
    bool no_save;
    bool now;
    bool force;
    bool abort;
};

static bool read_shutdown(struct command_context *c, struct shutdown_options *options)
{
    *options = (struct shutdown_options){0};
    for (size_t i = 1; i < c->arguments_count; i++) {
        if (argument_is(c, i, "SAVE")) options->save = true;
        else if (argument_is(c, i, "NOSAVE")) options->no_save = true;
        else if (argument_is(c, i, "NOW")) options->now = true;
        else if (argument_is(c, i, "FORCE")) options->force = true;
        else if (argument_is(c, i, "ABORT")) options->abort = true;
        else return false;
    }
    bool stops = options->save || options->no_save || options->now || options->force;
    return !(options->save && options->no_save) && !(options->abort && stops);
}

/* The log holds everything that was acknowledged, and stopping syncs the rest: there is nothing
 * for NOSAVE to leave out, or for FORCE to ignore. SAVE makes the next start faster: it waits for a
 * snapshot, one that is under way or a new one. Without a log it would be a promise that nobody
 * keeps. A stop begins at the end of this very tick, so ABORT never finds one.
 * There is no reply: the close of the connection is the answer. */
enum outcome command_shutdown(struct command_context *c)
{
    struct shutdown_options options;
    struct db_figures figures;
    if (!read_shutdown(c, &options)) return refuse(c, REPLY_ERROR_SYNTAX);
    if (options.abort) return refuse(c, REPLY_ERROR_NO_SHUTDOWN);
    options.save = options.save && !c->loading; /* as in Redis: there is nothing to save yet */
    db_measure(c->db, &figures);
    if (options.save && !figures.has_log) return refuse(c, REPLY_ERROR_SHUTDOWN_NO_LOG);
    enum host_shutdown how = options.now ? HOST_SHUTDOWN_NOW : HOST_SHUTDOWN_NORMAL;
    if (options.save) {
        (void)db_snapshot_start(c->db); /* false: the one that runs will do */
        how = HOST_SHUTDOWN_SAVE;
    }
    c->client->close_after_reply = true;
    c->host->shutdown(c->host->context, how);
    return OUTCOME_REPLIED;
}

/* ---- DEBUG ---- */

enum { DEBUG_SLEEP_SECONDS_MAX = 3600 };

static enum outcome debug_help(struct command_context *c)
{
    static const char *const lines[] = {
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "SLEEP <seconds>",
        "    Holds the whole server for so long. Decimals are allowed.",
        "HELP",
        "    Lists the subcommands.",
    };
    size_t count = sizeof lines / sizeof *lines;
    reply_array(c->reply, count);
    for (size_t i = 0; i < count; i++) reply_status(c->reply, lines[i]);
    return OUTCOME_REPLIED;
}

enum outcome command_debug(struct command_context *c)
{
    if (c->arguments_count == 2 && argument_is(c, 1, "HELP")) return debug_help(c);
    if (c->arguments_count != 3 || !argument_is(c, 1, "SLEEP"))
        return refuse_quoting(c, REPLY_ERROR_DEBUG_SUBCOMMAND, 1);
    double seconds;
    if (!number_parse_double(c->arguments[2], &seconds)) return refuse(c, REPLY_ERROR_NOT_FLOAT);
    if (!(seconds >= 0 && seconds <= DEBUG_SLEEP_SECONDS_MAX)) {
        reply_error_format(c->reply, REPLY_ERROR_DEBUG_SLEEP, DEBUG_SLEEP_SECONDS_MAX);
        return OUTCOME_REPLIED;
    }
    c->host->sleep(c->host->context, llround(seconds * 1e6));
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}
