#include "stream/stream_copy.h"

#include "stream/group.h"
#include "stream/idempotence.h"

static void copy_producers(const struct stream *s, struct stream *copy)
{
    struct stream_idmp_walk w = {0};
    struct stream_idmp_figures figures;
    if (!stream_idmp_is_kept(s)) return;
    stream_idmp_measure(s, &figures);
    stream_idmp_configure(copy, stream_idmp_limits(s), false);
    stream_idmp_restore(copy, figures.added, figures.duplicates);
    stream_idmp_restore_sweep(copy, stream_idmp_sweep(s));
    while (stream_idmp_walk_next(s, &w))
        CHECK(stream_idmp_restore_iid(copy, w.producer, w.iid, w.id));
}

struct stream *stream_copy(const struct stream *s)
{
    struct stream *copy = stream_freeze(s);
    for (const struct stream_group *g = NULL; (g = stream_group_next(s, g)) != NULL;)
        group_copy(g, copy);
    copy_producers(s, copy);
    return copy;
}

struct stream *stream_copy_group(const struct stream_group *g)
{
    struct stream *copy = stream_create();
    group_copy(g, copy);
    return copy;
}
