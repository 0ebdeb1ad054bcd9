/* The bytes of a word are moved down as quotes and escapes go away. A word is never longer than
 * what it is written as, so 'end', where its next byte goes, never overtakes l->read. */
#include "base/word.h"

#include "base/check.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    char lower = slice_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* What follows a backslash inside of double quotes: xHH, a letter of C, or itself. */
static char take_escape(struct word_line *l)
{
    static const char letters[] = "nrtba", meanings[] = "\n\r\t\b\a";
    const char *at = l->bytes + l->read;
    size_t left = l->size - l->read;
    if (left >= 3 && at[0] == 'x' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        l->read += 3;
        return (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
    }
    const char *letter = memchr(letters, at[0], sizeof letters - 1);
    l->read++;
    return letter != NULL ? meanings[letter - letters] : at[0];
}

/* The rest of a word behind an opening quote; *end moves behind what is kept. */
static bool take_quoted(struct word_line *l, char quote, char **end)
{
    while (l->read < l->size) {
        char c = l->bytes[l->read++];
        bool more = l->read < l->size;
        if (c == quote) return !more || is_blank(l->bytes[l->read]);
        if (c == '\\' && more && quote == '"') {
            c = take_escape(l);
        } else if (c == '\\' && more && l->bytes[l->read] == '\'') {
            l->read++;
            c = '\'';
        }
        *(*end)++ = c;
    }
    return false;
}

static bool take_word(struct word_line *l, char **end)
{
    while (l->read < l->size) {
        char c = l->bytes[l->read++];
        if (c == '"' || c == '\'') return take_quoted(l, c, end);
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return true;
        *(*end)++ = c;
    }
    return true;
}

enum word_status word_take(struct word_line *l, struct slice *word)
{
    CHECK(l->read <= l->size);
    while (l->read < l->size && is_blank(l->bytes[l->read])) l->read++;
    if (l->read == l->size) return WORD_NONE;
    char *begin = l->bytes + l->read, *end = begin;
    if (!take_word(l, &end)) return WORD_UNBALANCED;
    CHECK(end <= l->bytes + l->read);
    *word = (struct slice){begin, (size_t)(end - begin)};
    return WORD_TAKEN;
}

void word_append_quoted(struct buf *out, struct slice bytes)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (c == '"' || c == '\\') buf_append_format(out, "\\%c", c);
        else if (c >= ' ' && c <= '~') buf_append_byte(out, c);
        else buf_append_format(out, "\\x%02x", c);
    }
    buf_append_byte(out, '"');
}
