/* command_stream_idempotence.c - messages that are sent twice and stored once: what XADD's IDMP and
 * IDMPAUTO do, XCFGSET and XIDMPRECORD.
 *
 * A duplicate changes nothing but a figure, so its answer waits for what it depends on and no more:
 * for the change that made the original entry. */
#include "base/hash.h"
#include "command/commands.h"
#include "command/stream_idempotence.h"

struct stream_idmp_limits idempotence_limits(const struct command_context *c,
                                             const struct stream *stream)
{
    struct stream_idmp_limits limits = db_stream_idmp(c->db);
    struct stream_idmp_limits own = stream_idmp_limits(stream);
    if (own.duration_s > 0) limits.duration_s = own.duration_s;
    if (own.count_max > 0) limits.count_max = own.count_max;
    CHECK(limits.duration_s > 0 && limits.count_max > 0);
    return limits;
}

/* ---- XADD ---- */

/* The sum over the pairs of XXH3-128 of the value, seeded by the hash of the field: the same for
 * every order of the pairs. */
static void make_iid(char made[IDEMPOTENT_IID_BYTES], const struct slice *items, size_t count)
{
    struct hash_128 sum = {0};
    for (size_t i = 0; i < count; i += 2) {
        struct hash_128 pair = hash_bytes_128(items[i + 1], hash_bytes(items[i], 0));
        sum.low += pair.low;
        sum.high += pair.high;
    }
    for (unsigned i = 0; i < IDEMPOTENT_IID_BYTES; i++)
        made[i] = (char)((i < 8 ? sum.low : sum.high) >> (i % 8 * 8));
}

void idempotent_message_read(struct idempotent_message *m, const struct command_context *c,
                             const struct stream_add_options *options, const struct slice *items,
                             size_t count)
{
    m->given = options->producer != 0;
    if (!m->given) return;
    m->producer = c->arguments[options->producer];
    if (options->iid != 0) {
        m->iid = c->arguments[options->iid];
        return;
    }
    make_iid(m->made, items, count);
    m->iid = (struct slice){m->made, IDEMPOTENT_IID_BYTES};
}

bool idempotent_message_stored(const struct idempotent_message *m, struct command_context *c,
                               const struct store_key *key, const struct stream *stream,
                               struct stream_id *id)
{
    if (!m->given || stream == NULL) return false;
    int64_t after_ms = c->now_ms - (int64_t)idempotence_limits(c, stream).duration_s * 1000;
    if (after_ms < 0) after_ms = -1;
    if (!stream_idmp_find(stream, m->producer, m->iid, after_ms, id)) return false;
    db_stream_duplicate(c->db, key);
    return true;
}

struct stream_idmp_record idempotent_message_record(const struct idempotent_message *m,
                                                    const struct command_context *c,
                                                    const struct stream *stream,
                                                    struct stream_id id)
{
    CHECK(m->given);
    return (struct stream_idmp_record){.producer = m->producer,
                                       .iid = m->iid,
                                       .id = id,
                                       .limits = stream == NULL ? db_stream_idmp(c->db)
                                                                : idempotence_limits(c, stream)};
}

/* ---- XCFGSET ---- */

/* The number at argument 'index' into *value, once. False: refused. */
static bool read_setting(struct command_context *c, size_t index, uint32_t max, uint32_t *value)
{
    bool duration = max == STREAM_IDMP_DURATION_S_MAX;
    int64_t number;
    if (*value != 0)
        return deny(c, duration ? REPLY_ERROR_IDMP_DURATION_TWICE : REPLY_ERROR_IDMP_MAXSIZE_TWICE);
    if (!number_parse_i64(c->arguments[index], &number) || number < 1 || number > max)
        return deny(c, duration ? REPLY_ERROR_IDMP_DURATION : REPLY_ERROR_IDMP_MAXSIZE);
    *value = (uint32_t)number;
    return true;
}

/* 0 in *settings: not given. */
static bool read_settings(struct command_context *c, struct stream_idmp_limits *settings)
{
    *settings = (struct stream_idmp_limits){0};
    for (size_t i = 2; i < c->arguments_count; i += 2) {
        bool more = i + 1 < c->arguments_count, read;
        if (more && argument_is(c, i, "idmp-duration")) {
            read = read_setting(c, i + 1, STREAM_IDMP_DURATION_S_MAX, &settings->duration_s);
        } else if (more && argument_is(c, i, "idmp-maxsize")) {
            read = read_setting(c, i + 1, STREAM_IDMP_COUNT_MAX, &settings->count_max);
        } else {
            refuse(c, REPLY_ERROR_SYNTAX);
            read = false;
        }
        if (!read) return false;
    }
    if (c->arguments_count == 2) refuse(c, REPLY_ERROR_IDMP_NOTHING);
    return c->arguments_count > 2;
}

enum outcome command_xcfgset(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    struct stream_idmp_limits settings;
    const struct stream *stream;
    if (!read_settings(c, &settings)) return OUTCOME_REPLIED;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (stream == NULL) return refuse(c, REPLY_ERROR_NO_SUCH_KEY);

    struct stream_idmp_limits before = idempotence_limits(c, stream);
    struct stream_idmp_limits own = stream_idmp_limits(stream);
    if (settings.duration_s > 0) own.duration_s = settings.duration_s;
    if (settings.count_max > 0) own.count_max = settings.count_max;
    bool changed = (settings.duration_s > 0 && settings.duration_s != before.duration_s) ||
                   (settings.count_max > 0 && settings.count_max != before.count_max);
    db_change(c->db, &(struct effect){.kind = EFFECT_STREAM_IDMP_CONFIGURE,
                                      .key = key,
                                      .stream_idmp_configure = {own, changed}});
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* ---- XIDMPRECORD ---- */

enum outcome command_xidmprecord(struct command_context *c)
{
    struct store_key key = argument_key(c, 1);
    const struct stream *stream;
    struct stream_id id, known;
    if (c->arguments[2].size == 0) return refuse(c, REPLY_ERROR_IDMP_PRODUCER);
    if (c->arguments[3].size == 0) return refuse(c, REPLY_ERROR_IDMP_IID);
    if (!argument_stream_id(c, 4, 0, &id)) return OUTCOME_REPLIED;
    if (!argument_stream(c, &key, &stream)) return OUTCOME_REPLIED;
    if (stream == NULL) return refuse(c, REPLY_ERROR_NO_SUCH_KEY);
    if (!stream_contains(stream, id)) return refuse(c, REPLY_ERROR_IDMP_NO_MESSAGE);
    bool present = stream_idmp_find(stream, c->arguments[2], c->arguments[3], -1, &known);
    if (present && stream_id_compare(id, known) != 0) return refuse(c, REPLY_ERROR_IDMP_CONFLICT);
    struct idempotent_message message = {true, c->arguments[2], c->arguments[3], {0}};
    if (!present)
        db_change(c->db, &(struct effect){.kind = EFFECT_STREAM_IDMP_RECORD,
                                          .key = key,
                                          .stream_idmp_record = {
                                              idempotent_message_record(&message, c, stream, id)}});
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}
