/* command_expire.c - deadlines of keys. All arithmetic is in Unix milliseconds. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/key_change.h"

/* How EXPIRE and its kind count: value * scale_ms, from now or from 1970. */
struct expire_unit {
    int64_t scale_ms;
    bool from_now;
};

/* NX, XX, GT, LT: which deadline the key must have now for the new one to be set. */
struct expire_conditions {
    bool none;    /* NX */
    bool any;     /* XX */
    bool earlier; /* GT: the new one is later; no deadline counts as the end of time */
    bool later;   /* LT */
};

static bool read_conditions(struct command_context *c, struct expire_conditions *conditions)
{
    *conditions = (struct expire_conditions){0};
    for (size_t i = 3; i < c->arguments_count; i++) {
        if (argument_is(c, i, "NX")) {
            conditions->none = true;
        } else if (argument_is(c, i, "XX")) {
            conditions->any = true;
        } else if (argument_is(c, i, "GT")) {
            conditions->earlier = true;
        } else if (argument_is(c, i, "LT")) {
            conditions->later = true;
        } else {
            refuse_quoting(c, REPLY_ERROR_UNSUPPORTED_OPTION, i);
            return false;
        }
    }
    if (conditions->none && (conditions->any || conditions->earlier || conditions->later))
        return deny(c, REPLY_ERROR_EXPIRE_NX_OTHERS);
    if (conditions->earlier && conditions->later) return deny(c, REPLY_ERROR_EXPIRE_GT_LT);
    return true;
}

static bool conditions_hold(const struct expire_conditions *conditions, int64_t expiry_now_ms,
                            int64_t expiry_ms)
{
    bool has_none = expiry_now_ms == STORE_NO_EXPIRY;
    if (conditions->none && !has_none) return false;
    if (conditions->any && has_none) return false;
    /* No deadline is the largest number, later than any that can be set. */
    if (conditions->earlier && expiry_ms <= expiry_now_ms) return false;
    return !conditions->later || expiry_ms < expiry_now_ms;
}

/* Negative values are allowed: they are in the past. False: refused. */
static bool read_deadline(struct command_context *c, struct expire_unit unit, int64_t *expiry_ms)
{
    int64_t value;
    if (!argument_integer(c, 2, &value)) return false;
    if (!number_multiply_i64(value, unit.scale_ms, &value) ||
        !number_add_i64(value, unit.from_now ? c->now_ms : 0, &value)) {
        reply_error_format(c->reply, REPLY_ERROR_INVALID_EXPIRY, c->command->full_name);
        return false;
    }
    *expiry_ms = value == STORE_NO_EXPIRY ? value - 1 : value; /* as string_deadline */
    return true;
}

static enum outcome expire(struct command_context *c, struct expire_unit unit)
{
    struct store_key key = argument_key(c, 1);
    struct expire_conditions conditions;
    int64_t expiry_ms, expiry_now_ms;
    if (!read_conditions(c, &conditions) || !read_deadline(c, unit, &expiry_ms))
        return OUTCOME_REPLIED;
    bool sets = db_find(c->db, &key, NULL, &expiry_now_ms) &&
                conditions_hold(&conditions, expiry_now_ms, expiry_ms);
    if (sets) set_deadline(c, &key, expiry_ms);
    reply_integer(c->reply, sets ? 1 : 0);
    return OUTCOME_REPLIED;
}

enum outcome command_expire(struct command_context *c)
{
    return expire(c, (struct expire_unit){.scale_ms = 1000, .from_now = true});
}

enum outcome command_pexpire(struct command_context *c)
{
    return expire(c, (struct expire_unit){.scale_ms = 1, .from_now = true});
}

enum outcome command_expireat(struct command_context *c)
{
    return expire(c, (struct expire_unit){.scale_ms = 1000, .from_now = false});
}

enum outcome command_pexpireat(struct command_context *c)
{
    return expire(c, (struct expire_unit){.scale_ms = 1, .from_now = false});
}

enum outcome command_persist(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    int64_t expiry_ms;
    bool had = db_find(c->db, &key, NULL, &expiry_ms) && expiry_ms != STORE_NO_EXPIRY;
    if (had) set_deadline(c, &key, STORE_NO_EXPIRY);
    reply_integer(c->reply, had ? 1 : 0);
    return OUTCOME_REPLIED;
}

/* ---- asking ---- */

enum { TTL_KEY_ABSENT = -2, TTL_NO_EXPIRY = -1 };

/* from_ms: what the answer counts from; scale_ms: its unit, rounded to the nearest. */
static enum outcome answer_expiry(struct command_context *c, int64_t from_ms, int64_t scale_ms)
{
    struct store_key key = argument_key(c, 1);
    int64_t expiry_ms, answer;
    if (!db_find(c->db, &key, NULL, &expiry_ms)) {
        answer = TTL_KEY_ABSENT;
    } else if (expiry_ms == STORE_NO_EXPIRY) {
        answer = TTL_NO_EXPIRY;
    } else {
        CHECK(expiry_ms > c->now_ms);
        int64_t left_ms = expiry_ms - from_ms;
        answer = left_ms / scale_ms + (left_ms % scale_ms * 2 >= scale_ms && scale_ms > 1 ? 1 : 0);
    }
    reply_integer(c->reply, answer);
    return OUTCOME_REPLIED;
}

enum outcome command_ttl(struct command_context *c)
{
    return answer_expiry(c, c->now_ms, 1000);
}

enum outcome command_pttl(struct command_context *c)
{
    return answer_expiry(c, c->now_ms, 1);
}

enum outcome command_expiretime(struct command_context *c)
{
    return answer_expiry(c, 0, 1000);
}

enum outcome command_pexpiretime(struct command_context *c)
{
    return answer_expiry(c, 0, 1);
}
