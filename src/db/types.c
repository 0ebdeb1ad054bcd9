/* types.c - the types that keys can have: one row for each. */
#include "db/effect.h"

static void destroy_stream(void *body)
{
    stream_destroy(body);
}

const struct value_type value_types[TYPES_COUNT] = {
    [TYPE_STRING] = {.name = "string", .destroy = NULL},
    [TYPE_STREAM] = {.name = "stream", .destroy = destroy_stream},
};
