#include "command/string_options.h"

#include "base/check.h"
#include "base/hash.h"
#include "command/arguments.h"

/* One row for each word. */
struct option {
    const char *word;
    unsigned group; /* OPTIONS_*: which commands take it */
    enum string_condition condition;
    enum expiry_option expiry;
    bool has_operand;
};

static const struct option option_table[] = {
    {"NX", OPTIONS_PRESENCE, CONDITION_ABSENT, EXPIRY_NONE, false},
    {"XX", OPTIONS_PRESENCE, CONDITION_PRESENT, EXPIRY_NONE, false},
    {"IFEQ", OPTIONS_VALUE, CONDITION_EQUAL, EXPIRY_NONE, true},
    {"IFNE", OPTIONS_VALUE, CONDITION_NOT_EQUAL, EXPIRY_NONE, true},
    {"IFDEQ", OPTIONS_VALUE, CONDITION_DIGEST, EXPIRY_NONE, true},
    {"IFDNE", OPTIONS_VALUE, CONDITION_NOT_DIGEST, EXPIRY_NONE, true},
    {"GET", OPTIONS_GET, CONDITION_NONE, EXPIRY_NONE, false},
    {"EX", OPTIONS_EXPIRY, CONDITION_NONE, EXPIRY_SECONDS, true},
    {"PX", OPTIONS_EXPIRY, CONDITION_NONE, EXPIRY_MILLISECONDS, true},
    {"EXAT", OPTIONS_EXPIRY, CONDITION_NONE, EXPIRY_UNIX_SECONDS, true},
    {"PXAT", OPTIONS_EXPIRY, CONDITION_NONE, EXPIRY_UNIX_MILLISECONDS, true},
    {"KEEPTTL", OPTIONS_KEEP, CONDITION_NONE, EXPIRY_KEEP, false},
    {"PERSIST", OPTIONS_REMOVE, CONDITION_NONE, EXPIRY_REMOVE, false},
};

static const struct option *option_find(struct slice word, unsigned accepted)
{
    for (size_t i = 0; i < sizeof option_table / sizeof *option_table; i++)
        if ((option_table[i].group & accepted) != 0 &&
            slice_equal_ignoring_case(word, slice_of(option_table[i].word)))
            return &option_table[i];
    return NULL;
}

/* False: it contradicts an option before it. The same word twice is not a contradiction. */
static bool option_take(const struct option *option, struct slice operand,
                        struct string_options *options)
{
    if (option->condition != CONDITION_NONE) {
        if (options->condition != CONDITION_NONE && options->condition != option->condition)
            return false;
        options->condition = option->condition;
        options->operand = operand;
    } else if (option->expiry != EXPIRY_NONE) {
        if (options->expiry != EXPIRY_NONE && options->expiry != option->expiry) return false;
        options->expiry = option->expiry;
        options->expiry_text = operand;
    } else {
        options->get = true;
    }
    return true;
}

bool string_options_read(struct command_context *c, size_t first, unsigned accepted,
                         struct string_options *options)
{
    *options = (struct string_options){.condition = CONDITION_NONE, .expiry = EXPIRY_NONE};
    for (size_t i = first; i < c->arguments_count; i++) {
        const struct option *option = option_find(c->arguments[i], accepted);
        struct slice operand = {NULL, 0};
        bool complete = option != NULL && (!option->has_operand || i + 1 < c->arguments_count);
        if (complete && option->has_operand) operand = c->arguments[++i];
        if (!complete || !option_take(option, operand, options)) return deny(c, REPLY_ERROR_SYNTAX);
    }
    return true;
}

/* ---- deadlines ---- */

bool string_deadline(struct command_context *c, enum expiry_option option, struct slice text,
                     int64_t *expiry_ms)
{
    bool in_seconds = option == EXPIRY_SECONDS || option == EXPIRY_UNIX_SECONDS;
    bool from_now = option == EXPIRY_SECONDS || option == EXPIRY_MILLISECONDS;
    int64_t value;
    CHECK(in_seconds || from_now || option == EXPIRY_UNIX_MILLISECONDS);
    if (!number_parse_i64(text, &value)) return deny(c, REPLY_ERROR_NOT_INTEGER);
    bool in_range = value > 0 && number_multiply_i64(value, in_seconds ? 1000 : 1, &value) &&
                    number_add_i64(value, from_now ? c->now_ms : 0, &value);
    if (!in_range) {
        reply_error_format(c->reply, REPLY_ERROR_INVALID_EXPIRY, c->command->full_name);
        return false;
    }
    /* The largest number means "no deadline" in an effect; a millisecond less is as far away. */
    *expiry_ms = value == STORE_NO_EXPIRY ? value - 1 : value;
    return true;
}

bool string_options_deadline(struct command_context *c, const struct string_options *options,
                             int64_t *expiry_ms)
{
    switch (options->expiry) {
    case EXPIRY_NONE:
    case EXPIRY_REMOVE: *expiry_ms = EFFECT_EXPIRY_NONE; return true;
    case EXPIRY_KEEP: *expiry_ms = EFFECT_EXPIRY_KEEP; return true;
    case EXPIRY_SECONDS:
    case EXPIRY_MILLISECONDS:
    case EXPIRY_UNIX_SECONDS:
    case EXPIRY_UNIX_MILLISECONDS: break;
    }
    return string_deadline(c, options->expiry, options->expiry_text, expiry_ms);
}

/* ---- conditions on the value ---- */

static bool is_digest_condition(const struct string_options *options)
{
    return options->condition == CONDITION_DIGEST || options->condition == CONDITION_NOT_DIGEST;
}

bool string_condition_valid(struct command_context *c, const struct string_options *options)
{
    if (!is_digest_condition(options)) return true;
    bool valid = options->operand.size == STRING_DIGEST_TEXT_BYTES;
    for (size_t i = 0; valid && i < STRING_DIGEST_TEXT_BYTES; i++) {
        char digit = slice_lower(options->operand.data[i]);
        valid = (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
    }
    if (!valid) reply_error(c->reply, REPLY_ERROR_DIGEST_FORM);
    return valid;
}

void string_digest(const struct string_view *value, char text[STRING_DIGEST_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char integer_text[NUMBER_INTEGER_TEXT_MAX];
    uint64_t hash = hash_bytes(string_bytes(value, integer_text), 0);
    for (size_t i = 0; i < STRING_DIGEST_TEXT_BYTES; i++)
        text[i] = digits[hash >> (60 - 4 * i) & 15];
}

static bool has_operand_value(const struct string_options *options, const struct string_view *value)
{
    if (is_digest_condition(options)) {
        char text[STRING_DIGEST_TEXT_BYTES];
        string_digest(value, text);
        return slice_equal_ignoring_case(options->operand, (struct slice){text, sizeof text});
    }
    char text[NUMBER_INTEGER_TEXT_MAX];
    return slice_equal(options->operand, string_bytes(value, text));
}

bool string_condition_holds(const struct string_options *options, const struct string_view *value)
{
    switch (options->condition) {
    case CONDITION_NONE: return true;
    case CONDITION_ABSENT: return value == NULL;
    case CONDITION_PRESENT: return value != NULL;
    case CONDITION_EQUAL:
    case CONDITION_DIGEST: return value != NULL && has_operand_value(options, value);
    case CONDITION_NOT_EQUAL:
    case CONDITION_NOT_DIGEST: return value == NULL || !has_operand_value(options, value);
    }
    CHECK(false);
    return false;
}
