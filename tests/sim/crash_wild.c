/* crash_wild.c - the wild actors: everything that the crash oracle's model leaves out, in database
 * 1, drawn from a table of requests. What they change is judged by moments (crash_world.h).
 *
 * In a request:  %k a key   %K another key   %s a key meant for a stream   %S another such
 *                %i an ID of that stream   %g a group   %c a consumer   %v a value
 *                %n 0 to 5   %p 1 to 6   %t some milliseconds
 *                %l a long value, rarely one above a segment */
#include "base/check.h"
#include "crash_world.h"
#include "dump.h"

#include <inttypes.h>
#include <stdio.h>

struct wild_request {
    const char *words;
    enum answer_rule rule;
    bool looks; /* the answer shows the state of its first key */
};

static const struct wild_request requests[] = {
    {"SET %k %v", RULE_ACCEPTED, false},
    {"SET %k %v PX %t", RULE_ACCEPTED, false},
    {"SET %k %v KEEPTTL", RULE_ACCEPTED, false},
    {"SET %k %v NX", RULE_ACCEPTED, true},
    {"SETRANGE %k %n %v", RULE_ACCEPTED, false},
    {"APPEND %k %v", RULE_ACCEPTED, false},
    {"SET %k %l", RULE_ACCEPTED, false},
    {"APPEND %k %l", RULE_ACCEPTED, false},
    {"STRLEN %k", RULE_NEVER, true},
    {"GETRANGE %k 0 9", RULE_NEVER, true},
    {"INCRBY %k %n", RULE_ACCEPTED, false},
    {"INCRBYFLOAT %k 1.5", RULE_ACCEPTED, false},
    {"GETDEL %k", RULE_ACCEPTED, true},
    {"GETEX %k PX %t", RULE_NEVER, true},
    {"DEL %k %K", RULE_POSITIVE, false},
    {"PEXPIRE %k %t", RULE_POSITIVE, true},
    {"PERSIST %k", RULE_POSITIVE, false},
    {"RENAME %k %K", RULE_ACCEPTED, false},
    {"RENAME %s %S", RULE_ACCEPTED, false},
    {"RENAMENX %k %K", RULE_POSITIVE, false},
    {"COPY %k %K REPLACE", RULE_POSITIVE, false},
    {"COPY %s %S REPLACE", RULE_POSITIVE, false},
    {"COPY %k %K DB 2", RULE_POSITIVE, false},
    {"MOVE %k 2", RULE_POSITIVE, false},
    {"MSET %k %v %K %v", RULE_ACCEPTED, false},
    {"MSETNX %k %v %K %v", RULE_POSITIVE, false},
    {"GET %k", RULE_NEVER, true},
    {"EXISTS %k", RULE_NEVER, true},
    {"TYPE %k", RULE_NEVER, true},
    {"XADD %s * f %v", RULE_ACCEPTED, false},
    {"XADD %s * f %v g %v", RULE_ACCEPTED, false},
    {"XADD %s * f %v", RULE_ACCEPTED, false},
    {"XADD %s MAXLEN 6 * f %v", RULE_ACCEPTED, false},
    {"XADD %s MAXLEN ~ 4 * f %v", RULE_ACCEPTED, false},
    {"XADD %s NOMKSTREAM * f %v", RULE_ACCEPTED, false},
    {"XGROUP CREATE %s %g $ MKSTREAM", RULE_ACCEPTED, false},
    {"XGROUP CREATE %s %g 0", RULE_ACCEPTED, false},
    {"XGROUP CREATE %s %g %i ENTRIESREAD %n", RULE_ACCEPTED, false},
    {"XGROUP DESTROY %s %g", RULE_POSITIVE, false},
    {"XGROUP SETID %s %g %i", RULE_ACCEPTED, false},
    {"XGROUP CREATECONSUMER %s %g %c", RULE_POSITIVE, false},
    {"XGROUP DELCONSUMER %s %g %c", RULE_NEVER, false},
    {"XREADGROUP GROUP %g %c COUNT 3 STREAMS %s >", RULE_ACCEPTED, false},
    {"XREADGROUP GROUP %g %c COUNT 3 STREAMS %s >", RULE_ACCEPTED, false},
    {"XREADGROUP GROUP %g %c COUNT 2 NOACK STREAMS %s >", RULE_ACCEPTED, false},
    {"XREADGROUP GROUP %g %c BLOCK %t STREAMS %s >", RULE_ACCEPTED, false},
    {"XREADGROUP GROUP %g %c STREAMS %s 0", RULE_NEVER, false},
    {"XACK %s %g %i", RULE_POSITIVE, false},
    {"XACK %s %g %i", RULE_POSITIVE, false},
    {"XCLAIM %s %g %c 0 %i", RULE_ACCEPTED, false},
    {"XCLAIM %s %g %c 0 %i FORCE JUSTID", RULE_ACCEPTED, false},
    {"XCLAIM %s %g %c 0 %i RETRYCOUNT 7 IDLE 100", RULE_ACCEPTED, false},
    {"XAUTOCLAIM %s %g %c 10 0 COUNT 2", RULE_NEVER, false},
    {"XDEL %s %i", RULE_POSITIVE, false},
    {"XTRIM %s MAXLEN %n", RULE_POSITIVE, false},
    {"XTRIM %s MINID %i", RULE_POSITIVE, false},
    {"XSETID %s %i ENTRIESADDED 50", RULE_ACCEPTED, false},
    {"XADD %s IDMP %c %n * f %v", RULE_NEVER, true},
    {"XADD %s IDMP %c %n * f %v", RULE_NEVER, true},
    {"XADD %s IDMP %c %n MAXLEN 3 * f %v", RULE_NEVER, true},
    {"XADD %s IDMPAUTO %c * f %n", RULE_NEVER, true},
    {"XADD %s KEEPREF MAXLEN %n * f %v", RULE_ACCEPTED, false},
    {"XADD %s DELREF MAXLEN %n * f %v", RULE_ACCEPTED, false},
    {"XADD %s ACKED MINID %i * f %v", RULE_ACCEPTED, false},
    {"XCFGSET %s IDMP-MAXSIZE %p IDMP-DURATION %p", RULE_NEVER, false},
    {"XCFGSET %s IDMP-DURATION %p", RULE_NEVER, false},
    {"XACKDEL %s %g DELREF IDS 2 %i %i", RULE_NEVER, false},
    {"XACKDEL %s %g ACKED IDS 1 %i", RULE_NEVER, false},
    {"XACKDEL %s %g IDS 1 %i", RULE_NEVER, false},
    {"XDELEX %s DELREF IDS 2 %i %i", RULE_NEVER, false},
    {"XDELEX %s ACKED IDS 1 %i", RULE_NEVER, false},
    {"XTRIM %s MAXLEN %n DELREF", RULE_POSITIVE, false},
    {"XTRIM %s MAXLEN %n ACKED", RULE_POSITIVE, false},
    {"XNACK %s %g FAIL IDS 2 %i %i", RULE_POSITIVE, false},
    {"XNACK %s %g SILENT IDS 1 %i", RULE_POSITIVE, false},
    {"XNACK %s %g FATAL IDS 1 %i", RULE_POSITIVE, false},
    {"XNACK %s %g FAIL IDS 1 %i RETRYCOUNT %n FORCE", RULE_POSITIVE, false},
    {"XREADGROUP GROUP %g %c COUNT 3 CLAIM %n STREAMS %s >", RULE_ACCEPTED, false},
    {"XREADGROUP GROUP %g %c CLAIM %t BLOCK %t STREAMS %s >", RULE_ACCEPTED, false},
    {"XAUTOCLAIM %s %g %c %n %i COUNT 3 JUSTID", RULE_NEVER, false},
    {"XGROUP SETID %s %g $ ENTRIESREAD %n", RULE_ACCEPTED, false},
    {"XSETID %s %i ENTRIESADDED 60 MAXDELETEDID %i", RULE_ACCEPTED, false},
    {"XLEN %s", RULE_NEVER, true},
    {"XRANGE %s - + COUNT 3", RULE_NEVER, true},
    {"XPENDING %s %g - + 5", RULE_NEVER, true},
    {"XREAD BLOCK %t STREAMS %s $", RULE_NEVER, false},
    {"XINFO STREAM %s", RULE_NEVER, true},
};
enum {
    REQUESTS_COUNT = sizeof requests / sizeof requests[0],
    FLUSHDB_ONE_IN = 400,
    SWAPDB_ONE_IN = 100,
    TRANSACTION_ONE_IN = 20,
    TRANSACTION_REQUESTS = 4, /* at most, beside the first */
    LONG_VALUE_BYTES_MAX = 40000
};

/* What one request draws once and may name twice. */
struct draw {
    uint32_t key;
    uint32_t other;
    uint32_t stream;
    uint32_t other_stream;
};

static struct draw draw_keys(struct world *w)
{
    struct draw d;
    uint32_t first = WILD_KEYS - WILD_STREAMS;
    d.key = world_pick(w, WILD_KEYS);
    d.other = (d.key + 1 + world_pick(w, WILD_KEYS - 1)) % WILD_KEYS;
    d.stream = first + world_pick(w, WILD_STREAMS);
    d.other_stream = first + (d.stream - first + 1) % WILD_STREAMS;
    CHECK(d.key != d.other);
    CHECK(d.stream != d.other_stream);
    return d;
}

static void write_long_value(struct world *w, struct buf *out)
{
    size_t size = world_chance(w, 30) ? LONG_VALUE_BYTES_MAX : 1000 + world_pick(w, 500);
    memset(buf_reserve(out, size), 'l', size);
    buf_advance(out, size);
    buf_append_format(out, "%" PRIu64, w->payload_next++);
}

static void write_word(struct world *w, char code, const struct draw *d, struct buf *out)
{
    const struct known_ids *ids = &w->wild_ids[d->stream];
    struct oracle_id id = {1, 1};
    switch (code) {
    case 'k': buf_append_format(out, "w%u", d->key); break;
    case 'K': buf_append_format(out, "w%u", d->other); break;
    case 's': buf_append_format(out, "w%u", d->stream); break;
    case 'S': buf_append_format(out, "w%u", d->other_stream); break;
    case 'g': buf_append_format(out, "g%u", world_pick(w, 2)); break;
    case 'c': buf_append_format(out, "c%u", world_pick(w, 3)); break;
    case 'n': buf_append_format(out, "%u", world_pick(w, 6)); break;
    case 'p': buf_append_format(out, "%u", 1 + world_pick(w, 6)); break;
    case 'l': write_long_value(w, out); break;
    case 't': buf_append_format(out, "%u", 1 + world_pick(w, 100)); break;
    case 'v':
        if (world_chance(w, 3)) buf_append_format(out, "%u", world_pick(w, 100));
        else buf_append_format(out, "v%" PRIu64, w->payload_next++);
        break;
    case 'i':
        if (ids->count > 0) id = ids->ids[world_pick(w, (uint32_t)ids->count)];
        buf_append_format(out, "%" PRIu64 "-%" PRIu64, id.ms, id.sequence);
        break;
    default: CHECK(false);
    }
}

static struct sent *send_request(struct world *w, struct actor *a,
                                 const struct wild_request *request)
{
    struct draw d = draw_keys(w);
    struct buf line = {0};
    for (const char *at = request->words; *at != '\0'; at++) {
        if (*at == '%') write_word(w, *++at, &d, &line);
        else buf_append_byte(&line, (uint8_t)*at);
    }
    machine_send(&w->machine, a->link, "%.*s", (int)line.size, line.data);
    buf_deinit(&line);
    struct sent *sent = world_sent(w, a, SENT_WILD);
    const char *first = strchr(request->words, '%');
    CHECK(first != NULL);
    sent->rule = request->rule;
    sent->looks = request->looks;
    sent->place = first[1] == 'k' ? d.key : d.stream;
    return sent;
}

static void send_plain(struct world *w, struct actor *a, const char *words, enum answer_rule rule)
{
    machine_send(&w->machine, a->link, "%s", words);
    world_sent(w, a, SENT_WILD)->rule = rule;
}

/* The answers of what is queued say nothing. That of EXEC says that the first request, a SET, has
 * changed something. */
static void send_transaction(struct world *w, struct actor *a)
{
    static const struct wild_request set = {"SET %k %v", RULE_NEVER, false};
    uint32_t count = world_pick(w, TRANSACTION_REQUESTS + 1);
    send_plain(w, a, "MULTI", RULE_NEVER);
    (void)send_request(w, a, &set);
    for (uint32_t i = 0; i < count; i++) {
        if (world_chance(w, SWAPDB_ONE_IN)) send_plain(w, a, "SWAPDB 2 1", RULE_NEVER);
        struct sent *sent = send_request(w, a, &requests[world_pick(w, REQUESTS_COUNT)]);
        sent->rule = RULE_NEVER;
        sent->looks = false;
    }
    send_plain(w, a, "EXEC", RULE_ACCEPTED);
}

void wild_send(struct world *w, struct actor *a)
{
    if (world_chance(w, FLUSHDB_ONE_IN)) send_plain(w, a, "FLUSHDB", RULE_NEVER);
    else if (world_chance(w, SWAPDB_ONE_IN)) send_plain(w, a, "SWAPDB 1 2", RULE_ACCEPTED);
    else if (world_chance(w, TRANSACTION_ONE_IN)) send_transaction(w, a);
    else (void)send_request(w, a, &requests[world_pick(w, REQUESTS_COUNT)]);
}

void wild_connect(struct world *w, struct actor *a)
{
    machine_connect(&w->machine, a->link);
    machine_send(&w->machine, a->link, "SELECT 1");
    world_sent(w, a, SENT_SETUP);
}

void wild_answered(struct world *w, struct actor *a, const struct sent *sent, struct slice reply)
{
    struct answer item;
    struct oracle_id id;
    (void)a;
    CHECK(answer_take(&reply, &item));
    if (w->promises && sent->looks && item.kind != ANSWER_ERROR && sent->seen_lsn > w->needed_lsn)
        w->needed_lsn = sent->seen_lsn;
    if (item.kind == ANSWER_BULK && world_parse_id(item.text, &id))
        world_remember_id(&w->wild_ids[sent->place], id);
}

void wild_note_tick(struct world *w)
{
    char name[16];
    for (uint32_t i = 0; i < WILD_KEYS; i++) {
        int size = snprintf(name, sizeof name, "w%u", i);
        uint64_t hash = dump_key_hash(w->machine.db, 1, (struct slice){name, (size_t)size});
        if (hash == w->wild_hash[i]) continue;
        w->wild_hash[i] = hash;
        w->wild_lsn[i] = w->tick_lsn;
    }
}

void wild_forget(struct world *w)
{
    for (uint32_t i = 0; i < WILD_KEYS; i++) w->wild_ids[i].count = 0;
    wild_note_tick(w);
    for (uint32_t i = 0; i < WILD_KEYS; i++) w->wild_lsn[i] = 0;
}
