/* due.c - which keys are past their deadline.
 *
 * The wheel holds records of 64 bits:
 *
 *      | hash, bits 63..32 | hash, bits 7..0 | 00 | slot (14) | database (8) |
 *
 * A record says "look at the keys like this one", nothing more; when it comes out, the entries
 * with these 40 bits of hash (nearly always one, or none) say what their deadlines are.
 *
 * Invariant: for every expiring key there is a record like it, filed no later than its deadline.
 * So a new or an earlier deadline files a record; a later one, PERSIST and removal do nothing: the
 * record comes out, finds a later deadline and is filed again, or finds nothing and is dropped.
 *
 * Records without meaning are bounded: when there are more than twice the expiring keys (and a
 * constant), the wheel becomes wheel_old and is sorted out into a new one, a few records with
 * every new record and every sweep. A bit of the entry, its generation, says whether its record is
 * in the new wheel already: then others like it are dropped. While a wheel is sorted out both are
 * asked for what is due. */
#include "base/check.h"
#include "store/state.h"

enum {
    RECORDS_SLACK = 4096,
    RECORD_SORT_STEPS = 4, /* old records sorted out with every new one */
    PREFETCH_TABLE_AHEAD = 8,
    PREFETCH_ENTRY_AHEAD = 4,
    RECORD_TAG_SHIFT = 24,
    RECORD_SLOT_SHIFT = 8,
    RECORD_BYTE = 0xff,
};

static_assert(SLOTS_COUNT <= 1 << (RECORD_TAG_SHIFT - RECORD_SLOT_SHIFT), "a slot fits");
static_assert(DATABASES_COUNT <= 1 << RECORD_SLOT_SHIFT, "a database fits");

static uint64_t record_make(const struct store_key *key)
{
    return key->hash >> 32 << 32 | (key->hash & RECORD_BYTE) << RECORD_TAG_SHIFT |
           (uint64_t)key->slot << RECORD_SLOT_SHIFT | key->database;
}

/* The bits of the hash that a record knows; enough for table_visit_like. */
static uint64_t record_hash(uint64_t record)
{
    return record >> 32 << 32 | (record >> RECORD_TAG_SHIFT & RECORD_BYTE);
}

static uint16_t record_slot(uint64_t record)
{
    return (uint16_t)(record >> RECORD_SLOT_SHIFT) & (SLOTS_COUNT - 1);
}

static uint8_t record_database(uint64_t record)
{
    return (uint8_t)(record & RECORD_BYTE);
}

static const struct table *record_table(const struct store *s, uint64_t record)
{
    const struct table *tables = s->databases[record_database(record)].tables;
    return tables == NULL ? NULL : &tables[record_slot(record)];
}

static uint64_t records_count(const struct store *s)
{
    uint64_t count = s->wheel == NULL ? 0 : wheel_count(s->wheel);
    return count + (s->wheel_old == NULL ? 0 : wheel_count(s->wheel_old));
}

/* What one record means now. */
struct meaning {
    int64_t now_ms;      /* in: deadlines up to this one are due */
    unsigned generation; /* in */
    bool is_old;         /* in: the record comes from wheel_old */
    struct entry *due;   /* out: NULL, or one that is due */
    uint64_t due_hash;   /* out */
    int64_t next_ms;     /* out: the earliest deadline of the others, or STORE_NO_EXPIRY */
};

static void look_at(void *context, struct entry *e, uint64_t hash)
{
    struct meaning *m = context;
    if (!entry_expires(e)) return;
    if (entry_expiry(e) <= m->now_ms && m->due == NULL) {
        m->due = e;
        m->due_hash = hash;
        return;
    }
    if (m->is_old && entry_generation(e) == m->generation) return; /* has a newer record */
    entry_set_generation(e, m->generation);
    if (entry_expiry(e) < m->next_ms) m->next_ms = entry_expiry(e);
}

/* Looks at the keys like the record, and files it again if it is still needed. */
static struct meaning settle(struct store *s, uint64_t record, int64_t now_ms, bool is_old)
{
    CHECK(record_database(record) < DATABASES_COUNT);
    struct meaning m = {.now_ms = now_ms,
                        .generation = s->generation,
                        .is_old = is_old,
                        .next_ms = STORE_NO_EXPIRY};
    const struct table *t = record_table(s, record);
    if (t != NULL) table_visit_like(t, record_hash(record), s->seed, look_at, &m);
    if (m.next_ms != STORE_NO_EXPIRY) wheel_file(s->wheel, m.next_ms, record);
    return m;
}

static void sort_old(struct store *s, size_t steps)
{
    CHECK(s->wheel_old != NULL);
    CHECK(s->wheel != NULL);
    uint64_t record;
    for (size_t step = 0; step < steps && wheel_count(s->wheel_old) > 0; step++) {
        if (s->expiring == 0) wheel_discard(s->wheel_old);
        else if (wheel_pop(s->wheel_old, INT64_MAX, &record)) settle(s, record, INT64_MIN, true);
    }
    if (wheel_count(s->wheel_old) > 0) return;
    wheel_destroy(s->wheel_old);
    s->wheel_old = NULL;
}

static void begin_sorting(struct store *s)
{
    if (s->wheel_old != NULL || records_count(s) <= 2 * s->expiring + RECORDS_SLACK) return;
    s->wheel_old = s->wheel;
    s->wheel = wheel_create(s->now_ms);
    s->generation ^= 1;
}

void due_changed(struct store *s, const struct store_key *key, struct entry *e, int64_t before)
{
    int64_t now = entry_expiry(e);
    CHECK(now != before);
    CHECK(IMPLIES(before != STORE_NO_EXPIRY, s->databases[key->database].expiring > 0));
    if (before == STORE_NO_EXPIRY) {
        s->expiring++;
        s->databases[key->database].expiring++;
    }
    if (now == STORE_NO_EXPIRY) due_removed(s, key->database);
    if (now > before) return; /* also when there is none any more */
    if (s->wheel == NULL) s->wheel = wheel_create(s->now_ms);
    entry_set_generation(e, s->generation);
    wheel_file(s->wheel, now, record_make(key));
    begin_sorting(s);
    if (s->wheel_old != NULL) sort_old(s, RECORD_SORT_STEPS);
}

void due_removed(struct store *s, unsigned database)
{
    CHECK(s->expiring > 0);
    CHECK(s->databases[database].expiring > 0);
    s->expiring--;
    s->databases[database].expiring--;
}

void due_flushed(struct store *s, unsigned database)
{
    CHECK(s->expiring >= s->databases[database].expiring);
    s->expiring -= s->databases[database].expiring;
    s->databases[database].expiring = 0;
}

bool due_sweep(struct store *s, size_t steps)
{
    begin_sorting(s);
    if (s->wheel_old != NULL) sort_old(s, steps);
    return s->wheel_old != NULL;
}

void due_deinit(struct store *s)
{
    if (s->wheel != NULL) wheel_destroy(s->wheel);
    if (s->wheel_old != NULL) wheel_destroy(s->wheel_old);
}

/* The next records are far apart in memory: ask for what settle will touch. */
static void prefetch_ahead(const struct store *s, const struct wheel *w)
{
    uint64_t record;
    if (wheel_peek(w, PREFETCH_TABLE_AHEAD, &record)) {
        const struct table *t = record_table(s, record);
        if (t != NULL) table_prefetch(t, record_hash(record));
    }
    if (wheel_peek(w, PREFETCH_ENTRY_AHEAD, &record)) {
        const struct table *t = record_table(s, record);
        if (t != NULL) table_prefetch_entry(t, record_hash(record));
    }
}

bool store_next_due(struct store *s, struct store_due *due, struct store_key *key)
{
    uint64_t record;
    if (due->now_ms > s->now_ms) s->now_ms = due->now_ms;
    due->exhausted = false;
    for (; due->steps > 0; due->steps--) {
        bool is_old = s->wheel_old != NULL && wheel_pop(s->wheel_old, due->now_ms, &record);
        if (!is_old && (s->wheel == NULL || !wheel_pop(s->wheel, due->now_ms, &record)))
            return false;
        prefetch_ahead(s, is_old ? s->wheel_old : s->wheel);
        struct meaning m = settle(s, record, due->now_ms, is_old);
        if (m.due == NULL) continue;
        CHECK(entry_expiry(m.due) <= due->now_ms);
        *key = (struct store_key){.name = entry_key(m.due),
                                  .hash = m.due_hash,
                                  .slot = record_slot(record),
                                  .database = record_database(record)};
        due->steps--;
        return true;
    }
    due->exhausted = store_due_ms(s) <= due->now_ms;
    return false;
}

int64_t store_due_ms(const struct store *s)
{
    if (s->expiring == 0) return INT64_MAX;
    int64_t next = s->wheel == NULL ? INT64_MAX : wheel_next_ms(s->wheel);
    int64_t old = s->wheel_old == NULL ? INT64_MAX : wheel_next_ms(s->wheel_old);
    return next < old ? next : old;
}
