/* command_stream_read.c - XREAD and XREADGROUP, and how they wait.
 *
 * A read is a plan: where its keys stand, after which ID each is read, how much is wanted and
 * until when it waits. The first try and every wake-up go through the same try_read, so a blocked
 * read and an immediate one cannot differ, and the deadline is fixed once (architecture.md rule 5;
 * Redis had three bugs here: #5104, #12998, #6905).
 *
 * A try has two passes over the keys. The first decides, and changes groups (stream_read.c); the
 * second answers from what the first has noted (stream_answer.c). Counts are therefore known before
 * the first byte of the answer.
 *
 * A read with CLAIM also waits for time to pass: its wait has a wake_ms, when the oldest pending
 * entry becomes idle enough. */
#include "base/memory.h"
#include "command/commands.h"
#include "command/stream_read.h"

enum {
    READ_KEYS_INLINE = 8,
    READ_BLOCKED_COUNT = 1000, /* of a woken read without COUNT, as Redis: not a huge answer */
};

/* ---- options ---- */

static bool read_count(struct command_context *c, size_t index, uint64_t *count_max)
{
    int64_t count;
    if (!argument_integer(c, index, &count)) return false;
    *count_max = count <= 0 ? UINT64_MAX : (uint64_t)count;
    return true;
}

/* MAXCOUNT and MAXSIZE. */
static bool read_positive(struct command_context *c, size_t index, enum reply_error error,
                          uint64_t *value)
{
    int64_t number;
    if (!number_parse_i64(c->arguments[index], &number) || number < 1) return deny(c, error);
    *value = (uint64_t)number;
    return true;
}

static bool read_idle(struct command_context *c, size_t index, int64_t *idle_ms)
{
    if (number_parse_i64(c->arguments[index], idle_ms) && *idle_ms >= 0) return true;
    bool number = number_parse_i64(c->arguments[index], idle_ms);
    return deny(c, number ? REPLY_ERROR_READ_IDLE_NEGATIVE : REPLY_ERROR_READ_IDLE_NOT_INTEGER);
}

/* GROUP, NOACK and CLAIM belong to XREADGROUP. */
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
        return argument_timeout_ms(c, ++*at, &plan->block_ms);
    }
    if (left >= 1 && argument_is(c, *at, "count")) return read_count(c, ++*at, &plan->count_max);
    if (left >= 1 && argument_is(c, *at, "maxcount"))
        return read_positive(c, ++*at, REPLY_ERROR_READ_MAXCOUNT, &plan->entries_max);
    if (left >= 1 && argument_is(c, *at, "maxsize"))
        return read_positive(c, ++*at, REPLY_ERROR_READ_MAXSIZE, &plan->bytes_max);
    if (left >= 1 && argument_is(c, *at, "claim"))
        return require_grouped(c, plan, "CLAIM") && read_idle(c, ++*at, &plan->claim_idle_ms);
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
    return deny(c, REPLY_ERROR_SYNTAX);
}

/* Everything but the IDs. */
static bool read_options(struct command_context *c, struct read_plan *plan)
{
    size_t at = 1;
    for (; at < c->arguments_count; at++) {
        if (at + 1 < c->arguments_count && argument_is(c, at, "streams")) break;
        if (!read_option(c, &at, plan)) return false;
    }
    if (at >= c->arguments_count) return deny(c, REPLY_ERROR_SYNTAX);
    size_t words = c->arguments_count - at - 1;
    if (words % 2 != 0)
        return deny(c,
                    plan->grouped ? REPLY_ERROR_READGROUP_UNBALANCED : REPLY_ERROR_READ_UNBALANCED);
    plan->keys_first = at + 1;
    plan->keys_count = words / 2;
    if (plan->grouped && plan->group == 0) return deny(c, REPLY_ERROR_READGROUP_MISSING);
    if (plan->count_max == UINT64_MAX || plan->entries_max >= plan->count_max) return true;
    return deny(c, REPLY_ERROR_READ_MAXCOUNT_COUNT);
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
        if (slice_equal(word, SLICE(">"))) return deny(c, REPLY_ERROR_READ_NEW);
        if (read_special_id(stream, word, after)) return true;
    }
    return argument_stream_id(c, index, 0, after);
}

/* A key's consumer may be new, what is gone be acknowledged, what is idle claimed, what is new
 * delivered: one effect each. */
static bool effects_fit(struct command_context *c, const struct read_plan *plan)
{
    enum { EFFECTS_PER_KEY = 4 };
    uint64_t names = EFFECT_BYTES + c->arguments[plan->group].size;
    names = plan->keys_count * (names + c->arguments[plan->consumer].size);
    for (size_t i = 0; i < plan->keys_count; i++) names += c->arguments[plan->keys_first + i].size;
    return argument_effects_fit(c, EFFECTS_PER_KEY, names);
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
    return !plan->grouped || effects_fit(c, plan);
}

/* ---- trying and waiting ---- */

static enum outcome try_read(struct command_context *c, const struct read_plan *plan)
{
    struct stream_part few[READ_KEYS_INLINE], *parts = few;
    size_t parts_bytes = plan->keys_count * sizeof *parts;
    if (plan->keys_count > READ_KEYS_INLINE) parts = memory_allocate(parts_bytes);
    size_t served = read_look_at_keys(c, plan, parts);
    if (served > 0) {
        uint64_t cut = reply_cut(c->portions, c->reply);
        reply_map_of_pairs(c->reply, served);
        answer_stream_parts(c, parts, plan->keys_count, cut);
    }
    stream_parts_free(parts, plan->keys_count);
    if (parts != few) memory_free(parts, parts_bytes);
    return served > 0 ? OUTCOME_REPLIED : OUTCOME_WAIT;
}

static enum outcome read_again(struct command_context *c, struct wait *w)
{
    struct read_plan *plan = w->plan;
    plan->waited = true;
    /* A group must still be there; a plain reader waits on, whatever became of its keys. */
    if (plan->grouped && !check_keys(c, plan)) return OUTCOME_REPLIED;
    enum outcome outcome = try_read(c, plan);
    if (outcome == OUTCOME_WAIT) w->wake_ms = read_wake_ms(c, plan);
    return outcome;
}

static void read_expired(struct command_context *c, const struct wait *w)
{
    (void)w;
    reply_null_array(c->reply);
}

/* Hands the plan to the engine. */
static enum outcome wait_for_entries(struct command_context *c, struct read_plan *plan,
                                     size_t plan_size)
{
    if (plan->count_max == UINT64_MAX) plan->count_max = READ_BLOCKED_COUNT;
    *c->wait = (struct wait){.deadline_ms = plan->block_ms == 0 ? 0 : c->now_ms + plan->block_ms,
                             .wake_ms = read_wake_ms(c, plan),
                             .database = c->client->database,
                             .keys_first = plan->keys_first,
                             .keys_count = plan->keys_count,
                             .cohort_argument = plan->group,
                             .cohort_number = plan->claim_idle_ms,
                             .again = read_again,
                             .expired = read_expired,
                             .plan = plan,
                             .plan_size = plan_size};
    return OUTCOME_WAIT;
}

static enum outcome read_streams(struct command_context *c, bool grouped)
{
    /* The IDs follow the plan in memory, so it is sized when the keys are counted. */
    struct read_plan options = {.grouped = grouped,
                                .count_max = UINT64_MAX,
                                .entries_max = UINT64_MAX,
                                .bytes_max = UINT64_MAX,
                                .claim_idle_ms = -1};
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
