/* command_stream_group.c - XGROUP: which groups and consumers a stream has; XACK. */
#include "command/commands.h"
#include "command/stream_arguments.h"

/* XGROUP CREATE and SETID: [MKSTREAM] [ENTRIESREAD n] from argument 5. */
struct group_options {
    bool create_stream;
    int64_t entries_read;
};

static bool read_group_options(struct command_context *c, bool creating,
                               struct group_options *options)
{
    *options = (struct group_options){.entries_read = STREAM_ENTRIES_READ_EXACT};
    for (size_t i = 5; i < c->arguments_count; i++) {
        if (creating && argument_is(c, i, "mkstream")) {
            options->create_stream = true;
        } else if (argument_is(c, i, "entriesread") && i + 1 < c->arguments_count) {
            if (!argument_integer(c, ++i, &options->entries_read)) return false;
            if (options->entries_read >= STREAM_ENTRIES_READ_EXACT) continue;
            return deny(c, REPLY_ERROR_GROUP_ENTRIES_READ);
        } else {
            refuse_subcommand(c);
            return false;
        }
    }
    return true;
}

/* The stream of XGROUP, which must exist. */
static bool require_stream(struct command_context *c, const struct store_key *key,
                           const struct stream **stream)
{
    if (!argument_stream(c, key, stream)) return false;
    if (*stream == NULL) refuse(c, REPLY_ERROR_GROUP_KEY_MISSING);
    return *stream != NULL;
}

/* "$" or an ID: where the group stands. stream may be NULL. */
static bool read_position(struct command_context *c, const struct stream *stream,
                          struct stream_id *position)
{
    if (!slice_equal(c->arguments[4], SLICE("$"))) return argument_stream_id(c, 4, 0, position);
    *position = stream == NULL ? STREAM_ID_MIN : stream_last_id(stream);
    return true;
}

/* The same for SETID, where Redis takes "-" and "+" too. */
static bool read_new_position(struct command_context *c, const struct stream *stream,
                              struct stream_id *position)
{
    bool first = slice_equal(c->arguments[4], SLICE("-"));
    bool last = slice_equal(c->arguments[4], SLICE("+"));
    if (!first && !last) return read_position(c, stream, position);
    *position = first ? STREAM_ID_MIN : STREAM_ID_MAX;
    return true;
}

enum outcome command_xgroup_create(struct command_context *c)
{
    struct store_key key = argument_key(c, 2);
    struct group_options options;
    const struct stream *stream;
    struct stream_id position;
    if (!read_group_options(c, true, &options)) return OUTCOME_REPLIED;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (stream == NULL && !options.create_stream) return refuse(c, REPLY_ERROR_GROUP_KEY_MISSING);
    if (!read_position(c, stream, &position)) return OUTCOME_REPLIED;
    if (argument_group(c, 3, stream) != NULL) return refuse(c, REPLY_ERROR_BUSY_GROUP);

    if (stream == NULL)
        db_change(c->db, &(struct effect){.kind = EFFECT_STREAM_CREATE, .key = key});
    db_change(c->db,
              &(struct effect){.kind = EFFECT_GROUP_CREATE,
                               .key = key,
                               .group_create = {c->arguments[3], position, options.entries_read}});
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_xgroup_setid(struct command_context *c)
{
    struct store_key key = argument_key(c, 2);
    struct group_options options;
    const struct stream *stream;
    struct stream_id position;
    if (!read_group_options(c, false, &options)) return OUTCOME_REPLIED;
    if (!require_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (require_group(c, stream) == NULL) return OUTCOME_REPLIED;
    if (!read_new_position(c, stream, &position)) return OUTCOME_REPLIED;
    db_change(c->db,
              &(struct effect){.kind = EFFECT_GROUP_SET_ID,
                               .key = key,
                               .group_set_id = {c->arguments[3], position, options.entries_read}});
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_xgroup_destroy(struct command_context *c)
{
    struct store_key key = argument_key(c, 2);
    const struct stream *stream;
    if (!require_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    bool present = argument_group(c, 3, stream) != NULL;
    if (present)
        db_change(c->db, &(struct effect){.kind = EFFECT_GROUP_DESTROY,
                                          .key = key,
                                          .group_destroy = {c->arguments[3]}});
    reply_integer(c->reply, present ? 1 : 0);
    return OUTCOME_REPLIED;
}

enum outcome command_xgroup_createconsumer(struct command_context *c)
{
    struct store_key key = argument_key(c, 2);
    const struct stream *stream;
    if (!require_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    const struct stream_group *group = require_group(c, stream);
    if (group == NULL) return OUTCOME_REPLIED;
    bool present = stream_consumer_find(group, c->arguments[4]) != NULL;
    if (!present)
        db_change(c->db, &(struct effect){
                             .kind = EFFECT_CONSUMER_CREATE,
                             .key = key,
                             .consumer_create = {c->arguments[3], c->arguments[4], c->now_ms}});
    reply_integer(c->reply, present ? 0 : 1);
    return OUTCOME_REPLIED;
}

enum outcome command_xgroup_delconsumer(struct command_context *c)
{
    struct store_key key = argument_key(c, 2);
    const struct stream *stream;
    if (!require_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    const struct stream_group *group = require_group(c, stream);
    if (group == NULL) return OUTCOME_REPLIED;
    const struct stream_consumer *consumer = stream_consumer_find(group, c->arguments[4]);
    uint64_t pending = consumer == NULL ? 0 : stream_consumer_pending_count(consumer);
    if (consumer != NULL)
        db_change(c->db, &(struct effect){.kind = EFFECT_CONSUMER_DESTROY,
                                          .key = key,
                                          .consumer_destroy = {c->arguments[3], c->arguments[4]}});
    reply_integer(c->reply, (int64_t)pending);
    return OUTCOME_REPLIED;
}

enum outcome command_xack(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    struct stream_ids asked, pending;
    struct stream_pending found;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    const struct stream_group *group = argument_group(c, 2, stream);
    if (group == NULL) {
        reply_integer(c->reply, 0);
        return OUTCOME_REPLIED;
    }
    stream_ids_init(&asked);
    stream_ids_init(&pending);
    if (argument_stream_ids(c, 3, &asked)) {
        uint64_t before = stream_group_pending_count(group);
        for (size_t i = 0; i < asked.count; i++)
            if (stream_pending_find(group, asked.items[i], &found))
                stream_ids_add(&pending, asked.items[i]);
        if (pending.count > 0)
            db_change(c->db, &(struct effect){.kind = EFFECT_GROUP_ACKNOWLEDGE,
                                              .key = key,
                                              .group_acknowledge = {c->arguments[2], pending.items,
                                                                    pending.count}});
        /* An ID that was named twice was acknowledged once: the count knows. */
        reply_integer(c->reply, (int64_t)(before - stream_group_pending_count(group)));
    }
    stream_ids_deinit(&asked);
    stream_ids_deinit(&pending);
    return OUTCOME_REPLIED;
}
