/* command_lcs.c - the longest common subsequence of two strings (Wagner and Fischer 1974).
 *
 *     length(i, j) of the prefixes a[0..i) and b[0..j):
 *         0                                           when i or j is 0
 *         length(i-1, j-1) + 1                        when a[i-1] == b[j-1]
 *         max(length(i-1, j), length(i, j-1))         else
 *
 * The table has (|a|+1) * (|b|+1) numbers, at most LCS_TABLE_BYTES_MAX. Walking it back from the
 * end gives the subsequence, and the runs of bytes that follow each other in both strings. */
#include "base/check.h"
#include "base/memory.h"
#include "command/arguments.h"
#include "command/commands.h"

#define LCS_TABLE_BYTES_MAX REQUEST_BULK_BYTES_MAX

struct lcs {
    struct slice a;
    struct slice b;
    uint32_t *lengths; /* (a.size + 1) rows of b.size + 1 */
    size_t table_size; /* of lengths, in bytes */
};

/* Runs from a_first to a_last in one string and from b_first in the other. */
struct lcs_run {
    size_t a_first;
    size_t b_first;
    size_t size;
};

struct lcs_options {
    bool length;
    bool indexes;
    bool with_sizes;
    int64_t size_min;
};

static uint32_t *cell(const struct lcs *lcs, size_t i, size_t j)
{
    return &lcs->lengths[i * (lcs->b.size + 1) + j];
}

static size_t lcs_length(const struct lcs *lcs)
{
    return *cell(lcs, lcs->a.size, lcs->b.size);
}

/* False: the table would be too large. */
static bool lcs_init(struct lcs *lcs)
{
    size_t rows = lcs->a.size + 1, columns = lcs->b.size + 1;
    if (rows > LCS_TABLE_BYTES_MAX / sizeof(uint32_t) / columns) return false;
    lcs->table_size = rows * columns * sizeof(uint32_t);
    lcs->lengths = memory_allocate_zeroed(lcs->table_size);
    for (size_t i = 1; i < rows; i++) {
        for (size_t j = 1; j < columns; j++) {
            uint32_t above = *cell(lcs, i - 1, j), before = *cell(lcs, i, j - 1);
            uint32_t best = above > before ? above : before;
            bool same = lcs->a.data[i - 1] == lcs->b.data[j - 1];
            *cell(lcs, i, j) = same ? *cell(lcs, i - 1, j - 1) + 1 : best;
        }
    }
    return true;
}

static void lcs_deinit(struct lcs *lcs)
{
    memory_free(lcs->lengths, lcs->table_size);
}

/* Walks back from (*i, *j) to the end of the next run; false: there is none. */
static bool previous_run(const struct lcs *lcs, size_t *i, size_t *j, struct lcs_run *run)
{
    while (*i > 0 && *j > 0 && lcs->a.data[*i - 1] != lcs->b.data[*j - 1]) {
        if (*cell(lcs, *i - 1, *j) > *cell(lcs, *i, *j - 1)) (*i)--;
        else (*j)--;
    }
    run->size = 0;
    while (*i > 0 && *j > 0 && lcs->a.data[*i - 1] == lcs->b.data[*j - 1]) {
        (*i)--;
        (*j)--;
        run->size++;
    }
    run->a_first = *i;
    run->b_first = *j;
    return run->size > 0;
}

static void answer_bytes(struct command_context *c, const struct lcs *lcs)
{
    struct buf bytes = {0};
    size_t left = lcs_length(lcs), i = lcs->a.size, j = lcs->b.size;
    struct lcs_run run;
    buf_reserve(&bytes, left + 1);
    buf_advance(&bytes, left);
    while (previous_run(lcs, &i, &j, &run)) {
        CHECK(run.size <= left);
        left -= run.size;
        memcpy(bytes.data + left, lcs->a.data + run.a_first, run.size);
    }
    CHECK(left == 0);
    reply_bulk(c->reply, buf_slice(&bytes));
    buf_deinit(&bytes);
}

static void answer_run(struct command_context *c, const struct lcs_run *run, bool with_size)
{
    reply_array(c->reply, with_size ? 3 : 2);
    reply_array(c->reply, 2);
    reply_integer(c->reply, (int64_t)run->a_first);
    reply_integer(c->reply, (int64_t)(run->a_first + run->size - 1));
    reply_array(c->reply, 2);
    reply_integer(c->reply, (int64_t)run->b_first);
    reply_integer(c->reply, (int64_t)(run->b_first + run->size - 1));
    if (with_size) reply_integer(c->reply, (int64_t)run->size);
}

/* Last runs first, as Redis. Two walks: the count comes before the elements. */
static void answer_runs(struct command_context *c, const struct lcs *lcs,
                        const struct lcs_options *options)
{
    size_t count = 0;
    struct lcs_run run;
    for (size_t i = lcs->a.size, j = lcs->b.size; previous_run(lcs, &i, &j, &run);)
        count += (int64_t)run.size >= options->size_min;
    reply_map(c->reply, 2);
    reply_bulk_text(c->reply, "matches");
    reply_array(c->reply, count);
    for (size_t i = lcs->a.size, j = lcs->b.size; previous_run(lcs, &i, &j, &run);)
        if ((int64_t)run.size >= options->size_min) answer_run(c, &run, options->with_sizes);
    reply_bulk_text(c->reply, "len");
    reply_integer(c->reply, (int64_t)lcs_length(lcs));
}

/* False: refused. */
static bool read_options(struct command_context *c, struct lcs_options *options)
{
    *options = (struct lcs_options){0};
    for (size_t i = 3; i < c->arguments_count; i++) {
        if (argument_is(c, i, "LEN")) {
            options->length = true;
        } else if (argument_is(c, i, "IDX")) {
            options->indexes = true;
        } else if (argument_is(c, i, "WITHMATCHLEN")) {
            options->with_sizes = true;
        } else if (argument_is(c, i, "MINMATCHLEN") && i + 1 < c->arguments_count) {
            if (!argument_integer(c, ++i, &options->size_min)) return false;
        } else {
            return deny(c, REPLY_ERROR_SYNTAX);
        }
    }
    if (!options->length || !options->indexes) return true;
    return deny(c, REPLY_ERROR_LCS_OPTIONS);
}

/* The bytes of the key at 'index'; empty when it is absent. False: refused. */
static bool read_string(struct command_context *c, size_t index, struct slice *bytes,
                        char text[NUMBER_INTEGER_TEXT_MAX])
{
    struct store_key key = argument_key(c, index);
    struct string_view value;
    enum lookup lookup = db_string(c->db, &key, &value);
    *bytes = SLICE("");
    if (lookup == LOOKUP_WRONG_TYPE) reply_error(c->reply, REPLY_ERROR_LCS_TYPE);
    if (lookup == LOOKUP_FOUND) *bytes = string_bytes(&value, text);
    return lookup != LOOKUP_WRONG_TYPE;
}

enum outcome command_lcs(struct command_context *c)
{
    char a_text[NUMBER_INTEGER_TEXT_MAX], b_text[NUMBER_INTEGER_TEXT_MAX];
    struct lcs lcs = {0};
    struct lcs_options options;
    if (!read_string(c, 1, &lcs.a, a_text) || !read_string(c, 2, &lcs.b, b_text) ||
        !read_options(c, &options))
        return OUTCOME_REPLIED;
    if (!lcs_init(&lcs)) return refuse(c, REPLY_ERROR_LCS_TOO_LARGE);
    if (options.length) reply_integer(c->reply, (int64_t)lcs_length(&lcs));
    else if (options.indexes) answer_runs(c, &lcs, &options);
    else answer_bytes(c, &lcs);
    lcs_deinit(&lcs);
    return OUTCOME_REPLIED;
}
