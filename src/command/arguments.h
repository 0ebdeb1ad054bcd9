/* arguments.h - reading the arguments of a request, and refusing it.
 *
 * Whatever returns false here has already written the error reply: the command returns
 * OUTCOME_REPLIED and changes nothing. */
#ifndef COMMAND_ARGUMENTS_H
#define COMMAND_ARGUMENTS_H

#include "base/check.h"
#include "command/command.h"

/* So much of a client's own words goes into an error text, as Redis cuts them. For "%.*s". */
enum { ARGUMENT_QUOTED_BYTES_MAX = 128 };

static inline int argument_quoted_size(struct slice argument)
{
    return (int)(argument.size < ARGUMENT_QUOTED_BYTES_MAX ? argument.size
                                                           : ARGUMENT_QUOTED_BYTES_MAX);
}

static inline enum outcome refuse(struct command_context *c, enum reply_error error)
{
    reply_error(c->reply, error);
    return OUTCOME_REPLIED;
}

/* The same from inside of what reads arguments: always false. */
static inline bool deny(struct command_context *c, enum reply_error error)
{
    reply_error(c->reply, error);
    return false;
}

/* An error whose text quotes the argument. */
enum outcome refuse_quoting(struct command_context *c, enum reply_error error, size_t index);

/* The subcommand that runs does not take such arguments, or so many. */
enum outcome refuse_subcommand(struct command_context *c);

enum outcome refuse_arity(struct command_context *c); /* where the row of the table admits more */

/* Is the argument this word, in any case? */
static inline bool argument_is(const struct command_context *c, size_t index, const char *word)
{
    CHECK(index < c->arguments_count);
    return slice_equal_ignoring_case(c->arguments[index], slice_of(word));
}

/* The argument as a key of the client's database, hashed. */
static inline struct store_key argument_key(const struct command_context *c, size_t index)
{
    CHECK(index < c->arguments_count);
    return db_key(c->db, c->client->database, c->arguments[index]);
}

/* False: "value is not an integer or out of range". */
bool argument_integer(struct command_context *c, size_t index, int64_t *value);

/* A timeout in milliseconds, 0: for ever, that ends before time does. */
bool argument_timeout_ms(struct command_context *c, size_t index, int64_t *timeout_ms);

/* The number of a database. False: the errors of SELECT. */
bool argument_database(struct command_context *c, size_t index, unsigned *database);

/* The string of a key. False: the key holds another type. */
bool argument_string(struct command_context *c, const struct store_key *key,
                     struct string_view *value, bool *present);

/* Sends a string; a large one without a copy. */
void answer_string(struct command_context *c, const struct string_view *value);

/* The same, or a null when !present. */
void answer_string_or_null(struct command_context *c, const struct string_view *value,
                           bool present);

#endif
