/* command_string.c - reading strings, and changing them in place: APPEND, SETRANGE, INCR and its
 * kind. What becomes of the bytes is decided in string/; here the result becomes an effect. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/string_options.h"

static enum reply_error error_of(enum string_result result)
{
    switch (result) {
    case STRING_OK: break;
    case STRING_NOT_INTEGER: return REPLY_ERROR_NOT_INTEGER;
    case STRING_OVERFLOW: return REPLY_ERROR_INCREMENT_OVERFLOW;
    case STRING_NOT_FLOAT: return REPLY_ERROR_NOT_FLOAT;
    case STRING_NAN: return REPLY_ERROR_INCREMENT_NAN;
    case STRING_TOO_LARGE: return REPLY_ERROR_STRING_TOO_LARGE;
    }
    CHECK(result != STRING_OK);
    return REPLY_ERROR_SYNTAX;
}

/* ---- reading ---- */

enum outcome command_get(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    bool present;
    if (argument_string(c, &key, &value, &present)) answer_string_or_null(c, &value, present);
    return OUTCOME_REPLIED;
}

/* A key of another type counts as absent here. */
enum outcome command_mget(struct command_context *c)
{
    reply_array(c->reply, c->arguments_count - 1);
    for (size_t i = 1; i < c->arguments_count; i++) {
        struct store_key key = argument_key(c, i);
        struct string_view value;
        bool present = db_string(c->db, &key, &value) == LOOKUP_FOUND;
        answer_string_or_null(c, &value, present);
    }
    return OUTCOME_REPLIED;
}

enum outcome command_strlen(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    bool present;
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    reply_integer(c->reply, present ? (int64_t)string_size(&value) : 0);
    return OUTCOME_REPLIED;
}

enum outcome command_getrange(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    int64_t start, end;
    size_t first, count;
    bool present;
    if (!argument_integer(c, 2, &start) || !argument_integer(c, 3, &end) ||
        !argument_string(c, &key, &value, &present))
        return OUTCOME_REPLIED;
    if (!present || !string_range(string_size(&value), start, end, &first, &count)) {
        reply_bulk(c->reply, SLICE(""));
        return OUTCOME_REPLIED;
    }
    char text[NUMBER_INTEGER_TEXT_MAX];
    struct slice part = {string_bytes(&value, text).data + first, count};
    if (!value.is_integer && value.shared != NULL) reply_bulk_shared(c->reply, value.shared, part);
    else reply_bulk(c->reply, part);
    return OUTCOME_REPLIED;
}

enum outcome command_digest(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    char text[STRING_DIGEST_TEXT_BYTES];
    bool present;
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    if (present) {
        string_digest(&value, text);
        reply_bulk(c->reply, (struct slice){text, sizeof text});
    } else {
        reply_null(c->reply);
    }
    return OUTCOME_REPLIED;
}

/* ---- changing bytes ---- */

enum outcome command_append(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct slice addition = c->arguments[2];
    struct string_view value;
    bool present;
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    size_t size = present ? string_size(&value) : 0;
    enum string_result result = string_check_size(size, addition.size);
    if (result != STRING_OK) return refuse(c, error_of(result));

    struct effect effect = {
        .kind = EFFECT_STRING_APPEND, .key = key, .string_append = {.value = addition}};
    if (!present) {
        effect.kind = EFFECT_STRING_SET;
        effect.event = EVENT_APPEND;
        effect.string_set =
            (struct effect_string_set){.value = addition, .expiry_ms = EFFECT_EXPIRY_NONE};
    }
    if (!present || addition.size > 0) db_change(c->db, &effect);
    reply_integer(c->reply, (int64_t)(size + addition.size));
    return OUTCOME_REPLIED;
}

enum outcome command_setrange(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct slice bytes = c->arguments[3];
    struct string_view value;
    int64_t offset;
    bool present;
    if (!argument_integer(c, 2, &offset)) return OUTCOME_REPLIED;
    if (offset < 0) return refuse(c, REPLY_ERROR_OFFSET_RANGE);
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    size_t size = present ? string_size(&value) : 0;
    if (bytes.size == 0) { /* nothing to write: also an absent key stays absent */
        reply_integer(c->reply, (int64_t)size);
        return OUTCOME_REPLIED;
    }
    enum string_result result = string_check_size((uint64_t)offset, bytes.size);
    if (result != STRING_OK) return refuse(c, error_of(result));

    size_t end = (size_t)offset + bytes.size;
    db_change(c->db,
              &(struct effect){.kind = EFFECT_STRING_SET_RANGE,
                               .key = key,
                               .string_set_range = {.offset = (uint64_t)offset, .value = bytes}});
    reply_integer(c->reply, (int64_t)(end > size ? end : size));
    return OUTCOME_REPLIED;
}

/* ---- counting ---- */

static enum outcome increment(struct command_context *c, int64_t by)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    int64_t sum;
    bool present;
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    enum string_result result = string_increment(present ? &value : NULL, by, &sum);
    if (result != STRING_OK) return refuse(c, error_of(result));

    db_change(c->db, &(struct effect){.kind = EFFECT_STRING_SET_INTEGER,
                                      .key = key,
                                      .string_set_integer = {.value = sum}});
    reply_integer(c->reply, sum);
    return OUTCOME_REPLIED;
}

enum outcome command_incr(struct command_context *c)
{
    return increment(c, 1);
}

enum outcome command_decr(struct command_context *c)
{
    return increment(c, -1);
}

enum outcome command_incrby(struct command_context *c)
{
    int64_t by;
    return argument_integer(c, 2, &by) ? increment(c, by) : OUTCOME_REPLIED;
}

enum outcome command_decrby(struct command_context *c)
{
    int64_t by;
    if (!argument_integer(c, 2, &by)) return OUTCOME_REPLIED;
    if (by == INT64_MIN) return refuse(c, REPLY_ERROR_DECREMENT_OVERFLOW); /* it has no negative */
    return increment(c, -by);
}

enum outcome command_incrbyfloat(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct string_view value;
    long double by;
    char text[NUMBER_FLOAT_TEXT_MAX];
    size_t size;
    bool present;
    if (!argument_string(c, &key, &value, &present)) return OUTCOME_REPLIED;
    if (!number_parse_float(c->arguments[2], &by)) return refuse(c, REPLY_ERROR_NOT_FLOAT);
    enum string_result result = string_increment_float(present ? &value : NULL, by, text, &size);
    if (result != STRING_OK) return refuse(c, error_of(result));

    struct slice sum = {text, size};
    db_change(c->db,
              &(struct effect){.kind = EFFECT_STRING_SET,
                               .event = EVENT_INCRBYFLOAT,
                               .key = key,
                               .string_set = {.value = sum, .expiry_ms = EFFECT_EXPIRY_KEEP}});
    reply_bulk(c->reply, sum);
    return OUTCOME_REPLIED;
}
