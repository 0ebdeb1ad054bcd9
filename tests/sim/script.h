/* script.h - the words of scenarios (tests/scenario/README.md): requests as redis-cli reads them,
 * and replies as lists of lines, one for each item. */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "base/buf.h"

enum { SCRIPT_LINES_MAX = 8192 };

/* Pieces of text, in one buffer. */
struct pieces {
    struct buf text;
    size_t starts[SCRIPT_LINES_MAX + 1]; /* where piece i begins; the last: where the text ends */
    size_t count;
};

void pieces_clear(struct pieces *p);
void pieces_deinit(struct pieces *p);
struct slice pieces_at(const struct pieces *p, size_t index);
bool pieces_add(struct pieces *p, struct slice text); /* false: there are too many */

/* The words of a request, unquoted, added to the list. False: a quote is not closed. */
bool script_words(struct slice line, struct pieces *words);

/* Does the reply match the lines of 'expected' from 'first' on? How many lines it took; 0: no. */
size_t script_match(const struct pieces *expected, size_t first, struct slice reply);

/* The index of the line behind the expected reply that begins at 'first'. */
size_t script_end(const struct pieces *expected, size_t first);

/* The reply as lines, each after 'indent', for people. */
void script_print(struct slice reply, const char *indent, struct buf *out);

#endif
