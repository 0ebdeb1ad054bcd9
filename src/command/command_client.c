/* command_client.c - CLIENT: what connections say about themselves, and about each other.
 *
 * A command sees other connections as const, in the order of their ids, and closes them by id; the
 * engine does it after the command has answered. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/client_text.h"
#include "command/commands.h"

/* ---- this connection ---- */

enum outcome command_client_id(struct command_context *c)
{
    reply_integer(c->reply, (int64_t)c->client->id);
    return OUTCOME_REPLIED;
}

enum outcome command_client_getname(struct command_context *c)
{
    if (c->client->name.size == 0) reply_null(c->reply);
    else reply_bulk(c->reply, buf_slice(&c->client->name));
    return OUTCOME_REPLIED;
}

enum outcome command_client_setname(struct command_context *c)
{
    if (!client_name_valid(c, c->arguments[2])) return OUTCOME_REPLIED;
    client_text_set(&c->client->name, c->arguments[2]);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_client_setinfo(struct command_context *c)
{
    struct slice value = c->arguments[3];
    bool is_name = argument_is(c, 2, "LIB-NAME");
    if (!is_name && !argument_is(c, 2, "LIB-VER"))
        return refuse_quoting(c, REPLY_ERROR_CLIENT_INFO_OPTION, 2);
    if (!client_library_text_valid(c, is_name ? "lib-name" : "lib-ver", value))
        return OUTCOME_REPLIED;
    client_text_set(is_name ? &c->client->library_name : &c->client->library_version, value);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_client_info(struct command_context *c)
{
    struct buf line = {0};
    client_describe(c->client, c->now_ms, &line);
    reply_verbatim(c->reply, buf_slice(&line));
    buf_deinit(&line);
    return OUTCOME_REPLIED;
}

static enum outcome set_switch(struct command_context *c, bool *value)
{
    bool on = argument_is(c, 2, "ON");
    if (!on && !argument_is(c, 2, "OFF")) return refuse(c, REPLY_ERROR_SYNTAX);
    *value = on;
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_client_no_evict(struct command_context *c)
{
    return set_switch(c, &c->client->no_evict);
}

enum outcome command_client_no_touch(struct command_context *c)
{
    return set_switch(c, &c->client->no_touch);
}

/* The engine drops the replies that the mode does not want, this one included: OFF and SKIP are
 * answered by silence. SKIP while OFF changes nothing. */
enum outcome command_client_reply(struct command_context *c)
{
    struct client *client = c->client;
    if (argument_is(c, 2, "ON")) {
        client->reply_mode = CLIENT_REPLY_ON;
        client->skip_reply = false; /* of this very request: it is always answered */
    } else if (argument_is(c, 2, "OFF")) {
        client->reply_mode = CLIENT_REPLY_OFF;
    } else if (argument_is(c, 2, "SKIP")) {
        if (client->reply_mode == CLIENT_REPLY_ON) client->reply_mode = CLIENT_REPLY_SKIP;
    } else {
        return refuse(c, REPLY_ERROR_SYNTAX);
    }
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* ---- other connections ---- */

/* Every connection here is a normal one: there are no replicas and no subscribers. False: refused,
 * no such type. */
static bool read_type(struct command_context *c, size_t index, bool *normal)
{
    static const char *const others[] = {"MASTER", "REPLICA", "SLAVE", "PUBSUB"};
    *normal = argument_is(c, index, "NORMAL");
    if (*normal) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (argument_is(c, index, others[i])) return true;
    refuse_quoting(c, REPLY_ERROR_CLIENT_TYPE, index);
    return false;
}

static const struct client *find_client(struct command_context *c, uint64_t id)
{
    if (id == 0) return NULL;
    const struct client *client = c->sessions->next(c->sessions->context, id - 1);
    return client != NULL && client->id == id ? client : NULL;
}

static void describe_all(struct command_context *c, struct buf *out)
{
    const struct client *client = NULL;
    uint64_t after_id = 0;
    while ((client = c->sessions->next(c->sessions->context, after_id)) != NULL) {
        CHECK(client->id > after_id);
        client_describe(client, c->now_ms, out);
        after_id = client->id;
    }
}

/* CLIENT LIST ID id [id ...]; nobody has one below 1. False: refused. */
static bool describe_ids(struct command_context *c, struct buf *out)
{
    for (size_t i = 3; i < c->arguments_count; i++) {
        int64_t id;
        if (!number_parse_i64(c->arguments[i], &id)) return deny(c, REPLY_ERROR_CLIENT_ID);
        const struct client *client = id < 1 ? NULL : find_client(c, (uint64_t)id);
        if (client != NULL) client_describe(client, c->now_ms, out);
    }
    return true;
}

enum outcome command_client_list(struct command_context *c)
{
    struct buf lines = {0};
    bool normal = true;
    if (c->arguments_count == 2) {
        describe_all(c, &lines);
    } else if (c->arguments_count == 4 && argument_is(c, 2, "TYPE")) {
        if (!read_type(c, 3, &normal)) return OUTCOME_REPLIED;
        if (normal) describe_all(c, &lines);
    } else if (c->arguments_count > 3 && argument_is(c, 2, "ID")) {
        if (!describe_ids(c, &lines)) {
            buf_deinit(&lines);
            return OUTCOME_REPLIED;
        }
    } else {
        return refuse(c, REPLY_ERROR_SYNTAX);
    }
    reply_verbatim(c->reply, buf_slice(&lines));
    buf_deinit(&lines);
    return OUTCOME_REPLIED;
}

/* ---- CLIENT KILL ---- */

/* All of them must hold. */
struct kill_filter {
    int64_t id;                  /* 0: any */
    const struct slice *address; /* NULL: any */
    const struct slice *local_address;
    int64_t age_s_min;
    bool nobody; /* a type that no connection has */
    bool spares_caller;
};

static bool filter_holds(const struct kill_filter *filter, const struct client *client,
                         const struct command_context *c)
{
    if (filter->nobody) return false;
    if (filter->spares_caller && client->id == c->client->id) return false;
    if (filter->id != 0 && client->id != (uint64_t)filter->id) return false;
    if (filter->address != NULL && !slice_equal(*filter->address, slice_of(client->address)))
        return false;
    if (filter->local_address != NULL &&
        !slice_equal(*filter->local_address, slice_of(client->local_address)))
        return false;
    return (c->now_ms - client->connected_ms) / 1000 >= filter->age_s_min;
}

static int64_t kill_matching(struct command_context *c, const struct kill_filter *filter)
{
    int64_t killed = 0;
    uint64_t after_id = 0;
    const struct client *client;
    while ((client = c->sessions->next(c->sessions->context, after_id)) != NULL) {
        CHECK(client->id > after_id);
        after_id = client->id;
        if (filter_holds(filter, client, c) && c->sessions->kill(c->sessions->context, client->id))
            killed++;
    }
    return killed;
}

/* A positive integer, or the refusal given. */
static bool read_positive(struct command_context *c, size_t index, enum reply_error error,
                          int64_t *value)
{
    if (number_parse_i64(c->arguments[index], value) && *value > 0) return true;
    return deny(c, error);
}

static bool read_user(struct command_context *c, size_t index)
{
    if (slice_equal(c->arguments[index], SLICE("default"))) return true;
    refuse_quoting(c, REPLY_ERROR_CLIENT_USER, index);
    return false;
}

/* The option at 'index' and its value after it. False: refused. */
static bool read_filter(struct command_context *c, size_t index, struct kill_filter *filter)
{
    size_t value = index + 1;
    bool normal;
    if (argument_is(c, index, "ID"))
        return read_positive(c, value, REPLY_ERROR_CLIENT_ID_RANGE, &filter->id);
    if (argument_is(c, index, "MAXAGE"))
        return read_positive(c, value, REPLY_ERROR_CLIENT_AGE, &filter->age_s_min);
    if (argument_is(c, index, "USER")) return read_user(c, value);
    if (argument_is(c, index, "TYPE")) {
        if (!read_type(c, value, &normal)) return false;
        filter->nobody = !normal;
    } else if (argument_is(c, index, "ADDR")) {
        filter->address = &c->arguments[value];
    } else if (argument_is(c, index, "LADDR")) {
        filter->local_address = &c->arguments[value];
    } else if (argument_is(c, index, "SKIPME") && argument_is(c, value, "YES")) {
        filter->spares_caller = true;
    } else if (argument_is(c, index, "SKIPME") && argument_is(c, value, "NO")) {
        filter->spares_caller = false;
    } else {
        return deny(c, REPLY_ERROR_SYNTAX);
    }
    return true;
}

enum outcome command_client_kill(struct command_context *c)
{
    if (c->arguments_count == 3) { /* the old form: an address, the caller's own included */
        struct kill_filter filter = {.address = &c->arguments[2]};
        if (kill_matching(c, &filter) == 0) return refuse(c, REPLY_ERROR_NO_SUCH_CLIENT);
        reply_ok(c->reply);
        return OUTCOME_REPLIED;
    }
    struct kill_filter filter = {.spares_caller = true};
    for (size_t i = 2; i < c->arguments_count; i += 2) {
        if (i + 1 == c->arguments_count) return refuse(c, REPLY_ERROR_SYNTAX);
        if (!read_filter(c, i, &filter)) return OUTCOME_REPLIED;
    }
    reply_integer(c->reply, kill_matching(c, &filter));
    return OUTCOME_REPLIED;
}

enum outcome command_client_unblock(struct command_context *c)
{
    int64_t id;
    bool with_error = c->arguments_count == 4 && argument_is(c, 3, "ERROR");
    if (c->arguments_count > 4) return refuse_subcommand(c);
    if (c->arguments_count == 4 && !with_error && !argument_is(c, 3, "TIMEOUT"))
        return refuse(c, REPLY_ERROR_UNBLOCK_REASON);
    if (!argument_integer(c, 2, &id)) return OUTCOME_REPLIED;
    bool unblocked = id > 0 && c->sessions->unblock(c->sessions->context, (uint64_t)id, with_error);
    reply_integer(c->reply, unblocked ? 1 : 0);
    return OUTCOME_REPLIED;
}
