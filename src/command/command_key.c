/* command_key.c - keys of any type: deleting, counting, naming, flushing. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/key_change.h"

/* DEL and UNLINK: the memory of a large value goes back in small steps for both. */
enum outcome command_del(struct command_context *c)
{
    int64_t deleted = 0;
    for (size_t i = 1; i < c->arguments_count; i++) {
        struct store_key key = argument_key(c, i);
        if (!db_find(c->db, &key, NULL, NULL)) continue;
        delete_key(c, &key);
        deleted++;
    }
    reply_integer(c->reply, deleted);
    return OUTCOME_REPLIED;
}

/* EXISTS and TOUCH: a key named twice counts twice. Nothing here is evicted by age, so there is no
 * time of use for TOUCH to set. */
enum outcome command_exists(struct command_context *c)
{
    int64_t present = 0;
    for (size_t i = 1; i < c->arguments_count; i++) {
        struct store_key key = argument_key(c, i);
        if (db_find(c->db, &key, NULL, NULL)) present++;
    }
    reply_integer(c->reply, present);
    return OUTCOME_REPLIED;
}

enum outcome command_type(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    unsigned type;
    reply_status(c->reply, db_find(c->db, &key, &type, NULL) ? db_type_name(type) : "none");
    return OUTCOME_REPLIED;
}

enum outcome command_randomkey(struct command_context *c)
{
    struct slice name;
    uint64_t random = c->host->random(c->host->context);
    if (db_random(c->db, c->client->database, random, &name)) reply_bulk(c->reply, name);
    else reply_null(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_dbsize(struct command_context *c)
{
    reply_integer(c->reply, (int64_t)db_count(c->db, c->client->database));
    return OUTCOME_REPLIED;
}

/* ---- renaming ---- */

static void rename_key(struct command_context *c, const struct store_key *from, struct slice to)
{
    CHECK(!slice_equal(from->name, to));
    db_change(c->db,
              &(struct effect){.kind = EFFECT_KEY_RENAME, .key = *from, .key_rename = {.to = to}});
}

enum outcome command_rename(struct command_context *c)
{
    struct store_key from = argument_key(c, 1);
    struct slice to = c->arguments[2];
    if (!db_find(c->db, &from, NULL, NULL)) return refuse(c, REPLY_ERROR_NO_SUCH_KEY);
    if (!slice_equal(from.name, to)) rename_key(c, &from, to);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_renamenx(struct command_context *c)
{
    struct store_key from = argument_key(c, 1), to = argument_key(c, 2);
    if (!db_find(c->db, &from, NULL, NULL)) return refuse(c, REPLY_ERROR_NO_SUCH_KEY);
    bool free = !db_find(c->db, &to, NULL, NULL); /* also when both names are the same */
    if (free) rename_key(c, &from, to.name);
    reply_integer(c->reply, free ? 1 : 0);
    return OUTCOME_REPLIED;
}

/* ---- flushing ---- */

/* ASYNC and SYNC both empty the database at once and give the memory back in small steps. */
static enum outcome flush(struct command_context *c, bool all)
{
    if (c->arguments_count > 2 ||
        (c->arguments_count == 2 && !argument_is(c, 1, "ASYNC") && !argument_is(c, 1, "SYNC")))
        return refuse(c, REPLY_ERROR_SYNTAX);
    db_change(c->db,
              &(struct effect){.kind = EFFECT_DATABASE_FLUSH,
                               .key = db_key(c->db, c->client->database, (struct slice){NULL, 0}),
                               .database_flush = {.all = all}});
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_flushdb(struct command_context *c)
{
    return flush(c, false);
}

enum outcome command_flushall(struct command_context *c)
{
    return flush(c, true);
}
