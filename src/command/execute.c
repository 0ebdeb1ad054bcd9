/* execute.c - from a request to its batch and its one reply.
 *
 * The order of the refusals is Redis': unknown command, number of arguments, login, loading,
 * memory, disk.
 * A refused request changes nothing and counts as rejected; one whose reply is an error counts as
 * failed. Every request runs in a batch of its own, so recovery sees all of its effects or none.
 *
 * Time is read once per request: requests of one tick follow each other, so the end of one is taken
 * as the start of the next (the parsing between them counts for the later one). */
#include "command/execute.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "command/arguments.h"
#include "command/commands.h"

/* Names the arguments too, each in quotes, until ARGUMENT_QUOTED_BYTES_MAX bytes are full. */
static void refuse_unknown(struct command_context *c)
{
    struct buf words = {0};
    for (size_t i = 1; i < c->arguments_count && words.size < ARGUMENT_QUOTED_BYTES_MAX; i++) {
        struct slice word = c->arguments[i];
        size_t room = ARGUMENT_QUOTED_BYTES_MAX - words.size;
        if (word.size > room) word.size = room;
        word.size = strnlen(word.data, word.size); /* a zero byte would end the whole text */
        buf_append_byte(&words, '\'');
        buf_append(&words, word);
        buf_append_text(&words, "' ");
    }
    struct slice name = c->arguments[0];
    reply_error_format(c->reply, REPLY_ERROR_UNKNOWN_COMMAND, argument_quoted_size(name), name.data,
                       (int)words.size, words.data == NULL ? "" : words.data);
    buf_deinit(&words);
}

static void refuse_unknown_subcommand(struct command_context *c, const struct command *container)
{
    struct slice name = c->arguments[1];
    char capitals[COMMAND_NAME_MAX];
    command_capitals(container->name, capitals);
    reply_error_format(c->reply, REPLY_ERROR_UNKNOWN_SUBCOMMAND, argument_quoted_size(name),
                       name.data, capitals);
}

/* Memory: commands that need more of it, and in a transaction all that are queued. */
static bool needs_memory(const struct command_context *c, const struct command *command)
{
    const struct transaction *t = &c->client->transaction;
    if (command->run == command_exec) return (t->flags & COMMAND_DENYOOM) != 0;
    if ((command->flags & COMMAND_DENYOOM) != 0) return true;
    return t->open && (command->flags & COMMAND_NOT_QUEUED) == 0 && command->run != command_unwatch;
}

static bool writes(const struct command_context *c, const struct command *command)
{
    uint32_t flags = command->flags;
    if (command->run == command_exec) flags |= c->client->transaction.flags;
    return (flags & COMMAND_WRITE) != 0;
}

/* Must the request be refused? The reasons are in Redis' order. */
static bool find_refusal(const struct command_context *c, const struct command *command,
                         enum reply_error *why)
{
    const struct client *client = c->client;
    bool found = true;
    if (!command_arity_holds(command, c->arguments_count)) *why = REPLY_ERROR_ARITY;
    else if (!client->authenticated && (command->flags & COMMAND_NO_AUTH) == 0)
        *why = REPLY_ERROR_NO_AUTH;
    else if (client->transaction.open && (command->flags & COMMAND_NO_MULTI) != 0)
        *why = REPLY_ERROR_NO_MULTI;
    else if (c->loading && (command->flags & COMMAND_LOADING) == 0) *why = REPLY_ERROR_LOADING;
    else if (needs_memory(c, command) && c->host->out_of_memory(c->host->context))
        *why = REPLY_ERROR_OUT_OF_MEMORY;
    else if (writes(c, command) && !db_writable(c->db)) *why = REPLY_ERROR_DISK_FULL;
    else found = false;
    return found;
}

/* A refused EXEC is the end of its transaction, and says so. */
static void refuse_exec(struct command_context *c, enum reply_error why)
{
    struct buf text = {0};
    const char *reason = reply_error_text(why);
    if (why == REPLY_ERROR_ARITY) { /* Redis leaves out its ERR */
        buf_append_format(&text, reason + strlen("ERR "), "exec");
        buf_append_byte(&text, '\0');
        reason = text.data;
    }
    transaction_discard(&c->client->transaction, c->db);
    reply_error_format(c->reply, REPLY_ERROR_EXEC_REFUSED, reason);
    buf_deinit(&text);
}

static void refuse_request(struct command_context *c, const struct command *command,
                           enum reply_error why)
{
    c->monitor->statistics[command->index].rejected++;
    if (command->run == command_exec) refuse_exec(c, why);
    else if (why == REPLY_ERROR_ARITY) reply_error_format(c->reply, why, command->full_name);
    else reply_error(c->reply, why);
}

/* The row to run; NULL: the request was refused. */
static const struct command *admit(struct command_context *c)
{
    bool unknown_subcommand;
    const struct command *command =
        command_find(c->arguments, c->arguments_count, &unknown_subcommand);
    if (command == NULL) {
        refuse_unknown(c);
        return NULL;
    }
    if (unknown_subcommand) {
        refuse_unknown_subcommand(c, command);
        return NULL;
    }
    enum reply_error why;
    if (find_refusal(c, command, &why)) {
        refuse_request(c, command, why);
        return NULL;
    }
    CHECK(command->run != NULL);
    return command;
}

static void count_call(struct command_context *c)
{
    int64_t end_ns = c->host->monotonic_ns(c->host->context);
    CHECK(end_ns >= c->clock_ns);
    monitor_count_call(c, (uint64_t)(end_ns - c->clock_ns));
    c->clock_ns = end_ns;
}

/* What must hold for every command that has run, with effects or without. */
static void check_command(const struct command_context *c, enum outcome outcome,
                          uint64_t replied_before)
{
    bool changed = db_part_changed(c->db);
    bool replied = c->reply->out->appended > replied_before;
    CHECK(IMPLIES(changed, (c->command->flags & COMMAND_WRITE) != 0));
    CHECK(IMPLIES(c->reply->failed, !changed));
    CHECK(IMPLIES(outcome == OUTCOME_WAIT, !replied));
    CHECK(IMPLIES(outcome == OUTCOME_REPLIED, replied || c->client->close_after_reply));
}

static lsn_t end_batch(struct command_context *c, enum outcome outcome, uint64_t replied_before)
{
    bool changed;
    check_command(c, outcome, replied_before);
    lsn_t lsn = db_commit(c->db, &changed);
    if (changed) c->client->written_lsn = lsn;
    return lsn;
}

static void begin_batch(struct command_context *c)
{
    if ((c->command->flags & COMMAND_READONLY) != 0) db_begin_reading(c->db);
    else db_begin(c->db);
}

static void queue_request(struct command_context *c)
{
    struct transaction *t = &c->client->transaction;
    if (transaction_queue(t, c->command, c->command->flags, c->arguments, c->arguments_count)) {
        reply_status(c->reply, "QUEUED");
        return;
    }
    t->failed = true;
    reply_error_format(c->reply, REPLY_ERROR_TRANSACTION_FULL, (int)TRANSACTION_REQUESTS_MAX,
                       (int)TRANSACTION_BYTES_MAX);
}

/* The password may have been taken away since the client connected. */
static bool needs_login(const struct command_context *c)
{
    return !c->client->authenticated && c->host->password(c->host->context).size > 0;
}

enum outcome command_execute(struct command_context *c, lsn_t *lsn)
{
    CHECK(c->arguments_count > 0);
    CHECK(c->reply->version == c->client->resp);
    c->client->authenticated = !needs_login(c);
    c->reply->failed = false;
    *lsn = 0;
    c->command = admit(c);
    if (c->command == NULL) {
        c->client->transaction.failed = c->client->transaction.open;
        return OUTCOME_REPLIED;
    }
    c->client->last_command = c->command->full_name;
    if (c->client->transaction.open && (c->command->flags & COMMAND_NOT_QUEUED) == 0) {
        queue_request(c);
        return OUTCOME_REPLIED;
    }

    uint64_t replied_before = c->reply->out->appended;
    if (c->clock_ns == 0) c->clock_ns = c->host->monotonic_ns(c->host->context);
    begin_batch(c);
    enum outcome outcome = c->command->run(c);
    *lsn = end_batch(c, outcome, replied_before);
    count_call(c);
    return outcome;
}

void command_run_part(struct command_context *c)
{
    uint64_t replied_before = c->reply->out->appended;
    CHECK(c->command->run != NULL);
    CHECK(c->command->run != command_exec);
    c->reply->failed = false;
    if ((c->command->flags & COMMAND_WRITE) != 0 && !db_batch_has_room(c->db)) {
        c->monitor->statistics[c->command->index].rejected++;
        reply_error(c->reply, REPLY_ERROR_EXEC_FULL);
        return;
    }
    db_begin_part(c->db, (c->command->flags & COMMAND_READONLY) != 0);
    enum outcome outcome = c->command->run(c);
    check_command(c, outcome, replied_before);
    if (outcome == OUTCOME_WAIT) {
        c->wait->expired(c, c->wait);
        if (c->wait->plan != NULL) memory_free(c->wait->plan, c->wait->plan_size);
    }
    count_call(c);
}

enum outcome command_resume(struct command_context *c, struct wait *w, lsn_t *lsn)
{
    bool unknown_subcommand;
    c->command = command_find(c->arguments, c->arguments_count, &unknown_subcommand);
    CHECK(c->command != NULL);
    CHECK(w->again != NULL);
    c->reply->failed = false;
    uint64_t replied_before = c->reply->out->appended;
    begin_batch(c);
    enum outcome outcome = w->again(c, w);
    *lsn = end_batch(c, outcome, replied_before);
    if (c->reply->failed) c->monitor->statistics[c->command->index].failed++;
    return outcome;
}
