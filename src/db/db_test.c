/* db_test.c - the door: batches, expiry, touched keys, what accessors show. Without a disk; gating
 * and recovery are in tests/sim. */
#include "db/db.h"

#include "base/limits.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1700000000000)

static struct db *open_db(void)
{
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct db *db = db_open(&(struct db_options){.random_seed = 17, .stream_block = {0, 4}},
                            &recovery, &status);
    assert_non_null(db);
    assert_int_equal(status, WAL_OPEN_OK);
    db_set_now(db, NOW_MS);
    return db;
}

static struct store_key key_of(struct db *db, const char *name)
{
    return db_key(db, 0, slice_of(name));
}

static void set(struct db *db, const char *name, const char *value, int64_t expiry_ms)
{
    db_change(db, &(struct effect){.kind = EFFECT_STRING_SET,
                                   .key = key_of(db, name),
                                   .string_set = {slice_of(value), expiry_ms}});
}

static bool commit(struct db *db)
{
    bool changed;
    assert_int_equal(db_commit(db, &changed), 0);
    return changed;
}

static void set_alone(struct db *db, const char *name, const char *value, int64_t expiry_ms)
{
    db_begin(db);
    set(db, name, value, expiry_ms);
    assert_true(commit(db));
}

/* The string of a key; NULL: there is none. */
static const char *get(struct db *db, const char *name, char text[64])
{
    struct string_view view;
    char number[NUMBER_INTEGER_TEXT_MAX];
    struct store_key key = key_of(db, name);
    db_begin(db);
    enum lookup found = db_string(db, &key, &view);
    if (found == LOOKUP_FOUND) {
        struct slice bytes = string_bytes(&view, number);
        snprintf(text, 64, "%.*s", (int)bytes.size, bytes.data);
    }
    assert_false(commit(db));
    return found == LOOKUP_FOUND ? text : NULL;
}

static bool exists(struct db *db, const char *name)
{
    struct store_key key = key_of(db, name);
    db_begin(db);
    bool found = db_find(db, &key, NULL, NULL);
    commit(db);
    return found;
}

/* A commit says whether there were effects. */
static void test_commit(void **state)
{
    (void)state;
    char text[64];
    struct db *db = open_db();
    db_begin(db);
    assert_false(commit(db));
    set_alone(db, "a", "1", EFFECT_EXPIRY_NONE);
    set_alone(db, "b", "text", EFFECT_EXPIRY_NONE);
    assert_string_equal(get(db, "a", text), "1");
    assert_string_equal(get(db, "b", text), "text");
    assert_null(get(db, "c", text));
    struct db_figures figures;
    db_measure(db, &figures);
    assert_int_equal(figures.effects, 2);
    assert_int_equal(figures.keys[0], 2);
    assert_false(figures.has_log);
    db_reset_statistics(db);
    db_measure(db, &figures);
    assert_int_equal(figures.effects, 0);
    db_close(db);
}

/* A string is no stream, and a stream no string; either exists. */
static void test_wrong_type(void **state)
{
    (void)state;
    struct db *db = open_db();
    struct string_view view;
    const struct stream *stream;
    unsigned type;
    int64_t expiry_ms;
    set_alone(db, "text", "x", NOW_MS + 5);
    struct store_key text = key_of(db, "text"), events = key_of(db, "events");
    db_begin(db);
    db_change(db, &(struct effect){.kind = EFFECT_STREAM_CREATE, .key = events});
    commit(db);
    db_begin(db);
    assert_int_equal(db_stream(db, &text, &stream), LOOKUP_WRONG_TYPE);
    assert_int_equal(db_string(db, &events, &view), LOOKUP_WRONG_TYPE);
    assert_int_equal(db_stream(db, &events, &stream), LOOKUP_FOUND);
    assert_true(db_find(db, &text, &type, &expiry_ms));
    assert_string_equal(db_type_name(type), "string");
    assert_int_equal(expiry_ms, NOW_MS + 5);
    assert_true(db_find(db, &events, &type, &expiry_ms));
    assert_string_equal(db_type_name(type), "stream");
    assert_int_equal(expiry_ms, STORE_NO_EXPIRY);
    commit(db);
    db_close(db);
}

/* A key lives until the millisecond before its deadline, for every accessor, also when nothing has
 * removed it yet. */
static void test_deadline(void **state)
{
    (void)state;
    char text[64];
    struct db *db = open_db();
    set_alone(db, "k", "1", NOW_MS + 100);
    db_set_now(db, NOW_MS + 99);
    assert_string_equal(get(db, "k", text), "1");
    assert_false(db_expire(db, 100));
    assert_true(exists(db, "k"));
    db_set_now(db, NOW_MS + 100);
    assert_null(get(db, "k", text));
    assert_false(exists(db, "k"));
    struct slice name;
    db_begin(db);
    assert_false(db_random(db, 0, 1, &name));
    commit(db);
    assert_false(db_expire(db, 100));
    struct db_figures figures;
    db_measure(db, &figures);
    assert_int_equal(figures.keys[0], 0);
    assert_int_equal(figures.expired, 1);
    assert_int_equal(db_expire_due_ms(db), INT64_MAX);
    db_close(db);
}

static size_t take_all(struct db *db, struct db_touched *list, char names[][16], size_t capacity)
{
    size_t count = 0;
    struct db_touched touched;
    while (db_take_touched(db, &touched)) {
        assert_true(count < capacity);
        snprintf(names[count], 16, "%.*s", (int)touched.name.size, touched.name.data);
        list[count++] = touched;
    }
    return count;
}

/* What is stored under a deadline that has passed does not shine through: KEEPTTL finds none,
 * APPEND has nothing to append to, and the deletion is an effect of the same batch. */
static void test_change_of_expired(void **state)
{
    (void)state;
    char text[64];
    struct db_figures figures;
    struct db *db = open_db();
    set_alone(db, "k", "old", NOW_MS + 10);
    set_alone(db, "n", "41", NOW_MS + 10);
    db_set_now(db, NOW_MS + 10);
    db_reset_statistics(db);
    set_alone(db, "k", "new", EFFECT_EXPIRY_KEEP);
    db_begin(db);
    db_change(db, &(struct effect){.kind = EFFECT_STRING_SET_RANGE,
                                   .key = key_of(db, "n"),
                                   .string_set_range = {0, SLICE("x")}});
    commit(db);
    db_measure(db, &figures);
    assert_int_equal(figures.effects, 4);
    assert_int_equal(figures.expired, 2);
    db_set_now(db, NOW_MS + 1000000);
    assert_string_equal(get(db, "k", text), "new");
    assert_string_equal(get(db, "n", text), "x");
    assert_false(db_expire(db, 100));
    assert_true(exists(db, "k"));
    db_close(db);
}

/* KEEPTTL of a living key keeps it; SET without it does not; PERSIST removes it. */
static void test_keep_expiry(void **state)
{
    (void)state;
    struct db *db = open_db();
    int64_t expiry_ms;
    set_alone(db, "k", "1", NOW_MS + 10);
    set_alone(db, "k", "2", EFFECT_EXPIRY_KEEP);
    struct store_key key = key_of(db, "k");
    db_begin(db);
    assert_true(db_find(db, &key, NULL, &expiry_ms));
    assert_int_equal(expiry_ms, NOW_MS + 10);
    db_change(db, &(struct effect){
                      .kind = EFFECT_KEY_EXPIRE, .key = key, .key_expire = {STORE_NO_EXPIRY}});
    assert_true(db_find(db, &key, NULL, &expiry_ms));
    assert_int_equal(expiry_ms, STORE_NO_EXPIRY);
    commit(db);
    set_alone(db, "k", "3", NOW_MS + 10);
    set_alone(db, "k", "4", EFFECT_EXPIRY_NONE);
    db_set_now(db, NOW_MS + 10);
    assert_true(exists(db, "k"));
    db_close(db);
}

/* Expiry works in bounded steps, and says that there is more. */
static void test_expire_in_steps(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    struct db *db = open_db();
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "k%d", i);
        set_alone(db, name, "v", NOW_MS + 1 + i % 3);
    }
    db_set_now(db, NOW_MS + 1);
    assert_true(db_expire_due_ms(db) <= NOW_MS + 1);
    db_set_now(db, NOW_MS + 10);
    int rounds = 0;
    while (db_expire(db, 10)) assert_true(++rounds < 1000);
    assert_true(rounds > 3);
    struct db_figures figures;
    db_measure(db, &figures);
    assert_int_equal(figures.expired, COUNT);
    assert_int_equal(figures.keys[0], 0);
    assert_int_equal(figures.expiring[0], 0);
    db_close(db);
}

/* Changed keys are told in order, both names of a rename, a flush as a whole; nothing is told that
 * was not watched. */
static void test_touched(void **state)
{
    (void)state;
    struct db *db = open_db();
    struct db_touched list[32];
    char names[32][16];
    set_alone(db, "before", "1", EFFECT_EXPIRY_NONE);
    db_watch(db, true);
    set_alone(db, "a", "1", EFFECT_EXPIRY_NONE);
    db_begin(db);
    set(db, "b", "1", NOW_MS + 5);
    db_change(db, &(struct effect){.kind = EFFECT_KEY_RENAME,
                                   .key = key_of(db, "a"),
                                   .key_rename = {SLICE("c")}});
    commit(db);
    assert_int_equal(take_all(db, list, names, 32), 4);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b");
    assert_string_equal(names[2], "a");
    assert_string_equal(names[3], "c");
    assert_false(list[0].all);
    assert_int_equal(take_all(db, list, names, 32), 0);

    db_set_now(db, NOW_MS + 5);
    db_expire(db, 100);
    assert_int_equal(take_all(db, list, names, 32), 1);
    assert_string_equal(names[0], "b");

    db_begin(db);
    db_change(db, &(struct effect){.kind = EFFECT_DATABASE_FLUSH,
                                   .key = db_key(db, 3, (struct slice){0}),
                                   .database_flush = {.all = false}});
    commit(db);
    assert_int_equal(take_all(db, list, names, 32), 1);
    assert_true(list[0].all);
    assert_int_equal(list[0].database, 3);
    db_begin(db);
    db_change(db, &(struct effect){.kind = EFFECT_DATABASE_FLUSH,
                                   .key = db_key(db, 3, (struct slice){0}),
                                   .database_flush = {.all = true}});
    commit(db);
    assert_int_equal(take_all(db, list, names, 32), DATABASES_COUNT);
    for (unsigned i = 0; i < DATABASES_COUNT; i++) assert_int_equal(list[i].database, i);

    set_alone(db, "late", "1", EFFECT_EXPIRY_NONE);
    db_watch(db, false);
    assert_int_equal(take_all(db, list, names, 32), 0);
    set_alone(db, "unseen", "1", EFFECT_EXPIRY_NONE);
    db_watch(db, true);
    assert_int_equal(take_all(db, list, names, 32), 0);
    db_close(db);
}

/* The queue may grow while it is taken from, and a name that was handed out stays whole. */
static void test_touched_grows(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct db *db = open_db();
    struct db_touched touched;
    char name[16];
    db_watch(db, true);
    set_alone(db, "k0", "1", EFFECT_EXPIRY_NONE);
    for (int i = 1; i < COUNT; i++) {
        assert_true(db_take_touched(db, &touched));
        snprintf(name, sizeof name, "k%d", i);
        for (int n = 0; n < 3; n++) set_alone(db, name, "1", EFFECT_EXPIRY_NONE);
        char expected[16];
        snprintf(expected, sizeof expected, "k%d", i == 1 ? 0 : 1 + (i - 2) / 3);
        assert_true(slice_equal(touched.name, slice_of(expected)));
    }
    db_close(db);
}

/* A rename goes over what was there, deadline and all, and over what has expired there. */
static void test_rename(void **state)
{
    (void)state;
    char text[64];
    struct db *db = open_db();
    int64_t expiry_ms;
    set_alone(db, "from", "1", NOW_MS + 50);
    set_alone(db, "to", "2", NOW_MS + 5);
    db_set_now(db, NOW_MS + 5);
    assert_false(exists(db, "to"));
    db_begin(db);
    db_change(db, &(struct effect){.kind = EFFECT_KEY_RENAME,
                                   .key = key_of(db, "from"),
                                   .key_rename = {SLICE("to")}});
    struct store_key to = key_of(db, "to");
    assert_true(db_find(db, &to, NULL, &expiry_ms));
    assert_int_equal(expiry_ms, NOW_MS + 50);
    commit(db);
    assert_string_equal(get(db, "to", text), "1");
    assert_false(exists(db, "from"));
    db_close(db);
}

static void count_visit(void *context, struct slice name, unsigned type)
{
    assert_int_equal(type, TYPE_STRING);
    assert_true(name.size > 0);
    ++*(int *)context;
}

/* A scan shows living keys once each, and none that has expired. */
static void test_scan(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct db *db = open_db();
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "k%d", i);
        set_alone(db, name, "v", i % 3 == 0 ? NOW_MS + 1 : EFFECT_EXPIRY_NONE);
    }
    db_set_now(db, NOW_MS + 1);
    int seen = 0, rounds = 0;
    struct db_scan scan = {.database = 0, .count = 10};
    db_begin(db);
    do {
        db_scan_keys(db, &scan, count_visit, &seen);
        assert_true(++rounds < 10000);
    } while (scan.cursor != 0);
    commit(db);
    assert_int_equal(seen, COUNT - COUNT / 3);
    db_close(db);
}

/* A flush empties one database, or all; memory goes back in steps. */
static void test_flush(void **state)
{
    (void)state;
    struct db *db = open_db();
    for (unsigned database = 0; database < 3; database++) {
        db_begin(db);
        db_change(db, &(struct effect){.kind = EFFECT_STRING_SET,
                                       .key = db_key(db, database, SLICE("k")),
                                       .string_set = {SLICE("v"), NOW_MS + 5}});
        commit(db);
    }
    struct db_figures figures;
    db_begin(db);
    db_change(db, &(struct effect){.kind = EFFECT_DATABASE_FLUSH,
                                   .key = db_key(db, 1, (struct slice){0})});
    assert_int_equal(db_count(db, 0), 1);
    assert_int_equal(db_count(db, 1), 0);
    assert_int_equal(db_count(db, 2), 1);
    commit(db);
    db_begin(db);
    db_change(db, &(struct effect){.kind = EFFECT_DATABASE_FLUSH,
                                   .key = db_key(db, 1, (struct slice){0}),
                                   .database_flush = {.all = true}});
    commit(db);
    for (int i = 0; db_expire(db, 10); i++) assert_true(i < 1000);
    db_measure(db, &figures);
    for (unsigned database = 0; database < 3; database++) {
        assert_int_equal(figures.keys[database], 0);
        assert_int_equal(figures.expiring[database], 0);
    }
    assert_int_equal(figures.expired, 0);
    db_close(db);
}

/* Names of any length may expire at once: a batch has about 1 MiB of them. */
static void test_expire_long_names(void **state)
{
    (void)state;
    enum { KEYS = 8, NAME_BYTES = 400 * 1024 };
    struct db *db = open_db();
    struct db_figures figures;
    char *name = memory_allocate_zeroed(NAME_BYTES);
    for (int i = 0; i < KEYS; i++) {
        name[0] = (char)i;
        db_begin(db);
        db_change(db, &(struct effect){.kind = EFFECT_STRING_SET,
                                       .key = db_key(db, 0, (struct slice){name, NAME_BYTES}),
                                       .string_set = {SLICE("x"), NOW_MS + 5}});
        commit(db);
    }
    memory_free(name, NAME_BYTES);
    db_set_now(db, NOW_MS + 5);
    for (uint64_t expired = 3; expired <= KEYS; expired += 3) {
        assert_true(db_expire(db, 100));
        db_measure(db, &figures);
        assert_int_equal(figures.expired, expired);
    }
    assert_false(db_expire(db, 100));
    db_measure(db, &figures);
    assert_int_equal(figures.expired, KEYS);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit),      cmocka_unit_test(test_wrong_type),
        cmocka_unit_test(test_deadline),    cmocka_unit_test(test_change_of_expired),
        cmocka_unit_test(test_keep_expiry), cmocka_unit_test(test_expire_in_steps),
        cmocka_unit_test(test_touched),     cmocka_unit_test(test_touched_grows),
        cmocka_unit_test(test_rename),      cmocka_unit_test(test_scan),
        cmocka_unit_test(test_flush),       cmocka_unit_test(test_expire_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
