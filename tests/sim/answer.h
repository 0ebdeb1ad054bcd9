/* answer.h - replies as their client reads them: RESP2 and RESP3, one item after the other.
 *
 * It is not resp/reply.c turned round: it shares no code with the server, so that a mistake there
 * is not a mistake here too. */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include "base/slice.h"

#include <stdint.h>

enum answer_kind {
    ANSWER_STATUS,
    ANSWER_ERROR,
    ANSWER_INTEGER,
    ANSWER_BULK,
    ANSWER_ARRAY, /* also sets and pushes */
    ANSWER_MAP,
    ANSWER_NULL,
    ANSWER_OTHER, /* RESP3: double, boolean, big number */
};

struct answer {
    enum answer_kind kind;
    char mark;         /* the first byte: '$', '*' ... */
    struct slice text; /* STATUS, ERROR, BULK, OTHER; of the others the number as it stands */
    int64_t integer;   /* INTEGER; of ARRAY how many items follow, of MAP twice the pairs */
};

/* The next item, taken from the front of 'in'. False: it is not whole (or not RESP), and nothing
 * was taken. The items of an array follow one by one. */
bool answer_take(struct slice *in, struct answer *item);

/* The size of the whole first reply with all that is in it; 0: it is not whole yet. */
size_t answer_size(struct slice in);

#endif
