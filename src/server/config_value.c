#include "server/config_value.h"

#include "base/check.h"
#include "base/number.h"
#include "server/words.h"

#include <inttypes.h>
#include <stdio.h>

enum { OUTPUT_CLASSES = 3, OUTPUT_FIGURES = 3 };

/* As Redis lists them. "replica" is another name of the second. */
static const char *const output_classes[OUTPUT_CLASSES] = {"normal", "slave", "pubsub"};

void config_value_set_text(struct config_value *v, struct slice text)
{
    /* 'text' may be part of what is replaced. */
    struct buf fresh = {0};
    buf_append(&fresh, text);
    buf_append_byte(&fresh, 0);
    fresh.size--;
    buf_deinit(&v->text);
    v->text = fresh;
}

void config_value_copy(struct config_value *to, const struct config_value *from)
{
    config_value_set_text(to, buf_slice(&from->text));
    to->number = from->number;
}

static bool refuse(struct buf *problem, const char *reason)
{
    buf_append_text(problem, reason);
    return false;
}

static bool in_range(const struct config_row *row, int64_t number, struct buf *problem)
{
    if (number >= row->minimum && number <= row->maximum) return true;
    if (row->type == CONFIG_TYPE_OCTAL)
        buf_append_format(problem, "argument must be between %" PRIo64 " and %" PRIo64 " inclusive",
                          row->minimum, row->maximum);
    else
        buf_append_format(problem, "argument must be between %" PRId64 " and %" PRId64 " inclusive",
                          row->minimum, row->maximum);
    return false;
}

static void set_number(struct config_value *v, int64_t number)
{
    char text[NUMBER_INTEGER_TEXT_MAX];
    config_value_set_text(v, (struct slice){text, number_format_i64(number, text)});
    v->number = number;
}

static bool parse_bool(const struct config_row *row, struct slice word, struct config_value *v,
                       struct buf *problem)
{
    bool yes = slice_equal_ignoring_case(word, SLICE("yes"));
    if (!yes && !slice_equal_ignoring_case(word, SLICE("no")))
        return refuse(problem, "argument must be 'yes' or 'no'");
    if (yes > row->maximum)
        return refuse(problem, "Irmak stays in the foreground: let systemd start it "
                               "(conf/irmak.service)");
    config_value_set_text(v, slice_of(yes ? "yes" : "no"));
    v->number = yes;
    return true;
}

static bool parse_integer(const struct config_row *row, struct slice word, struct config_value *v,
                          struct buf *problem)
{
    int64_t number;
    if (!number_parse_i64(word, &number))
        return refuse(problem, "argument couldn't be parsed into an integer");
    if (!in_range(row, number, problem)) return false;
    set_number(v, number);
    return true;
}

static bool parse_size(const struct config_row *row, struct slice word, struct config_value *v,
                       struct buf *problem)
{
    uint64_t bytes;
    if (!number_parse_size(word, &bytes) || bytes > INT64_MAX)
        return refuse(problem, "argument must be a memory value");
    if (!in_range(row, (int64_t)bytes, problem)) return false;
    set_number(v, (int64_t)bytes);
    return true;
}

static bool parse_octal(const struct config_row *row, struct slice word, struct config_value *v,
                        struct buf *problem)
{
    enum { DIGITS_MAX = 7 };
    int64_t number = 0;
    bool octal = word.size > 0 && word.size <= DIGITS_MAX;
    for (size_t i = 0; i < word.size && octal; i++) {
        octal = word.data[i] >= '0' && word.data[i] <= '7';
        number = number * 8 + (word.data[i] - '0');
    }
    if (!octal) return refuse(problem, "argument couldn't be parsed as an octal number");
    if (!in_range(row, number, problem)) return false;
    char text[DIGITS_MAX + 1];
    snprintf(text, sizeof text, "%" PRIo64, number);
    config_value_set_text(v, slice_of(text));
    v->number = number;
    return true;
}

static bool parse_enum(const struct config_row *row, struct slice word, struct config_value *v,
                       struct buf *problem)
{
    const char *rest = row->choices;
    for (int64_t index = 0; *rest != '\0'; index++) {
        struct slice choice = {rest, strcspn(rest, " ")};
        if (slice_equal_ignoring_case(word, choice)) {
            config_value_set_text(v, choice);
            v->number = index;
            return true;
        }
        rest += choice.size + (rest[choice.size] == ' ');
    }
    buf_append_text(problem, "argument(s) must be one of the following: ");
    for (rest = row->choices; *rest != '\0'; rest++) {
        if (*rest == ' ') buf_append_byte(problem, ',');
        buf_append_byte(problem, (uint8_t)*rest);
    }
    return false;
}

static bool parse_text(const struct config_row *row, struct slice word, struct config_value *v,
                       struct buf *problem)
{
    if (row->type == CONFIG_TYPE_PATH) {
        if (memchr(word.data, '\0', word.size) != NULL)
            return refuse(problem, "argument must not contain a NUL byte");
        if (word.size < (size_t)row->minimum) return refuse(problem, "argument must not be empty");
    } else if (word.size > (size_t)row->maximum) {
        buf_append_format(problem, "argument must not be longer than %" PRId64 " bytes",
                          row->maximum);
        return false;
    }
    config_value_set_text(v, word);
    return true;
}

static bool parse_words(const struct config_row *row, const struct config_words *words,
                        struct config_value *v, struct buf *problem)
{
    if (words->count > (size_t)row->maximum)
        return refuse(problem, "Too many bind addresses specified.");
    for (size_t i = 0; i < words->count; i++) {
        struct slice word = words->items[i];
        if (word.size == 0 || memchr(word.data, ' ', word.size) != NULL)
            return refuse(problem, "an address may be neither empty nor have blanks");
    }
    struct buf joined = {0};
    for (size_t i = 0; i < words->count; i++) {
        if (i > 0) buf_append_byte(&joined, ' ');
        buf_append(&joined, words->items[i]);
    }
    config_value_set_text(v, buf_slice(&joined));
    buf_deinit(&joined);
    return true;
}

static bool parse_percentiles(const struct config_row *row, const struct config_words *words,
                              struct config_value *v, struct buf *problem)
{
    for (size_t i = 0; i < words->count; i++) {
        double percent;
        if (!number_parse_double(words->items[i], &percent) || !(percent >= 0 && percent <= 100))
            return refuse(problem, "latency-tracking-info-percentiles should contain values "
                                   "between 0.0 and 100.0");
    }
    if (words->count <= (size_t)row->maximum) return parse_words(row, words, v, problem);
    buf_append_format(problem, "there may be %" PRId64 " percentiles at most", row->maximum);
    return false;
}

struct output_limits {
    uint64_t figures[OUTPUT_CLASSES][OUTPUT_FIGURES];
};

/* The inverse of format_limits: our own text, so it can only be right. */
static void scan_limits(struct slice text, struct output_limits *limits)
{
    const char *rest = text.data;
    for (size_t i = 0; i < OUTPUT_CLASSES; i++) {
        rest += strcspn(rest, " ");
        for (size_t j = 0; j < OUTPUT_FIGURES; j++) {
            CHECK(*rest == ' ');
            struct slice digits = {rest + 1, strcspn(rest + 1, " ")};
            bool parsed = number_parse_u64(digits, &limits->figures[i][j]);
            CHECK(parsed);
            rest = digits.data + digits.size;
        }
        CHECK(*rest == (i + 1 < OUTPUT_CLASSES ? ' ' : '\0'));
        rest += *rest == ' ';
    }
}

static void format_limits(const struct output_limits *limits, struct config_value *v)
{
    struct buf text = {0};
    for (size_t i = 0; i < OUTPUT_CLASSES; i++) {
        const uint64_t *f = limits->figures[i];
        buf_append_format(&text, "%s%s %" PRIu64 " %" PRIu64 " %" PRIu64, i > 0 ? " " : "",
                          output_classes[i], f[0], f[1], f[2]);
    }
    config_value_set_text(v, buf_slice(&text));
    buf_deinit(&text);
}

static size_t find_class(struct slice name)
{
    if (slice_equal_ignoring_case(name, SLICE("replica"))) return 1;
    size_t i = 0;
    while (i < OUTPUT_CLASSES && !slice_equal_ignoring_case(name, slice_of(output_classes[i]))) i++;
    return i;
}

static bool parse_limits(const struct config_words *words, struct config_value *v,
                         struct buf *problem)
{
    if (words->count == 0 || words->count % (1 + OUTPUT_FIGURES) != 0)
        return refuse(problem, "Wrong number of arguments in buffer limit configuration.");
    struct output_limits limits = {0};
    if (v->text.size > 0) scan_limits(buf_slice(&v->text), &limits);
    for (size_t i = 0; i < words->count; i += 1 + OUTPUT_FIGURES) {
        const struct slice *item = &words->items[i];
        size_t class = find_class(item[0]);
        if (class == OUTPUT_CLASSES)
            return refuse(problem, "Invalid client class specified in buffer limit configuration.");
        uint64_t *f = limits.figures[class];
        uint64_t before[OUTPUT_FIGURES];
        memcpy(before, f, sizeof before);
        if (!number_parse_size(item[1], &f[0]) || !number_parse_size(item[2], &f[1]) ||
            !number_parse_u64(item[3], &f[2]) || f[2] > INT32_MAX)
            return refuse(problem, "Error in hard, soft or soft_seconds setting in buffer limit "
                                   "configuration.");
        if (class > 0 && words->warnings != NULL && memcmp(before, f, sizeof before) != 0)
            buf_append_format(words->warnings,
                              "client-output-buffer-limit %s has no effect: Irmak has no such "
                              "clients yet\n",
                              output_classes[class]);
    }
    format_limits(&limits, v);
    return true;
}

struct config_output_limit config_output_limit_normal(const struct config *c)
{
    struct output_limits limits;
    scan_limits(config_text(c, CONFIG_CLIENT_OUTPUT_BUFFER_LIMIT), &limits);
    const uint64_t *f = limits.figures[0];
    return (struct config_output_limit){f[0], f[1], f[2]};
}

static bool parse_save(const struct config_words *words, struct config_value *v,
                       struct buf *problem)
{
    if (words->count != 0) {
        if (words->count % 2 != 0) return refuse(problem, "Invalid save parameters");
        for (size_t i = 0; i < words->count; i++) {
            int64_t number;
            if (!number_parse_i64(words->items[i], &number) || number < (i % 2 == 0))
                return refuse(problem, "Invalid save parameters");
        }
    }
    /* In a file each line adds to those before it, 'save ""' forgets them; CONFIG SET says all. */
    struct buf text = {0};
    if (words->warnings != NULL && words->count > 0) buf_append(&text, buf_slice(&v->text));
    for (size_t i = 0; i < words->count; i++) {
        if (text.size > 0) buf_append_byte(&text, ' ');
        buf_append(&text, words->items[i]);
    }
    config_value_set_text(v, buf_slice(&text));
    buf_deinit(&text);
    return true;
}

static bool is_list(enum config_type type)
{
    return type == CONFIG_TYPE_WORDS || type == CONFIG_TYPE_LIMITS || type == CONFIG_TYPE_SAVE ||
           type == CONFIG_TYPE_PERCENTILES;
}

static bool parse_members(const struct config_row *row, const struct config_words *list,
                          struct config_value *v, struct buf *problem)
{
    CHECK(is_list(row->type));
    if (row->type == CONFIG_TYPE_LIMITS) return parse_limits(list, v, problem);
    if (row->type == CONFIG_TYPE_SAVE) return parse_save(list, v, problem);
    if (row->type == CONFIG_TYPE_PERCENTILES) return parse_percentiles(row, list, v, problem);
    return parse_words(row, list, v, problem);
}

/* A list may be one word, with its members inside: --save "3600 1", CONFIG SET; or with none. */
static bool parse_list(const struct config_row *row, const struct config_words *words,
                       struct config_value *v, struct buf *problem)
{
    struct words members = {0};
    struct config_words list = *words;
    bool split = words->count != 1 || words_split(&members, words->items[0]) == WORDS_OK;
    if (words->count == 1) {
        list.items = members.items;
        list.count = members.count;
    }
    bool parsed = split ? parse_members(row, &list, v, problem)
                        : refuse(problem, "Unbalanced quotes in configuration line");
    words_deinit(&members);
    return parsed;
}

bool config_value_parse(enum config_id id, const struct config_words *words, struct config_value *v,
                        struct buf *problem)
{
    CHECK(id < CONFIG_COUNT);
    const struct config_row *row = &config_table[id];
    if (is_list(row->type)) return parse_list(row, words, v, problem);
    if (words->count != 1) return refuse(problem, "wrong number of arguments");
    struct slice word = words->items[0];
    switch (row->type) {
    case CONFIG_TYPE_BOOL: return parse_bool(row, word, v, problem);
    case CONFIG_TYPE_INTEGER: return parse_integer(row, word, v, problem);
    case CONFIG_TYPE_SIZE: return parse_size(row, word, v, problem);
    case CONFIG_TYPE_OCTAL: return parse_octal(row, word, v, problem);
    case CONFIG_TYPE_ENUM: return parse_enum(row, word, v, problem);
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_PATH: return parse_text(row, word, v, problem);
    case CONFIG_TYPE_WORDS:
    case CONFIG_TYPE_PERCENTILES:
    case CONFIG_TYPE_LIMITS:
    case CONFIG_TYPE_SAVE: break;
    }
    CHECK(false);
    return false;
}
