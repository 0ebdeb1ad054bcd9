/* portions.h - a reply that is made piece by piece, because all of it at once would be too much.
 *
 * A command that finds its reply longer than a portion leaves the rest of it as a value: a
 * function that appends the next portion, and what it needs for that, which no later change may
 * touch (a frozen view of a stream). The engine asks for the next portion when the client has read
 * most of what there is, and executes nothing of that client before the last one. So a reply holds
 * the memory of two portions, however long it is and however slowly it is read
 * (docs/decisions/0025).
 *
 * The rest never knows sessions, the db or the time. */
#ifndef COMMAND_PORTIONS_H
#define COMMAND_PORTIONS_H

#include "resp/reply.h"

struct reply_rest {
    /* Appends what comes next, until the chain's position is 'end' or more. False: that was all. */
    bool (*next)(struct reply_rest *rest, struct reply *r, uint64_t end);
    void (*destroy)(struct reply_rest *rest);
    size_t memory_bytes; /* of this, shared blocks of streams not counted */
};

/* Of one request; the engine's. */
struct reply_portions {
    uint64_t begin;          /* position of the chain where the reply begins */
    size_t bytes;            /* of a portion */
    struct reply_rest *rest; /* set by the command; the engine owns it then */
};

/* Where a reply that has not begun yet may be cut; UINT64_MAX: it must be whole, because it is not
 * for a client alone or stands inside of another reply (EXEC). */
static inline uint64_t reply_cut(const struct reply_portions *p, const struct reply *r)
{
    if (p == NULL || r->out->appended != p->begin) return UINT64_MAX;
    return p->begin + p->bytes;
}

#endif
