#include "script.h"

#include "answer.h"
#include "base/check.h"
#include "base/glob.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/word.h"

enum { NESTING_MAX = 16 };

void pieces_clear(struct pieces *p)
{
    p->text.size = 0;
    p->count = 0;
    p->starts[0] = 0;
}

void pieces_deinit(struct pieces *p)
{
    buf_deinit(&p->text);
}

struct slice pieces_at(const struct pieces *p, size_t index)
{
    CHECK(index < p->count);
    return (struct slice){p->text.data + p->starts[index], p->starts[index + 1] - p->starts[index]};
}

/* What was appended to the text since the last piece is one now. */
static bool end_piece(struct pieces *p)
{
    if (p->count == SCRIPT_LINES_MAX) return false;
    p->starts[++p->count] = p->text.size;
    return true;
}

bool pieces_add(struct pieces *p, struct slice text)
{
    buf_append(&p->text, text);
    return end_piece(p);
}

static struct slice skip(struct slice line, size_t size)
{
    return (struct slice){line.data + size, line.size - size};
}

/* ---- requests ---- */

bool script_words(struct slice line, struct pieces *words)
{
    struct buf copy = {0}; /* to be unquoted */
    buf_append(&copy, line);
    struct word_line rest = {.bytes = copy.data, .size = copy.size};
    struct slice word;
    enum word_status status;
    while ((status = word_take(&rest, &word)) == WORD_TAKEN && pieces_add(words, word)) continue;
    buf_deinit(&copy);
    return status == WORD_NONE;
}

/* ---- replies ---- */

static bool begins(struct slice line, const char *text)
{
    size_t size = strlen(text);
    return line.size >= size && memcmp(line.data, text, size) == 0;
}

/* How many items follow an expected line: the elements of an array, set, push or map. */
static size_t elements(struct slice line)
{
    int64_t count;
    if (line.size < 2 || strchr("*%~>", *line.data) == NULL) return 0;
    const char *blank = memchr(line.data, ' ', line.size);
    size_t size = blank == NULL ? line.size : (size_t)(blank - line.data);
    if (!number_parse_i64((struct slice){line.data + 1, size - 1}, &count) || count < 0) return 0;
    return *line.data == '%' ? 2 * (size_t)count : (size_t)count;
}

size_t script_end(const struct pieces *expected, size_t first)
{
    size_t i = first;
    for (size_t left = 1; left > 0 && i < expected->count; i++)
        left += elements(pieces_at(expected, i)) - 1;
    return i;
}

/* The items of a reply, as a list. */
struct items {
    struct answer list[SCRIPT_LINES_MAX];
    size_t count;
};

static size_t items_end(const struct items *items, size_t first)
{
    size_t i = first;
    for (int64_t left = 1; left > 0 && i < items->count; i++) {
        const struct answer *item = &items->list[i];
        left--;
        if (item->kind == ANSWER_ARRAY || item->kind == ANSWER_MAP) left += item->integer;
    }
    return i;
}

/* The text in double quotes behind 'prefix'. */
static bool match_text(struct slice line, size_t prefix, struct slice got, bool pattern)
{
    struct buf copy = {0};
    buf_append(&copy, skip(line, prefix));
    struct word_line rest = {.bytes = copy.data, .size = copy.size};
    struct slice text;
    bool matches = word_take(&rest, &text) == WORD_TAKEN &&
                   (pattern ? glob_match(text, got, false) : slice_equal(text, got));
    buf_deinit(&copy);
    return matches;
}

static bool match_error(struct slice line, const struct answer *item)
{
    struct slice wanted = skip(line, 1);
    if (item->kind != ANSWER_ERROR) return false;
    if (wanted.size < 4 || memcmp(wanted.data + wanted.size - 4, " ...", 4) != 0)
        return slice_equal(wanted, item->text);
    wanted.size -= 4;
    return item->text.size >= wanted.size &&
           slice_equal(wanted, (struct slice){item->text.data, wanted.size});
}

/* One line against one item, elements aside. */
static bool match_line(struct slice line, const struct answer *item)
{
    bool verbatim = item->mark == '=' && begins(item->text, "txt:");
    if (begins(line, "\""))
        return item->mark == '$' && item->kind == ANSWER_BULK &&
               match_text(line, 0, item->text, false);
    if (begins(line, "txt \"")) return verbatim && match_text(line, 4, skip(item->text, 4), false);
    if (begins(line, "like \""))
        return item->kind == ANSWER_BULK &&
               match_text(line, 5, verbatim ? skip(item->text, 4) : item->text, true);
    if (begins(line, "-")) return match_error(line, item);
    if (line.size == 0 || *line.data != item->mark || item->kind == ANSWER_BULK) return false;
    const char *blank =
        strchr("*~%>", *line.data) != NULL ? memchr(line.data, ' ', line.size) : NULL;
    size_t size = blank == NULL ? line.size : (size_t)(blank - line.data);
    return slice_equal((struct slice){line.data + 1, size - 1}, item->text);
}

struct match {
    const struct pieces *expected;
    const struct items *got;
};

/* NOLINTBEGIN(misc-no-recursion): replies nest, NESTING_MAX deep at most */
static bool match_item(const struct match *m, size_t line, size_t item, size_t depth);

/* Runs of 'width' items, expected and got, one after the other. */
static bool match_run(const struct match *m, size_t line, size_t item, size_t width, size_t depth)
{
    for (size_t i = 0; i < width; i++) {
        if (line >= m->expected->count || !match_item(m, line, item, depth)) return false;
        line = script_end(m->expected, line);
        item = items_end(m->got, item);
    }
    return true;
}

static bool match_in_any_order(const struct match *m, size_t line, size_t item, size_t width,
                               size_t depth)
{
    bool used[SCRIPT_LINES_MAX] = {false}; /* by the index of a run's first item */
    size_t runs = elements(pieces_at(m->expected, line++)) / width;
    size_t first = item + 1;
    for (size_t i = 0; i < runs; i++) {
        bool found = false;
        size_t at = first;
        for (size_t k = 0; k < runs && !found; k++) {
            found = !used[at] && match_run(m, line, at, width, depth);
            if (found) used[at] = true;
            for (size_t n = 0; n < width; n++) at = items_end(m->got, at);
        }
        if (!found) return false;
        for (size_t n = 0; n < width; n++) line = script_end(m->expected, line);
    }
    return true;
}

static bool match_item(const struct match *m, size_t line, size_t item, size_t depth)
{
    struct slice text = pieces_at(m->expected, line);
    if (depth == NESTING_MAX || item >= m->got->count) return false;
    if (slice_equal(text, SLICE("any"))) return true;
    if (!match_line(text, &m->got->list[item])) return false;
    size_t count = elements(text);
    if (*text.data == '%') return match_in_any_order(m, line, item, 2, depth + 1);
    bool any_order = *text.data == '~' || memchr(text.data, ' ', text.size) != NULL;
    if (count > 0 && any_order) return match_in_any_order(m, line, item, 1, depth + 1);
    return count == 0 || match_run(m, line + 1, item + 1, count, depth + 1);
}
/* NOLINTEND(misc-no-recursion) */

static bool take_items(struct slice reply, struct items *items)
{
    items->count = 0;
    while (reply.size > 0) {
        if (items->count == SCRIPT_LINES_MAX) return false;
        if (!answer_take(&reply, &items->list[items->count++])) return false;
    }
    return true;
}

size_t script_match(const struct pieces *expected, size_t first, struct slice reply)
{
    struct items *items = memory_allocate(sizeof *items);
    struct match m = {expected, items};
    bool equal = take_items(reply, items) && match_item(&m, first, 0, 0);
    memory_free(items, sizeof *items);
    return equal ? script_end(expected, first) - first : 0;
}

static void print_quoted(struct slice bytes, struct buf *out)
{
    static const char from[] = "\n\r\t\"\\", to[] = "nrt\"\\";
    buf_append_byte(out, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        const char *known = memchr(from, c, sizeof from - 1);
        if (known != NULL) buf_append_format(out, "\\%c", to[known - from]);
        else if (c < 0x20 || c >= 0x7f) buf_append_format(out, "\\x%02x", c);
        else buf_append_byte(out, c);
    }
    buf_append_byte(out, '"');
}

void script_print(struct slice reply, const char *indent, struct buf *out)
{
    int64_t left[NESTING_MAX + 1] = {1};
    size_t depth = 0;
    struct answer item;
    while (answer_take(&reply, &item)) {
        buf_append_text(out, indent);
        for (size_t i = 0; i < depth; i++) buf_append_text(out, "  ");
        if (item.kind == ANSWER_BULK) {
            if (item.mark != '$') buf_append_byte(out, (uint8_t)item.mark);
            print_quoted(item.text, out);
        } else {
            buf_append_byte(out, (uint8_t)item.mark);
            buf_append(out, item.text);
        }
        buf_append_byte(out, '\n');
        left[depth]--;
        if ((item.kind == ANSWER_ARRAY || item.kind == ANSWER_MAP) && depth < NESTING_MAX)
            left[++depth] = item.integer;
        while (depth > 0 && left[depth] == 0) depth--;
    }
}
