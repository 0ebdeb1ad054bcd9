/* words.h - a line as words with quotes, as redis.conf and redis-cli have them, and back.
 *
 * Words are separated by blanks. In "double quotes" a backslash escapes: \n \r \t \b \a, \xHH for
 * any byte, and every other character itself; in 'single quotes' only \' is an escape. A closing
 * quote must end its word. */
#ifndef SERVER_WORDS_H
#define SERVER_WORDS_H

#include "base/buf.h"
#include "base/slice.h"

enum { WORDS_MAX = 128 }; /* of one line; no directive takes nearly as many */

struct words {
    struct buf bytes; /* of all words, unquoted */
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
