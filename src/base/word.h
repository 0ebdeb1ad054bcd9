/* word.h - words with quotes, as redis-cli, redis.conf and inline requests have them.
 *
 * Words are separated by blanks. In "double quotes" a backslash escapes: \n \r \t \b \a, \xHH for
 * any byte, and every other character itself; in 'single quotes' only \' is an escape. A closing
 * quote must end its word. (Redis: sdssplitargs.) */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include "base/buf.h"
#include "base/slice.h"

/* The line; words are unquoted in place, so its bytes are lost as it is read. */
struct word_line {
    char *bytes; /* borrowed */
    size_t size;
    size_t read; /* the next byte to look at */
};

enum word_status { WORD_TAKEN, WORD_NONE, WORD_UNBALANCED };

/* The next word, which borrows from the line. NONE: the line has ended. UNBALANCED: a quote is not
 * closed, or its word goes on behind it; the rest of the line means nothing then. */
enum word_status word_take(struct word_line *l, struct slice *word);

/* Appends the bytes in double quotes, so that word_take reads them back: printable ASCII. */
void word_append_quoted(struct buf *out, struct slice bytes);

#endif
