#include "engine/ahead.h"

#include "base/check.h"

/* "*3\r...", with few enough arguments. */
static bool is_small(struct slice input)
{
    if (input.size < 4 || input.data[0] != '*' || input.data[2] != '\r') return false;
    return input.data[1] >= '1' && input.data[1] <= '0' + AHEAD_ARGUMENTS_MAX;
}

void ahead_parse(struct ahead *a, struct request_parser *parser, struct slice input,
                 const struct request_limits *limits)
{
    CHECK(request_is_reset(parser));
    size_t used = 0;
    for (a->count = 0; a->count < DB_PREFETCH_MAX; a->count++) {
        struct slice rest = {input.data + used, input.size - used};
        if (!is_small(rest) || request_parse(parser, rest, limits) != REQUEST_READY) break;
        struct ahead_request *r = &a->requests[a->count];
        CHECK(parser->arguments_count <= AHEAD_ARGUMENTS_MAX);
        r->arguments_count = parser->arguments_count;
        memcpy(r->arguments, parser->arguments, r->arguments_count * sizeof r->arguments[0]);
        r->bytes = parser->bytes_consumed;
        used += r->bytes;
    }
    CHECK(used <= input.size);
    if (!request_is_reset(parser)) request_reset(parser);
}

void ahead_prefetch(const struct ahead *a, const struct db *db, unsigned database)
{
    struct slice names[DB_PREFETCH_MAX];
    size_t count = 0;
    if (a->count < 2) return;
    for (size_t i = 0; i < a->count; i++) {
        const struct ahead_request *r = &a->requests[i];
        if (r->arguments_count > 1) names[count++] = r->arguments[1];
    }
    db_prefetch(db, database, names, count);
}
