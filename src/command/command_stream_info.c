/* command_stream_info.c - XINFO STREAM, GROUPS and CONSUMERS. The order of the fields is Redis':
 * libraries read them by position (redisson #2818). */
#include "command/commands.h"
#include "command/stream_full.h"
#include "command/stream_idempotence.h"

enum { FULL_COUNT = 10 }; /* entries and pending entries of each kind in XINFO STREAM FULL */

/* "ERR no such key", or WRONGTYPE. */
static bool require_stream(struct command_context *c, const struct stream **stream)
{
    struct store_key key = argument_key(c, 2);
    if (!argument_stream(c, &key, stream)) return false;
    if (*stream == NULL) refuse(c, REPLY_ERROR_NO_SUCH_KEY);
    return *stream != NULL;
}

/* The thirteen fields that both forms of XINFO STREAM begin with. The radix tree is Redis'; here it
 * is the index of blocks, whose nodes are blocks and the index itself. */
static void answer_stream_head(struct command_context *c, const struct stream *stream)
{
    struct reply *r = c->reply;
    struct stream_idmp_limits limits = idempotence_limits(c, stream);
    struct stream_idmp_figures figures;
    struct stream_id first = STREAM_ID_MIN;
    size_t blocks = stream_blocks_count(stream);
    stream_first_id(stream, &first);
    answer_stream_field(r, "length", stream_length(stream));
    answer_stream_field(r, "radix-tree-keys", blocks);
    answer_stream_field(r, "radix-tree-nodes", blocks + 1);
    answer_stream_field_id(r, "last-generated-id", stream_last_id(stream));
    answer_stream_field_id(r, "max-deleted-entry-id", stream_max_deleted_id(stream));
    answer_stream_field(r, "entries-added", stream_entries_added(stream));
    answer_stream_field_id(r, "recorded-first-entry-id", first);
    stream_idmp_measure(stream, &figures);
    answer_stream_field(r, "idmp-duration", limits.duration_s);
    answer_stream_field(r, "idmp-maxsize", limits.count_max);
    answer_stream_field(r, "pids-tracked", figures.producers);
    answer_stream_field(r, "iids-tracked", figures.iids);
    answer_stream_field(r, "iids-added", figures.added);
    answer_stream_field(r, "iids-duplicates", figures.duplicates);
}

static void answer_edge_entry(struct reply *r, const struct stream *stream, bool newest)
{
    struct stream_id id;
    bool present = newest ? stream_last_live_id(stream, &id) : stream_first_id(stream, &id);
    reply_bulk_text(r, newest ? "last-entry" : "first-entry");
    if (present) answer_stream_entry_of(r, stream, id);
    else reply_null(r);
}

enum outcome command_xinfo_stream(struct command_context *c)
{
    const struct stream *stream;
    int64_t limit = FULL_COUNT;
    size_t options = c->arguments_count - 3;
    if (!require_stream(c, &stream)) return OUTCOME_REPLIED;
    if (options == 0) {
        reply_map(c->reply, 16);
        answer_stream_head(c, stream);
        answer_stream_field(c->reply, "groups", stream_groups_count(stream));
        answer_edge_entry(c->reply, stream, false);
        answer_edge_entry(c->reply, stream, true);
        return OUTCOME_REPLIED;
    }
    if ((options != 1 && options != 3) || !argument_is(c, 3, "full")) return refuse_subcommand(c);
    if (options == 3) {
        if (!argument_is(c, 4, "count")) return refuse_subcommand(c);
        if (!argument_integer(c, 5, &limit)) return OUTCOME_REPLIED;
        if (limit < 0) limit = FULL_COUNT;
    }
    uint64_t cut = reply_cut(c->portions, c->reply);
    reply_map(c->reply, 15);
    answer_stream_head(c, stream);
    answer_stream_full(c, stream, (uint64_t)limit, cut);
    return OUTCOME_REPLIED;
}

enum outcome command_xinfo_groups(struct command_context *c)
{
    const struct stream *stream;
    const struct stream_group *group = NULL;
    if (!require_stream(c, &stream)) return OUTCOME_REPLIED;
    reply_array(c->reply, stream_groups_count(stream));
    while ((group = stream_group_next(stream, group)) != NULL) {
        reply_map(c->reply, 6);
        reply_bulk_text(c->reply, "name");
        reply_bulk(c->reply, stream_group_name(group));
        answer_stream_field(c->reply, "consumers", stream_consumers_count(group));
        answer_stream_field(c->reply, "pending", stream_group_pending_count(group));
        answer_stream_field_id(c->reply, "last-delivered-id", stream_group_last_delivered(group));
        answer_stream_field(c->reply, "entries-read", stream_group_entries_read(group));
        answer_stream_field(c->reply, "lag", stream_group_lag(stream, group));
    }
    return OUTCOME_REPLIED;
}

enum outcome command_xinfo_consumers(struct command_context *c)
{
    const struct stream *stream;
    const struct stream_consumer *consumer = NULL;
    if (!require_stream(c, &stream)) return OUTCOME_REPLIED;
    const struct stream_group *group = require_group(c, stream);
    if (group == NULL) return OUTCOME_REPLIED;
    reply_array(c->reply, stream_consumers_count(group));
    while ((consumer = stream_consumer_next(group, consumer)) != NULL) {
        int64_t seen_ms = stream_consumer_seen_ms(consumer);
        int64_t active_ms = stream_consumer_active_ms(consumer);
        int64_t idle_ms = c->now_ms - seen_ms, inactive_ms = c->now_ms - active_ms;
        reply_map(c->reply, 4);
        reply_bulk_text(c->reply, "name");
        reply_bulk(c->reply, stream_consumer_name(consumer));
        answer_stream_field(c->reply, "pending", stream_consumer_pending_count(consumer));
        reply_bulk_text(c->reply, "idle");
        reply_integer(c->reply, idle_ms < 0 ? 0 : idle_ms);
        reply_bulk_text(c->reply, "inactive");
        if (active_ms < 0) inactive_ms = -1;
        else if (inactive_ms < 0) inactive_ms = 0;
        reply_integer(c->reply, inactive_ms);
    }
    return OUTCOME_REPLIED;
}
