/* reply.h - build replies; RESP2 and RESP3 differ only inside reply.c.
 *
 * A command says what it means (a map, a null array); the bytes follow from the
 * protocol version. Counts first, then exactly that many elements: there are no deferred lengths.
 * Errors never contain CR, LF or NUL: the builder writes blanks for them (reply injection). */
#ifndef RESP_REPLY_H
#define RESP_REPLY_H

#include "base/chain.h"
#include "base/slice.h"
#include "resp/error_counts.h"

#include <stdint.h>

enum resp_version { RESP2 = 2, RESP3 = 3 };

enum { REPLY_ERROR_BYTES_MAX = 1024 }; /* an error that quotes more than this is cut */

struct reply {
    enum resp_version version;
    struct chain *out;           /* borrowed */
    struct error_counts *errors; /* borrowed; NULL: nobody counts them */
    bool failed; /* an error was written: for commandstats and EXEC; the caller clears it */
};

/* Every error text that a client can see, once. */
enum reply_error {
#define REPLY_ERROR(name, text) REPLY_ERROR_##name,
#include "resp/errors.def"
#undef REPLY_ERROR
};

void reply_error(struct reply *r, enum reply_error error);
const char *reply_error_text(enum reply_error error); /* as in errors.def: "ERR ..." */

/* An error that names what was wrong: printf over the text of the row, which holds the directives.
 * Arguments of clients go in as %.*s; they are cut at 128 bytes by the caller where Redis does. */
void reply_error_format(struct reply *r, enum reply_error error, ...);

/* An error whose text was made elsewhere ("ERR ..." without "-" and CR LF), for configuration. */
void reply_error_message(struct reply *r, struct slice message);

void reply_ok(struct reply *r);
void reply_status(struct reply *r, const char *status); /* "+PONG"; a literal without CR LF */
void reply_integer(struct reply *r, int64_t value);
void reply_null(struct reply *r);       /* RESP2 $-1, RESP3 _ */
void reply_null_array(struct reply *r); /* RESP2 *-1, RESP3 _ */
void reply_bulk(struct reply *r, struct slice bytes);
void reply_bulk_text(struct reply *r, const char *text);
void reply_bulk_integer(struct reply *r, int64_t value); /* decimal text as a bulk string */
/* A part of a shared value: large ones leave without a copy. */
void reply_bulk_shared(struct reply *r, struct shared *s, struct slice bytes);
/* INFO and CLIENT LIST: RESP3 verbatim string "txt:", RESP2 bulk. */
void reply_verbatim(struct reply *r, struct slice bytes);

void reply_array(struct reply *r, size_t count);
void reply_set(struct reply *r, size_t count); /* RESP2 array */

/* Map whose RESP2 form is a flat array of 2n elements (HELLO, XINFO, CONFIG GET). */
void reply_map(struct reply *r, size_t count);

/* Map whose RESP2 form is an array of n two-element arrays (XREAD). Call reply_pair before each
 * key and value. */
void reply_map_of_pairs(struct reply *r, size_t count);
void reply_pair(struct reply *r);

#endif
