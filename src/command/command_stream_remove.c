/* command_stream_remove.c - entries leave a stream: XDEL, XDELEX, XTRIM, XACKDEL.
 *
 * A consumer group refers to an entry that it has still to read, and to one that is pending in it.
 * KEEPREF lets pending entries stand without their entry, DELREF takes them away in every group,
 * ACKED removes only what no group refers to. All of it is told to the log in effects that exist
 * anyway: entries go (a bound or IDs), pending entries go (IDs, one effect for each group).
 *
 * An ID that a request names twice must find at its second place what the first has left. IDs are
 * therefore collected in runs of rising IDs, usually one in all, and a run is applied before an ID
 * that does not rise is looked at. */
#include "command/commands.h"
#include "command/stream_remove.h"

/* TRIM_LOOKS_MAX: entries that one ACKED looks at beyond those that it knows to be referenced. What
 * it has not come to, the next one looks at. */
enum { TRIM_PAGE = 256, TRIM_LOOKS_MAX = 1 << 20 };

struct removal {
    struct command_context *c;
    struct store_key key;
    const struct stream *stream;
    enum stream_references references;
    const struct stream_group *group; /* XACKDEL: whose pending entries are acknowledged */
    struct stream_ids acknowledged;   /* the run: pending entries that go from the group */
    struct stream_ids removed;        /* the run: entries that go from the stream */
    bool says_xdel;                   /* the run has the first entry that goes */
    bool said_xdel;                   /* a run before it had */
};

/* ---- effects ---- */

/* event: EVENT_NONE when the request has said already what becomes of the stream. */
static void delete_entries(struct command_context *c, const struct store_key *key,
                           const struct stream_ids *ids, enum event event)
{
    if (ids->count == 0) return;
    db_change(c->db, &(struct effect){.kind = EFFECT_STREAM_DELETE,
                                      .event = event,
                                      .key = *key,
                                      .stream_delete = {ids->items, ids->count}});
}

static void acknowledge(struct command_context *c, const struct store_key *key, struct slice group,
                        const struct stream_ids *ids)
{
    if (ids->count == 0) return;
    db_change(c->db, &(struct effect){.kind = EFFECT_GROUP_ACKNOWLEDGE,
                                      .key = *key,
                                      .group_acknowledge = {group, ids->items, ids->count}});
}

/* The names in the effects of one DELREF. */
static uint64_t references_bytes(const struct stream *stream, const struct store_key *key)
{
    const struct stream_group *group = NULL;
    uint64_t bytes = 0;
    while ((group = stream_group_next(stream, group)) != NULL)
        bytes += EFFECT_BYTES + key->name.size + stream_group_name(group).size;
    return bytes;
}

/* DELREF of some IDs. */
static void drop_references(struct command_context *c, const struct store_key *key,
                            const struct stream *stream, const struct stream_ids *ids)
{
    const struct stream_group *group = NULL;
    struct stream_pending found;
    while ((group = stream_group_next(stream, group)) != NULL) {
        struct stream_ids pending;
        stream_ids_init(&pending);
        for (size_t i = 0; i < ids->count; i++)
            if (stream_pending_find(group, ids->items[i], &found))
                stream_ids_add(&pending, ids->items[i]);
        acknowledge(c, key, stream_group_name(group), &pending);
        stream_ids_deinit(&pending);
    }
}

/* ---- trimming ---- */

/* Returns how many entries went. */
static uint64_t trim_before(struct command_context *c, const struct store_key *key,
                            struct stream_id first_kept, uint64_t count)
{
    if (count > 0)
        db_change(c->db, &(struct effect){.kind = EFFECT_STREAM_TRIM,
                                          .key = *key,
                                          .stream_trim = {.first_kept = first_kept}});
    return count;
}

/* DELREF of all entries before first_kept (0-0: all there are). */
static void drop_references_before(struct command_context *c, const struct store_key *key,
                                   const struct stream *stream, struct stream_id first_kept)
{
    const struct stream_group *group = NULL;
    struct stream_range range = {STREAM_ID_MIN, first_kept};
    if (!stream_id_decrement(&range.last)) range.last = STREAM_ID_MAX;
    while ((group = stream_group_next(stream, group)) != NULL) {
        struct stream_pending_walk walk;
        struct stream_ids pending;
        stream_ids_init(&pending);
        stream_pending_walk_begin(&walk, group, NULL, range);
        while (stream_pending_walk_next(&walk))
            if (stream_contains(stream, walk.entry.id)) stream_ids_add(&pending, walk.entry.id);
        acknowledge(c, key, stream_group_name(group), &pending);
        stream_ids_deinit(&pending);
    }
}

/* Up to 'count' entries of the range go, those that no group refers to. Returns how many. */
static uint64_t remove_unreferenced(struct command_context *c, const struct store_key *key,
                                    struct stream_range range, uint64_t count, enum event event)
{
    const struct stream *stream;
    struct stream_id page[TRIM_PAGE];
    struct stream_unreferenced list = {.range = range, .looks = TRIM_LOOKS_MAX, .ids = page};
    struct stream_ids ids;
    CHECK(db_stream(c->db, key, &stream) == LOOKUP_FOUND);
    stream_ids_init(&ids);
    for (bool more = true; more && ids.count < count;) {
        list.capacity = count - ids.count < TRIM_PAGE ? (size_t)(count - ids.count) : TRIM_PAGE;
        more = stream_list_unreferenced(stream, &list);
        for (size_t i = 0; i < list.count; i++) stream_ids_add(&ids, page[i]);
        if (list.count == 0) break;
        list.range.first = page[list.count - 1];
        more = more && stream_id_increment(&list.range.first);
    }
    uint64_t removed = ids.count;
    delete_entries(c, key, &ids, event);
    stream_ids_deinit(&ids);
    return removed;
}

/* ACKED: 'count' entries are to go, those before first_kept (0-0: all there are) unless some of
 * them must stay; then an exact MAXLEN goes on with later ones. What all groups are through with is
 * nearly always a prefix of the stream, which goes as one, whatever its size. */
static uint64_t trim_acknowledged(struct command_context *c, const struct store_key *key,
                                  const struct stream_trim *trim, struct stream_id first_kept,
                                  uint64_t count)
{
    const struct stream *stream;
    struct stream_id first, last, end = first_kept, prefix = first_kept;
    CHECK(db_stream(c->db, key, &stream) == LOOKUP_FOUND);
    if (!stream_referenced_bounds(stream, &first, &last))
        return trim_before(c, key, first_kept, count);
    if (!stream_id_decrement(&end) || (trim->by == STREAM_TRIM_LENGTH && !trim->approximate))
        end = STREAM_ID_MAX;
    if (stream_id_compare(last, end) < 0) end = last;
    bool all = stream_id_compare(first_kept, STREAM_ID_MIN) == 0;
    if (all || stream_id_compare(first, prefix) < 0) prefix = first;

    struct stream_range before = {STREAM_ID_MIN, prefix};
    CHECK(stream_id_decrement(&before.last));
    uint64_t removed = trim_before(c, key, prefix, stream_count(stream, before, UINT64_MAX));
    CHECK(removed <= count);
    if (removed == count || stream_id_compare(prefix, end) > 0) return removed;
    struct stream_range rest = {prefix, end};
    enum event event = removed > 0 ? EVENT_NONE : EVENT_XTRIM;
    return removed + remove_unreferenced(c, key, rest, count - removed, event);
}

bool trim_effects_fit(struct command_context *c, const struct store_key *key,
                      const struct stream *stream, const struct stream_trim_options *options)
{
    if (stream == NULL || options->references != REFERENCES_DELETE) return true;
    return argument_effects_fit(c, 1, references_bytes(stream, key));
}

uint64_t remove_by_trim(struct command_context *c, const struct store_key *key,
                        const struct stream_trim_options *options)
{
    const struct stream *stream;
    struct stream_id first_kept;
    uint64_t count;
    CHECK(options->given);
    CHECK(db_stream(c->db, key, &stream) == LOOKUP_FOUND);
    if (!stream_trim_plan(stream, &options->trim, &first_kept, &count)) return 0;
    switch (options->references) {
    case REFERENCES_KEEP: break;
    case REFERENCES_DELETE: drop_references_before(c, key, stream, first_kept); break;
    case REFERENCES_ACKED: return trim_acknowledged(c, key, &options->trim, first_kept, count);
    }
    return trim_before(c, key, first_kept, count);
}

enum outcome command_xtrim(struct command_context *c)
{
    struct stream_add_options options;
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    if (!argument_add_options(c, false, &options)) return OUTCOME_REPLIED;
    if (!argument_stream(c, &key, &stream) || !trim_effects_fit(c, &key, stream, &options.trim))
        return OUTCOME_REPLIED;
    uint64_t count = stream == NULL ? 0 : remove_by_trim(c, &key, &options.trim);
    reply_integer(c->reply, (int64_t)count);
    return OUTCOME_REPLIED;
}

/* ---- deleting ---- */

enum outcome command_xdel(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    struct stream_ids asked, present;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (stream == NULL) {
        reply_integer(c->reply, 0);
        return OUTCOME_REPLIED;
    }
    stream_ids_init(&asked);
    stream_ids_init(&present);
    if (argument_stream_ids(c, 2, &asked)) {
        uint64_t length = stream_length(stream);
        for (size_t i = 0; i < asked.count; i++)
            if (stream_contains(stream, asked.items[i])) stream_ids_add(&present, asked.items[i]);
        delete_entries(c, &key, &present, EVENT_XDEL);
        /* An ID that was named twice was deleted once: the length knows. */
        reply_integer(c->reply, (int64_t)(length - stream_length(stream)));
    }
    stream_ids_deinit(&asked);
    stream_ids_deinit(&present);
    return OUTCOME_REPLIED;
}

static void apply_run(struct removal *r)
{
    if (r->group != NULL) acknowledge(r->c, &r->key, stream_group_name(r->group), &r->acknowledged);
    if (r->references == REFERENCES_DELETE && r->removed.count > 0)
        drop_references(r->c, &r->key, r->stream, &r->removed);
    delete_entries(r->c, &r->key, &r->removed, r->says_xdel ? EVENT_XDEL : EVENT_NONE);
    if (r->says_xdel) r->said_xdel = true;
    r->says_xdel = false;
    r->acknowledged.count = 0;
    r->removed.count = 0;
}

static void apply_before(struct removal *r, const struct stream_ids *run, struct stream_id id)
{
    if (run->count > 0 && stream_id_compare(id, run->items[run->count - 1]) <= 0) apply_run(r);
}

/* The first entry that goes makes its run say so, and no other run does. */
static void remove_entry(struct removal *r, struct stream_id id)
{
    stream_ids_add(&r->removed, id);
    if (!r->said_xdel) r->says_xdel = true;
}

/* What becomes of one ID of XDELEX: -1 no such entry, 1 deleted, 2 some group refers to it. */
static int delete_id(struct removal *r, struct stream_id id)
{
    apply_before(r, &r->removed, id);
    if (r->stream == NULL || !stream_contains(r->stream, id)) return -1;
    if (r->references == REFERENCES_ACKED && stream_is_referenced(r->stream, id, NULL)) return 2;
    remove_entry(r, id);
    return 1;
}

/* What becomes of one ID of XACKDEL: -1 not pending in the group, 1 acknowledged and not in the
 * stream any more, 2 acknowledged, but another group refers to it. */
static int acknowledge_id(struct removal *r, struct stream_id id)
{
    struct stream_pending found;
    apply_before(r, &r->acknowledged, id);
    if (r->group == NULL || !stream_pending_find(r->group, id, &found)) return -1;
    stream_ids_add(&r->acknowledged, id);
    bool present = stream_contains(r->stream, id);
    if (present && r->references == REFERENCES_ACKED &&
        stream_is_referenced(r->stream, id, r->group))
        return 2;
    /* DELREF: what other groups have pending goes even when the entry is gone already. */
    if (present) remove_entry(r, id);
    else if (r->references == REFERENCES_DELETE) stream_ids_add(&r->removed, id);
    return 1;
}

/* What a run may say: an acknowledgement, a deletion, and what DELREF takes from each group. */
static bool effects_fit(const struct removal *r, const struct stream_ids *ids)
{
    uint64_t names = 2 * (EFFECT_BYTES + r->key.name.size);
    if (r->group != NULL) names += stream_group_name(r->group).size;
    if (r->stream != NULL && r->references == REFERENCES_DELETE)
        names += references_bytes(r->stream, &r->key);
    return argument_effects_fit(r->c, stream_ids_runs(ids), names);
}

static void remove_ids(struct removal *r, const struct stream_ids *ids,
                       int (*decide)(struct removal *r, struct stream_id id))
{
    if (!effects_fit(r, ids)) return;
    stream_ids_init(&r->acknowledged);
    stream_ids_init(&r->removed);
    reply_array(r->c->reply, ids->count);
    for (size_t i = 0; i < ids->count; i++) reply_integer(r->c->reply, decide(r, ids->items[i]));
    apply_run(r);
    stream_ids_deinit(&r->acknowledged);
    stream_ids_deinit(&r->removed);
}

enum outcome command_xdelex(struct command_context *c)
{
    struct removal r = {.c = c, .key = argument_key(c, 1)};
    struct stream_ids ids;
    stream_ids_init(&ids);
    if (argument_removal_options(c, 2, &r.references, &ids) &&
        argument_stream(c, &r.key, &r.stream))
        remove_ids(&r, &ids, delete_id);
    stream_ids_deinit(&ids);
    return OUTCOME_REPLIED;
}

enum outcome command_xackdel(struct command_context *c)
{
    struct removal r = {.c = c, .key = argument_key(c, 1)};
    struct stream_ids ids;
    stream_ids_init(&ids);
    if (argument_removal_options(c, 3, &r.references, &ids) &&
        argument_stream(c, &r.key, &r.stream)) {
        r.group = argument_group(c, 2, r.stream);
        remove_ids(&r, &ids, acknowledge_id);
    }
    stream_ids_deinit(&ids);
    return OUTCOME_REPLIED;
}
