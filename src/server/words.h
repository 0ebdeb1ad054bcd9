/* words.h - all the words of a line (base/word.h says what a word is), and how to write one. */
#ifndef SERVER_WORDS_H
#define SERVER_WORDS_H

#include "base/buf.h"
#include "base/slice.h"

enum { WORDS_MAX = 128 }; /* of one line; no directive takes nearly as many */

struct words {
    struct buf bytes; /* the line, its words unquoted in place */
    struct slice items[WORDS_MAX];
    size_t count;
};

enum words_status { WORDS_OK, WORDS_UNBALANCED, WORDS_TOO_MANY };

/* Splits a line into 'w', which must be all zero or come from a call before. */
enum words_status words_split(struct words *w, struct slice line);
void words_deinit(struct words *w);

/* Appends the word so that words_split reads it back: bare when that is possible, else quoted. */
void words_append_quoted(struct buf *out, struct slice word);

#endif
