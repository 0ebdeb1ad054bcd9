#include "db/event_queue.h"

#include "base/check.h"

#include <assert.h>

enum { EVENTS_KEPT_BYTES = 64 * 1024 };
static_assert(EVENTS_END <= UINT8_MAX, "an event is one byte of the queue");

static const char *const names[EVENTS_END] = {
#define EVENT(NAME, CLASS, name) [EVENT_##NAME] = (name),
#include "db/events.def"
#undef EVENT
};

static const uint8_t classes[EVENTS_END] = {
#define EVENT(NAME, CLASS, name) [EVENT_##NAME] = EVENT_CLASS_##CLASS,
#include "db/events.def"
#undef EVENT
};

const char *event_name(enum event event)
{
    CHECK(event > EVENT_NONE && event < EVENTS_END);
    return names[event];
}

enum event_class event_class(enum event event)
{
    CHECK(event > EVENT_NONE && event < EVENTS_END);
    return (enum event_class)classes[event];
}

/* ---- what an effect says ---- */

/* How the kind is called when the command said no word. */
static enum event event_of(const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_KEY_DELETE: return EVENT_DEL;
    case EFFECT_KEY_EXPIRE:
        return e->key_expire.expiry_ms == STORE_NO_EXPIRY ? EVENT_PERSIST : EVENT_EXPIRE;
    case EFFECT_KEY_RENAME: return EVENT_RENAME_FROM;
    case EFFECT_KEY_MOVE: return EVENT_MOVE_FROM;
    case EFFECT_STRING_SET: return EVENT_SET;
    case EFFECT_STRING_SET_INTEGER: return EVENT_INCRBY;
    case EFFECT_STRING_APPEND: return EVENT_APPEND;
    case EFFECT_STRING_SET_RANGE: return EVENT_SETRANGE;
    case EFFECT_STREAM_APPEND:
    case EFFECT_STREAM_APPEND_ONCE: return EVENT_XADD;
    case EFFECT_STREAM_TRIM: return EVENT_XTRIM;
    case EFFECT_STREAM_DELETE: return EVENT_XDEL;
    case EFFECT_STREAM_SET_ID: return EVENT_XSETID;
    case EFFECT_GROUP_CREATE: return EVENT_XGROUP_CREATE;
    case EFFECT_GROUP_SET_ID: return EVENT_XGROUP_SETID;
    case EFFECT_GROUP_DESTROY: return EVENT_XGROUP_DESTROY;
    case EFFECT_CONSUMER_CREATE: return EVENT_XGROUP_CREATECONSUMER;
    case EFFECT_CONSUMER_DESTROY: return EVENT_XGROUP_DELCONSUMER;
    case EFFECT_KEY_COPY: /* the copy says it, its source is as it was */
    case EFFECT_DATABASE_FLUSH:
    case EFFECT_DATABASE_SWAP:
    case EFFECT_STREAM_CREATE: /* but the key is new */
    case EFFECT_STREAM_IDMP_RECORD:
    case EFFECT_STREAM_IDMP_CONFIGURE:
    case EFFECT_GROUP_DELIVER:
    case EFFECT_GROUP_ACKNOWLEDGE:
    case EFFECT_GROUP_CLAIM: return EVENT_NONE;
    }
    CHECK(false);
    return EVENT_NONE;
}

static void say(struct event_queue *q, enum event event, const struct store_key *key)
{
    if (event == EVENT_NONE || (q->sink.classes & event_class(event)) == 0) return;
    buf_append_byte(&q->bytes, (uint8_t)event);
    buf_append_byte(&q->bytes, (uint8_t)store_number(q->store, key->database));
    buf_append_bytes(&q->bytes, key->name);
}

/* A key that the effect sets beside its own. What was there goes without a word, unless its
 * deadline has passed; what comes is new, because Redis deletes before it puts. */
static void say_second(struct event_queue *q, enum effect_kind kind, const struct store_key *to,
                       int64_t now_ms)
{
    struct value value;
    int64_t expiry_ms;
    if (store_get(q->store, to, &value, &expiry_ms) && expiry_ms <= now_ms)
        say(q, EVENT_EXPIRED, to);
    say(q, EVENT_NEW, to);
    if (kind == EFFECT_KEY_COPY) say(q, EVENT_COPY_TO, to);
}

static bool puts_key(enum effect_kind kind)
{
    return kind == EFFECT_STRING_SET || kind == EFFECT_STRING_SET_INTEGER ||
           kind == EFFECT_STRING_SET_RANGE || kind == EFFECT_STREAM_CREATE ||
           kind == EFFECT_STREAM_APPEND || kind == EFFECT_STREAM_APPEND_ONCE;
}

static bool is_new(const struct event_queue *q, const struct effect *e)
{
    struct value value;
    int64_t expiry_ms;
    return (q->sink.classes & EVENT_CLASS_NEW) != 0 && puts_key(e->kind) &&
           !store_get(q->store, &e->key, &value, &expiry_ms);
}

void event_queue_add(struct event_queue *q, const struct effect *e, bool expiry, int64_t now_ms)
{
    struct store_key to;
    CHECK(q->sink.classes != 0);
    CHECK(IMPLIES(expiry, e->kind == EFFECT_KEY_DELETE));
    bool second = effect_second_key(e, q->store, &to);
    if (second) say_second(q, e->kind, &to, now_ms);
    if (is_new(q, e)) say(q, EVENT_NEW, &e->key);

    enum event event = e->event == EVENT_OF_KIND ? event_of(e) : e->event;
    say(q, expiry ? EVENT_EXPIRED : event, &e->key);

    if (e->kind == EFFECT_KEY_RENAME) say(q, EVENT_RENAME_TO, &to);
    if (e->kind == EFFECT_KEY_MOVE) say(q, EVENT_MOVE_TO, &to);
    if (e->kind == EFFECT_STRING_SET && e->string_set.expiry_ms != EFFECT_EXPIRY_NONE &&
        e->string_set.expiry_ms != EFFECT_EXPIRY_KEEP)
        say(q, EVENT_EXPIRE, &e->key);
}

/* ---- delivery ---- */

void event_queue_deliver(struct event_queue *q, lsn_t lsn)
{
    struct reader in = {buf_slice(&q->bytes)};
    struct key_event said = {.lsn = lsn};
    uint8_t event, database;
    size_t size = q->bytes.size;
    CHECK(IMPLIES(size > 0, q->sink.take != NULL));
    while (read_byte(&in, &event)) {
        CHECK(read_byte(&in, &database) && read_bytes(&in, &said.key));
        said.event = (enum event)event;
        said.database = database;
        q->sink.take(q->sink.context, &said);
    }
    CHECK(q->bytes.size == size);
    q->bytes.size = 0;
    if (q->bytes.capacity > EVENTS_KEPT_BYTES) buf_deinit(&q->bytes);
}
