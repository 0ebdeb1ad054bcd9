/* command_stream.c - entries of streams: XADD XLEN XRANGE XREVRANGE XSETID.
 *
 * Every question that a request leaves open (the "*" ID, how far an approximate trim goes) is
 * answered here and goes into the effect as a fact. */
#include "base/limits.h"
#include "command/commands.h"
#include "command/stream_answer.h"
#include "command/stream_idempotence.h"
#include "command/stream_remove.h"

/* The ID of the new entry. False: refused. */
static bool decide_id(struct command_context *c, const struct stream_add_options *options,
                      struct stream_id last, struct stream_id *id)
{
    bool greater = true;
    if (stream_id_compare(last, STREAM_ID_MAX) == 0) return deny(c, REPLY_ERROR_STREAM_EXHAUSTED);
    switch (options->id_form) {
    case ADD_ID_AUTO: CHECK(stream_id_next(last, (uint64_t)c->now_ms, id)); break;
    case ADD_ID_AUTO_SEQ: greater = stream_id_next_in(last, options->id.ms, id); break;
    case ADD_ID_GIVEN:
        *id = options->id;
        greater = stream_id_compare(*id, last) > 0;
        break;
    }
    if (!greater) refuse(c, REPLY_ERROR_STREAM_ID_TOO_SMALL);
    return greater;
}

static bool fields_fit(struct command_context *c, const struct slice *items, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += items[i].size;
    if (count <= STREAM_FIELDS_MAX && bytes <= STREAM_BLOCK_BYTES_CAP / 2) return true;
    return deny(c, REPLY_ERROR_STREAM_TOO_LARGE);
}

static void append(struct command_context *c, const struct store_key *key,
                   const struct effect_stream_append *append, const struct stream *stream,
                   const struct idempotent_message *message)
{
    struct effect e;
    e.event = EVENT_OF_KIND;
    e.key = *key;
    if (message->given) {
        e.kind = EFFECT_STREAM_APPEND_ONCE;
        e.stream_append_once.append = *append;
        e.stream_append_once.record = idempotent_message_record(message, c, stream, append->id);
    } else {
        e.kind = EFFECT_STREAM_APPEND;
        e.stream_append = *append;
    }
    db_change(c->db, &e);
}

enum outcome command_xadd(struct command_context *c)
{
    struct stream_add_options options;
    if (!argument_add_options(c, true, &options)) return OUTCOME_REPLIED;
    size_t fields = options.id_index + 1;
    if (fields + 2 > c->arguments_count || (c->arguments_count - fields) % 2 != 0)
        return refuse_arity(c);
    if (options.id_form == ADD_ID_GIVEN && stream_id_compare(options.id, STREAM_ID_MIN) == 0)
        return refuse(c, REPLY_ERROR_STREAM_ID_ZERO);

    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    if (!argument_stream(c, &key, &stream) || !trim_effects_fit(c, &key, stream, &options.trim))
        return OUTCOME_REPLIED;
    if (stream == NULL && options.no_create) {
        reply_null(c->reply);
        return OUTCOME_REPLIED;
    }
    struct stream_id id, last = stream == NULL ? STREAM_ID_MIN : stream_last_id(stream);
    const struct slice *items = c->arguments + fields;
    size_t count = c->arguments_count - fields;
    struct idempotent_message message;
    idempotent_message_read(&message, c, &options, items, count);
    if (idempotent_message_stored(&message, c, &key, stream, &id)) {
        answer_stream_id(c->reply, id);
        return OUTCOME_REPLIED;
    }
    if (!decide_id(c, &options, last, &id) || !fields_fit(c, items, count)) return OUTCOME_REPLIED;

    append(c, &key, &(struct effect_stream_append){id, items, count}, stream, &message);
    if (options.trim.given) remove_by_trim(c, &key, &options.trim);
    answer_stream_id(c->reply, id);
    return OUTCOME_REPLIED;
}

enum outcome command_xlen(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    reply_integer(c->reply, stream == NULL ? 0 : (int64_t)stream_length(stream));
    return OUTCOME_REPLIED;
}

/* XRANGE and XREVRANGE; the range is read from its two arguments. */
static enum outcome answer_range(struct command_context *c, size_t first, size_t last, bool reverse)
{
    struct stream_range range;
    int64_t count = -1; /* no COUNT */
    if (!argument_range_first(c, first, &range.first)) return OUTCOME_REPLIED;
    if (!argument_range_last(c, last, &range.last)) return OUTCOME_REPLIED;
    for (size_t i = 4; i < c->arguments_count; i += 2) {
        if (!argument_is(c, i, "count") || i + 1 == c->arguments_count)
            return refuse(c, REPLY_ERROR_SYNTAX);
        if (!argument_integer(c, i + 1, &count)) return OUTCOME_REPLIED;
        if (count < 0) count = 0;
    }
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (stream == NULL) {
        reply_array(c->reply, 0);
    } else if (count == 0) {
        reply_null_array(c->reply);
    } else {
        uint64_t limit = count < 0 ? UINT64_MAX : (uint64_t)count;
        struct stream_part part = {.served = true,
                                   .reverse = reverse,
                                   .stream = stream,
                                   .range = range,
                                   .count = stream_count(stream, range, limit)};
        answer_stream_parts(c, &part, 1, reply_cut(c->portions, c->reply));
    }
    return OUTCOME_REPLIED;
}

enum outcome command_xrange(struct command_context *c)
{
    return answer_range(c, 2, 3, false);
}

enum outcome command_xrevrange(struct command_context *c)
{
    return answer_range(c, 3, 2, true);
}

/* XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]: -1 and 0-0 leave what is there. */
struct set_id_options {
    struct stream_id last_id;
    int64_t entries_added;
    struct stream_id max_deleted_id;
};

static bool read_set_id(struct command_context *c, struct set_id_options *options)
{
    *options = (struct set_id_options){.entries_added = -1};
    if (!argument_stream_id(c, 2, 0, &options->last_id)) return false;
    for (size_t i = 3; i < c->arguments_count; i += 2) {
        bool more = i + 1 < c->arguments_count;
        if (more && argument_is(c, i, "entriesadded")) {
            if (!argument_integer(c, i + 1, &options->entries_added)) return false;
            if (options->entries_added >= 0) continue;
            refuse(c, REPLY_ERROR_SETID_ADDED);
        } else if (more && argument_is(c, i, "maxdeletedid")) {
            if (!argument_stream_id(c, i + 1, 0, &options->max_deleted_id)) return false;
            if (stream_id_compare(options->last_id, options->max_deleted_id) >= 0) continue;
            refuse(c, REPLY_ERROR_SETID_DELETED_GIVEN);
        } else {
            refuse(c, REPLY_ERROR_SYNTAX);
        }
        return false;
    }
    return true;
}

/* False: the stream holds what contradicts the options. */
static bool set_id_fits(struct command_context *c, const struct stream *stream,
                        const struct set_id_options *options)
{
    struct stream_id newest;
    if (stream_id_compare(options->last_id, stream_max_deleted_id(stream)) < 0) {
        refuse(c, REPLY_ERROR_SETID_DELETED);
    } else if (stream_last_live_id(stream, &newest) &&
               stream_id_compare(options->last_id, newest) < 0) {
        refuse(c, REPLY_ERROR_SETID_TOP);
    } else if (options->entries_added >= 0 &&
               stream_length(stream) > (uint64_t)options->entries_added) {
        refuse(c, REPLY_ERROR_SETID_LENGTH);
    } else {
        return true;
    }
    return false;
}

enum outcome command_xsetid(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct set_id_options options;
    const struct stream *stream;
    if (!read_set_id(c, &options)) return OUTCOME_REPLIED;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (stream == NULL) return refuse(c, REPLY_ERROR_NO_SUCH_KEY);
    if (!set_id_fits(c, stream, &options)) return OUTCOME_REPLIED;

    struct effect_stream_set_id set = {options.last_id, stream_entries_added(stream),
                                       stream_max_deleted_id(stream)};
    if (options.entries_added >= 0) set.entries_added = (uint64_t)options.entries_added;
    if (stream_id_compare(options.max_deleted_id, STREAM_ID_MIN) != 0)
        set.max_deleted_id = options.max_deleted_id;
    db_change(c->db,
              &(struct effect){.kind = EFFECT_STREAM_SET_ID, .key = key, .stream_set_id = set});
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}
