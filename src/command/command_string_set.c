/* command_string_set.c - SET and its relatives: strings that are replaced as a whole.
 *
 * SET without options does not look at what is there: the effect says the new value and deadline,
 * and apply replaces any type. The other forms look first, decide, and then do the same. A deadline
 * that has passed already is not written: the key is deleted, as it would be at once. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/key_change.h"
#include "command/string_options.h"

static bool has_passed(const struct command_context *c, int64_t expiry_ms)
{
    return expiry_ms != EFFECT_EXPIRY_KEEP && expiry_ms <= c->now_ms;
}

static void set_string(struct command_context *c, const struct store_key *key, struct slice value,
                       int64_t expiry_ms)
{
    CHECK(value.size <= STRING_BYTES_MAX);
    if (!has_passed(c, expiry_ms)) {
        db_change(c->db, &(struct effect){.kind = EFFECT_STRING_SET,
                                          .key = *key,
                                          .string_set = {.value = value, .expiry_ms = expiry_ms}});
    } else if (db_find(c->db, key, NULL, NULL)) {
        delete_key(c, key);
    }
}

/* ---- SET ---- */

/* What the key holds now, as far as the options want to know. NX and XX alone take any type. */
static bool look_before_set(struct command_context *c, const struct store_key *key,
                            const struct string_options *options, struct string_view *value,
                            bool *present)
{
    bool only_presence =
        options->condition == CONDITION_ABSENT || options->condition == CONDITION_PRESENT;
    if (options->get || (options->condition != CONDITION_NONE && !only_presence))
        return argument_string(c, key, value, present);
    *present = only_presence && db_find(c->db, key, NULL, NULL);
    return true;
}

static enum outcome set_with_options(struct command_context *c)
{
    const unsigned accepted =
        OPTIONS_PRESENCE | OPTIONS_VALUE | OPTIONS_GET | OPTIONS_EXPIRY | OPTIONS_KEEP;
    struct store_key key = argument_key(c, 1);
    struct string_options options;
    struct string_view value = {0};
    int64_t expiry_ms;
    bool present;
    if (!string_options_read(c, 3, accepted, &options) || !string_condition_valid(c, &options) ||
        !string_options_deadline(c, &options, &expiry_ms) ||
        !look_before_set(c, &key, &options, &value, &present))
        return OUTCOME_REPLIED;

    bool holds = string_condition_holds(&options, present ? &value : NULL);
    /* The reply first: the old value is lent only until the change. */
    if (options.get) answer_string_or_null(c, &value, present);
    else if (holds) reply_ok(c->reply);
    else reply_null(c->reply);
    if (holds) set_string(c, &key, c->arguments[2], expiry_ms);
    return OUTCOME_REPLIED;
}

enum outcome command_set(struct command_context *c)
{
    if (c->arguments_count > 3) return set_with_options(c);
    struct store_key key = argument_key(c, 1);
    set_string(c, &key, c->arguments[2], EFFECT_EXPIRY_NONE);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_setnx(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    bool present = db_find(c->db, &key, NULL, NULL);
    if (!present) set_string(c, &key, c->arguments[2], EFFECT_EXPIRY_NONE);
    reply_integer(c->reply, present ? 0 : 1);
    return OUTCOME_REPLIED;
}

static enum outcome set_for(struct command_context *c, enum expiry_option unit)
{
    int64_t expiry_ms;
    struct store_key key = argument_key(c, 1);
    if (!string_deadline(c, unit, c->arguments[2], &expiry_ms)) return OUTCOME_REPLIED;
    set_string(c, &key, c->arguments[3], expiry_ms);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_setex(struct command_context *c)
{
    return set_for(c, EXPIRY_SECONDS);
}

enum outcome command_psetex(struct command_context *c)
{
    return set_for(c, EXPIRY_MILLISECONDS);
}

/* ---- read and change in one ---- */

enum outcome command_getset(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    bool present;
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    answer_string_or_null(c, &value, present);
    set_string(c, &key, c->arguments[2], EFFECT_EXPIRY_NONE);
    return OUTCOME_REPLIED;
}

enum outcome command_getdel(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    bool present;
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    answer_string_or_null(c, &value, present);
    if (present) delete_key(c, &key);
    return OUTCOME_REPLIED;
}

/* A key that has no deadline is not changed to have none. */
static void change_expiry(struct command_context *c, const struct store_key *key, int64_t expiry_ms)
{
    int64_t expiry_now_ms;
    bool present = db_find(c->db, key, NULL, &expiry_now_ms);
    CHECK(present);
    if (expiry_ms != expiry_now_ms) set_deadline(c, key, expiry_ms);
}

/* An absent key is answered before the number is read, as Redis does. */
enum outcome command_getex(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_options options;
    struct string_view value;
    int64_t expiry_ms = EFFECT_EXPIRY_NONE;
    bool present;
    if (!string_options_read(c, 2, OPTIONS_EXPIRY | OPTIONS_REMOVE, &options) ||
        !argument_string(c, &key, &value, &present) ||
        (present && !string_options_deadline(c, &options, &expiry_ms)))
        return OUTCOME_REPLIED;

    answer_string_or_null(c, &value, present);
    if (present && options.expiry != EXPIRY_NONE) change_expiry(c, &key, expiry_ms);
    return OUTCOME_REPLIED;
}

/* DELEX without a condition deletes any type; with one the key must hold a string. */
enum outcome command_delex(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_options options;
    struct string_view value = {0};
    bool present;
    if (c->arguments_count != 2 && c->arguments_count != 4) return refuse_arity(c);
    if (!string_options_read(c, 2, OPTIONS_VALUE, &options) || !string_condition_valid(c, &options))
        return OUTCOME_REPLIED;
    if (options.condition == CONDITION_NONE) present = db_find(c->db, &key, NULL, NULL);
    else if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;

    bool holds = present && string_condition_holds(&options, &value);
    if (holds) delete_key(c, &key);
    reply_integer(c->reply, holds ? 1 : 0);
    return OUTCOME_REPLIED;
}

/* ---- several keys ---- */

/* key value key value ... in the arguments from 'first'. */
struct pairs {
    size_t first;
    size_t count;
};

static void set_pairs(struct command_context *c, struct pairs pairs, int64_t expiry_ms)
{
    CHECK(pairs.first + 2 * pairs.count <= c->arguments_count);
    for (size_t i = 0; i < pairs.count; i++) {
        struct store_key key = argument_key(c, pairs.first + 2 * i);
        set_string(c, &key, c->arguments[pairs.first + 2 * i + 1], expiry_ms);
    }
}

static size_t count_present(struct command_context *c, struct pairs pairs)
{
    size_t count = 0;
    for (size_t i = 0; i < pairs.count; i++) {
        struct store_key key = argument_key(c, pairs.first + 2 * i);
        if (db_find(c->db, &key, NULL, NULL)) count++;
    }
    return count;
}

/* False: refused, a key has no value. */
static bool pairs_of_mset(struct command_context *c, struct pairs *pairs)
{
    *pairs = (struct pairs){.first = 1, .count = (c->arguments_count - 1) / 2};
    if (c->arguments_count % 2 == 1) return true;
    refuse_arity(c);
    return false;
}

enum outcome command_mset(struct command_context *c)
{
    struct pairs pairs;
    if (!pairs_of_mset(c, &pairs)) return OUTCOME_REPLIED;
    set_pairs(c, pairs, EFFECT_EXPIRY_NONE);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_msetnx(struct command_context *c)
{
    struct pairs pairs;
    if (!pairs_of_mset(c, &pairs)) return OUTCOME_REPLIED;
    bool all_absent = count_present(c, pairs) == 0;
    if (all_absent) set_pairs(c, pairs, EFFECT_EXPIRY_NONE);
    reply_integer(c->reply, all_absent ? 1 : 0);
    return OUTCOME_REPLIED;
}

enum outcome command_msetex(struct command_context *c)
{
    struct pairs pairs = {.first = 2};
    struct string_options options;
    int64_t keys_count, expiry_ms;
    if (!number_parse_i64(c->arguments[1], &keys_count) || keys_count < 1)
        return refuse(c, REPLY_ERROR_KEYS_COUNT);
    if ((uint64_t)keys_count > (c->arguments_count - 2) / 2)
        return refuse(c, REPLY_ERROR_KEYS_TOO_FEW);
    pairs.count = (size_t)keys_count;
    if (!string_options_read(c, 2 + 2 * pairs.count,
                             OPTIONS_PRESENCE | OPTIONS_EXPIRY | OPTIONS_KEEP, &options) ||
        !string_options_deadline(c, &options, &expiry_ms))
        return OUTCOME_REPLIED;

    bool holds = true;
    if (options.condition == CONDITION_ABSENT) holds = count_present(c, pairs) == 0;
    if (options.condition == CONDITION_PRESENT) holds = count_present(c, pairs) == pairs.count;
    if (holds) set_pairs(c, pairs, expiry_ms);
    reply_integer(c->reply, holds ? 1 : 0);
    return OUTCOME_REPLIED;
}
