/* command_stream_nack.c - XNACK: a consumer gives entries back that it will not acknowledge.
 *
 * They stay pending, but nobody owns them: they stand before all other pending entries, first given
 * back first, and may be claimed at once. What the delivery that failed counts is the mode: SILENT
 * takes it back (the consumer stops), FAIL lets it stand, FATAL makes the count as large as it can
 * be (nobody should try again). */
#include "command/commands.h"
#include "command/stream_arguments.h"

struct nack_options {
    enum stream_deliveries deliveries;
    uint64_t deliveries_count;
    bool force; /* an entry that is not pending becomes so, as if it had been delivered once */
    struct stream_ids ids;
};

/* ---- arguments ---- */

static bool read_mode(struct command_context *c, struct nack_options *options)
{
    options->deliveries = STREAM_DELIVERIES_KEEP;
    if (argument_is(c, 3, "fail")) return true;
    options->deliveries = STREAM_DELIVERIES_DECREMENT;
    if (argument_is(c, 3, "silent")) return true;
    options->deliveries = STREAM_DELIVERIES_SET;
    options->deliveries_count = INT64_MAX;
    if (argument_is(c, 3, "fatal")) return true;
    return deny(c, REPLY_ERROR_NACK_MODE);
}

/* IDS numids id [id ...] from argument 4; *at is left behind them. */
static bool read_ids(struct command_context *c, size_t *at, struct nack_options *options)
{
    int64_t count;
    if (!argument_is(c, 4, "ids")) return deny(c, REPLY_ERROR_NACK_IDS);
    if (!number_parse_i64(c->arguments[5], &count) || count < 1)
        return deny(c, REPLY_ERROR_NACK_COUNT_RANGE);
    if ((uint64_t)count > c->arguments_count - 6) return deny(c, REPLY_ERROR_NACK_COUNT);
    for (*at = 6; *at < 6 + (uint64_t)count; ++*at) {
        struct stream_id id;
        if (!argument_stream_id(c, *at, 0, &id)) return false;
        stream_ids_add(&options->ids, id);
    }
    return true;
}

/* [RETRYCOUNT count] [FORCE] from argument 'at'. */
static bool read_options(struct command_context *c, size_t at, struct nack_options *options)
{
    struct stream_id id;
    int64_t retry_count;
    if (at < c->arguments_count && stream_id_parse(c->arguments[at], 0, &id))
        return deny(c, REPLY_ERROR_NACK_COUNT);
    for (; at < c->arguments_count; at++) {
        if (argument_is(c, at, "force")) {
            options->force = true;
        } else if (at + 1 < c->arguments_count && argument_is(c, at, "retrycount")) {
            if (!number_parse_i64(c->arguments[++at], &retry_count) || retry_count < 0)
                return deny(c, REPLY_ERROR_NACK_RETRYCOUNT);
            options->deliveries = STREAM_DELIVERIES_SET;
            options->deliveries_count = (uint64_t)retry_count;
        } else {
            refuse_quoting(c, REPLY_ERROR_NACK_UNKNOWN, at);
            return false;
        }
    }
    return true;
}

/* ---- giving back ---- */

/* Some rising IDs, in one effect. */
static void release_run(struct command_context *c, const struct store_key *key,
                        const struct nack_options *options, struct stream_ids *run)
{
    struct effect e = {.kind = EFFECT_GROUP_CLAIM, .key = *key};
    if (run->count == 0) return;
    e.group_claim.claim = (struct stream_claim){.group = c->arguments[2],
                                                .unowned = true,
                                                .delivery_ms = c->now_ms,
                                                .deliveries = options->deliveries,
                                                .deliveries_count = options->deliveries_count,
                                                .active_ms = -1,
                                                .ids = run->items,
                                                .count = run->count};
    db_change(c->db, &e);
    run->count = 0;
}

/* Returns how many were given back. An ID that does not rise ends a run: it may be one that was
 * named before, and must find what that has left. */
static int64_t release(struct command_context *c, const struct store_key *key,
                       const struct stream *stream, const struct nack_options *options)
{
    const struct stream_group *group = stream_group_find(stream, c->arguments[2]);
    struct stream_ids run;
    int64_t released = 0;
    stream_ids_init(&run);
    for (size_t i = 0; i < options->ids.count; i++) {
        struct stream_id id = options->ids.items[i];
        struct stream_pending found;
        if (run.count > 0 && stream_id_compare(id, run.items[run.count - 1]) <= 0)
            release_run(c, key, options, &run);
        bool pending = stream_pending_find(group, id, &found);
        if (!pending && !(options->force && stream_contains(stream, id))) continue;
        stream_ids_add(&run, id);
        released++;
    }
    release_run(c, key, options, &run);
    stream_ids_deinit(&run);
    return released;
}

static bool effects_fit(struct command_context *c, const struct stream_ids *ids)
{
    uint64_t names = EFFECT_BYTES + c->arguments[1].size + c->arguments[2].size;
    return argument_effects_fit(c, stream_ids_runs(ids), names);
}

enum outcome command_xnack(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct nack_options options = {0};
    const struct stream *stream;
    size_t at;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (argument_group(c, 2, stream) == NULL)
        return refuse_no_group(c, c->arguments[1], c->arguments[2]);
    stream_ids_init(&options.ids);
    if (read_mode(c, &options) && read_ids(c, &at, &options) && read_options(c, at, &options) &&
        effects_fit(c, &options.ids))
        reply_integer(c->reply, release(c, &key, stream, &options));
    stream_ids_deinit(&options.ids);
    return OUTCOME_REPLIED;
}
