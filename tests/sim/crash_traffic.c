/* crash_traffic.c - the faithful actors: clients that keep to the crash oracle's model. Each tells
 * the oracle what it sends and what comes back. Keys and streams lie in database 0; an actor is
 * the consumer of its own name in the group "g" of each stream. */
#include "base/check.h"
#include "base/number.h"
#include "crash_world.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    ENTRIES_MAX = 512,
    ANSWERED_ENTRIES_MAX = 64,
    PAYLOAD_BYTES_MAX = 256,
    MESSAGE_AGE_MAX_US = 60000000, /* below the 100 s for which a stream remembers one */
    RAISE_US = 10000000,
    RAISE_DISTANCE = 1000, /* more requests than can be on their way */
    RAISE_ONE_IN = 30,
    SKIP_ONE_IN = 4,
    AUTOCLAIM_MAX = 4
};

static uint32_t client_of(const struct world *w, const struct actor *a)
{
    return (uint32_t)(a - w->actors);
}

/* ---- sending ---- */

static uint32_t own_key(struct world *w, const struct actor *a, bool number)
{
    uint32_t first = client_of(w, a) * KEYS_PER_CLIENT;
    return number ? first : first + 1 + world_pick(w, KEYS_PER_CLIENT - 1);
}

static void send_set(struct world *w, struct actor *a)
{
    bool number = world_chance(w, 3);
    uint32_t key = own_key(w, a, number);
    char value[64];
    int size = number ? snprintf(value, sizeof value, "%u", world_pick(w, 1000))
                      : snprintf(value, sizeof value, "v%" PRIu64, w->payload_next++);
    struct oracle_write write = {ORACLE_SET, key, {value, (size_t)size}, 0};
    crash_oracle_invoke_writes(w->oracle, client_of(w, a), &write, 1);
    machine_send(&w->machine, a->link, "SET k%u %s", key, value);
    world_sent(w, a, SENT_WRITES)->rule = RULE_ACCEPTED;
}

static void send_small_write(struct world *w, struct actor *a)
{
    struct oracle_write write = {.kind = ORACLE_DELETE};
    enum answer_rule rule = RULE_POSITIVE;
    switch (world_pick(w, 3)) {
    case 0:
        write.key = own_key(w, a, world_chance(w, 3));
        machine_send(&w->machine, a->link, "DEL k%u", write.key);
        break;
    case 1:
        write = (struct oracle_write){.kind = ORACLE_INCREMENT,
                                      .key = own_key(w, a, true),
                                      .delta = 1 + (int64_t)world_pick(w, 5)};
        machine_send(&w->machine, a->link, "INCRBY k%u %" PRId64, write.key, write.delta);
        rule = RULE_ACCEPTED;
        break;
    default:
        write = (struct oracle_write){
            .kind = ORACLE_APPEND, .key = own_key(w, a, false), .value = SLICE("+a")};
        machine_send(&w->machine, a->link, "APPEND k%u +a", write.key);
        break;
    }
    crash_oracle_invoke_writes(w->oracle, client_of(w, a), &write, 1);
    world_sent(w, a, SENT_WRITES)->rule = rule;
}

static void send_mset(struct world *w, struct actor *a)
{
    char value[32];
    uint32_t first = client_of(w, a) * KEYS_PER_CLIENT;
    int size = snprintf(value, sizeof value, "m%" PRIu64, w->payload_next++);
    struct oracle_write writes[2] = {
        {ORACLE_SET, first + 1, {value, (size_t)size}, 0},
        {ORACLE_SET, first + 2, {value, (size_t)size}, 0},
    };
    crash_oracle_invoke_writes(w->oracle, client_of(w, a), writes, 2);
    machine_send(&w->machine, a->link, "MSET k%u %s k%u %s", first + 1, value, first + 2, value);
    world_sent(w, a, SENT_WRITES)->rule = RULE_ACCEPTED;
}

/* All of it happens, or nothing: for the oracle EXEC is one operation, like MSET. */
static void send_transaction(struct world *w, struct actor *a)
{
    char value[32];
    uint32_t first = client_of(w, a) * KEYS_PER_CLIENT;
    int size = snprintf(value, sizeof value, "v%" PRIu64, w->payload_next++);
    struct oracle_write writes[4] = {
        {ORACLE_SET, first + 1, {value, (size_t)size}, 0},
        {ORACLE_INCREMENT, first, {0}, 3},
        {ORACLE_DELETE, first + 2, {0}, 0},
        {ORACLE_APPEND, first + 1, SLICE("+t"), 0},
    };
    crash_oracle_invoke_writes(w->oracle, client_of(w, a), writes, 4);
    machine_send(&w->machine, a->link, "MULTI");
    machine_send(&w->machine, a->link, "SET k%u %s", first + 1, value);
    machine_send(&w->machine, a->link, "INCRBY k%u 3", first);
    machine_send(&w->machine, a->link, "DEL k%u", first + 2);
    machine_send(&w->machine, a->link, "APPEND k%u +t", first + 1);
    machine_send(&w->machine, a->link, "EXEC");
    for (int i = 0; i < 5; i++) world_sent(w, a, SENT_SETUP);
    world_sent(w, a, SENT_WRITES)->rule = RULE_ACCEPTED;
}

static void send_add(struct world *w, struct actor *a, uint32_t stream)
{
    char payload[PAYLOAD_BYTES_MAX], filler[PAYLOAD_BYTES_MAX / 2] = {0};
    memset(filler, 'x', world_pick(w, sizeof filler - 1));
    int size = snprintf(payload, sizeof payload, "%" PRIu64 ".%s", w->payload_next++, filler);
    crash_oracle_invoke_add(w->oracle, client_of(w, a), stream,
                            (struct slice){payload, (size_t)size});
    machine_send(&w->machine, a->link, "XADD s%u * field %s", stream, payload);
    struct sent *sent = world_sent(w, a, SENT_ADD);
    sent->rule = RULE_ACCEPTED;
    sent->place = stream;
}

/* The same entry whoever sends it again: its idempotent ID is the number that it begins with. */
static void send_message(struct world *w, struct actor *a, uint32_t stream, struct slice payload)
{
    const char *end = memchr(payload.data, '.', payload.size);
    CHECK(end != NULL);
    machine_send(&w->machine, a->link, "XADD s%u IDMP c%u %.*s * field %.*s", stream,
                 client_of(w, a), (int)(end - payload.data), payload.data, (int)payload.size,
                 payload.data);
    world_sent(w, a, SENT_ADD)->place = stream;
}

static void send_new_message(struct world *w, struct actor *a, uint32_t stream)
{
    char text[32];
    if (crash_oracle_message_under_way(w->oracle, client_of(w, a))) return;
    int size = snprintf(text, sizeof text, "%" PRIu64 ".m", w->payload_next++);
    struct slice payload = {text, (size_t)size};
    crash_oracle_invoke_message(w->oracle, client_of(w, a), stream, payload);
    w->message_us[client_of(w, a)] = w->now_us;
    send_message(w, a, stream, payload);
}

/* After a crash: whatever became of it, the client wants it stored once. */
static void send_message_again(struct world *w, struct actor *a)
{
    uint32_t stream;
    struct slice payload;
    if (w->now_us - w->message_us[client_of(w, a)] > MESSAGE_AGE_MAX_US) return;
    if (!crash_oracle_message(w->oracle, client_of(w, a), &stream, &payload)) return;
    crash_oracle_invoke_message_again(w->oracle, client_of(w, a));
    send_message(w, a, stream, payload);
}

/* By one client only, so that they come in order, and far above what the others add meanwhile. */
static void send_raise(struct world *w, struct actor *a, uint32_t stream)
{
    if (client_of(w, a) != 0) return;
    w->payload_next += RAISE_DISTANCE;
    struct oracle_id id = {(uint64_t)(w->now_us + RAISE_US) / 1000, w->payload_next};
    w->payload_next += RAISE_DISTANCE;
    crash_oracle_invoke_raise(w->oracle, client_of(w, a), stream, id);
    machine_send(&w->machine, a->link, "XSETID s%u %" PRIu64 "-%" PRIu64, stream, id.ms,
                 id.sequence);
    world_sent(w, a, SENT_OTHER)->rule = RULE_ACCEPTED;
}

/* EXEC of a SET and an XADD, as a service does that sends what it has stored. */
static void send_outbox(struct world *w, struct actor *a, uint32_t stream)
{
    char text[32];
    uint32_t key = own_key(w, a, false);
    int size = snprintf(text, sizeof text, "v%" PRIu64, w->payload_next++);
    struct slice value = {text, (size_t)size};
    struct oracle_write write = {ORACLE_SET, key, value, 0};
    crash_oracle_invoke_add(w->oracle, client_of(w, a), stream, value);
    crash_oracle_join_writes(w->oracle, client_of(w, a), &write, 1);
    machine_send(&w->machine, a->link, "MULTI");
    machine_send(&w->machine, a->link, "SET k%u %s", key, text);
    machine_send(&w->machine, a->link, "XADD s%u * field %s", stream, text);
    machine_send(&w->machine, a->link, "EXEC");
    for (int i = 0; i < 3; i++) world_sent(w, a, SENT_SETUP);
    struct sent *sent = world_sent(w, a, SENT_OUTBOX);
    sent->rule = RULE_ACCEPTED;
    sent->place = stream;
}

static void send_group_read(struct world *w, struct actor *a, uint32_t stream)
{
    uint32_t count = 1 + world_pick(w, 4);
    if (!crash_oracle_may_read(w->oracle, stream)) return;
    crash_oracle_invoke_read(w->oracle, client_of(w, a), stream, count);
    if (world_chance(w, 3))
        machine_send(&w->machine, a->link, "XREADGROUP GROUP g c%u COUNT %u BLOCK %u STREAMS s%u >",
                     client_of(w, a), count, 1 + world_pick(w, 60), stream);
    else
        machine_send(&w->machine, a->link, "XREADGROUP GROUP g c%u COUNT %u STREAMS s%u >",
                     client_of(w, a), count, stream);
    struct sent *sent = world_sent(w, a, SENT_GROUP_READ);
    sent->rule = RULE_ACCEPTED;
    sent->place = stream;
}

/* The group skips what is between its position and an entry that is known. */
static void send_skip(struct world *w, struct actor *a, uint32_t stream)
{
    const struct known_ids *known = &w->faithful_ids[stream];
    if (known->count == 0 || !crash_oracle_may_skip(w->oracle, stream)) return;
    struct oracle_id id = known->ids[world_pick(w, (uint32_t)known->count)];
    if (oracle_id_compare(id, crash_oracle_position(w->oracle, stream)) <= 0) return;
    crash_oracle_invoke_skip(w->oracle, client_of(w, a), stream, id);
    machine_send(&w->machine, a->link, "XGROUP SETID s%u g %" PRIu64 "-%" PRIu64, stream, id.ms,
                 id.sequence);
    world_sent(w, a, SENT_OTHER)->rule = RULE_ACCEPTED;
}

/* Up to 'count_max' pending entries of whomever, that no request on its way concerns. */
static size_t pick_pending(struct world *w, uint32_t stream, struct oracle_id *ids,
                           size_t count_max)
{
    const struct known_ids *known = &w->faithful_ids[stream];
    struct oracle_id from = {0, 0};
    if (known->count > 0 && world_chance(w, 2))
        from = known->ids[world_pick(w, (uint32_t)known->count)];
    return crash_oracle_pending_run(w->oracle, stream, from, ids, count_max);
}

static void send_acknowledge(struct world *w, struct actor *a, uint32_t stream)
{
    static const char *const references[] = {"", "KEEPREF ", "DELREF ", "ACKED "};
    struct oracle_id id;
    if (pick_pending(w, stream, &id, 1) == 0) return;
    struct oracle_stream_ids which = {stream, &id, 1};
    if (world_chance(w, 2)) {
        crash_oracle_invoke_acknowledge(w->oracle, client_of(w, a), &which);
        machine_send(&w->machine, a->link, "XACK s%u g %" PRIu64 "-%" PRIu64, stream, id.ms,
                     id.sequence);
    } else {
        crash_oracle_invoke_acknowledge_remove(w->oracle, client_of(w, a), &which);
        machine_send(&w->machine, a->link, "XACKDEL s%u g %sIDS 1 %" PRIu64 "-%" PRIu64, stream,
                     references[world_pick(w, 4)], id.ms, id.sequence);
    }
    world_sent(w, a, SENT_OTHER)->rule = RULE_POSITIVE;
}

/* Another one's, or its own: then it is one delivery more. */
static void send_claim(struct world *w, struct actor *a, uint32_t stream)
{
    struct oracle_id id;
    if (pick_pending(w, stream, &id, 1) == 0) return;
    crash_oracle_invoke_claim(w->oracle, client_of(w, a),
                              &(struct oracle_stream_ids){stream, &id, 1});
    machine_send(&w->machine, a->link, "XCLAIM s%u g c%u 0 %" PRIu64 "-%" PRIu64, stream,
                 client_of(w, a), id.ms, id.sequence);
    world_sent(w, a, SENT_CLAIM)->place = stream;
}

/* Several, if it is sure that nothing else is between them. */
static void send_autoclaim(struct world *w, struct actor *a, uint32_t stream)
{
    struct oracle_id ids[AUTOCLAIM_MAX];
    size_t count_max = crash_oracle_may_skip(w->oracle, stream) ? AUTOCLAIM_MAX : 1;
    size_t count = pick_pending(w, stream, ids, count_max);
    if (count == 0) return;
    crash_oracle_invoke_claim(w->oracle, client_of(w, a),
                              &(struct oracle_stream_ids){stream, ids, count});
    machine_send(&w->machine, a->link, "XAUTOCLAIM s%u g c%u 0 %" PRIu64 "-%" PRIu64 " COUNT %zu",
                 stream, client_of(w, a), ids[0].ms, ids[0].sequence, count);
    world_sent(w, a, SENT_AUTOCLAIM)->place = stream;
}

static void send_release(struct world *w, struct actor *a, uint32_t stream)
{
    struct oracle_id id;
    if (pick_pending(w, stream, &id, 1) == 0) return;
    crash_oracle_invoke_release(w->oracle, client_of(w, a),
                                &(struct oracle_stream_ids){stream, &id, 1});
    machine_send(&w->machine, a->link, "XNACK s%u g FAIL IDS 1 %" PRIu64 "-%" PRIu64, stream, id.ms,
                 id.sequence);
    world_sent(w, a, SENT_OTHER)->rule = RULE_POSITIVE;
}

static void send_dereference(struct world *w, struct actor *a, uint32_t stream)
{
    struct oracle_id id;
    if (pick_pending(w, stream, &id, 1) == 0) return;
    crash_oracle_invoke_dereference(w->oracle, client_of(w, a), stream, id);
    machine_send(&w->machine, a->link, "XDELEX s%u DELREF IDS 1 %" PRIu64 "-%" PRIu64, stream,
                 id.ms, id.sequence);
    world_sent(w, a, SENT_DEREFERENCE)->place = stream;
}

/* XDEL; XDELEX ACKED where it does the same. */
static void send_delete(struct world *w, struct actor *a, uint32_t stream, struct oracle_id id)
{
    static const char *const words[] = {"XDEL s%u %" PRIu64 "-%" PRIu64,
                                        "XDELEX s%u KEEPREF IDS 1 %" PRIu64 "-%" PRIu64,
                                        "XDELEX s%u ACKED IDS 1 %" PRIu64 "-%" PRIu64};
    bool is_done = crash_oracle_is_done(w->oracle, stream, id);
    crash_oracle_invoke_remove(w->oracle, client_of(w, a),
                               &(struct oracle_stream_ids){stream, &id, 1});
    machine_send(&w->machine, a->link, words[world_pick(w, is_done ? 3 : 2)], stream, id.ms,
                 id.sequence);
}

static void send_removal(struct world *w, struct actor *a, uint32_t stream)
{
    const struct known_ids *known = &w->faithful_ids[stream];
    if (known->count == 0) return;
    struct oracle_id id = known->ids[world_pick(w, (uint32_t)known->count)];
    if (world_chance(w, 2)) {
        send_delete(w, a, stream, id);
    } else {
        crash_oracle_invoke_trim(w->oracle, client_of(w, a), stream, id);
        machine_send(&w->machine, a->link, "XTRIM s%u MINID %" PRIu64 "-%" PRIu64, stream, id.ms,
                     id.sequence);
    }
    world_sent(w, a, SENT_OTHER)->rule = RULE_POSITIVE;
}

static void send_look(struct world *w, struct actor *a, uint32_t stream)
{
    if (world_chance(w, 3)) {
        machine_send(&w->machine, a->link, "XREAD BLOCK %u STREAMS s%u $", 1 + world_pick(w, 40),
                     stream);
        world_sent(w, a, SENT_READ)->place = stream;
    } else if (world_chance(w, 2)) {
        machine_send(&w->machine, a->link, "XREAD COUNT 5 STREAMS s%u %" PRId64, stream,
                     w->now_us / 1000 - world_pick(w, 50));
        world_sent(w, a, SENT_READ)->place = stream;
    } else {
        uint32_t key = world_pick(w, FAITHFUL_KEYS);
        machine_send(&w->machine, a->link, "GET k%u", key);
        world_sent(w, a, SENT_GET)->place = key;
    }
}

void traffic_send(struct world *w, struct actor *a)
{
    uint32_t stream = world_pick(w, FAITHFUL_STREAMS);
    switch (world_pick(w, 20)) {
    case 19:
        if (world_chance(w, SKIP_ONE_IN)) send_skip(w, a, stream);
        else send_outbox(w, a, stream);
        break;
    case 18: send_dereference(w, a, stream); break;
    case 17: send_autoclaim(w, a, stream); break;
    case 16: send_new_message(w, a, stream); break;
    case 15:
        if (world_chance(w, RAISE_ONE_IN)) send_raise(w, a, stream);
        break;
    case 14: send_release(w, a, stream); break;
    case 13: send_claim(w, a, stream); break;
    case 12: send_transaction(w, a); break;
    case 0:
    case 1: send_set(w, a); break;
    case 2: send_small_write(w, a); break;
    case 3: send_mset(w, a); break;
    case 4:
    case 5:
    case 6: send_add(w, a, stream); break;
    case 7: send_group_read(w, a, stream); break;
    case 8: send_acknowledge(w, a, stream); break;
    case 9: send_removal(w, a, stream); break;
    default: send_look(w, a, stream); break;
    }
}

void traffic_create(struct world *w)
{
    w->oracle = crash_oracle_create(FAITHFUL_COUNT);
    for (uint32_t i = 0; i < FAITHFUL_KEYS; i++)
        crash_oracle_add_key(w->oracle, i / KEYS_PER_CLIENT);
    machine_connect(&w->machine, 0);
    for (uint32_t i = 0; i < FAITHFUL_STREAMS; i++) {
        crash_oracle_add_stream(w->oracle, true);
        machine_send(&w->machine, 0, "XGROUP CREATE s%u g 0 MKSTREAM", i);
    }
    CHECK(machine_settle(&w->machine));
    CHECK(slice_equal(buf_slice(&w->machine.links[0].incoming), SLICE("+OK\r\n+OK\r\n")));
    machine_disconnect(&w->machine, 0);
}

void traffic_connect(struct world *w, struct actor *a)
{
    machine_connect(&w->machine, a->link);
    send_message_again(w, a);
    if (!world_chance(w, 2)) return;
    machine_send(&w->machine, a->link, "HELLO 3");
    world_sent(w, a, SENT_SETUP);
}

/* ---- answers ---- */

struct entry_list {
    struct oracle_entry entries[ANSWERED_ENTRIES_MAX];
    size_t count;
};

/* One [id, [field, value]]. */
static void take_entry(struct slice *in, struct oracle_entry *entry)
{
    struct answer item;
    CHECK(answer_take(in, &item) && item.kind == ANSWER_ARRAY && item.integer == 2);
    CHECK(answer_take(in, &item) && item.kind == ANSWER_BULK);
    CHECK(world_parse_id(item.text, &entry->id));
    CHECK(answer_take(in, &item) && item.kind == ANSWER_ARRAY && item.integer == 2);
    CHECK(answer_take(in, &item) && slice_equal(item.text, SLICE("field")));
    CHECK(answer_take(in, &item) && item.kind == ANSWER_BULK);
    entry->payload = item.text;
}

/* The answer of XREAD and XREADGROUP for one stream: null, or its entries in either protocol. */
static void take_entries(struct slice in, struct entry_list *list)
{
    struct answer item;
    list->count = 0;
    CHECK(answer_take(&in, &item));
    if (item.kind == ANSWER_NULL) return;
    CHECK(item.kind == ANSWER_ARRAY || item.kind == ANSWER_MAP);
    if (item.kind == ANSWER_ARRAY) CHECK(answer_take(&in, &item) && item.integer == 2);
    CHECK(answer_take(&in, &item) && item.kind == ANSWER_BULK);
    CHECK(answer_take(&in, &item) && item.kind == ANSWER_ARRAY);
    CHECK(item.integer <= ANSWERED_ENTRIES_MAX);
    size_t count = (size_t)item.integer;
    for (; list->count < count; list->count++) take_entry(&in, &list->entries[list->count]);
    CHECK(in.size == 0);
}

/* The answer of XCLAIM, and the middle of that of XAUTOCLAIM. */
static void take_claimed(struct slice *in, struct entry_list *list)
{
    struct answer item;
    list->count = 0;
    CHECK(answer_take(in, &item) && item.kind == ANSWER_ARRAY);
    CHECK(item.integer <= ANSWERED_ENTRIES_MAX);
    size_t count = (size_t)item.integer;
    for (; list->count < count; list->count++) take_entry(in, &list->entries[list->count]);
}

/* Where to go on, what was claimed, what was not there any more. */
static void take_autoclaimed(struct slice *in, struct entry_list *list)
{
    struct answer item;
    CHECK(answer_take(in, &item) && item.kind == ANSWER_ARRAY && item.integer == 3);
    CHECK(answer_take(in, &item) && item.kind == ANSWER_BULK);
    take_claimed(in, list);
    CHECK(answer_take(in, &item) && item.kind == ANSWER_ARRAY);
    for (int64_t gone = item.integer; gone > 0; gone--)
        CHECK(answer_take(in, &item) && item.kind == ANSWER_BULK);
}

/* A value that its key has only once. Another one (null, a number) may have been read long before
 * it is answered, and would then prove a later change that has given the key the same value. */
static bool is_unique(const struct answer *item)
{
    return item->kind == ANSWER_BULK && item->text.size > 0 &&
           (*item->text.data == 'v' || *item->text.data == 'm');
}

void traffic_answered(struct world *w, struct actor *a, const struct sent *sent, struct slice reply)
{
    struct slice in = reply;
    struct answer item;
    struct entry_list list;
    struct oracle_answer answer = {0};
    CHECK(answer_take(&in, &item));
    if (sent->refused) return;
    switch (sent->kind) {
    case SENT_SETUP:
    case SENT_WILD: return;
    case SENT_GET:
        if (is_unique(&item)) crash_oracle_saw_value(w->oracle, sent->place, true, item.text);
        return;
    case SENT_READ:
        take_entries(reply, &list);
        for (size_t i = 0; i < list.count; i++)
            crash_oracle_saw_entry(w->oracle, sent->place, &list.entries[i]);
        return;
    case SENT_WRITES:
        answer.has_integer = item.kind == ANSWER_INTEGER;
        answer.integer = item.integer;
        break;
    case SENT_OUTBOX: /* an array of OK and the ID */
    case SENT_ADD:
        if (sent->kind == SENT_OUTBOX) CHECK(answer_take(&in, &item) && answer_take(&in, &item));
        CHECK(world_parse_id(item.text, &answer.id));
        world_remember_id(&w->faithful_ids[sent->place], answer.id);
        break;
    case SENT_GROUP_READ:
        take_entries(reply, &list);
        answer.entries = list.entries;
        answer.entry_count = list.count;
        break;
    case SENT_CLAIM:
    case SENT_AUTOCLAIM:
        in = reply;
        if (sent->kind == SENT_CLAIM) take_claimed(&in, &list);
        else take_autoclaimed(&in, &list);
        CHECK(in.size == 0);
        answer.entries = list.entries;
        answer.entry_count = list.count;
        break;
    case SENT_DEREFERENCE: /* an array of one */
        CHECK(item.kind == ANSWER_ARRAY && item.integer == 1 && answer_take(&in, &item));
        CHECK(item.kind == ANSWER_INTEGER);
        answer.integer = item.integer;
        break;
    case SENT_OTHER: break;
    }
    crash_oracle_answered(w->oracle, client_of(w, a), &answer);
}

static bool is_operation(const struct sent *sent)
{
    switch (sent->kind) {
    case SENT_SETUP:
    case SENT_GET:
    case SENT_READ:
    case SENT_WILD: return false;
    case SENT_WRITES:
    case SENT_ADD:
    case SENT_GROUP_READ:
    case SENT_CLAIM:
    case SENT_AUTOCLAIM:
    case SENT_DEREFERENCE:
    case SENT_OUTBOX:
    case SENT_OTHER: return true;
    }
    CHECK(false);
    return false;
}

/* A full disk refuses a write between writes that happen. Its error may reach the client after a
 * reader has seen what came later, or never, when a crash takes it; only the server knows at once
 * that it had no effect. */
void traffic_note_refused(struct world *w, struct actor *a)
{
    struct buf withheld = {0};
    size_t operation = 0;
    CHECK(w->machine.links[a->link].incoming.size == 0);
    machine_withheld(&w->machine, a->link, &withheld);
    struct slice rest = buf_slice(&withheld);
    for (size_t i = 0; rest.size > 0; i++) {
        size_t size = answer_size(rest);
        CHECK(size > 0);
        CHECK(i < a->sent_count);
        struct sent *sent = &a->sent[i];
        if (is_operation(sent) && !sent->refused) {
            sent->refused = *rest.data == '-';
            if (sent->refused) crash_oracle_was_refused(w->oracle, client_of(w, a), operation);
            else operation++;
        }
        rest = (struct slice){rest.data + size, rest.size - size};
    }
    buf_deinit(&withheld);
}

/* ---- the judgement ---- */

static void judge_keys(struct world *w)
{
    char name[16], text[NUMBER_INTEGER_TEXT_MAX];
    for (uint32_t i = 0; i < FAITHFUL_KEYS; i++) {
        int size = snprintf(name, sizeof name, "k%u", i);
        struct store_key key = db_key(w->machine.db, 0, (struct slice){name, (size_t)size});
        struct string_view view;
        bool exists = db_string(w->machine.db, &key, &view) == LOOKUP_FOUND;
        struct slice value = exists ? string_bytes(&view, text) : (struct slice){0};
        crash_oracle_judge_value(w->oracle, i, exists, value);
    }
}

static struct oracle_id id_of(struct stream_id id)
{
    return (struct oracle_id){id.ms, id.seq};
}

static void show_entries(const struct stream *s, struct oracle_entry *entries,
                         struct oracle_recovered_stream *shown)
{
    struct stream_walk walk;
    struct slice name, value;
    stream_walk_begin(&walk, s, (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}, false);
    while (stream_walk_next(&walk)) {
        CHECK(shown->entry_count < ENTRIES_MAX);
        CHECK(walk.fields_count == 2);
        CHECK(stream_walk_field(&walk, &name) && stream_walk_field(&walk, &value));
        entries[shown->entry_count++] = (struct oracle_entry){id_of(walk.id), value};
    }
    shown->entries = entries;
}

static uint32_t owner_of(const struct stream_pending *pending)
{
    if (pending->consumer == NULL) return UINT32_MAX;
    struct slice name = stream_consumer_name(pending->consumer);
    CHECK(name.size == 2);
    return (uint32_t)(name.data[1] - '0');
}

static void show_group(const struct stream *s, const struct stream_group *g,
                       struct oracle_pending *pending, struct oracle_recovered_stream *shown)
{
    struct stream_pending_walk walk;
    struct stream_range all = {STREAM_ID_MIN, STREAM_ID_MAX};
    shown->group_exists = true;
    shown->last_delivered_id = id_of(stream_group_last_delivered(g));
    shown->lag = (int64_t)stream_group_lag(s, g);
    shown->entries_read = (int64_t)stream_group_entries_read(g);
    stream_pending_walk_begin(&walk, g, NULL, all);
    while (stream_pending_walk_next(&walk)) {
        CHECK(shown->pending_count < ENTRIES_MAX);
        pending[shown->pending_count++] = (struct oracle_pending){
            id_of(walk.entry.id), owner_of(&walk.entry), walk.entry.deliveries};
    }
    shown->pending = pending;
}

static void judge_stream(struct world *w, uint32_t index)
{
    struct oracle_entry entries[ENTRIES_MAX];
    struct oracle_pending pending[ENTRIES_MAX];
    struct oracle_recovered_stream shown = {0};
    const struct stream *s;
    char name[16];
    int size = snprintf(name, sizeof name, "s%u", index);
    struct store_key key = db_key(w->machine.db, 0, (struct slice){name, (size_t)size});
    shown.exists = db_stream(w->machine.db, &key, &s) == LOOKUP_FOUND;
    if (shown.exists) {
        const struct stream_group *g = stream_group_find(s, SLICE("g"));
        shown.length = stream_length(s);
        shown.last_id = id_of(stream_last_id(s));
        shown.entries_added = stream_entries_added(s);
        show_entries(s, entries, &shown);
        if (g != NULL) show_group(s, g, pending, &shown);
    }
    crash_oracle_judge_stream(w->oracle, index, &shown);
    w->faithful_ids[index].count = 0;
    for (size_t i = 0; i < shown.entry_count; i++)
        world_remember_id(&w->faithful_ids[index], entries[i].id);
}

void traffic_judge(struct world *w)
{
    bool changed;
    crash_oracle_judge_begin(w->oracle);
    db_begin(w->machine.db);
    judge_keys(w);
    for (uint32_t i = 0; i < FAITHFUL_STREAMS; i++) judge_stream(w, i);
    db_commit(w->machine.db, &changed);
    CHECK(!changed);
    if (crash_oracle_judge_end(w->oracle)) return;
    const struct oracle_violation *first = crash_oracle_violation(w->oracle, 0);
    journal_fail(w->journal, "the oracle: %s", first == NULL ? "(not kept)" : first->text);
}
