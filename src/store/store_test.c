/* The store against a stupid model: an array with one row for every key there may be. */
#include "store/store.h"

#include "base/check.h"
#include "base/memory.h"
#include "store/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    KEYS_COUNT = 60000, /* every third has the same hash tag: a slot of 20,000 keys */
    TAGGED = 3,         /* key n is tagged when n % TAGGED == 0 */
    NAME_BYTES_MAX = 64,
    TYPE_BODY = 1,
    BODY_BYTES = 24,
    BODY_PARTS = 300, /* of a large one */
    PHASE_OPERATIONS = 150000,
};

struct body {
    uint64_t number;
    size_t parts;
    char rest[BODY_BYTES - 2 * sizeof(uint64_t)];
};

static size_t bodies_count; /* alive: what put makes and destroy takes away */

static void *body_create(uint64_t number)
{
    struct body *b = memory_allocate(sizeof *b);
    b->number = number;
    b->parts = number % 97 == 0 ? BODY_PARTS : 1;
    bodies_count++;
    return b;
}

/* Bodies whose number is a multiple of 97 consist of many parts. */
static bool body_dismantle(void *body, size_t *steps)
{
    struct body *b = body;
    assert_true(bodies_count > 0);
    for (; b->parts > 0 && *steps > 0; (*steps)--) b->parts--;
    if (b->parts > 0) return false;
    bodies_count--;
    memory_free(body, sizeof(struct body));
    return true;
}

static const struct value_type types[] = {
    [STORE_STRING] = {"string", NULL},
    [TYPE_BODY] = {"body", body_dismantle},
};

static struct store *create(uint64_t seed)
{
    return store_create(types, sizeof types / sizeof *types, seed);
}

static struct slice key_name(unsigned number, char name[NAME_BYTES_MAX])
{
    const char *format = number % TAGGED == 0 ? "{tag}:%u"
                         : number % 5         ? "key:%u"
                                              : "a longer %u key";
    return (struct slice){name, (size_t)snprintf(name, NAME_BYTES_MAX, format, number)};
}

/* What a row of the model holds; the content of a value follows from its number and form. */
struct row {
    bool present;
    enum value_form form;
    uint64_t number;
    int64_t expiry_ms;
};

struct model {
    struct store *store;
    struct random random;
    unsigned database;
    int64_t now_ms;
    uint64_t count;
    uint64_t expiring;
    struct row rows[KEYS_COUNT];
};

/* Bytes whose size and content follow from the number. */
static struct slice bytes_of(uint64_t number, char bytes[STORE_INLINE_BYTES_MAX])
{
    size_t size = number % 7 == 0 ? number % (STORE_INLINE_BYTES_MAX + 1) : number % 40;
    for (size_t i = 0; i < size; i++) bytes[i] = (char)(number >> (i % 8));
    return (struct slice){bytes, size};
}

static struct value value_make(const struct row *row, char bytes[STORE_INLINE_BYTES_MAX])
{
    struct value v = {.type = row->form == FORM_BODY ? TYPE_BODY : STORE_STRING, .form = row->form};
    switch (row->form) {
    case FORM_BYTES: v.bytes = bytes_of(row->number, bytes); break;
    case FORM_INTEGER: v.integer = (int64_t)(row->number * 0x9E3779B97F4A7C15u); break;
    case FORM_SHARED: v.shared = shared_create(bytes_of(row->number, bytes)); break;
    case FORM_BODY: v.body = body_create(row->number); break;
    }
    return v;
}

static void assert_value(const struct value *v, const struct row *row)
{
    char bytes[STORE_INLINE_BYTES_MAX];
    assert_int_equal(v->form, row->form);
    assert_int_equal(v->type, row->form == FORM_BODY ? TYPE_BODY : STORE_STRING);
    switch (row->form) {
    case FORM_BYTES: assert_true(slice_equal(v->bytes, bytes_of(row->number, bytes))); break;
    case FORM_INTEGER:
        assert_true(v->integer == (int64_t)(row->number * 0x9E3779B97F4A7C15u));
        break;
    case FORM_SHARED:
        assert_true(slice_equal(shared_slice(v->shared), bytes_of(row->number, bytes)));
        break;
    case FORM_BODY: assert_true(((const struct body *)v->body)->number == row->number); break;
    }
}

static void set_row(struct model *m, unsigned number, struct row row)
{
    struct row *old = &m->rows[number];
    m->count += (uint64_t)row.present - old->present;
    m->expiring += (uint64_t)(row.present && row.expiry_ms != STORE_NO_EXPIRY);
    m->expiring -= (uint64_t)(old->present && old->expiry_ms != STORE_NO_EXPIRY);
    *old = row;
}

static struct store_key key_make(struct model *m, unsigned number, char name[NAME_BYTES_MAX])
{
    return store_key_make(m->store, m->database, key_name(number, name));
}

static void assert_row(struct model *m, unsigned number)
{
    char name[NAME_BYTES_MAX];
    struct store_key key = key_make(m, number, name);
    struct value value;
    int64_t expiry_ms = -1;
    assert_int_equal(store_get(m->store, &key, &value, &expiry_ms), m->rows[number].present);
    if (!m->rows[number].present) {
        assert_int_equal(expiry_ms, -1);
        return;
    }
    assert_true(expiry_ms == m->rows[number].expiry_ms);
    assert_value(&value, &m->rows[number]);
}

static int64_t random_expiry(struct model *m)
{
    static const int64_t spans[] = {1, 60, 2000, 100000, 5000000, 4000000000000};
    uint64_t chosen = random_below(&m->random, 12);
    if (chosen >= sizeof spans / sizeof *spans) return STORE_NO_EXPIRY;
    return m->now_ms + (int64_t)random_below(&m->random, (uint64_t)spans[chosen]);
}

static void put(struct model *m, unsigned number)
{
    char name[NAME_BYTES_MAX], bytes[STORE_INLINE_BYTES_MAX];
    struct row row = {.present = true,
                      .form = (enum value_form)random_below(&m->random, FORM_BODY + 1),
                      .number = random_next(&m->random),
                      .expiry_ms = random_expiry(m)};
    bool keeps = m->rows[number].present && random_below(&m->random, 3) == 0;
    if (keeps) row.expiry_ms = m->rows[number].expiry_ms;
    struct value value = value_make(&row, bytes);
    struct store_key key = key_make(m, number, name);
    if (keeps) store_replace(m->store, &key, &value);
    else store_put(m->store, &key, &value, row.expiry_ms);
    set_row(m, number, row);
}

static void expire(struct model *m, unsigned number)
{
    if (!m->rows[number].present) return;
    char name[NAME_BYTES_MAX];
    struct row row = m->rows[number];
    row.expiry_ms = random_expiry(m);
    struct store_key key = key_make(m, number, name);
    store_set_expiry(m->store, &key, row.expiry_ms);
    set_row(m, number, row);
}

static void take_and_return(struct model *m, unsigned number)
{
    if (!m->rows[number].present || m->rows[number].form != FORM_SHARED) return;
    char name[NAME_BYTES_MAX];
    struct store_key key = key_make(m, number, name);
    struct value value = {.type = STORE_STRING, .form = FORM_SHARED};
    value.shared = store_take_shared(m->store, &key);
    assert_int_equal(value.shared->references, 1);
    struct value empty;
    assert_true(store_get(m->store, &key, &empty, NULL));
    assert_int_equal(empty.form, FORM_BYTES);
    assert_int_equal(empty.bytes.size, 0);
    store_replace(m->store, &key, &value);
}

static void rename_key(struct model *m, unsigned from, unsigned to)
{
    if (!m->rows[from].present) return;
    char name_from[NAME_BYTES_MAX], name_to[NAME_BYTES_MAX];
    struct store_key key_from = key_make(m, from, name_from), key_to = key_make(m, to, name_to);
    store_rename(m->store, &key_from, &key_to);
    if (from == to) return;
    set_row(m, to, m->rows[from]);
    set_row(m, from, (struct row){0});
}

static void remove_key(struct model *m, unsigned number)
{
    char name[NAME_BYTES_MAX];
    struct store_key key = key_make(m, number, name);
    assert_int_equal(store_remove(m->store, &key), m->rows[number].present);
    set_row(m, number, (struct row){0});
}

static unsigned key_number(struct slice name)
{
    size_t at = 0;
    while (at < name.size && (name.data[at] < '0' || name.data[at] > '9')) at++;
    unsigned number = 0;
    for (; at < name.size && name.data[at] >= '0' && name.data[at] <= '9'; at++)
        number = number * 10 + (unsigned)(name.data[at] - '0');
    assert_true(number < KEYS_COUNT);
    return number;
}

/* Everything that store_next_due says is due by the model, and nothing that is due remains. */
static void reclaim(struct model *m)
{
    struct store_due due = {.now_ms = m->now_ms, .steps = 1 + random_below(&m->random, 2000)};
    struct store_key key;
    while (store_next_due(m->store, &due, &key)) {
        unsigned number = key_number(key.name);
        struct slice name = key.name;
        struct store_key made = store_key_make(m->store, m->database, name);
        assert_true(made.hash == key.hash && made.slot == key.slot);
        assert_int_equal(key.database, m->database);
        assert_true(m->rows[number].present);
        assert_true(m->rows[number].expiry_ms <= m->now_ms);
        assert_true(store_remove(m->store, &key));
        set_row(m, number, (struct row){0});
    }
    int64_t earliest = INT64_MAX;
    for (unsigned i = 0; i < KEYS_COUNT; i++)
        if (m->rows[i].present && m->rows[i].expiry_ms < earliest) earliest = m->rows[i].expiry_ms;
    assert_true(store_due_ms(m->store) <= (earliest < m->now_ms ? m->now_ms : earliest));
    assert_int_equal(due.exhausted && earliest <= m->now_ms, earliest <= m->now_ms);
}

static void operate(struct model *m, bool growing)
{
    unsigned number = (unsigned)random_below(&m->random, KEYS_COUNT);
    uint64_t chosen = random_below(&m->random, 100);
    if (chosen < 50) {
        if (growing) put(m, number);
        else remove_key(m, number);
    } else if (chosen < 60) {
        if (growing) remove_key(m, number);
        else put(m, number);
    } else if (chosen < 75) {
        expire(m, number);
    } else if (chosen < 80) {
        take_and_return(m, number);
    } else if (chosen < 90) {
        rename_key(m, number, (unsigned)random_below(&m->random, KEYS_COUNT));
    } else if (random_below(&m->random, 300) == 0) {
        m->now_ms += (int64_t)random_below(&m->random, 3000);
        reclaim(m);
    }
    assert_row(m, number);
}

struct seen {
    struct model *model;
    unsigned char times[KEYS_COUNT];
    size_t count;
};

static void see(void *context, struct slice name, const struct value *value, int64_t expiry_ms)
{
    struct seen *seen = context;
    unsigned number = key_number(name);
    assert_true(seen->model->rows[number].present);
    assert_true(seen->model->rows[number].expiry_ms == expiry_ms);
    assert_value(value, &seen->model->rows[number]);
    seen->times[number]++;
    seen->count++;
}

/* Visits keys from the cursor on; returns the next one. */
static uint64_t scan(const struct model *m, unsigned database, uint64_t cursor, size_t count,
                     struct seen *seen)
{
    struct store_scan keys = {database, cursor, count};
    store_scan_keys(m->store, &keys, see, seen);
    return keys.cursor;
}

static void assert_all(struct model *m)
{
    struct seen *seen = memory_allocate_zeroed(sizeof *seen);
    seen->model = m;
    uint64_t cursor = 0;
    for (unsigned i = 0; i < KEYS_COUNT; i++) assert_row(m, i);
    do cursor = scan(m, m->database, cursor, 100, seen);
    while (cursor != 0);
    for (unsigned i = 0; i < KEYS_COUNT; i++) assert_int_equal(seen->times[i], m->rows[i].present);
    assert_true(store_count(m->store, m->database) == m->count);
    assert_true(store_expiring_count(m->store, m->database) == m->expiring);
    for (unsigned i = 0; i < 50 && m->count > 0; i++) {
        struct slice picked;
        assert_true(store_random(m->store, m->database, &m->random, &picked));
        assert_true(m->rows[key_number(picked)].present);
    }
    memory_free(seen, sizeof *seen);
}

/* Whatever is done in whatever order, the store holds what the model holds. */
static void agrees_with_model(void **state)
{
    (void)state;
    struct model *m = memory_allocate_zeroed(sizeof *m);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        memset(m, 0, sizeof *m);
        m->store = create(seed);
        m->random.state = seed;
        m->database = (unsigned)seed;
        m->now_ms = seed == 1 ? 0 : 1760000000000;
        for (unsigned phase = 0; phase < 8; phase++) {
            for (unsigned i = 0; i < PHASE_OPERATIONS; i++) operate(m, phase % 2 == 0);
            assert_all(m);
            if (phase != 3) continue;
            store_flush(m->store, m->database);
            memset(m->rows, 0, sizeof m->rows);
            m->count = m->expiring = 0;
            assert_all(m);
        }
        store_destroy(m->store);
        assert_int_equal(bodies_count, 0);
    }
    memory_free(m, sizeof *m);
}

/* A scan sees each key that stays exactly once while others come and go between its calls, and a
 * call visits few more keys than were asked for, in a slot of thousands too. */
static void scan_sees_each_key_once(void **state)
{
    (void)state;
    struct model *m = memory_allocate_zeroed(sizeof *m);
    struct seen *seen = memory_allocate_zeroed(sizeof *seen);
    for (unsigned round = 0; round < 12; round++) {
        memset(m, 0, sizeof *m);
        memset(seen, 0, sizeof *seen);
        m->store = create(round);
        m->random.state = round;
        seen->model = m;
        bool growing = round % 2 == 0;
        for (unsigned i = 0; i < KEYS_COUNT; i++)
            if (i < KEYS_COUNT / 10 || !growing) put(m, i);
        uint64_t cursor = 0;
        unsigned next = KEYS_COUNT / 10, calls = 0;
        do {
            size_t before = seen->count;
            cursor = scan(m, 0, cursor, 20, seen);
            assert_true(seen->count - before < 20 + 40);
            calls++;
            for (unsigned i = 0; i < 10 + round * 10 && next < KEYS_COUNT; i++, next++) {
                if (growing) put(m, next);
                else remove_key(m, next);
            }
        } while (cursor != 0);
        assert_true(calls > KEYS_COUNT / 10 / 60);
        for (unsigned i = 0; i < KEYS_COUNT / 10; i++) assert_int_equal(seen->times[i], 1);
        for (unsigned i = KEYS_COUNT / 10; i < KEYS_COUNT; i++) assert_true(seen->times[i] <= 1);
        store_destroy(m->store);
    }
    memory_free(seen, sizeof *seen);
    memory_free(m, sizeof *m);
}

/* A cursor that no scan returned ends the scan and visits nothing. */
static void scan_refuses_strange_cursors(void **state)
{
    (void)state;
    struct model *m = memory_allocate_zeroed(sizeof *m);
    struct seen *seen = memory_allocate_zeroed(sizeof *seen);
    seen->model = m;
    m->store = create(1);
    assert_int_equal(scan(m, 0, 5, 10, seen), 0);
    for (unsigned i = 0; i < 100; i++) put(m, i);
    assert_int_equal(scan(m, 0, (uint64_t)SLOTS_COUNT << 32, 10, seen), 0);
    assert_int_equal(scan(m, 0, UINT64_MAX, 10, seen), 0);
    assert_int_equal(seen->count, 0);
    assert_int_equal(scan(m, 0, 0, SIZE_MAX, seen), 0);
    assert_int_equal(seen->count, 100);
    store_destroy(m->store);
    memory_free(seen, sizeof *seen);
    memory_free(m, sizeof *m);
}

/* A slot that is emptied while a cursor stands in it costs the scan nothing behind it. */
static void scan_survives_an_emptied_slot(void **state)
{
    (void)state;
    enum { SCANNED = 300 };
    struct model *m = memory_allocate_zeroed(sizeof *m);
    struct seen *seen = memory_allocate_zeroed(sizeof *seen);
    seen->model = m;
    m->store = create(1);
    for (unsigned i = 0; i < SCANNED; i++) put(m, i);
    uint64_t cursor = 0, tag_slot = hash_slot(SLICE("tag"));
    do cursor = scan(m, 0, cursor, 1, seen);
    while (cursor >> 32 < tag_slot || (uint32_t)cursor < 0xe0000000);
    assert_int_equal(cursor >> 32, tag_slot);
    for (unsigned i = 0; i < SCANNED; i += TAGGED) remove_key(m, i);
    while (cursor != 0) cursor = scan(m, 0, cursor, 1, seen);
    for (unsigned i = 0; i < SCANNED; i++)
        if (i % TAGGED != 0) assert_int_equal(seen->times[i], 1);
    store_destroy(m->store);
    memory_free(seen, sizeof *seen);
    memory_free(m, sizeof *m);
}

/* Every key is picked about equally often, whether its slot is crowded or not. */
static void random_is_fair(void **state)
{
    (void)state;
    enum { PICKED_KEYS = 300, PICKS = 300000 };
    struct model *m = memory_allocate_zeroed(sizeof *m);
    m->store = create(1);
    unsigned picks[PICKED_KEYS] = {0};
    struct slice name;
    assert_false(store_random(m->store, 0, &m->random, &name));
    for (unsigned i = 0; i < PICKED_KEYS; i++) put(m, i);
    for (unsigned i = 0; i < PICKS; i++) {
        assert_true(store_random(m->store, 0, &m->random, &name));
        picks[key_number(name)]++;
    }
    /* 1000 expected with a deviation of 32: five of them either way. */
    for (unsigned i = 0; i < PICKED_KEYS; i++) {
        assert_true(picks[i] > 840);
        assert_true(picks[i] < 1160);
    }
    store_destroy(m->store);
    memory_free(m, sizeof *m);
}

/* Keys that all expire in one second are found in bounded pieces, each once, and none too early. */
static void many_expire_at_once(void **state)
{
    (void)state;
    enum { STEPS = 500 };
    struct model *m = memory_allocate_zeroed(sizeof *m);
    m->store = create(7);
    m->now_ms = 1760000000000;
    char name[NAME_BYTES_MAX];
    struct value value = {.type = STORE_STRING, .form = FORM_INTEGER, .integer = 1};
    for (unsigned i = 0; i < KEYS_COUNT; i++) {
        struct store_key key = key_make(m, i, name);
        store_put(m->store, &key, &value, m->now_ms + 10000 + i % 1000);
    }
    uint64_t removed = 0, calls = 0;
    assert_true(store_due_ms(m->store) <= m->now_ms + 10000);
    for (int64_t now_ms = m->now_ms; removed < KEYS_COUNT; calls++) {
        struct store_due due = {.now_ms = now_ms, .steps = STEPS};
        struct store_key key;
        size_t found = 0;
        for (; store_next_due(m->store, &due, &key); found++) {
            int64_t expiry_ms;
            struct value ignored;
            assert_true(store_get(m->store, &key, &ignored, &expiry_ms));
            assert_true(expiry_ms <= now_ms);
            assert_true(store_remove(m->store, &key));
        }
        assert_true(found <= STEPS);
        removed += found;
        if (!due.exhausted) assert_true(store_due_ms(m->store) > now_ms);
        if (!due.exhausted) now_ms = store_due_ms(m->store);
        assert_true(now_ms <= m->now_ms + 10999 || removed == KEYS_COUNT);
    }
    assert_true(calls < 6 * KEYS_COUNT / STEPS + 2000);
    assert_int_equal(store_count(m->store, 0), 0);
    assert_true(store_due_ms(m->store) == INT64_MAX);
    store_destroy(m->store);
    memory_free(m, sizeof *m);
}

static uint64_t records(const struct store *s)
{
    return (s->wheel == NULL ? 0 : wheel_count(s->wheel)) +
           (s->wheel_old == NULL ? 0 : wheel_count(s->wheel_old));
}

/* However often deadlines come, go and move, the wheel holds few more records than keys expire,
 * and it still finds every key in time. */
static void records_stay_bounded(void **state)
{
    (void)state;
    enum { EXPIRING = 1000, ROUNDS = 300 };
    struct model *m = memory_allocate_zeroed(sizeof *m);
    m->store = create(3);
    m->now_ms = 1000000;
    for (unsigned i = 0; i < EXPIRING; i++) put(m, i);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < EXPIRING; i++) {
            char name[NAME_BYTES_MAX];
            struct store_key key = key_make(m, i, name);
            struct row row = m->rows[i];
            if (round % 3 != 0) store_set_expiry(m->store, &key, STORE_NO_EXPIRY);
            row.expiry_ms = m->now_ms + 1 + (int64_t)random_below(&m->random, 100000);
            store_set_expiry(m->store, &key, row.expiry_ms);
            set_row(m, i, row);
            assert_true(records(m->store) < 3 * EXPIRING + 2 * 4096);
        }
    }
    while (m->count > 0) {
        m->now_ms += 500;
        reclaim(m);
    }
    store_destroy(m->store);
    memory_free(m, sizeof *m);
}

/* A deadline that only moves later files no record: the one that is there finds it. */
static void later_deadlines_cost_nothing(void **state)
{
    (void)state;
    struct store *s = create(1);
    struct store_key key = store_key_make(s, 0, SLICE("k")), found;
    struct value value = {.type = STORE_STRING, .form = FORM_INTEGER};
    for (int64_t expiry_ms = 10; expiry_ms < 2000; expiry_ms++)
        store_put(s, &key, &value, expiry_ms);
    assert_int_equal(records(s), 1);
    struct store_due due = {.now_ms = 1998, .steps = 100};
    assert_false(store_next_due(s, &due, &found));
    assert_int_equal(records(s), 1);
    due.now_ms = 1999;
    assert_true(store_next_due(s, &due, &found));
    assert_true(slice_equal(found.name, key.name));
    store_destroy(s);
}

/* Makes the wheel sort its records out, by moving the deadline of another key to and fro. */
static void churn(struct store *s)
{
    struct store_key key = store_key_make(s, 3, SLICE("other"));
    struct value value = {.type = STORE_STRING, .form = FORM_INTEGER};
    bool sorted = false;
    for (unsigned i = 0; i < 10000; i++) {
        store_put(s, &key, &value, 1000000);
        sorted = sorted || s->wheel_old != NULL;
        store_put(s, &key, &value, STORE_NO_EXPIRY);
    }
    while (store_sweep(s, 100)) continue;
    assert_true(sorted);
    store_put(s, &key, &value, 1000000);
}

/* Both keys expire at these times, and not before; 'first' had an earlier deadline
 * once, whose record comes out too early. */
static void expire_both(struct store *s, const struct store_key keys[2], const int64_t times[2],
                        unsigned first)
{
    struct value value = {.type = STORE_STRING, .form = FORM_INTEGER};
    struct store_key found;
    for (unsigned i = 0; i < 2; i++) store_put(s, &keys[i], &value, i == first ? 90 : times[i]);
    store_set_expiry(s, &keys[first], times[first]);
    if (times[0] != 110) churn(s);
    for (int64_t now_ms = 80; now_ms <= 120; now_ms++) {
        struct store_due due = {.now_ms = now_ms, .steps = 100000};
        while (store_next_due(s, &due, &found)) assert_true(store_remove(s, &found));
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(store_get(s, &keys[i], &value, NULL), now_ms < times[i]);
    }
}

/* Two keys whose records cannot be told apart (found by search: the 40 bits of hash that a record
 * has are equal under seed 1) both expire, each at its time, one record for both or two. */
static void keys_with_equal_records_expire(void **state)
{
    (void)state;
    for (int64_t times[2] = {100, 100}; times[0] <= 120; times[0] += 10) {
        for (times[1] = 100; times[1] <= 120; times[1] += 10) {
            for (unsigned first = 0; first < 2; first++) {
                struct store *s = create(1);
                struct store_key keys[2] = {store_key_make(s, 0, SLICE("{tag}:705753")),
                                            store_key_make(s, 0, SLICE("{tag}:5172298"))};
                assert_true(keys[0].hash >> 32 == keys[1].hash >> 32);
                assert_true((keys[0].hash & 0xff) == (keys[1].hash & 0xff));
                expire_both(s, keys, times, first);
                store_destroy(s);
            }
        }
    }
}

/* Keys with the same hash of 64 bits are still two keys, also for the memory of the last lookup. */
static void equal_hashes_are_told_apart(void **state)
{
    (void)state;
    struct store *s = create(1);
    struct store_key a = store_key_make(s, 0, SLICE("one")), b = a;
    b.name = SLICE("two");
    struct value value = {.type = STORE_STRING, .form = FORM_INTEGER, .integer = 1};
    store_put(s, &a, &value, STORE_NO_EXPIRY);
    assert_false(store_get(s, &b, &value, NULL));
    value.integer = 2;
    store_put(s, &b, &value, STORE_NO_EXPIRY);
    assert_true(store_get(s, &a, &value, NULL));
    assert_int_equal(value.integer, 1);
    assert_true(store_remove(s, &b));
    assert_false(store_get(s, &b, &value, NULL));
    assert_int_equal(store_count(s, 0), 1);
    store_destroy(s);
}

/* A flush answers at once, counts nothing any more, and leaves its memory to the sweep, which takes
 * it in pieces; new keys of the same name are not touched by it. */
static void flush_is_swept(void **state)
{
    (void)state;
    struct model *m = memory_allocate_zeroed(sizeof *m);
    m->store = create(9);
    for (unsigned i = 0; i < KEYS_COUNT; i++) put(m, i);
    size_t bodies_before = bodies_count;
    store_flush(m->store, 0);
    assert_int_equal(bodies_count, bodies_before);
    assert_int_equal(store_count(m->store, 0), 0);
    assert_int_equal(store_expiring_count(m->store, 0), 0);
    memset(m->rows, 0, sizeof m->rows);
    m->count = m->expiring = 0;
    for (unsigned i = 0; i < 500; i++) put(m, i);
    size_t calls = 0, expected = 0;
    while (store_sweep(m->store, 1000)) calls++;
    assert_true(calls >= KEYS_COUNT / 1000);
    assert_true(calls <= (KEYS_COUNT + SLOTS_COUNT * 2) / 1000 + 60);
    for (unsigned i = 0; i < KEYS_COUNT; i++)
        expected += m->rows[i].present && m->rows[i].form == FORM_BODY;
    assert_int_equal(bodies_count, expected);
    assert_all(m);
    store_flush(m->store, 0); /* few keys: gone without a sweep, but for large bodies */
    assert_in_range(bodies_count, 1, expected / 50);
    while (store_sweep(m->store, 1000)) continue;
    assert_int_equal(bodies_count, 0);
    assert_false(store_sweep(m->store, 1));
    store_destroy(m->store);
    memory_free(m, sizeof *m);
}

/* Removing or replacing a large body costs little at once, and the sweep frees no more of it at a
 * time than it may. */
static void large_bodies_are_swept(void **state)
{
    (void)state;
    struct store *s = create(3);
    struct store_key key = store_key_make(s, 0, SLICE("k"));
    for (int i = 0; i < 3; i++) {
        struct value value = {.type = TYPE_BODY, .form = FORM_BODY, .body = body_create(97)};
        store_put(s, &key, &value, STORE_NO_EXPIRY);
    }
    assert_int_equal(bodies_count, 3);
    assert_true(store_remove(s, &key));
    assert_int_equal(bodies_count, 3);
    size_t calls = 1;
    while (store_sweep(s, 100)) calls++;
    assert_in_range(calls, 8, 10);
    assert_int_equal(bodies_count, 0);
    store_destroy_body(s, TYPE_BODY, body_create(97)); /* nor one that was no key's */
    assert_int_equal(bodies_count, 1);
    while (store_sweep(s, 100)) continue;
    assert_int_equal(bodies_count, 0);
    store_destroy(s);
}

/* The same name in two databases is two keys. */
static void databases_are_apart(void **state)
{
    (void)state;
    struct store *s = create(1);
    struct store_key a = store_key_make(s, 0, SLICE("k")), b = store_key_make(s, 15, SLICE("k"));
    struct value value = {.type = STORE_STRING, .form = FORM_INTEGER, .integer = 1};
    store_put(s, &a, &value, 5);
    assert_false(store_get(s, &b, &value, NULL));
    value.integer = 2;
    store_put(s, &b, &value, STORE_NO_EXPIRY);
    assert_true(store_get(s, &a, &value, NULL));
    assert_int_equal(value.integer, 1);
    store_flush(s, 0);
    assert_false(store_get(s, &a, &value, NULL));
    assert_true(store_get(s, &b, &value, NULL));
    store_rename(s, &b, &a);
    assert_false(store_get(s, &b, &value, NULL));
    assert_true(store_get(s, &a, &value, NULL));
    assert_int_equal(value.integer, 2);
    store_destroy(s);
}

/* A value may be put back under its own key while it is still lent by the store. */
static void own_bytes_may_be_put_back(void **state)
{
    (void)state;
    struct store *s = create(1);
    struct store_key key = store_key_make(s, 0, SLICE("0123456789abcdef"));
    struct value value = {
        .type = STORE_STRING, .form = FORM_BYTES, .bytes = SLICE("a value of 16 by")};
    store_put(s, &key, &value, STORE_NO_EXPIRY);
    for (int64_t expiry_ms = 1; expiry_ms < 4; expiry_ms++) {
        assert_true(store_get(s, &key, &value, NULL));
        store_put(s, &key, &value, expiry_ms == 2 ? STORE_NO_EXPIRY : expiry_ms);
        assert_true(store_get(s, &key, &value, NULL));
        assert_true(slice_equal(value.bytes, SLICE("a value of 16 by")));
    }
    value.bytes.data += 2;
    value.bytes.size -= 4;
    store_put(s, &key, &value, 9);
    assert_true(store_get(s, &key, &value, NULL));
    assert_true(slice_equal(value.bytes, SLICE("value of 16 ")));
    store_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_model),
        cmocka_unit_test(scan_sees_each_key_once),
        cmocka_unit_test(scan_refuses_strange_cursors),
        cmocka_unit_test(scan_survives_an_emptied_slot),
        cmocka_unit_test(random_is_fair),
        cmocka_unit_test(many_expire_at_once),
        cmocka_unit_test(records_stay_bounded),
        cmocka_unit_test(later_deadlines_cost_nothing),
        cmocka_unit_test(keys_with_equal_records_expire),
        cmocka_unit_test(equal_hashes_are_told_apart),
        cmocka_unit_test(flush_is_swept),
        cmocka_unit_test(large_bodies_are_swept),
        cmocka_unit_test(databases_are_apart),
        cmocka_unit_test(own_bytes_may_be_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
