/* store.c - keys and their values, see store.h for the contract and state.h for the structure.
 *
 * A change is: find the entry (the cache mostly has it), write it, tell due.c about the deadline.
 * What replaces an entry puts the new pointer where the old one stood; only insert and remove
 * change a table. */
#include "store/store.h"

#include "base/check.h"
#include "base/memory.h"
#include "store/state.h"

enum {
    FLUSH_AT_ONCE_MAX = 1024, /* keys that a flush frees itself */
    BODY_AT_ONCE_STEPS = 16,  /* parts of a body that its removal frees itself */
};

struct store *store_create(const struct value_type *types, size_t types_count, uint64_t seed)
{
    CHECK(types_count > STORE_STRING);
    CHECK(types_count <= STORE_TYPES_MAX);
    CHECK(types[STORE_STRING].dismantle == NULL);
    struct store *s = memory_allocate_zeroed(sizeof *s);
    s->types = types;
    s->types_count = types_count;
    s->seed = seed;
    s->last = memory_allocate_zeroed(sizeof *s->last);
    for (unsigned number = 0; number < DATABASES_COUNT; number++)
        s->places[number] = (uint8_t)number;
    return s;
}

unsigned store_place(const struct store *s, unsigned number)
{
    CHECK(number < DATABASES_COUNT);
    return s->places[number];
}

unsigned store_number(const struct store *s, unsigned place)
{
    unsigned number = 0;
    CHECK(place < DATABASES_COUNT);
    while (s->places[number] != place) {
        number++;
        CHECK(number < DATABASES_COUNT);
    }
    return number;
}

void store_swap(struct store *s, unsigned number, unsigned other)
{
    unsigned place = store_place(s, number);
    s->places[number] = (uint8_t)store_place(s, other);
    s->places[other] = (uint8_t)place;
}

void store_destroy(struct store *s)
{
    for (unsigned database = 0; database < DATABASES_COUNT; database++) store_flush(s, database);
    while (store_sweep(s, SIZE_MAX)) continue;
    for (unsigned database = 0; database < DATABASES_COUNT; database++) {
        struct table *tables = s->databases[database].tables;
        if (tables == NULL) continue;
        for (unsigned slot = 0; slot < SLOTS_COUNT; slot++) table_deinit(&tables[slot]);
        memory_free(tables, SLOTS_COUNT * sizeof *tables);
    }
    due_deinit(s);
    memory_free(s->last, sizeof *s->last);
    memory_free(s, sizeof *s);
}

struct store_key store_key_make(const struct store *s, unsigned database, struct slice name)
{
    CHECK(database < DATABASES_COUNT);
    CHECK(name.size <= KEY_BYTES_MAX);
    return (struct store_key){.name = name,
                              .hash = hash_bytes(name, s->seed),
                              .slot = hash_slot(name),
                              .database = (uint8_t)database};
}

static struct table *table_of(const struct store *s, const struct store_key *key)
{
    struct table *tables = s->databases[key->database].tables;
    return tables == NULL ? NULL : &tables[key->slot];
}

static bool is_last(const struct store *s, const struct store_key *key)
{
    const struct lookup *l = s->last;
    return l->entry != NULL && l->hash == key->hash && l->database == key->database &&
           slice_equal(entry_key(l->entry), key->name);
}

static void remember(const struct store *s, const struct store_key *key, const struct place *place)
{
    *s->last = (struct lookup){
        .entry = place_entry(place), .hash = key->hash, .place = *place, .database = key->database};
}

static void forget(const struct store *s)
{
    s->last->entry = NULL;
}

struct entry *store_find(const struct store *s, const struct store_key *key)
{
    if (is_last(s, key)) return s->last->entry;
    const struct table *t = table_of(s, key);
    struct place place;
    if (t == NULL || !table_find(t, key->hash, key->name, &place)) return NULL;
    remember(s, key, &place);
    return s->last->entry;
}

/* What is left of the body after *steps is the sweep's. */
static void destroy_body_in(struct store *s, uint8_t type, void *body, size_t *steps)
{
    if (s->types[type].dismantle(body, steps)) return;
    struct remains *r = memory_allocate(sizeof *r);
    *r = (struct remains){s->remains, body, type};
    s->remains = r;
}

void store_destroy_body(struct store *s, uint8_t type, void *body)
{
    size_t steps = BODY_AT_ONCE_STEPS;
    CHECK(type < s->types_count);
    destroy_body_in(s, type, body, &steps);
}

/* What the value refers to goes; bytes and integers live in the entry. */
static void destroy_value_in(struct store *s, const struct entry *e, size_t *steps)
{
    struct value value;
    entry_value(e, &value);
    if (value.form == FORM_SHARED && value.shared != NULL) shared_release(value.shared);
    if (value.form == FORM_BODY) destroy_body_in(s, value.type, value.body, steps);
}

static void destroy_value(struct store *s, const struct entry *e)
{
    size_t steps = BODY_AT_ONCE_STEPS;
    destroy_value_in(s, e, &steps);
}

static void check_value(const struct store *s, const struct value *value)
{
    CHECK(value->type < s->types_count);
    CHECK((value->form == FORM_BODY) == (s->types[value->type].dismantle != NULL));
    CHECK(IMPLIES(value->form == FORM_SHARED, value->shared != NULL));
    CHECK(IMPLIES(value->form == FORM_BODY, value->body != NULL));
}

static void add_count(struct store *s, const struct store_key *key, int change)
{
    struct database *d = &s->databases[key->database];
    d->count += (uint64_t)(int64_t)change;
    d->shard_counts[key->slot / SHARD_SLOTS] += (uint64_t)(int64_t)change;
}

static void add_key(struct store *s, const struct store_key *key, const struct value *value,
                    int64_t expiry_ms)
{
    struct database *d = &s->databases[key->database];
    if (d->tables == NULL) d->tables = memory_allocate_zeroed(SLOTS_COUNT * sizeof *d->tables);
    struct entry *e = entry_create(key->name, value, expiry_ms);
    struct place place = table_insert(table_of(s, key), key->hash, e, s->seed);
    remember(s, key, &place);
    add_count(s, key, 1);
    if (expiry_ms != STORE_NO_EXPIRY) due_changed(s, key, e, STORE_NO_EXPIRY);
}

/* Puts an entry where the one that was found last stood, whose memory it has taken over. */
static void replace_last(struct store *s, const struct store_key *key, struct entry *e,
                         int64_t before)
{
    struct lookup *l = s->last;
    CHECK(l->entry != NULL);
    CHECK(place_entry(&l->place) == l->entry);
    l->entry = e;
    l->place.bucket->entries[l->place.index] = e;
    if (entry_expiry(e) != before) due_changed(s, key, e, before);
}

/* Takes the entry that was found last out of its table and frees it, but not its value. */
static void unlink_last(struct store *s, const struct store_key *key)
{
    struct lookup *l = s->last;
    CHECK(l->entry != NULL);
    struct entry *e = l->entry;
    bool expires = entry_expires(e);
    table_remove(table_of(s, key), key->hash, &l->place, s->seed);
    forget(s);
    entry_free(e);
    add_count(s, key, -1);
    if (expires) due_removed(s, key->database);
}

bool store_get(const struct store *s, const struct store_key *key, struct value *value,
               int64_t *expiry_ms)
{
    const struct entry *e = store_find(s, key);
    if (e == NULL) return false;
    entry_value(e, value);
    /* Taken for a change and not yet given back: empty. */
    if (value->form == FORM_SHARED && value->shared == NULL) {
        value->form = FORM_BYTES;
        value->bytes = SLICE("");
    }
    if (expiry_ms != NULL) *expiry_ms = entry_expiry(e);
    return true;
}

void store_put(struct store *s, const struct store_key *key, const struct value *value,
               int64_t expiry_ms)
{
    check_value(s, value);
    struct entry *e = store_find(s, key);
    if (e == NULL) {
        add_key(s, key, value, expiry_ms);
        return;
    }
    int64_t before = entry_expiry(e);
    destroy_value(s, e);
    replace_last(s, key, entry_rewrite(e, value, expiry_ms), before);
}

void store_replace(struct store *s, const struct store_key *key, const struct value *value)
{
    check_value(s, value);
    struct entry *e = store_find(s, key);
    CHECK(e != NULL);
    int64_t expiry_ms = entry_expiry(e);
    destroy_value(s, e);
    replace_last(s, key, entry_rewrite(e, value, expiry_ms), expiry_ms);
}

struct shared *store_take_shared(struct store *s, const struct store_key *key)
{
    struct entry *e = store_find(s, key);
    CHECK(e != NULL);
    CHECK(entry_form(e) == FORM_SHARED);
    struct value value;
    entry_value(e, &value);
    struct shared *taken = value.shared;
    CHECK(taken != NULL);
    value.shared = NULL;
    CHECK(entry_rewrite(e, &value, entry_expiry(e)) == e); /* the same size */
    return taken;
}

void store_set_expiry(struct store *s, const struct store_key *key, int64_t expiry_ms)
{
    struct entry *e = store_find(s, key);
    CHECK(e != NULL);
    int64_t before = entry_expiry(e);
    if (before != expiry_ms) replace_last(s, key, entry_set_expiry(e, expiry_ms), before);
}

bool store_remove(struct store *s, const struct store_key *key)
{
    const struct entry *e = store_find(s, key);
    if (e == NULL) return false;
    destroy_value(s, e);
    unlink_last(s, key);
    return true;
}

void store_rename(struct store *s, const struct store_key *from, const struct store_key *to)
{
    const struct entry *source = store_find(s, from);
    CHECK(source != NULL);
    if (from->database == to->database && slice_equal(from->name, to->name)) return;
    struct value value;
    entry_value(source, &value);
    /* An entry stays where it is while others come and go: bytes remain lent. */
    store_put(s, to, &value, entry_expiry(source));
    CHECK(store_find(s, from) == source);
    unlink_last(s, from);
}

/* Frees the entries of a table, up to 'steps'; true when none is left. */
static bool sweep_table(struct store *s, struct table *t, uint32_t *position, size_t *steps)
{
    while (*steps > 0) {
        struct entry *e = table_drain(t, position);
        if (e == NULL) {
            table_deinit(t);
            *position = 0;
            return true;
        }
        (*steps)--;
        destroy_value_in(s, e, steps);
        entry_free(e);
    }
    return false;
}

/* Few keys: their tables are emptied here and stay. Else a client that flushes in a loop would
 * leave more graves than the sweep can dig. */
static void flush_at_once(struct store *s, struct database *d)
{
    for (unsigned slot = 0; slot < SLOTS_COUNT; slot++) {
        if (d->shard_counts[slot / SHARD_SLOTS] == 0) continue;
        uint32_t position = 0;
        for (struct entry *e; (e = table_drain(&d->tables[slot], &position)) != NULL;) {
            destroy_value(s, e);
            entry_free(e);
        }
        table_deinit(&d->tables[slot]);
    }
}

void store_flush(struct store *s, unsigned database)
{
    CHECK(database < DATABASES_COUNT);
    struct database *d = &s->databases[database];
    if (d->count == 0) return;
    CHECK(d->tables != NULL);
    forget(s);
    due_flushed(s, database);
    if (d->count <= FLUSH_AT_ONCE_MAX) {
        flush_at_once(s, d);
    } else {
        struct grave *g = memory_allocate(sizeof *g);
        *g = (struct grave){.next = s->graves, .tables = d->tables};
        s->graves = g;
        d->tables = NULL;
    }
    d->count = 0;
    memset(d->shard_counts, 0, sizeof d->shard_counts);
}

bool store_sweep(struct store *s, size_t steps)
{
    CHECK(steps > 0);
    size_t budget = steps;
    for (struct remains *r; (r = s->remains) != NULL && steps > 0;) {
        if (!s->types[r->type].dismantle(r->body, &steps)) break;
        s->remains = r->next;
        memory_free(r, sizeof *r);
        if (steps > 0) steps--;
    }
    while (s->graves != NULL && steps > 0) {
        struct grave *g = s->graves;
        if (!sweep_table(s, &g->tables[g->slot], &g->position, &steps)) break;
        if (steps > 0) steps--;
        if (++g->slot < SLOTS_COUNT) continue;
        s->graves = g->next;
        memory_free(g->tables, SLOTS_COUNT * sizeof *g->tables);
        memory_free(g, sizeof *g);
    }
    bool records_left = due_sweep(s, budget);
    return s->graves != NULL || s->remains != NULL || records_left;
}

uint64_t store_count(const struct store *s, unsigned database)
{
    CHECK(database < DATABASES_COUNT);
    return s->databases[database].count;
}

uint64_t store_expiring_count(const struct store *s, unsigned database)
{
    CHECK(database < DATABASES_COUNT);
    return s->databases[database].expiring;
}

void store_prefetch_table(const struct store *s, const struct store_key *key)
{
    const struct table *t = table_of(s, key);
    if (t != NULL) __builtin_prefetch(t);
}

void store_prefetch(const struct store *s, const struct store_key *key)
{
    const struct table *t = table_of(s, key);
    if (t != NULL) table_prefetch(t, key->hash);
}

void store_prefetch_entry(const struct store *s, const struct store_key *key)
{
    const struct table *t = table_of(s, key);
    if (t != NULL) table_prefetch_entry(t, key->hash);
}
