/* ahead.h - looking ahead in a pipeline. Private to engine/.
 *
 * A lookup is three memory accesses that wait for each other (the slot's table, a bucket, the
 * entry), and in a large key space each of them misses the caches: more than half of the time of a
 * pipelined SET. So the next requests of a session are parsed before the first of them runs, and
 * what their keys lead to is fetched for all of them at once (decisions/0018).
 *
 * Only whole requests of a few arguments are looked at, and no inline ones, which the parser
 * unquotes in place: parsed a second time they would be others. All others end the look ahead,
 * as does the end of the input; they are parsed again when their turn has come. It never knows
 * commands: that a key stands behind the command's name is a guess, and its fetch only a hint. */
#ifndef ENGINE_AHEAD_H
#define ENGINE_AHEAD_H

#include "base/limits.h"
#include "db/db.h"
#include "resp/request.h"

enum { AHEAD_ARGUMENTS_MAX = 8 }; /* of one request; one digit */

struct ahead_request {
    struct slice arguments[AHEAD_ARGUMENTS_MAX]; /* borrowed from the input */
    size_t arguments_count;
    size_t bytes;
};

struct ahead {
    struct ahead_request requests[DB_PREFETCH_MAX];
    size_t count;
};

/* The requests at the front of 'input', parsed; the parser must be at its reset point, and is there
 * again afterwards. */
void ahead_parse(struct ahead *a, struct request_parser *parser, struct slice input,
                 const struct request_limits *limits);

/* Begins to fetch what their keys lead to in that database, unless there is only one of them. */
void ahead_prefetch(const struct ahead *a, const struct db *db, unsigned database);

#endif
