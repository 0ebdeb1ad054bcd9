/* types.c - the types that keys can have: one row for each. */
#include "db/effect.h"

static bool dismantle_stream(void *body, size_t *steps)
{
    return stream_dismantle(body, steps);
}

const struct value_type value_types[TYPES_COUNT] = {
    [TYPE_STRING] = {.name = "string", .dismantle = NULL},
    [TYPE_STREAM] = {.name = "stream", .dismantle = dismantle_stream},
};
