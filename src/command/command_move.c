/* command_move.c - from one database to another: MOVE, COPY, SWAPDB. docs/decisions/0023. */
#include "base/limits.h"
#include "command/arguments.h"
#include "command/commands.h"

enum outcome command_move(struct command_context *c)
{
    unsigned database;
    if (!argument_database(c, 2, &database)) return OUTCOME_REPLIED;
    if (database == c->client->database) return refuse(c, REPLY_ERROR_SAME_OBJECT);
    struct store_key from = argument_key(c, 1);
    struct store_key to = db_key(c->db, database, from.name);
    bool moves = db_find(c->db, &from, NULL, NULL) && !db_find(c->db, &to, NULL, NULL);
    if (moves)
        db_change(c->db, &(struct effect){.kind = EFFECT_KEY_MOVE,
                                          .key = from,
                                          .key_move = {.database = to.database}});
    reply_integer(c->reply, moves ? 1 : 0);
    return OUTCOME_REPLIED;
}

/* ---- COPY ---- */

struct copy_options {
    unsigned database;
    bool replace;
};

/* False: refused. */
static bool read_copy(struct command_context *c, struct copy_options *options)
{
    *options = (struct copy_options){.database = c->client->database};
    for (size_t i = 3; i < c->arguments_count; i++) {
        if (argument_is(c, i, "REPLACE")) {
            options->replace = true;
        } else if (argument_is(c, i, "DB") && i + 1 < c->arguments_count) {
            if (!argument_database(c, ++i, &options->database)) return false;
        } else {
            return deny(c, REPLY_ERROR_SYNTAX);
        }
    }
    return true;
}

enum outcome command_copy(struct command_context *c)
{
    struct copy_options options;
    if (!read_copy(c, &options)) return OUTCOME_REPLIED;
    struct store_key from = argument_key(c, 1);
    struct store_key to = db_key(c->db, options.database, c->arguments[2]);
    if (from.database == to.database && slice_equal(from.name, to.name))
        return refuse(c, REPLY_ERROR_SAME_OBJECT);
    bool copies =
        db_find(c->db, &from, NULL, NULL) && (!db_find(c->db, &to, NULL, NULL) || options.replace);
    if (copies)
        db_change(c->db, &(struct effect){.kind = EFFECT_KEY_COPY,
                                          .key = from,
                                          .key_copy = {.database = to.database, .to = to.name}});
    reply_integer(c->reply, copies ? 1 : 0);
    return OUTCOME_REPLIED;
}

/* ---- SWAPDB ---- */

static bool read_number(struct command_context *c, size_t index, int64_t *number)
{
    return number_parse_i64(c->arguments[index], number) && *number >= INT32_MIN &&
           *number <= INT32_MAX;
}

enum outcome command_swapdb(struct command_context *c)
{
    int64_t one, other;
    if (!read_number(c, 1, &one)) return refuse(c, REPLY_ERROR_SWAP_FIRST);
    if (!read_number(c, 2, &other)) return refuse(c, REPLY_ERROR_SWAP_SECOND);
    if (one < 0 || one >= DATABASES_COUNT || other < 0 || other >= DATABASES_COUNT)
        return refuse(c, REPLY_ERROR_DATABASE_RANGE);
    if (one != other)
        db_change(c->db, &(struct effect){.kind = EFFECT_DATABASE_SWAP,
                                          .key = db_key(c->db, 0, (struct slice){NULL, 0}),
                                          .database_swap = {(uint8_t)one, (uint8_t)other}});
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}
