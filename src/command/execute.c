/* execute.c - from a request to its batch and its one reply.
 *
 * The order of the refusals is Redis': unknown command, number of arguments, login, loading,
 * memory, disk.
 * A refused request changes nothing and counts as rejected; one whose reply is an error counts as
 * failed. Every request runs in a batch of its own, so recovery sees all of its effects or none.
 *
 * Time is read once per request: requests of one tick follow each other, so the end of one is taken
 * as the start of the next (the parsing between them counts for the later one). */
#include "base/check.h"
#include "command/arguments.h"
#include "command/command.h"

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
    char upper[16];
    size_t size = 0;
    for (; container->name[size] != '\0'; size++) {
        CHECK(size + 1 < sizeof upper);
        upper[size] = (char)(container->name[size] - 'a' + 'A');
    }
    upper[size] = '\0';
    reply_error_format(c->reply, REPLY_ERROR_UNKNOWN_SUBCOMMAND, argument_quoted_size(name),
                       name.data, upper);
}

/* False: the request was refused. */
static bool may_run(struct command_context *c, const struct command *command)
{
    if (!command_arity_holds(command, c->arguments_count)) {
        reply_error_format(c->reply, REPLY_ERROR_ARITY, command->full_name);
    } else if (!c->client->authenticated && (command->flags & COMMAND_NO_AUTH) == 0) {
        reply_error(c->reply, REPLY_ERROR_NO_AUTH);
    } else if (c->loading && (command->flags & COMMAND_LOADING) == 0) {
        reply_error(c->reply, REPLY_ERROR_LOADING);
    } else if ((command->flags & COMMAND_DENYOOM) != 0 &&
               c->host->out_of_memory(c->host->context)) {
        reply_error(c->reply, REPLY_ERROR_OUT_OF_MEMORY);
    } else if ((command->flags & COMMAND_WRITE) != 0 && !db_writable(c->db)) {
        reply_error(c->reply, REPLY_ERROR_DISK_FULL);
    } else {
        return true;
    }
    return false;
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
    if (!may_run(c, command)) {
        c->monitor->statistics[command->index].rejected++;
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

/* Ends the batch of a command that has run, and checks what must hold for every command. */
static lsn_t end_batch(struct command_context *c, enum outcome outcome, uint64_t replied_before)
{
    bool changed;
    lsn_t lsn = db_commit(c->db, &changed);
    bool replied = c->reply->out->appended > replied_before;
    if (changed) c->client->written_lsn = lsn;
    CHECK(IMPLIES(changed, (c->command->flags & COMMAND_WRITE) != 0));
    CHECK(IMPLIES(c->reply->failed, !changed));
    CHECK(IMPLIES(outcome == OUTCOME_WAIT, !replied));
    CHECK(IMPLIES(outcome == OUTCOME_REPLIED, replied || c->client->close_after_reply));
    return lsn;
}

static void begin_batch(struct command_context *c)
{
    if ((c->command->flags & COMMAND_READONLY) != 0) db_begin_reading(c->db);
    else db_begin(c->db);
}

enum outcome command_execute(struct command_context *c, lsn_t *lsn)
{
    CHECK(c->arguments_count > 0);
    CHECK(c->reply->version == c->client->resp);
    c->reply->failed = false;
    *lsn = 0;
    c->command = admit(c);
    if (c->command == NULL) return OUTCOME_REPLIED;

    uint64_t replied_before = c->reply->out->appended;
    if (c->clock_ns == 0) c->clock_ns = c->host->monotonic_ns(c->host->context);
    c->client->last_command = c->command->full_name;
    begin_batch(c);
    enum outcome outcome = c->command->run(c);
    *lsn = end_batch(c, outcome, replied_before);
    count_call(c);
    return outcome;
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
