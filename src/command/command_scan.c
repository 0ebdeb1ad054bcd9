/* command_scan.c - KEYS and SCAN: walking over the names of a database.
 *
 * Names are collected as slices into the store, which does not change meanwhile, and counted before
 * the first one is sent. SCAN's cursor is the store's: a key that is there from the first call to
 * the last is named exactly once. */
#include "base/check.h"
#include "base/glob.h"
#include "command/arguments.h"
#include "command/commands.h"

enum { SCAN_COUNT_DEFAULT = 10, KEYS_STEP_COUNT = 1024 };

struct collector {
    const struct slice *pattern; /* NULL: every name */
    const struct slice *type;    /* the name of a type, NULL: every type */
    struct buf names;            /* array of struct slice */
    size_t count;
};

static void collect(void *context, struct slice name, unsigned type)
{
    struct collector *collector = context;
    if (collector->type != NULL &&
        !slice_equal_ignoring_case(*collector->type, slice_of(db_type_name(type))))
        return;
    if (collector->pattern != NULL && !glob_match(*collector->pattern, name, false)) return;
    buf_append(&collector->names, (struct slice){(const char *)&name, sizeof name});
    collector->count++;
}

static void answer_collected(struct command_context *c, struct collector *collector)
{
    CHECK(collector->names.size == collector->count * sizeof(struct slice));
    reply_array(c->reply, collector->count);
    for (size_t i = 0; i < collector->count; i++) {
        struct slice name;
        memcpy(&name, collector->names.data + i * sizeof name, sizeof name);
        reply_bulk(c->reply, name);
    }
    buf_deinit(&collector->names);
}

enum outcome command_keys(struct command_context *c)
{
    bool every = slice_equal(c->arguments[1], SLICE("*"));
    struct collector collector = {.pattern = every ? NULL : &c->arguments[1]};
    struct db_scan scan = {.database = c->client->database, .count = KEYS_STEP_COUNT};
    do db_scan_keys(c->db, &scan, collect, &collector);
    while (scan.cursor != 0); /* ends because each step goes on where the one before stopped */
    answer_collected(c, &collector);
    return OUTCOME_REPLIED;
}

/* False: refused. */
static bool read_scan_options(struct command_context *c, struct db_scan *scan,
                              struct collector *collector)
{
    for (size_t i = 2; i < c->arguments_count; i += 2) {
        bool has_value = i + 1 < c->arguments_count;
        if (has_value && argument_is(c, i, "COUNT")) {
            int64_t count;
            if (!argument_integer(c, i + 1, &count)) return false;
            if (count < 1) return deny(c, REPLY_ERROR_SYNTAX);
            scan->count = (size_t)count;
        } else if (has_value && argument_is(c, i, "MATCH")) {
            bool every = slice_equal(c->arguments[i + 1], SLICE("*"));
            collector->pattern = every ? NULL : &c->arguments[i + 1];
        } else if (has_value && argument_is(c, i, "TYPE")) {
            collector->type = &c->arguments[i + 1];
        } else {
            return deny(c, REPLY_ERROR_SYNTAX);
        }
    }
    return true;
}

enum outcome command_scan(struct command_context *c)
{
    struct collector collector = {0};
    struct db_scan scan = {.database = c->client->database, .count = SCAN_COUNT_DEFAULT};
    if (!number_parse_u64(c->arguments[1], &scan.cursor))
        return refuse(c, REPLY_ERROR_INVALID_CURSOR);
    if (!read_scan_options(c, &scan, &collector)) return OUTCOME_REPLIED;

    db_scan_keys(c->db, &scan, collect, &collector);
    char cursor[NUMBER_INTEGER_TEXT_MAX];
    reply_array(c->reply, 2);
    reply_bulk(c->reply, (struct slice){cursor, number_format_u64(scan.cursor, cursor)});
    answer_collected(c, &collector);
    return OUTCOME_REPLIED;
}
