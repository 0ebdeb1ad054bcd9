/* command_stream_read.c - XREAD and XREADGROUP, and how they wait.
 *
 * A read is a plan: where its keys stand, after which ID each is read, how much is wanted and
 * until when it waits. The first try and every wake-up go through the same try_read, so a blocked
 * read and an immediate one cannot differ, and the deadline is fixed once (architecture.md rule 5;
 * Redis had three bugs here: #5104, #12998, #6905).
 *
 * A try has two passes over the keys. The first decides, and changes groups (deliveries are
 * effects); the second answers from the ranges that the first has noted. Counts are therefore
 * known before the first byte of the answer. */
#include "base/memory.h"
#include "command/commands.h"
#include "command/stream_arguments.h"

enum {
    READ_KEYS_INLINE = 8,
    READ_BLOCKED_COUNT = 1000, /* of a woken read without COUNT, as Redis: not a huge answer */
};

/* After this ID a group reads what was never delivered: ">". */
#define READ_NEW STREAM_ID_MAX

struct read_plan {
    bool grouped; /* XREADGROUP */
    bool no_ack;
    bool blocking;
    bool waited;  /* this is a wake-up */
    size_t group; /* arguments of GROUP */
    size_t consumer;
    uint64_t count_max; /* of each key; UINT64_MAX: all */
    int64_t block_ms;   /* 0: for ever */
    size_t keys_first;
    size_t keys_count;
    struct stream_id after[]; /* keys_count: read what comes after it */
};

/* What one key answers. */
struct read_result {
    bool served;
    bool history;              /* pending entries of the consumer, some of which may be deleted */
    struct stream_range range; /* !history: all entries in it */
    uint64_t count;
    struct stream_id *ids; /* history: 'count' of them, owned; a later key may be the same stream */
};

/* ---- options ---- */

static bool read_block(struct command_context *c, size_t index, int64_t *block_ms)
{
    enum reply_error error = REPLY_ERROR_TIMEOUT_NOT_INTEGER;
    if (number_parse_i64(c->arguments[index], block_ms)) {
        if (*block_ms >= 0 && *block_ms <= INT64_MAX - c->now_ms) return true;
        error = *block_ms < 0 ? REPLY_ERROR_TIMEOUT_NEGATIVE : REPLY_ERROR_TIMEOUT_RANGE;
    }
    refuse(c, error);
    return false;
}

static bool read_count(struct command_context *c, size_t index, uint64_t *count_max)
{
    int64_t count;
    if (!argument_integer(c, index, &count)) return false;
    *count_max = count <= 0 ? UINT64_MAX : (uint64_t)count;
    return true;
}

/* GROUP and NOACK belong to XREADGROUP. */
static bool require_grouped(struct command_context *c, const struct read_plan *plan,
                            const char *option)
{
    if (!plan->grouped) reply_error_format(c->reply, REPLY_ERROR_READ_GROUP_ONLY, option);
    return plan->grouped;
}

/* One option at *at; moves *at to its last argument. False: refused. */
static bool read_option(struct command_context *c, size_t *at, struct read_plan *plan)
{
    size_t left = c->arguments_count - 1 - *at;
    if (left >= 1 && argument_is(c, *at, "block")) {
        plan->blocking = true;
        return read_block(c, ++*at, &plan->block_ms);
    }
    if (left >= 1 && argument_is(c, *at, "count")) return read_count(c, ++*at, &plan->count_max);
    if (left >= 2 && argument_is(c, *at, "group")) {
        if (!require_grouped(c, plan, "GROUP")) return false;
        plan->group = *at + 1;
        plan->consumer = *at + 2;
        *at += 2;
        return true;
    }
    if (argument_is(c, *at, "noack")) {
        plan->no_ack = true;
        return require_grouped(c, plan, "NOACK");
    }
    refuse(c, REPLY_ERROR_SYNTAX);
    return false;
}

/* Everything but the IDs. */
static bool read_options(struct command_context *c, struct read_plan *plan)
{
    size_t at = 1;
    for (; at < c->arguments_count; at++) {
        if (at + 1 < c->arguments_count && argument_is(c, at, "streams")) break;
        if (!read_option(c, &at, plan)) return false;
    }
    if (at >= c->arguments_count) {
        refuse(c, REPLY_ERROR_SYNTAX);
        return false;
    }
    size_t words = c->arguments_count - at - 1;
    if (words % 2 != 0) {
        refuse(c, plan->grouped ? REPLY_ERROR_READGROUP_UNBALANCED : REPLY_ERROR_READ_UNBALANCED);
        return false;
    }
    plan->keys_first = at + 1;
    plan->keys_count = words / 2;
    if (!plan->grouped || plan->group != 0) return true;
    refuse(c, REPLY_ERROR_READGROUP_MISSING);
    return false;
}

/* ---- where each key is read from ---- */

/* "$", "+" of XREAD, decided now and never again; stream may be NULL. */
static bool read_special_id(const struct stream *stream, struct slice word, struct stream_id *after)
{
    bool last_entry = slice_equal(word, SLICE("+"));
    if (!last_entry && !slice_equal(word, SLICE("$"))) return false;
    *after = stream == NULL ? STREAM_ID_MIN : stream_last_id(stream);
    if (last_entry && stream != NULL && stream_last_live_id(stream, after))
        CHECK(stream_id_decrement(after));
    return true;
}

static bool read_after(struct command_context *c, const struct read_plan *plan, size_t index,
                       const struct stream *stream, struct stream_id *after)
{
    struct slice word = c->arguments[index];
    if (plan->grouped) {
        bool last = slice_equal(word, SLICE("$")) || slice_equal(word, SLICE("+"));
        if (last) reply_error_format(c->reply, REPLY_ERROR_READGROUP_LAST, word.data[0]);
        if (last) return false;
        *after = READ_NEW;
        if (slice_equal(word, SLICE(">"))) return true;
    } else {
        if (slice_equal(word, SLICE(">"))) {
            refuse(c, REPLY_ERROR_READ_NEW);
            return false;
        }
        if (read_special_id(stream, word, after)) return true;
    }
    return argument_stream_id(c, index, 0, after);
}

/* Looks at every key before anything is changed: type, group, ID. */
static bool check_keys(struct command_context *c, struct read_plan *plan)
{
    for (size_t i = 0; i < plan->keys_count; i++) {
        size_t index = plan->keys_first + i;
        struct store_key key = argument_key(c, index);
        const struct stream *stream;
        if (!argument_stream(c, &key, &stream)) return false;
        if (plan->grouped && argument_group(c, plan->group, stream) == NULL) {
            struct slice name = c->arguments[index], group = c->arguments[plan->group];
            reply_error_format(c->reply, REPLY_ERROR_READGROUP_NO_GROUP, argument_quoted_size(name),
                               name.data, argument_quoted_size(group), group.data);
            return false;
        }
        if (plan->waited) continue;
        if (!read_after(c, plan, index + plan->keys_count, stream, &plan->after[i])) return false;
    }
    return true;
}

/* ---- the first pass: what is there, and what a group delivers ---- */

static struct read_result look_after(const struct stream *stream, const struct read_plan *plan,
                                     struct stream_id after)
{
    struct read_result result = {.range = {after, STREAM_ID_MAX}};
    if (!stream_id_increment(&result.range.first)) return result;
    result.count = stream_count(stream, result.range, plan->count_max);
    result.served = result.count > 0;
    return result;
}

/* What a group at 'after' has not delivered yet, up to count_max entries: a walk, because
 * delivering and answering are walks over the same entries, and the group's bookmark makes this
 * one begin at its place. */
static struct read_result look_at_new(const struct stream *stream, const struct read_plan *plan,
                                      struct stream_id after)
{
    struct read_result result = {.range = {after, STREAM_ID_MAX}};
    struct stream_walk walk;
    if (!stream_id_increment(&result.range.first)) return result;
    stream_walk_begin(&walk, stream, result.range, false);
    while (result.count < plan->count_max && stream_walk_next(&walk)) {
        result.count++;
        result.range.last = walk.id;
    }
    result.served = result.count > 0;
    return result;
}

static void deliver_new(struct command_context *c, const struct read_plan *plan,
                        const struct store_key *key, struct read_result *result)
{
    const struct stream *stream;
    CHECK(db_stream(c->db, key, &stream) == LOOKUP_FOUND);
    const struct stream_group *group = argument_group(c, plan->group, stream);
    *result = look_at_new(stream, plan, stream_group_last_delivered(group));
    if (!result->served) return;
    struct effect e = {.kind = EFFECT_GROUP_DELIVER, .key = *key};
    e.group_deliver.delivery = (struct stream_delivery){.group = c->arguments[plan->group],
                                                        .consumer = c->arguments[plan->consumer],
                                                        .last_id = result->range.last,
                                                        .count = result->count,
                                                        .now_ms = c->now_ms,
                                                        .no_ack = plan->no_ack};
    db_change(c->db, &e);
}

/* The consumer's pending entries after an ID. */
static void look_at_history(struct command_context *c, const struct read_plan *plan,
                            const struct stream *stream, struct stream_id after,
                            struct stream_ids *ids)
{
    struct stream_pending_walk walk;
    struct stream_range range = {after, STREAM_ID_MAX};
    if (!stream_id_increment(&range.first)) return;
    const struct stream_group *group = argument_group(c, plan->group, stream);
    stream_pending_walk_begin(&walk, group,
                              stream_consumer_find(group, c->arguments[plan->consumer]), range);
    while (ids->count < plan->count_max && stream_pending_walk_next(&walk))
        stream_ids_add(ids, walk.entry.id);
}

/* Those that still exist count as delivered again. */
static void deliver_again(struct command_context *c, const struct read_plan *plan,
                          const struct store_key *key, const struct stream *stream,
                          const struct stream_ids *ids)
{
    struct stream_ids present;
    stream_ids_init(&present);
    for (size_t i = 0; i < ids->count; i++)
        if (stream_contains(stream, ids->items[i])) stream_ids_add(&present, ids->items[i]);
    if (present.count > 0) {
        struct effect e = {.kind = EFFECT_GROUP_CLAIM, .key = *key};
        e.group_claim.claim = (struct stream_claim){.group = c->arguments[plan->group],
                                                    .consumer = c->arguments[plan->consumer],
                                                    .delivery_ms = c->now_ms,
                                                    .deliveries = STREAM_DELIVERIES_INCREMENT,
                                                    .active_ms = -1,
                                                    .ids = present.items,
                                                    .count = present.count};
        db_change(c->db, &e);
    }
    stream_ids_deinit(&present);
}

static void deliver_history(struct command_context *c, const struct read_plan *plan,
                            const struct store_key *key, struct stream_id after,
                            struct read_result *result)
{
    const struct stream *stream;
    struct stream_ids ids;
    CHECK(db_stream(c->db, key, &stream) == LOOKUP_FOUND);
    stream_ids_init(&ids);
    look_at_history(c, plan, stream, after, &ids);
    deliver_again(c, plan, key, stream, &ids);
    *result = (struct read_result){.served = true, .history = true, .count = ids.count};
    if (ids.count > 0) {
        result->ids = memory_allocate(ids.count * sizeof *result->ids);
        memcpy(result->ids, ids.items, ids.count * sizeof *result->ids);
    }
    stream_ids_deinit(&ids);
}

/* Returns how many keys answer something. */
static size_t look_at_keys(struct command_context *c, const struct read_plan *plan,
                           struct read_result *results)
{
    size_t served = 0;
    for (size_t i = 0; i < plan->keys_count; i++) {
        struct store_key key = argument_key(c, plan->keys_first + i);
        const struct stream *stream;
        results[i] = (struct read_result){0};
        if (plan->grouped) {
            ensure_consumer(c, &key, c->arguments[plan->group], c->arguments[plan->consumer]);
            if (stream_id_compare(plan->after[i], READ_NEW) == 0)
                deliver_new(c, plan, &key, &results[i]);
            else deliver_history(c, plan, &key, plan->after[i], &results[i]);
        } else if (db_stream(c->db, &key, &stream) == LOOKUP_FOUND) {
            results[i] = look_after(stream, plan, plan->after[i]);
        }
        if (results[i].served) served++;
    }
    return served;
}

/* ---- the second pass: the answer ---- */

static void answer_history(struct command_context *c, const struct stream *stream,
                           const struct read_result *result)
{
    reply_array(c->reply, (size_t)result->count);
    for (uint64_t i = 0; i < result->count; i++) {
        if (stream_contains(stream, result->ids[i])) {
            answer_stream_entry_of(c->reply, stream, result->ids[i]);
            continue;
        }
        reply_array(c->reply, 2);
        answer_stream_id(c->reply, result->ids[i]);
        reply_null_array(c->reply);
    }
}

static void answer_keys(struct command_context *c, const struct read_plan *plan,
                        const struct read_result *results, size_t served)
{
    reply_map_of_pairs(c->reply, served);
    for (size_t i = 0; i < plan->keys_count; i++) {
        size_t index = plan->keys_first + i;
        struct store_key key = argument_key(c, index);
        const struct stream *stream;
        if (!results[i].served) continue;
        CHECK(db_stream(c->db, &key, &stream) == LOOKUP_FOUND);
        reply_pair(c->reply);
        reply_bulk(c->reply, c->arguments[index]);
        if (results[i].history) answer_history(c, stream, &results[i]);
        else answer_stream_entries(c->reply, stream, results[i].range, false, results[i].count);
    }
}

/* ---- trying and waiting ---- */

static enum outcome try_read(struct command_context *c, const struct read_plan *plan)
{
    struct read_result few[READ_KEYS_INLINE], *results = few;
    size_t results_bytes = plan->keys_count * sizeof *results;
    if (plan->keys_count > READ_KEYS_INLINE) results = memory_allocate(results_bytes);
    size_t served = look_at_keys(c, plan, results);
    if (served > 0) answer_keys(c, plan, results, served);
    for (size_t i = 0; i < plan->keys_count; i++)
        if (results[i].ids != NULL)
            memory_free(results[i].ids, (size_t)results[i].count * sizeof *results[i].ids);
    if (results != few) memory_free(results, results_bytes);
    return served > 0 ? OUTCOME_REPLIED : OUTCOME_WAIT;
}

static enum outcome read_again(struct command_context *c, struct wait *w)
{
    struct read_plan *plan = w->plan;
    plan->waited = true;
    /* A group must still be there; a plain reader waits on, whatever became of its keys. */
    if (plan->grouped && !check_keys(c, plan)) return OUTCOME_REPLIED;
    return try_read(c, plan);
}

static void read_expired(struct reply *r)
{
    reply_null_array(r);
}

/* Hands the plan to the engine. */
static enum outcome wait_for_entries(struct command_context *c, struct read_plan *plan,
                                     size_t plan_size)
{
    if (plan->count_max == UINT64_MAX) plan->count_max = READ_BLOCKED_COUNT;
    *c->wait = (struct wait){.deadline_ms = plan->block_ms == 0 ? 0 : c->now_ms + plan->block_ms,
                             .database = c->client->database,
                             .keys_first = plan->keys_first,
                             .keys_count = plan->keys_count,
                             .again = read_again,
                             .expired = read_expired,
                             .plan = plan,
                             .plan_size = plan_size};
    return OUTCOME_WAIT;
}

static enum outcome read_streams(struct command_context *c, bool grouped)
{
    /* The IDs follow the plan in memory, so it is sized when the keys are counted. */
    struct read_plan options = {.grouped = grouped, .count_max = UINT64_MAX};
    if (!read_options(c, &options)) return OUTCOME_REPLIED;
    size_t plan_size = sizeof options + options.keys_count * sizeof(struct stream_id);
    struct read_plan *plan = memory_allocate(plan_size);
    *plan = options;
    enum outcome outcome = OUTCOME_REPLIED;
    if (check_keys(c, plan)) {
        outcome = try_read(c, plan);
        if (outcome == OUTCOME_WAIT && plan->blocking) return wait_for_entries(c, plan, plan_size);
        if (outcome == OUTCOME_WAIT) reply_null_array(c->reply);
    }
    memory_free(plan, plan_size);
    return OUTCOME_REPLIED;
}

enum outcome command_xread(struct command_context *c)
{
    return read_streams(c, false);
}

enum outcome command_xreadgroup(struct command_context *c)
{
    return read_streams(c, true);
}
