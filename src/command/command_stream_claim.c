/* command_stream_claim.c - XCLAIM and XAUTOCLAIM: pending entries move to another consumer.
 *
 * Entries that are gone from the stream leave the pending entries on the way (since Redis 7.0).
 * What is claimed goes into the log as one effect for each run of rising IDs, usually one in all:
 * an ID that a request names twice is then in two effects, and the second sees the first. */
#include "command/commands.h"
#include "command/stream_answer.h"

enum { AUTOCLAIM_COUNT = 100, AUTOCLAIM_LOOKED_AT = 10 }; /* looks at so many per one to claim */

struct claim_options {
    int64_t idle_min_ms;
    int64_t delivery_ms;
    int64_t retry_count; /* -1: not given */
    bool force;
    bool just_id;
    struct stream_id last_id;
};

/* A claim under way: what is decided and not applied yet, and what was claimed in all. */
struct claiming {
    struct command_context *c;
    struct store_key key;
    const struct stream *stream;
    const struct stream_group *group;
    const struct claim_options *options;
    struct stream_walk entries; /* finds what is in the stream */
    struct stream_ids run;      /* rising IDs that are not in an effect yet */
    struct stream_ids claimed;  /* for the answer */
    struct stream_ids gone;     /* pending, but deleted from the stream */
};

/* ---- options of XCLAIM ---- */

/* The number after IDLE, TIME or RETRYCOUNT. */
static bool read_number(struct command_context *c, size_t index, const char *option, int64_t *value)
{
    if (number_parse_i64(c->arguments[index], value)) return true;
    reply_error_format(c->reply, REPLY_ERROR_CLAIM_OPTION, option);
    return false;
}

static bool read_option(struct command_context *c, size_t *at, struct claim_options *options)
{
    bool more = *at + 1 < c->arguments_count;
    int64_t value;
    if (argument_is(c, *at, "force")) {
        options->force = true;
    } else if (argument_is(c, *at, "justid")) {
        options->just_id = true;
    } else if (more && argument_is(c, *at, "idle")) {
        if (!read_number(c, ++*at, "IDLE", &value)) return false;
        /* What would overflow is bogus anyway, and read_claim settles that. */
        options->delivery_ms = value < 0 ? c->now_ms + 1 : c->now_ms - value;
    } else if (more && argument_is(c, *at, "time")) {
        if (!read_number(c, ++*at, "TIME", &options->delivery_ms)) return false;
    } else if (more && argument_is(c, *at, "retrycount")) {
        if (!read_number(c, ++*at, "RETRYCOUNT", &options->retry_count)) return false;
    } else if (more && argument_is(c, *at, "lastid")) {
        if (!argument_stream_id(c, ++*at, 0, &options->last_id)) return false;
    } else {
        refuse_quoting(c, REPLY_ERROR_CLAIM_UNKNOWN, *at);
        return false;
    }
    return true;
}

/* XCLAIM's arguments after the consumer: min-idle-time, IDs, options. */
static bool read_claim(struct command_context *c, struct stream_ids *ids,
                       struct claim_options *options)
{
    struct stream_id id;
    size_t at = 5;
    if (!number_parse_i64(c->arguments[4], &options->idle_min_ms))
        return deny(c, REPLY_ERROR_CLAIM_IDLE);
    if (options->idle_min_ms < 0) options->idle_min_ms = 0;
    for (; at < c->arguments_count && stream_id_parse(c->arguments[at], 0, &id); at++)
        stream_ids_add(ids, id);
    for (; at < c->arguments_count; at++)
        if (!read_option(c, &at, options)) return false;
    /* A time from before 1970 or from the future would make an entry unclaimable for ever. */
    if (options->delivery_ms < 0 || options->delivery_ms > c->now_ms)
        options->delivery_ms = c->now_ms;
    return true;
}

/* ---- claiming ---- */

static void begin_claiming(struct claiming *claiming)
{
    struct stream_range all = {STREAM_ID_MIN, STREAM_ID_MAX};
    stream_walk_begin(&claiming->entries, claiming->stream, all, false);
    stream_ids_init(&claiming->run);
    stream_ids_init(&claiming->claimed);
    stream_ids_init(&claiming->gone);
}

static void end_claiming(struct claiming *claiming)
{
    stream_ids_deinit(&claiming->run);
    stream_ids_deinit(&claiming->claimed);
    stream_ids_deinit(&claiming->gone);
}

static void apply_run(struct claiming *claiming)
{
    const struct claim_options *options = claiming->options;
    struct command_context *c = claiming->c;
    if (claiming->run.count == 0) return;
    struct effect e = {.kind = EFFECT_GROUP_CLAIM, .key = claiming->key};
    e.group_claim.claim = (struct stream_claim){
        .group = c->arguments[2],
        .consumer = c->arguments[3],
        .delivery_ms = options->delivery_ms,
        .deliveries = options->just_id ? STREAM_DELIVERIES_KEEP : STREAM_DELIVERIES_INCREMENT,
        .active_ms = c->now_ms,
        .ids = claiming->run.items,
        .count = claiming->run.count,
    };
    if (options->retry_count >= 0) {
        e.group_claim.claim.deliveries = STREAM_DELIVERIES_SET;
        e.group_claim.claim.deliveries_count = (uint64_t)options->retry_count;
    }
    db_change(c->db, &e);
    claiming->run.count = 0;
}

static void apply_gone(struct claiming *claiming)
{
    struct command_context *c = claiming->c;
    if (claiming->gone.count == 0) return;
    db_change(c->db, &(struct effect){.kind = EFFECT_GROUP_ACKNOWLEDGE,
                                      .key = claiming->key,
                                      .group_acknowledge = {c->arguments[2], claiming->gone.items,
                                                            claiming->gone.count}});
}

static void claim_id(struct claiming *claiming, struct stream_id id)
{
    stream_ids_add(&claiming->run, id);
    stream_ids_add(&claiming->claimed, id);
}

static bool idle_enough(const struct claiming *claiming, const struct stream_pending *pending)
{
    int64_t idle_ms = claiming->c->now_ms - pending->delivery_ms;
    return claiming->options->idle_min_ms == 0 || pending->consumer == NULL ||
           idle_ms >= claiming->options->idle_min_ms;
}

/* One ID of XCLAIM. */
static void consider_id(struct claiming *claiming, struct stream_id id)
{
    struct stream_pending pending;
    struct stream_ids *run = &claiming->run;
    if (run->count > 0 && stream_id_compare(id, run->items[run->count - 1]) <= 0)
        apply_run(claiming);
    bool is_pending = stream_pending_find(claiming->group, id, &pending);
    if (!stream_walk_seek(&claiming->entries, id)) {
        if (is_pending) stream_ids_add(&claiming->gone, id);
    } else if (is_pending ? idle_enough(claiming, &pending) : claiming->options->force) {
        claim_id(claiming, id);
    }
}

static struct stream_part claimed_part(const struct claiming *claiming)
{
    struct stream_part part = {
        .served = true, .only_ids = claiming->options->just_id, .stream = claiming->stream};
    stream_part_list(&part, &claiming->claimed);
    return part;
}

/* Streams and groups of both commands: false when refused. */
static bool find_group(struct claiming *claiming)
{
    struct command_context *c = claiming->c;
    claiming->key = argument_key(c, 1);
    if (!argument_stream(c, &claiming->key, &claiming->stream)) return false;
    claiming->group = argument_group(c, 2, claiming->stream);
    if (claiming->group == NULL) refuse_no_group(c, c->arguments[1], c->arguments[2]);
    return claiming->group != NULL;
}

/* One effect each for LASTID, the consumer and what is gone, and one for each run. */
static bool effects_fit(struct command_context *c, size_t runs)
{
    uint64_t names = EFFECT_BYTES;
    for (size_t i = 1; i <= 3; i++) names += c->arguments[i].size;
    return argument_effects_fit(c, runs + 3, names);
}

enum outcome command_xclaim(struct command_context *c)
{
    struct claim_options options = {.delivery_ms = c->now_ms, .retry_count = -1};
    struct claiming claiming = {.c = c, .options = &options};
    struct stream_ids ids;
    if (!find_group(&claiming)) return OUTCOME_REPLIED;
    stream_ids_init(&ids);
    if (read_claim(c, &ids, &options) && effects_fit(c, stream_ids_runs(&ids))) {
        begin_claiming(&claiming);
        if (stream_id_compare(options.last_id, stream_group_last_delivered(claiming.group)) > 0)
            db_change(c->db, &(struct effect){.kind = EFFECT_GROUP_SET_ID,
                                              .event = EVENT_NONE,
                                              .key = claiming.key,
                                              .group_set_id = {c->arguments[2], options.last_id,
                                                               STREAM_ENTRIES_READ_EXACT}});
        ensure_consumer(c, &claiming.key, c->arguments[2], c->arguments[3]);
        for (size_t i = 0; i < ids.count; i++) consider_id(&claiming, ids.items[i]);
        apply_run(&claiming);
        apply_gone(&claiming);
        struct stream_part part = claimed_part(&claiming);
        answer_stream_parts(c, &part, 1, reply_cut(c->portions, c->reply));
        stream_parts_free(&part, 1);
        end_claiming(&claiming);
    }
    stream_ids_deinit(&ids);
    return OUTCOME_REPLIED;
}

/* ---- XAUTOCLAIM ---- */

/* min-idle-time start [COUNT count] [JUSTID] from argument 4. */
static bool read_autoclaim(struct command_context *c, struct claim_options *options,
                           struct stream_id *start, int64_t *count)
{
    *count = AUTOCLAIM_COUNT;
    if (!number_parse_i64(c->arguments[4], &options->idle_min_ms))
        return deny(c, REPLY_ERROR_AUTOCLAIM_IDLE);
    if (options->idle_min_ms < 0) options->idle_min_ms = 0;
    if (!argument_range_first(c, 5, start)) return false;
    for (size_t i = 6; i < c->arguments_count; i++) {
        if (argument_is(c, i, "justid")) {
            options->just_id = true;
        } else if (argument_is(c, i, "count") && i + 1 < c->arguments_count) {
            if (number_parse_i64(c->arguments[++i], count) && *count >= 1 &&
                *count <= INT64_MAX / (int64_t)sizeof(struct stream_id))
                continue;
            return deny(c, REPLY_ERROR_AUTOCLAIM_COUNT);
        } else {
            return deny(c, REPLY_ERROR_SYNTAX);
        }
    }
    return true;
}

/* Collects what is to be claimed from 'start' on; returns where the next call begins. */
static struct stream_id look_for_idle(struct claiming *claiming, struct stream_id start,
                                      int64_t count)
{
    struct stream_pending_walk walk;
    if (count > STREAM_CLAIMED_MAX) count = STREAM_CLAIMED_MAX;
    int64_t looks = count * AUTOCLAIM_LOOKED_AT;
    stream_pending_walk_begin(&walk, claiming->group, NULL,
                              (struct stream_range){start, STREAM_ID_MAX});
    for (; looks > 0 && count > 0; looks--) {
        if (!stream_pending_walk_next(&walk)) return STREAM_ID_MIN;
        if (!stream_walk_seek(&claiming->entries, walk.entry.id)) {
            stream_ids_add(&claiming->gone, walk.entry.id);
            count--; /* it takes room in the answer too */
        } else if (idle_enough(claiming, &walk.entry)) {
            claim_id(claiming, walk.entry.id);
            count--;
        }
    }
    return stream_pending_walk_next(&walk) ? walk.entry.id : STREAM_ID_MIN;
}

enum outcome command_xautoclaim(struct command_context *c)
{
    struct claim_options options = {.delivery_ms = c->now_ms, .retry_count = -1};
    struct claiming claiming = {.c = c, .options = &options};
    struct stream_id start;
    int64_t count;
    if (!read_autoclaim(c, &options, &start, &count)) return OUTCOME_REPLIED;
    if (!find_group(&claiming) || !effects_fit(c, 1)) return OUTCOME_REPLIED;
    begin_claiming(&claiming);
    struct stream_id next = look_for_idle(&claiming, start, count);
    ensure_consumer(c, &claiming.key, c->arguments[2], c->arguments[3]);
    apply_run(&claiming);
    apply_gone(&claiming);
    uint64_t cut = reply_cut(c->portions, c->reply);
    struct stream_part parts[] = {claimed_part(&claiming), {.served = true, .only_ids = true}};
    stream_part_list(&parts[1], &claiming.gone);
    reply_array(c->reply, 3);
    answer_stream_id(c->reply, next);
    answer_stream_parts(c, parts, 2, cut);
    stream_parts_free(parts, 2);
    end_claiming(&claiming);
    return OUTCOME_REPLIED;
}
