#include "command/arguments.h"

#include "base/limits.h"

enum outcome refuse_quoting(struct command_context *c, enum reply_error error, size_t index)
{
    CHECK(index < c->arguments_count);
    struct slice word = c->arguments[index];
    reply_error_format(c->reply, error, argument_quoted_size(word), word.data);
    return OUTCOME_REPLIED;
}

enum outcome refuse_subcommand(struct command_context *c)
{
    struct slice name = c->arguments[1];
    char container[COMMAND_NAME_MAX];
    command_capitals(c->command->parent, container);
    reply_error_format(c->reply, REPLY_ERROR_SUBCOMMAND_SYNTAX, argument_quoted_size(name),
                       name.data, container);
    return OUTCOME_REPLIED;
}

enum outcome refuse_arity(struct command_context *c)
{
    reply_error_format(c->reply, REPLY_ERROR_ARITY, c->command->full_name);
    return OUTCOME_REPLIED;
}

bool argument_integer(struct command_context *c, size_t index, int64_t *value)
{
    CHECK(index < c->arguments_count);
    if (number_parse_i64(c->arguments[index], value)) return true;
    return deny(c, REPLY_ERROR_NOT_INTEGER);
}

bool argument_timeout_ms(struct command_context *c, size_t index, int64_t *timeout_ms)
{
    CHECK(index < c->arguments_count);
    enum reply_error error = REPLY_ERROR_TIMEOUT_NOT_INTEGER;
    if (number_parse_i64(c->arguments[index], timeout_ms)) {
        if (*timeout_ms >= 0 && *timeout_ms <= INT64_MAX - c->now_ms) return true;
        error = *timeout_ms < 0 ? REPLY_ERROR_TIMEOUT_NEGATIVE : REPLY_ERROR_TIMEOUT_RANGE;
    }
    return deny(c, error);
}

bool argument_database(struct command_context *c, size_t index, unsigned *database)
{
    int64_t number;
    if (!argument_integer(c, index, &number)) return false;
    if (number >= 0 && number < DATABASES_COUNT) {
        *database = (unsigned)number;
        return true;
    }
    bool fits = number >= INT32_MIN && number <= INT32_MAX;
    return deny(c, fits ? REPLY_ERROR_DATABASE_RANGE : REPLY_ERROR_INT_RANGE);
}

bool argument_string(struct command_context *c, const struct store_key *key,
                     struct string_view *value, bool *present)
{
    enum lookup lookup = db_string(c->db, key, value);
    *present = lookup == LOOKUP_FOUND;
    if (lookup != LOOKUP_WRONG_TYPE) return true;
    return deny(c, REPLY_ERROR_WRONG_TYPE);
}

void answer_string(struct command_context *c, const struct string_view *value)
{
    if (value->is_integer) reply_bulk_integer(c->reply, value->integer);
    else if (value->shared != NULL) reply_bulk_shared(c->reply, value->shared, value->bytes);
    else reply_bulk(c->reply, value->bytes);
}

void answer_string_or_null(struct command_context *c, const struct string_view *value, bool present)
{
    if (present) answer_string(c, value);
    else reply_null(c->reply);
}
