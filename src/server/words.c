#include "server/words.h"

#include "base/check.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = slice_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at rest (after the backslash) stands for; rest moves behind it. */
static char take_escape(struct slice *rest)
{
    static const char names[] = "nrtba", bytes[] = "\n\r\t\b\a";
    const char *data = rest->data;
    if (rest->size >= 3 && data[0] == 'x' && hex_value(data[1]) >= 0 && hex_value(data[2]) >= 0) {
        *rest = (struct slice){data + 3, rest->size - 3};
        return (char)(hex_value(data[1]) * 16 + hex_value(data[2]));
    }
    *rest = (struct slice){data + 1, rest->size - 1};
    for (size_t i = 0; names[i] != '\0'; i++)
        if (data[0] == names[i]) return bytes[i];
    return data[0];
}

static void advance(struct slice *rest)
{
    *rest = (struct slice){rest->data + 1, rest->size - 1};
}

/* From behind the opening quote to behind the closing one; false when there is none. */
static bool take_quoted(struct slice *rest, char quote, struct buf *out)
{
    while (rest->size > 0) {
        char c = rest->data[0];
        bool escape = c == '\\' && rest->size > 1;
        advance(rest);
        if (c == quote) return rest->size == 0 || is_blank(rest->data[0]);
        if (escape && quote == '"') {
            c = take_escape(rest);
        } else if (escape && rest->data[0] == '\'') {
            c = '\'';
            advance(rest);
        }
        buf_append_byte(out, (uint8_t)c);
    }
    return false;
}

static bool take_word(struct slice *rest, struct buf *out)
{
    while (rest->size > 0 && !is_blank(rest->data[0])) {
        char c = rest->data[0];
        advance(rest);
        if (c == '"' || c == '\'') return take_quoted(rest, c, out);
        buf_append_byte(out, (uint8_t)c);
    }
    return true;
}

enum words_status words_split(struct words *w, struct slice line)
{
    w->count = 0;
    w->bytes.size = 0;
    /* Words never grow by unquoting: reserved once, the slices into it stay valid. */
    const char *base = buf_reserve(&w->bytes, line.size + 1);
    for (;;) {
        while (line.size > 0 && is_blank(line.data[0])) advance(&line);
        if (line.size == 0) return WORDS_OK;
        if (w->count == WORDS_MAX) return WORDS_TOO_MANY;
        size_t begin = w->bytes.size;
        if (!take_word(&line, &w->bytes)) return WORDS_UNBALANCED;
        CHECK(w->bytes.data == base);
        w->items[w->count++] = (struct slice){base + begin, w->bytes.size - begin};
    }
}

void words_deinit(struct words *w)
{
    buf_deinit(&w->bytes);
    w->count = 0;
}

static bool needs_quotes(struct slice word)
{
    if (word.size == 0 || word.data[0] == '#') return true;
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\') return true;
    }
    return false;
}

void words_append_quoted(struct buf *out, struct slice word)
{
    if (!needs_quotes(word)) {
        buf_append(out, word);
        return;
    }
    buf_append_byte(out, '"');
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if (c == '"' || c == '\\') buf_append_format(out, "\\%c", c);
        else if (c >= ' ' && c <= '~') buf_append_byte(out, (uint8_t)c);
        else buf_append_format(out, "\\x%02x", (unsigned char)c);
    }
    buf_append_byte(out, '"');
}
