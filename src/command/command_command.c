/* command_command.c - COMMAND: the table of commands, told to clients, and the HELP of every
 * container, made of the same rows. Shapes are those of Redis 7 and later. */
#include "base/check.h"
#include "base/glob.h"
#include "command/arguments.h"
#include "command/commands.h"

/* ---- lists of words ---- */

/* The next word of 'rest', which shrinks; words are separated by single separators. */
static bool next_word(struct slice *rest, char separator, struct slice *word)
{
    if (rest->size == 0) return false;
    const char *end = memchr(rest->data, separator, rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    *word = (struct slice){rest->data, size};
    size_t taken = end == NULL ? size : size + 1;
    *rest = (struct slice){rest->data + taken, rest->size - taken};
    return true;
}

/* A set of status replies. */
static void answer_words(struct command_context *c, const char *words, char separator)
{
    enum { WORD_BYTES_MAX = 32 };
    struct slice word, rest = slice_of(words);
    size_t count = 0;
    while (next_word(&rest, separator, &word)) count++;
    reply_set(c->reply, count);
    rest = slice_of(words);
    while (next_word(&rest, separator, &word)) {
        char text[WORD_BYTES_MAX];
        CHECK(word.size < sizeof text);
        memcpy(text, word.data, word.size);
        text[word.size] = '\0';
        reply_status(c->reply, text);
    }
}

static void answer_flags(struct command_context *c, uint32_t flags)
{
    /* In the order of enum command_flag; the ones after these are not shown. */
    static const char *const names[] = {"write",    "readonly",         "denyoom",     "admin",
                                        "noscript", "blocking",         "loading",     "stale",
                                        "fast",     "no_auth",          "movablekeys", "allow_busy",
                                        "no_multi", "no_async_loading", "skip_slowlog"};
    const size_t names_count = sizeof names / sizeof *names;
    size_t count = 0;
    for (size_t i = 0; i < names_count; i++) count += flags >> i & 1;
    reply_set(c->reply, count);
    for (size_t i = 0; i < names_count; i++)
        if ((flags >> i & 1) != 0) reply_status(c->reply, names[i]);
}

/* ---- one command ---- */

static void answer_begin_search(struct command_context *c, const struct command_keys *keys)
{
    bool by_keyword = keys->search == KEYS_KEYWORD;
    reply_bulk_text(c->reply, "begin_search");
    reply_map(c->reply, 2);
    reply_bulk_text(c->reply, "type");
    reply_bulk_text(c->reply, by_keyword ? "keyword" : "index");
    reply_bulk_text(c->reply, "spec");
    reply_map(c->reply, by_keyword ? 2 : 1);
    if (by_keyword) {
        reply_bulk_text(c->reply, "keyword");
        reply_bulk_text(c->reply, keys->keyword);
    }
    reply_bulk_text(c->reply, by_keyword ? "startfrom" : "index");
    reply_integer(c->reply, keys->first);
}

static void answer_find_keys(struct command_context *c, const struct command_keys *keys)
{
    bool counted = keys->search == KEYS_COUNTED;
    /* Redis counts the last key from where the search begins. */
    bool is_index = keys->search == KEYS_RANGE && keys->last >= 0;
    reply_bulk_text(c->reply, "find_keys");
    reply_map(c->reply, 2);
    reply_bulk_text(c->reply, "type");
    reply_bulk_text(c->reply, counted ? "keynum" : "range");
    reply_bulk_text(c->reply, "spec");
    reply_map(c->reply, 3);
    reply_bulk_text(c->reply, counted ? "keynumidx" : "lastkey");
    reply_integer(c->reply, counted ? 0 : keys->last - (is_index ? keys->first : 0));
    reply_bulk_text(c->reply, counted ? "firstkey" : "keystep");
    reply_integer(c->reply, counted ? 1 : keys->step);
    reply_bulk_text(c->reply, counted ? "keystep" : "limit");
    reply_integer(c->reply, counted ? keys->step : keys->limit);
}

static void answer_keys(struct command_context *c, const struct command *row)
{
    size_t count = 0;
    while (count < COMMAND_KEYS_MAX && row->keys[count].search != KEYS_NONE) count++;
    reply_set(c->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_map(c->reply, 3);
        reply_bulk_text(c->reply, "flags");
        answer_words(c, row->keys[i].flags, ' ');
        answer_begin_search(c, &row->keys[i]);
        answer_find_keys(c, &row->keys[i]);
    }
}

/* First key, last key, step, as clients before key specifications read them. */
static void answer_key_range(struct command_context *c, const struct command *row)
{
    bool plain = row->keys[0].search == KEYS_RANGE;
    bool has_second = row->keys[1].search == KEYS_RANGE;
    reply_integer(c->reply, plain ? row->keys[0].first : 0);
    reply_integer(c->reply, plain ? row->keys[has_second ? 1 : 0].last : 0);
    reply_integer(c->reply, plain ? row->keys[0].step : 0);
}

static size_t subcommands_count(const struct command *row)
{
    size_t count = 0;
    const struct command *sub = NULL;
    while ((sub = command_next_subcommand(row, sub)) != NULL) count++;
    return count;
}

/* All but the tenth element, the subcommands. */
static void answer_facts(struct command_context *c, const struct command *row)
{
    reply_array(c->reply, 10);
    reply_bulk_text(c->reply, row->full_name);
    reply_integer(c->reply, row->arity);
    answer_flags(c, row->flags);
    answer_key_range(c, row);
    answer_words(c, row->categories, ',');
    reply_set(c->reply, 0); /* tips for proxies: none */
    answer_keys(c, row);
}

static void answer_command(struct command_context *c, const struct command *row)
{
    size_t count = row->parent == NULL ? subcommands_count(row) : 0;
    const struct command *sub = NULL;
    answer_facts(c, row);
    if (count == 0) {
        reply_set(c->reply, 0);
        return;
    }
    reply_array(c->reply, count);
    while ((sub = command_next_subcommand(row, sub)) != NULL) {
        answer_facts(c, sub);
        reply_set(c->reply, 0);
    }
}

/* ---- all commands ---- */

static size_t commands_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < command_table_count; i++) count += command_table[i].parent == NULL;
    return count;
}

enum outcome command_command(struct command_context *c)
{
    reply_array(c->reply, commands_count());
    for (size_t i = 0; i < command_table_count; i++)
        if (command_table[i].parent == NULL) answer_command(c, &command_table[i]);
    return OUTCOME_REPLIED;
}

enum outcome command_command_count(struct command_context *c)
{
    reply_integer(c->reply, (int64_t)commands_count());
    return OUTCOME_REPLIED;
}

enum outcome command_command_info(struct command_context *c)
{
    if (c->arguments_count == 2) return command_command(c);
    reply_array(c->reply, c->arguments_count - 2);
    for (size_t i = 2; i < c->arguments_count; i++) {
        const struct command *row = command_find_name(c->arguments[i]);
        if (row == NULL) reply_null(c->reply);
        else answer_command(c, row);
    }
    return OUTCOME_REPLIED;
}

/* ---- COMMAND DOCS ---- */

/* The syntax stands as the one argument that is documented: redis-cli and people read it so. */
static void answer_document_facts(struct command_context *c, const struct command *row,
                                  size_t subcommands)
{
    const char *blank = strchr(row->syntax, ' ');
    if (blank != NULL && row->parent != NULL) blank = strchr(blank + 1, ' ');
    reply_bulk_text(c->reply, row->full_name);
    reply_map(c->reply, 3 + (blank != NULL) + (subcommands > 0));
    reply_bulk_text(c->reply, "summary");
    reply_bulk_text(c->reply, row->summary);
    reply_bulk_text(c->reply, "since");
    reply_bulk_text(c->reply, row->since);
    reply_bulk_text(c->reply, "group");
    reply_bulk_text(c->reply, row->group);
    if (blank == NULL) return;
    reply_bulk_text(c->reply, "arguments");
    reply_array(c->reply, 1);
    reply_map(c->reply, 2);
    reply_bulk_text(c->reply, "name");
    reply_bulk_text(c->reply, blank + 1);
    reply_bulk_text(c->reply, "type");
    reply_bulk_text(c->reply, "string");
}

static void answer_document(struct command_context *c, const struct command *row)
{
    size_t count = row->parent == NULL ? subcommands_count(row) : 0;
    const struct command *sub = NULL;
    answer_document_facts(c, row, count);
    if (count == 0) return;
    reply_bulk_text(c->reply, "subcommands");
    reply_map(c->reply, count);
    while ((sub = command_next_subcommand(row, sub)) != NULL) answer_document_facts(c, sub, 0);
}

enum outcome command_command_docs(struct command_context *c)
{
    size_t count = 0;
    for (size_t i = 2; i < c->arguments_count; i++)
        count += command_find_name(c->arguments[i]) != NULL;
    reply_map(c->reply, c->arguments_count == 2 ? commands_count() : count);
    for (size_t i = 2; i < c->arguments_count; i++) {
        const struct command *row = command_find_name(c->arguments[i]);
        if (row != NULL) answer_document(c, row);
    }
    for (size_t i = 0; c->arguments_count == 2 && i < command_table_count; i++)
        if (command_table[i].parent == NULL) answer_document(c, &command_table[i]);
    return OUTCOME_REPLIED;
}

/* ---- COMMAND LIST ---- */

enum list_filter { LIST_ALL, LIST_MODULE, LIST_CATEGORY, LIST_PATTERN };

static bool has_category(const struct command *row, struct slice name)
{
    struct slice word, rest = slice_of(row->categories);
    while (next_word(&rest, ',', &word)) {
        struct slice bare = {word.data + 1, word.size - 1}; /* without the '@' */
        if (slice_equal_ignoring_case(bare, name)) return true;
    }
    return false;
}

static bool is_listed(const struct command *row, enum list_filter filter, struct slice operand)
{
    switch (filter) {
    case LIST_ALL: return true;
    case LIST_MODULE: return false; /* there are no modules */
    case LIST_CATEGORY: return has_category(row, operand);
    case LIST_PATTERN: return glob_match(operand, slice_of(row->full_name), true);
    }
    CHECK(false);
    return false;
}

enum outcome command_command_list(struct command_context *c)
{
    enum list_filter filter = LIST_ALL;
    struct slice operand = {NULL, 0};
    if (c->arguments_count != 2) {
        if (c->arguments_count != 5 || !argument_is(c, 2, "FILTERBY"))
            return refuse(c, REPLY_ERROR_SYNTAX);
        operand = c->arguments[4];
        if (argument_is(c, 3, "MODULE")) filter = LIST_MODULE;
        else if (argument_is(c, 3, "ACLCAT")) filter = LIST_CATEGORY;
        else if (argument_is(c, 3, "PATTERN")) filter = LIST_PATTERN;
        else return refuse(c, REPLY_ERROR_SYNTAX);
    }
    size_t count = 0;
    for (size_t i = 0; i < command_table_count; i++)
        count += is_listed(&command_table[i], filter, operand);
    reply_array(c->reply, count);
    for (size_t i = 0; i < command_table_count; i++)
        if (is_listed(&command_table[i], filter, operand))
            reply_bulk_text(c->reply, command_table[i].full_name);
    return OUTCOME_REPLIED;
}

/* ---- COMMAND GETKEYS ---- */

/* The row of the request in the arguments after GETKEYS; NULL: refused. */
static const struct command *row_of_request(struct command_context *c)
{
    bool unknown_subcommand;
    size_t count = c->arguments_count - 2;
    const struct command *row = command_find(c->arguments + 2, count, &unknown_subcommand);
    if (row == NULL || unknown_subcommand) {
        reply_error(c->reply, REPLY_ERROR_COMMAND_INVALID);
    } else if (row->keys[0].search == KEYS_NONE) {
        reply_error(c->reply, REPLY_ERROR_COMMAND_NO_KEYS);
    } else if (!command_arity_holds(row, count)) {
        reply_error(c->reply, REPLY_ERROR_COMMAND_ARITY);
    } else {
        return row;
    }
    return NULL;
}

static enum outcome answer_keys_of_request(struct command_context *c, bool with_flags)
{
    const struct command *row = row_of_request(c);
    if (row == NULL) return OUTCOME_REPLIED;
    const struct slice *request = c->arguments + 2;
    size_t request_count = c->arguments_count - 2;
    size_t count = command_key_indexes(row, request, request_count, NULL, 0);
    if (count == 0) return refuse(c, REPLY_ERROR_COMMAND_ARGUMENTS);
    CHECK(count < request_count);

    struct buf space = {0};
    size_t *indexes = (size_t *)(void *)buf_reserve(&space, count * sizeof *indexes);
    command_key_indexes(row, request, request_count, indexes, count);
    reply_array(c->reply, count);
    for (size_t i = 0; i < count; i++) {
        if (with_flags) reply_array(c->reply, 2);
        reply_bulk(c->reply, request[indexes[i]]);
        if (with_flags) answer_words(c, command_key_flags(row, i), ' ');
    }
    buf_deinit(&space);
    return OUTCOME_REPLIED;
}

enum outcome command_command_getkeys(struct command_context *c)
{
    return answer_keys_of_request(c, false);
}

enum outcome command_command_getkeysandflags(struct command_context *c)
{
    return answer_keys_of_request(c, true);
}

/* ---- HELP ---- */

/* The words of a subcommand's syntax after the container's name. */
static const char *syntax_in_container(const struct command *row)
{
    const char *blank = strchr(row->syntax, ' ');
    CHECK(blank != NULL);
    return blank + 1;
}

/* HELP of every container: its syntax and summary rows. */
enum outcome command_help(struct command_context *c)
{
    const struct command *container = command_find_name(slice_of(c->command->parent));
    const struct command *row = NULL;
    char capitals[COMMAND_NAME_MAX];
    struct buf line = {0};
    CHECK(container != NULL);
    command_capitals(container->name, capitals);
    reply_array(c->reply, 1 + 2 * subcommands_count(container));
    buf_append_format(&line, "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:%c",
                      capitals, '\0');
    reply_status(c->reply, line.data);
    while ((row = command_next_subcommand(container, row)) != NULL) {
        reply_status(c->reply, syntax_in_container(row));
        line.size = 0;
        buf_append_format(&line, "    %s%c", row->summary, '\0');
        reply_status(c->reply, line.data);
    }
    buf_deinit(&line);
    return OUTCOME_REPLIED;
}
