#include "command/stream_arguments.h"

#include "base/limits.h"
#include "base/memory.h"

/* Without LIMIT an approximate trim removes at most this many entries, as Redis: 100 blocks. */
enum { TRIM_LIMIT_BLOCKS = 100, TRIM_LIMIT_DEFAULT = 10000, TRIM_LIMIT_MAX = 1000000 };

/* ---- IDs ---- */

void stream_ids_init(struct stream_ids *ids)
{
    ids->items = ids->few;
    ids->count = 0;
    ids->capacity = STREAM_IDS_INLINE;
}

void stream_ids_deinit(struct stream_ids *ids)
{
    if (ids->items != ids->few) memory_free(ids->items, ids->capacity * sizeof *ids->items);
    ids->items = NULL;
}

void stream_ids_add(struct stream_ids *ids, struct stream_id id)
{
    CHECK(ids->items != NULL);
    CHECK(ids->count <= ids->capacity);
    if (ids->count == ids->capacity) {
        size_t old_size = ids->capacity * sizeof *ids->items;
        struct stream_id *items = memory_allocate(old_size * 2);
        memcpy(items, ids->items, old_size);
        if (ids->items != ids->few) memory_free(ids->items, old_size);
        ids->items = items;
        ids->capacity *= 2;
    }
    ids->items[ids->count++] = id;
}

size_t stream_ids_runs(const struct stream_ids *ids)
{
    size_t runs = ids->count > 0;
    for (size_t i = 1; i < ids->count; i++)
        runs += stream_id_compare(ids->items[i], ids->items[i - 1]) <= 0;
    return runs;
}

bool argument_effects_fit(struct command_context *c, uint64_t times, uint64_t bytes)
{
    if (times == 0 || bytes <= REPEATED_NAMES_BYTES_MAX / times) return true;
    return deny(c, REPLY_ERROR_NAMES_REPEATED);
}

bool argument_stream_id(struct command_context *c, size_t index, uint64_t missing_seq,
                        struct stream_id *id)
{
    CHECK(index < c->arguments_count);
    if (stream_id_parse(c->arguments[index], missing_seq, id)) return true;
    return deny(c, REPLY_ERROR_STREAM_ID_INVALID);
}

bool argument_stream_ids(struct command_context *c, size_t first, struct stream_ids *ids)
{
    for (size_t i = first; i < c->arguments_count; i++) {
        struct stream_id id;
        if (!argument_stream_id(c, i, 0, &id)) return false;
        stream_ids_add(ids, id);
    }
    return true;
}

/* One end of a range. *excluded: it was written with "(". */
static bool read_range_end(struct command_context *c, size_t index, uint64_t missing_seq,
                           struct stream_id *id, bool *excluded)
{
    struct slice text = c->arguments[index];
    *excluded = text.size > 1 && text.data[0] == '(';
    if (*excluded) text = (struct slice){text.data + 1, text.size - 1};
    if (!*excluded && slice_equal(text, SLICE("-"))) *id = STREAM_ID_MIN;
    else if (!*excluded && slice_equal(text, SLICE("+"))) *id = STREAM_ID_MAX;
    else if (!stream_id_parse(text, missing_seq, id)) return deny(c, REPLY_ERROR_STREAM_ID_INVALID);
    return true;
}

bool argument_range_first(struct command_context *c, size_t index, struct stream_id *first)
{
    bool excluded;
    if (!read_range_end(c, index, 0, first, &excluded)) return false;
    if (!excluded || stream_id_increment(first)) return true;
    return deny(c, REPLY_ERROR_STREAM_RANGE_START);
}

bool argument_range_last(struct command_context *c, size_t index, struct stream_id *last)
{
    bool excluded;
    if (!read_range_end(c, index, UINT64_MAX, last, &excluded)) return false;
    if (!excluded || stream_id_decrement(last)) return true;
    return deny(c, REPLY_ERROR_STREAM_RANGE_END);
}

/* ---- removing ---- */

static bool read_references(const struct command_context *c, size_t index,
                            enum stream_references *references)
{
    if (argument_is(c, index, "keepref")) *references = REFERENCES_KEEP;
    else if (argument_is(c, index, "delref")) *references = REFERENCES_DELETE;
    else if (argument_is(c, index, "acked")) *references = REFERENCES_ACKED;
    else return false;
    return true;
}

/* The count at argument *at and so many IDs; moves *at to the last of them. */
static bool read_counted_ids(struct command_context *c, size_t *at, struct stream_ids *ids)
{
    int64_t count;
    if (!number_parse_i64(c->arguments[*at], &count) || count < 1)
        return deny(c, REPLY_ERROR_IDS_COUNT_RANGE);
    if ((uint64_t)count > c->arguments_count - 1 - *at) return deny(c, REPLY_ERROR_IDS_COUNT);
    for (; count > 0; count--) {
        struct stream_id id;
        if (!argument_stream_id(c, ++*at, 0, &id)) return false;
        stream_ids_add(ids, id);
    }
    return true;
}

bool argument_removal_options(struct command_context *c, size_t first,
                              enum stream_references *references, struct stream_ids *ids)
{
    *references = REFERENCES_KEEP;
    for (size_t i = first; i < c->arguments_count; i++) {
        bool more = i + 1 < c->arguments_count;
        if (read_references(c, i, references)) continue;
        if (more && ids->count == 0 && argument_is(c, i, "ids")) {
            i++;
            if (!read_counted_ids(c, &i, ids)) return false;
        } else {
            struct stream_id id;
            bool id_too_many = ids->count > 0 && stream_id_parse(c->arguments[i], 0, &id);
            return deny(c, id_too_many ? REPLY_ERROR_IDS_COUNT : REPLY_ERROR_SYNTAX);
        }
    }
    if (ids->count == 0) refuse(c, REPLY_ERROR_IDS_MISSING);
    return ids->count > 0;
}

/* ---- trimming and adding ---- */

/* MAXLEN or MINID at argument *at, its "=" or "~", and its threshold; moves *at to the last. */
static bool read_trim(struct command_context *c, size_t *at, bool by_id,
                      struct stream_trim_options *options)
{
    size_t left = c->arguments_count - 1 - *at;
    if (options->given) return deny(c, REPLY_ERROR_STREAM_TRIM_TWICE);
    options->given = true;
    options->trim.by = by_id ? STREAM_TRIM_ID : STREAM_TRIM_LENGTH;
    options->trim.approximate = left >= 2 && argument_is(c, *at + 1, "~");
    if (left >= 2 && (options->trim.approximate || argument_is(c, *at + 1, "="))) ++*at;
    ++*at;
    if (by_id) return argument_stream_id(c, *at, 0, &options->trim.id_min);
    int64_t length;
    if (!argument_integer(c, *at, &length)) return false;
    if (length < 0) return deny(c, REPLY_ERROR_STREAM_MAXLEN_NEGATIVE);
    options->trim.length_max = (uint64_t)length;
    return true;
}

/* LIMIT against the other options; limit < 0: none was given. */
static bool settle_limit(struct command_context *c, bool adding, int64_t limit,
                         struct stream_trim_options *options)
{
    uint64_t entries_max = db_stream_block(c->db).entries_max;
    if (limit > 0 && !options->given) return deny(c, REPLY_ERROR_STREAM_LIMIT_WITHOUT_TRIM);
    if (!adding && !options->given) return deny(c, REPLY_ERROR_STREAM_TRIM_MISSING);
    if (limit >= 0 && !options->trim.approximate) return deny(c, REPLY_ERROR_STREAM_LIMIT_EXACT);
    if (limit >= 0) {
        options->trim.entries_removed_max = (uint64_t)limit;
    } else if (options->trim.approximate) {
        uint64_t removed_max =
            entries_max > TRIM_LIMIT_MAX ? TRIM_LIMIT_MAX : entries_max * TRIM_LIMIT_BLOCKS;
        if (removed_max == 0) removed_max = TRIM_LIMIT_DEFAULT;
        if (removed_max > TRIM_LIMIT_MAX) removed_max = TRIM_LIMIT_MAX;
        options->trim.entries_removed_max = removed_max;
    }
    return true;
}

/* "*", "ms-*" or an ID. */
static bool read_add_id(struct command_context *c, size_t index, struct stream_add_options *options)
{
    struct slice text = c->arguments[index];
    options->id_index = index;
    options->id_form = ADD_ID_AUTO;
    if (slice_equal(text, SLICE("*"))) return true;
    options->id_form = ADD_ID_GIVEN;
    if (text.size > 2 && memcmp(text.data + text.size - 2, "-*", 2) == 0) {
        struct slice ms = {text.data, text.size - 2};
        options->id_form = ADD_ID_AUTO_SEQ;
        options->id.seq = 0;
        if (number_parse_u64(ms, &options->id.ms)) return true;
    } else if (stream_id_parse(text, 0, &options->id)) {
        return true;
    }
    return deny(c, REPLY_ERROR_STREAM_ID_INVALID);
}

/* What XADD and XTRIM read so far; limit < 0: none was given. */
struct add_reading {
    struct stream_add_options *options;
    int64_t limit;
};

/* IDMPAUTO producer or IDMP producer iid at argument *at; moves *at to the last. */
static bool read_idempotence(struct command_context *c, size_t *at, bool automatic,
                             struct stream_add_options *options)
{
    if (options->producer != 0) return deny(c, REPLY_ERROR_IDMP_TWICE);
    options->producer = ++*at;
    if (!automatic) options->iid = ++*at;
    if (c->arguments[options->producer].size == 0)
        return deny(c, automatic ? REPLY_ERROR_IDMP_AUTO_PRODUCER : REPLY_ERROR_IDMP_PRODUCER);
    if (automatic || c->arguments[options->iid].size > 0) return true;
    return deny(c, REPLY_ERROR_IDMP_IID);
}

static bool read_limit(struct command_context *c, size_t *at, struct add_reading *reading)
{
    if (!argument_integer(c, ++*at, &reading->limit)) return false;
    if (reading->limit >= 0) return true;
    return deny(c, REPLY_ERROR_STREAM_LIMIT_NEGATIVE);
}

enum add_option {
    ADD_OPTION_IDMP,
    ADD_OPTION_IDMPAUTO,
    ADD_OPTION_NOMKSTREAM,
    ADD_OPTION_MAXLEN, /* from here on XTRIM has them, too */
    ADD_OPTION_MINID,
    ADD_OPTION_LIMIT,
    ADD_OPTION_KEEPREF,
    ADD_OPTION_DELREF,
    ADD_OPTION_ACKED,
    ADD_OPTIONS_COUNT, /* none of them */
};

/* Which option the argument is; one that must be followed by more arguments than there are is
 * none. A table, because an option is looked up for every idempotent message. */
static enum add_option option_at(const struct command_context *c, size_t at, bool adding)
{
    static const struct {
        struct slice word;
        size_t needed; /* arguments behind it */
    } options[ADD_OPTIONS_COUNT] = {
        [ADD_OPTION_IDMP] = {{"idmp", 4}, 2},
        [ADD_OPTION_IDMPAUTO] = {{"idmpauto", 8}, 1},
        [ADD_OPTION_NOMKSTREAM] = {{"nomkstream", 10}, 0},
        [ADD_OPTION_MAXLEN] = {{"maxlen", 6}, 1},
        [ADD_OPTION_MINID] = {{"minid", 5}, 1},
        [ADD_OPTION_LIMIT] = {{"limit", 5}, 1},
        [ADD_OPTION_KEEPREF] = {{"keepref", 7}, 0},
        [ADD_OPTION_DELREF] = {{"delref", 6}, 0},
        [ADD_OPTION_ACKED] = {{"acked", 5}, 0},
    };
    enum { WORD_BYTES_MIN = 4 }; /* what is shorter is the ID "*" */
    struct slice word = c->arguments[at];
    if (word.size < WORD_BYTES_MIN) return ADD_OPTIONS_COUNT;
    size_t left = c->arguments_count - 1 - at;
    for (unsigned i = adding ? 0 : ADD_OPTION_MAXLEN; i < ADD_OPTIONS_COUNT; i++) {
        if (options[i].word.size != word.size || options[i].needed > left) continue;
        if (slice_equal_ignoring_case(word, options[i].word)) return (enum add_option)i;
    }
    return ADD_OPTIONS_COUNT;
}

/* An option of XADD or XTRIM at argument *at; moves *at to its last argument. False: refused. */
static bool read_option(struct command_context *c, size_t *at, enum add_option option,
                        struct add_reading *reading)
{
    struct stream_trim_options *trim = &reading->options->trim;
    switch (option) {
    case ADD_OPTION_IDMP: return read_idempotence(c, at, false, reading->options);
    case ADD_OPTION_IDMPAUTO: return read_idempotence(c, at, true, reading->options);
    case ADD_OPTION_NOMKSTREAM: reading->options->no_create = true; return true;
    case ADD_OPTION_MAXLEN: return read_trim(c, at, false, trim);
    case ADD_OPTION_MINID: return read_trim(c, at, true, trim);
    case ADD_OPTION_LIMIT: return read_limit(c, at, reading);
    case ADD_OPTION_KEEPREF: trim->references = REFERENCES_KEEP; return true;
    case ADD_OPTION_DELREF: trim->references = REFERENCES_DELETE; return true;
    case ADD_OPTION_ACKED: trim->references = REFERENCES_ACKED; return true;
    case ADD_OPTIONS_COUNT: break;
    }
    CHECK(false);
    return false;
}

bool argument_add_options(struct command_context *c, bool adding,
                          struct stream_add_options *options)
{
    struct add_reading reading = {.options = options, .limit = -1};
    *options = (struct stream_add_options){.id_index = c->arguments_count};
    for (size_t i = 2; i < c->arguments_count; i++) {
        enum add_option option = option_at(c, i, adding);
        if (option != ADD_OPTIONS_COUNT) {
            if (!read_option(c, &i, option, &reading)) return false;
            continue;
        }
        if (!adding) return deny(c, REPLY_ERROR_SYNTAX);
        if (!read_add_id(c, i, options)) return false;
        break;
    }
    if (options->producer != 0 && options->id_form != ADD_ID_AUTO)
        return deny(c, REPLY_ERROR_IDMP_GIVEN_ID);
    return settle_limit(c, adding, reading.limit, &options->trim);
}

/* ---- streams, groups, consumers ---- */

bool argument_stream(struct command_context *c, const struct store_key *key,
                     const struct stream **stream)
{
    switch (db_stream(c->db, key, stream)) {
    case LOOKUP_FOUND: return true;
    case LOOKUP_ABSENT: *stream = NULL; return true;
    case LOOKUP_WRONG_TYPE: return deny(c, REPLY_ERROR_WRONG_TYPE);
    }
    CHECK(false);
    return false;
}

const struct stream_group *argument_group(const struct command_context *c, size_t index,
                                          const struct stream *stream)
{
    CHECK(index < c->arguments_count);
    return stream == NULL ? NULL : stream_group_find(stream, c->arguments[index]);
}

const struct stream_group *require_group(struct command_context *c, const struct stream *stream)
{
    const struct stream_group *group = argument_group(c, 3, stream);
    struct slice key = c->arguments[2], name = c->arguments[3];
    if (group == NULL)
        reply_error_format(c->reply, REPLY_ERROR_NO_GROUP_FOR_KEY, argument_quoted_size(name),
                           name.data, argument_quoted_size(key), key.data);
    return group;
}

enum outcome refuse_no_group(struct command_context *c, struct slice key, struct slice group)
{
    reply_error_format(c->reply, REPLY_ERROR_NO_GROUP, argument_quoted_size(key), key.data,
                       argument_quoted_size(group), group.data);
    return OUTCOME_REPLIED;
}

void ensure_consumer(struct command_context *c, const struct store_key *key, struct slice group,
                     struct slice consumer)
{
    const struct stream *stream;
    CHECK(db_stream(c->db, key, &stream) == LOOKUP_FOUND);
    const struct stream_group *found = stream_group_find(stream, group);
    CHECK(found != NULL);
    if (stream_consumer_find(found, consumer) != NULL) {
        db_consumer_seen(c->db, key, group, consumer);
        return;
    }
    db_change(c->db, &(struct effect){.kind = EFFECT_CONSUMER_CREATE,
                                      .key = *key,
                                      .consumer_create = {group, consumer, c->now_ms}});
}

struct slice pending_owner_name(const struct stream_pending *pending)
{
    if (pending->consumer == NULL) return SLICE("");
    return stream_consumer_name(pending->consumer);
}

/* ---- answers ---- */

void answer_stream_id(struct reply *r, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];
    reply_bulk(r, (struct slice){text, stream_id_format(id, text)});
}

void answer_stream_id_and_fields(struct reply *r, struct stream_walk *walk)
{
    struct slice item;
    answer_stream_id(r, walk->id);
    reply_array(r, walk->fields_count);
    while (stream_walk_field(walk, &item)) reply_bulk(r, item);
}

void answer_stream_entry(struct reply *r, struct stream_walk *walk)
{
    reply_array(r, 2);
    answer_stream_id_and_fields(r, walk);
}

void answer_stream_entry_of(struct reply *r, const struct stream *stream, struct stream_id id)
{
    struct stream_walk walk;
    stream_walk_begin(&walk, stream, (struct stream_range){id, id}, false);
    CHECK(stream_walk_next(&walk));
    answer_stream_entry(r, &walk);
}
