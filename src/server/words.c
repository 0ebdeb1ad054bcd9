#include "server/words.h"

#include "base/word.h"

enum words_status words_split(struct words *w, struct slice line)
{
    w->count = 0;
    w->bytes.size = 0;
    buf_append(&w->bytes, line);
    struct word_line rest = {.bytes = w->bytes.data, .size = w->bytes.size};
    struct slice word;
    enum word_status status;
    while ((status = word_take(&rest, &word)) == WORD_TAKEN) {
        if (w->count == WORDS_MAX) return WORDS_TOO_MANY;
        w->items[w->count++] = word;
    }
    return status == WORD_NONE ? WORDS_OK : WORDS_UNBALANCED;
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
    if (needs_quotes(word)) word_append_quoted(out, word);
    else buf_append(out, word);
}
