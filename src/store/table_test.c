/* The table against an array of entries; what the store's model cannot see: the invariants of the
 * arrays, colliding hashes and the bounded steps of a resize. */
#include "store/table.h"

#include "base/hash.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ENTRIES_MAX = 30000, NAME_BYTES_MAX = 32, SEED = 5 };

struct model {
    struct table table;
    struct random random;
    struct entry *entries[ENTRIES_MAX]; /* NULL: absent */
    size_t count;
};

static struct slice name_of(unsigned number, char name[NAME_BYTES_MAX])
{
    return (struct slice){name, (size_t)snprintf(name, NAME_BYTES_MAX, "%u", number)};
}

static void flip(struct model *m, unsigned number)
{
    char name[NAME_BYTES_MAX];
    struct slice key = name_of(number, name);
    uint64_t hash = hash_bytes(key, SEED);
    struct place place;
    if (m->entries[number] != NULL) {
        assert_true(table_find(&m->table, hash, key, &place));
        assert_ptr_equal(place_entry(&place), m->entries[number]);
        table_remove(&m->table, hash, &place, SEED);
        entry_free(m->entries[number]);
        m->entries[number] = NULL;
        m->count--;
    } else {
        assert_false(table_find(&m->table, hash, key, &place));
        struct value value = {.form = FORM_INTEGER, .integer = number};
        m->entries[number] = entry_create(key, &value, STORE_NO_EXPIRY);
        place = table_insert(&m->table, hash, m->entries[number], SEED);
        assert_ptr_equal(place_entry(&place), m->entries[number]);
        m->count++;
    }
}

/* What every array promises: see the invariants in table.h. Returns its entries. */
static size_t check_array(const struct bucket_array *a)
{
    size_t count = 0;
    unsigned *passed = memory_allocate_zeroed((a->bucket_count + 1) * sizeof *passed);
    for (uint32_t at = 0; at < a->bucket_count; at++) {
        for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
            const struct entry *e = a->buckets[at].entries[i];
            assert_int_equal(a->buckets[at].tags[i] != 0, e != NULL);
            if (e == NULL) continue;
            count++;
            uint64_t hash = hash_bytes(entry_key(e), SEED);
            uint32_t home = (uint32_t)((hash >> 32) * a->bucket_count >> 32);
            for (; home != at; home = (home + 1) % a->bucket_count) passed[home]++;
        }
    }
    for (uint32_t at = 0; at < a->bucket_count; at++) {
        unsigned counted = a->buckets[at].passed;
        assert_true(counted == BUCKET_PASSED_MAX || counted == passed[at]);
    }
    assert_int_equal(count, a->count);
    memory_free(passed, (a->bucket_count + 1) * sizeof *passed);
    return count;
}

static void check(const struct model *m)
{
    size_t count = check_array(&m->table.now);
    if (m->table.move != NULL) count += check_array(&m->table.move->old);
    assert_int_equal(count, m->count);
    assert_int_equal(table_count(&m->table), m->count);
}

static void empty(struct model *m)
{
    uint32_t position = 0;
    struct entry *e;
    for (; (e = table_drain(&m->table, &position)) != NULL; m->count--) entry_free(e);
    assert_int_equal(m->count, 0);
    table_deinit(&m->table);
}

/* Growing and shrinking between nothing and 30,000 entries, the table holds what it should and its
 * arrays keep their promises, also in the middle of a resize. */
static void agrees_with_model(void **state)
{
    (void)state;
    enum { PHASES = 6, OPERATIONS = 60000 };
    struct model *m = memory_allocate_zeroed(sizeof *m);
    size_t checks_in_move = 0;
    for (unsigned phase = 0; phase < PHASES; phase++) {
        for (unsigned i = 0; i < OPERATIONS; i++) {
            unsigned number = (unsigned)random_below(&m->random, ENTRIES_MAX);
            bool growing = phase % 2 == 0;
            if ((m->entries[number] == NULL) == growing || random_below(&m->random, 4) == 0)
                flip(m, number);
            if (i % 997 != 0) continue;
            check(m);
            checks_in_move += m->table.move != NULL;
        }
    }
    assert_true(checks_in_move > 5);
    empty(m);
    memory_free(m, sizeof *m);
}

/* A table never holds more than a few buckets for what is in it: 7/8 full at best, a third of that
 * after growing, and nearly nothing when nearly empty. */
static void size_follows_count(void **state)
{
    (void)state;
    struct model *m = memory_allocate_zeroed(sizeof *m);
    for (unsigned i = 0; i < 200; i++) {
        flip(m, i);
        assert_true(m->table.now.bucket_count * 7 >= m->count);
        assert_true(m->table.now.bucket_count * 7 <= 1.75 * (double)m->count + 14);
    }
    for (unsigned i = 0; i < 200; i++) {
        flip(m, i);
        assert_true(m->table.now.bucket_count * 7 <= 6 * m->count + 14);
    }
    assert_int_equal(m->table.now.bucket_count, 1);
    empty(m);
    memory_free(m, sizeof *m);
}

/* One change of a large table moves few entries, and the resize ends before the next one. */
static void large_tables_move_in_steps(void **state)
{
    (void)state;
    struct model *m = memory_allocate_zeroed(sizeof *m);
    size_t moves = 0, left = 0;
    for (unsigned i = 0; i < ENTRIES_MAX; i++) {
        const struct table_move *before = m->table.move;
        flip(m, i);
        if (m->table.move == NULL) continue;
        if (before == NULL) moves++;
        size_t now_left = m->table.move->old.count;
        if (before != NULL) assert_true(left - now_left <= (size_t)BUCKET_ENTRIES * 2);
        if (before == NULL) assert_true(m->count - now_left <= 1 + (size_t)BUCKET_ENTRIES * 2);
        left = now_left;
    }
    assert_true(moves >= 3);
    empty(m);
    memory_free(m, sizeof *m);
}

/* Entries whose hashes are all the same are found, removed and told apart: the count of those that
 * passed saturates, and searches still end. */
static void survives_collisions(void **state)
{
    (void)state;
    enum { COLLIDING = 1800 };
    struct table t = {0};
    struct entry *entries[COLLIDING];
    struct value value = {.form = FORM_INTEGER};
    struct place place;
    char name[NAME_BYTES_MAX];
    const uint64_t hash = 0xffffffff00000000;
    /* At once into the last bucket of an array that does not resize: no hash is computed. */
    t.now.bucket_count = 512;
    t.now.buckets = memory_allocate_zeroed(512 * sizeof(struct bucket));
    for (unsigned i = 0; i < COLLIDING; i++) {
        entries[i] = entry_create(name_of(i, name), &value, STORE_NO_EXPIRY);
        table_insert(&t, hash, entries[i], SEED);
    }
    assert_int_equal(t.now.buckets[511].passed, BUCKET_PASSED_MAX);
    for (unsigned i = 0; i + 900 < COLLIDING; i++) {
        assert_true(table_find(&t, hash, name_of(i, name), &place));
        assert_ptr_equal(place_entry(&place), entries[i]);
        table_remove(&t, hash, &place, SEED);
        assert_false(table_find(&t, hash, name_of(i, name), &place));
        entry_free(entries[i]);
    }
    uint32_t position = 0;
    size_t left = 0;
    for (struct entry *e; (e = table_drain(&t, &position)) != NULL; left++) entry_free(e);
    assert_int_equal(left, 900);
    table_deinit(&t);
}

struct ranges {
    struct table_range range;
    size_t seen;
};

static void see(void *context, struct entry *e, uint64_t hash)
{
    struct ranges *r = context;
    assert_true(hash == hash_bytes(entry_key(e), SEED));
    assert_true(hash >> 32 >= r->range.first);
    assert_true(hash >> 32 <= r->range.last);
    r->seen++;
}

/* The ranges that a table proposes follow each other without a gap and hold each entry once. */
static void ranges_cover_the_table(void **state)
{
    (void)state;
    struct model *m = memory_allocate_zeroed(sizeof *m);
    for (unsigned i = 0; i < ENTRIES_MAX; i++) {
        if (i == 0 || i == 1 || i == 8 || i == 61 || i == 5000 || m->table.move != NULL) {
            struct ranges r = {.range = {.seed = SEED}};
            uint64_t first = 0;
            for (; first <= UINT32_MAX && (m->table.move == NULL || i % 97 == 0 || r.seen == 0);
                 first = (uint64_t)r.range.last + 1) {
                r.range.first = (uint32_t)first;
                r.range.last = table_range_last(&m->table, r.range.first);
                assert_true(r.range.last >= r.range.first);
                size_t before = r.seen;
                table_visit_range(&m->table, &r.range, see, &r);
                assert_true(r.seen - before < 40);
            }
            if (first > UINT32_MAX) assert_int_equal(r.seen, m->count);
        }
        flip(m, i);
    }
    empty(m);
    memory_free(m, sizeof *m);
}

/* In the middle of a resize too, an entry has the same chance in the old array and in the new. */
static void random_is_fair_in_a_resize(void **state)
{
    (void)state;
    enum { PICKS = 100000 };
    struct model *m = memory_allocate_zeroed(sizeof *m);
    unsigned i = 0;
    for (; m->table.move == NULL; i++) flip(m, i);
    while (m->table.move->old.count > m->table.now.count) flip(m, i++);
    size_t from_old = 0;
    for (unsigned pick = 0; pick < PICKS; pick++) {
        const struct entry *e = table_random(&m->table, &m->random);
        struct place place;
        assert_true(table_find(&m->table, hash_bytes(entry_key(e), SEED), entry_key(e), &place));
        from_old += place.old;
    }
    size_t expected = PICKS * m->table.move->old.count / m->count;
    assert_true(from_old > expected - PICKS / 100);
    assert_true(from_old < expected + PICKS / 100);
    empty(m);
    memory_free(m, sizeof *m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_model),          cmocka_unit_test(size_follows_count),
        cmocka_unit_test(large_tables_move_in_steps), cmocka_unit_test(survives_collisions),
        cmocka_unit_test(ranges_cover_the_table),     cmocka_unit_test(random_is_fair_in_a_resize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
