/* command_stream_group.c - XGROUP: which groups and consumers a stream has; XACK and XPENDING. */
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
            refuse(c, REPLY_ERROR_GROUP_ENTRIES_READ);
            return false;
        } else {
            struct slice name = c->arguments[1];
            reply_error_format(c->reply, REPLY_ERROR_SUBCOMMAND_SYNTAX, argument_quoted_size(name),
                               name.data, "XGROUP");
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

/* The group of XGROUP, which must exist. */
static const struct stream_group *require_group(struct command_context *c,
                                                const struct stream *stream)
{
    const struct stream_group *group = argument_group(c, 3, stream);
    struct slice key = c->arguments[2], name = c->arguments[3];
    if (group == NULL)
        reply_error_format(c->reply, REPLY_ERROR_NO_GROUP_FOR_KEY, argument_quoted_size(name),
                           name.data, argument_quoted_size(key), key.data);
    return group;
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

/* XPENDING key group: how many, from where to where, and whose. */
static void answer_pending_summary(struct command_context *c, const struct stream_group *group)
{
    struct stream_id first = STREAM_ID_MIN, last = STREAM_ID_MIN;
    size_t consumers = 0;
    reply_array(c->reply, 4);
    reply_integer(c->reply, (int64_t)stream_group_pending_count(group));
    if (stream_group_pending_count(group) == 0) {
        reply_null(c->reply);
        reply_null(c->reply);
        reply_null_array(c->reply);
        return;
    }
    CHECK(stream_pending_bounds(group, &first, &last));
    answer_stream_id(c->reply, first);
    answer_stream_id(c->reply, last);
    const struct stream_consumer *consumer = NULL;
    while ((consumer = stream_consumer_next(group, consumer)) != NULL)
        if (stream_consumer_pending_count(consumer) > 0) consumers++;
    reply_array(c->reply, consumers);
    while ((consumer = stream_consumer_next(group, consumer)) != NULL) {
        if (stream_consumer_pending_count(consumer) == 0) continue;
        reply_array(c->reply, 2);
        reply_bulk(c->reply, stream_consumer_name(consumer));
        reply_bulk_integer(c->reply, (int64_t)stream_consumer_pending_count(consumer));
    }
}

struct pending_query {
    int64_t idle_min_ms;
    struct stream_range range;
    int64_t count;
    bool of_consumer;
    struct slice consumer;
};

/* [IDLE ms] start end count [consumer] from argument 3. Words behind the consumer are not looked
 * at, as in Redis. */
static bool read_pending_query(struct command_context *c, struct pending_query *query)
{
    size_t at = 3;
    *query = (struct pending_query){0};
    if (argument_is(c, 3, "idle")) {
        if (!argument_integer(c, 4, &query->idle_min_ms)) return false;
        at = 5;
    }
    if (c->arguments_count < at + 3) {
        refuse(c, REPLY_ERROR_SYNTAX);
        return false;
    }
    if (!argument_integer(c, at + 2, &query->count)) return false;
    if (!argument_range_first(c, at, &query->range.first)) return false;
    if (!argument_range_last(c, at + 1, &query->range.last)) return false;
    if (query->count < 0) query->count = 0;
    query->of_consumer = c->arguments_count > at + 3;
    if (query->of_consumer) query->consumer = c->arguments[at + 3];
    return true;
}

/* Entries that are not idle enough are not looked at; what nobody owns is free and belongs. */
static void begin_pending(struct stream_pending_walk *walk, const struct command_context *c,
                          const struct stream_group *group, const struct pending_query *query)
{
    const struct stream_consumer *consumer = NULL;
    if (query->of_consumer) consumer = stream_consumer_find(group, query->consumer);
    stream_pending_walk_begin(walk, group, consumer, query->range);
    if (query->idle_min_ms > 0) stream_pending_walk_idle(walk, c->now_ms - query->idle_min_ms);
}

/* An entry that XNACK gave back is nobody's, and not idle but free: -1. */
static void answer_pending(struct command_context *c, const struct stream_pending *pending)
{
    int64_t idle_ms = c->now_ms - pending->delivery_ms;
    if (idle_ms < 0) idle_ms = 0;
    if (pending->consumer == NULL) idle_ms = -1;
    reply_array(c->reply, 4);
    answer_stream_id(c->reply, pending->id);
    reply_bulk(c->reply, pending_owner_name(pending));
    reply_integer(c->reply, idle_ms);
    reply_integer(c->reply, (int64_t)pending->deliveries);
}

enum outcome command_xpending(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    struct pending_query query;
    struct stream_pending_walk walk;
    bool summary = c->arguments_count == 3;
    if (!summary && (c->arguments_count < 6 || c->arguments_count > 9))
        return refuse(c, REPLY_ERROR_SYNTAX);
    if (!summary && !read_pending_query(c, &query)) return OUTCOME_REPLIED;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    const struct stream_group *group = argument_group(c, 2, stream);
    if (group == NULL) return refuse_no_group(c, c->arguments[1], c->arguments[2]);
    if (summary) {
        answer_pending_summary(c, group);
        return OUTCOME_REPLIED;
    }
    if (query.of_consumer && stream_consumer_find(group, query.consumer) == NULL) query.count = 0;

    int64_t count = 0;
    begin_pending(&walk, c, group, &query);
    while (count < query.count && stream_pending_walk_next(&walk)) count++;
    reply_array(c->reply, (size_t)count);
    begin_pending(&walk, c, group, &query);
    for (; count > 0; count--) {
        CHECK(stream_pending_walk_next(&walk));
        answer_pending(c, &walk.entry);
    }
    return OUTCOME_REPLIED;
}
