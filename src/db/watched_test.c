/* watched_test.c - WATCH: what breaks it, what does not, and what it keeps. */
#include "db/watched.h"

#include "base/limits.h"
#include "base/memory.h"
#include "db/effect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct room {
    struct store *store;
    struct watched watched;
};

static void open_room(struct room *r)
{
    *r = (struct room){.store = store_create(value_types, TYPES_COUNT, 1)};
    r->watched.store = r->store;
}

static void close_room(struct room *r)
{
    watched_deinit(&r->watched);
    store_destroy(r->store);
}

static struct store_key key_of(const struct room *r, unsigned database, const char *name)
{
    return store_key_make(r->store, database, slice_of(name));
}

static void put(struct room *r, const char *name, int64_t expiry_ms)
{
    struct store_key key = key_of(r, 0, name);
    struct value value = {.type = TYPE_STRING, .form = FORM_INTEGER, .integer = 1};
    store_put(r->store, &key, &value, expiry_ms);
}

static void watch(struct room *r, struct watcher *w, const char *name)
{
    struct store_key key = key_of(r, 0, name);
    assert_true(watched_add(&r->watched, w, &key, 1000));
}

static void touch(struct room *r, unsigned database, const char *name, bool expiry, lsn_t lsn)
{
    struct store_key key = key_of(r, database, name);
    watched_touch(&r->watched, &key, expiry, lsn);
}

/* A change breaks the watches of its key, of every watcher, and no other; the first one counts. */
static void test_change(void **state)
{
    (void)state;
    struct room r;
    struct watcher a = {0}, b = {0}, c = {0};
    open_room(&r);
    watch(&r, &a, "x");
    watch(&r, &a, "y");
    watch(&r, &b, "x");
    watch(&r, &c, "z");
    touch(&r, 1, "x", false, 5);
    assert_false(a.broken || b.broken || c.broken);
    touch(&r, 0, "x", false, 6);
    assert_true(a.broken && b.broken);
    assert_false(c.broken);
    touch(&r, 0, "y", false, 7);
    assert_int_equal(a.broken_lsn, 6);
    watched_release(&r.watched, &a);
    assert_false(a.broken);
    assert_int_equal(a.bytes, 0);
    touch(&r, 0, "x", false, 8);
    assert_false(a.broken);
    watched_release(&r.watched, &b);
    watched_release(&r.watched, &c);
    assert_int_equal(r.watched.keys.count, 0);
    close_room(&r);
}

/* Watching a key again changes nothing, also beside many others. */
static void test_twice(void **state)
{
    (void)state;
    struct room r;
    struct watcher a = {0}, b = {0};
    open_room(&r);
    for (int i = 0; i < 5; i++) watch(&r, &a, "x");
    assert_int_equal(a.count, 1);
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "k%d", i);
        watch(&r, &b, name);
        watch(&r, &b, "k0");
    }
    assert_int_equal(b.count, 1000);
    assert_int_equal(r.watched.keys.count, 1001);
    touch(&r, 0, "k999", false, 1);
    assert_true(b.broken && !a.broken);
    watched_release(&r.watched, &a);
    watched_release(&r.watched, &b);
    close_room(&r);
}

/* A deadline that passes after WATCH is a change, whether the key is removed or not; the removal of
 * what had expired before WATCH is none, but what comes after it is. */
static void test_expiry(void **state)
{
    (void)state;
    struct room r;
    struct watcher later = {0}, before = {0};
    open_room(&r);
    put(&r, "later", 1001);
    put(&r, "before", 1000);
    watch(&r, &later, "later");
    watch(&r, &before, "before");
    assert_false(watched_any_expired(&r.watched, &later, 1000));
    assert_true(watched_any_expired(&r.watched, &later, 1001));
    assert_false(watched_any_expired(&r.watched, &before, 2000));
    touch(&r, 0, "later", true, 1);
    touch(&r, 0, "before", true, 1);
    assert_true(later.broken);
    assert_false(before.broken);
    touch(&r, 0, "before", true, 2); /* it came and expired again */
    assert_true(before.broken);
    watched_release(&r.watched, &later);
    watched_release(&r.watched, &before);
    close_room(&r);
}

/* A flush touches what is there, in its database. */
static void test_flush(void **state)
{
    (void)state;
    struct room r;
    struct watcher there = {0}, absent = {0}, expired = {0};
    open_room(&r);
    put(&r, "there", STORE_NO_EXPIRY);
    put(&r, "expired", 999);
    watch(&r, &there, "there");
    watch(&r, &absent, "absent");
    watch(&r, &expired, "expired");
    watched_flush(&r.watched, 1, 3);
    assert_false(there.broken || absent.broken || expired.broken);
    watched_flush(&r.watched, 0, 4);
    assert_true(there.broken);
    assert_int_equal(there.broken_lsn, 4);
    assert_false(absent.broken || expired.broken);
    watched_release(&r.watched, &there);
    watched_release(&r.watched, &absent);
    watched_release(&r.watched, &expired);
    close_room(&r);
}

/* What a watcher may watch is bounded in bytes; what is refused is not watched. */
static void test_limit(void **state)
{
    (void)state;
    struct room r;
    struct watcher a = {0};
    open_room(&r);
    size_t size = WATCHED_BYTES_MAX;
    char *name = memory_allocate_zeroed(size);
    struct store_key large = store_key_make(r.store, 0, (struct slice){name, size});
    assert_false(watched_add(&r.watched, &a, &large, 0));
    assert_int_equal(r.watched.keys.count, 0);
    struct store_key half = store_key_make(r.store, 0, (struct slice){name, size / 2});
    assert_true(watched_add(&r.watched, &a, &half, 0));
    half = store_key_make(r.store, 0, (struct slice){name, size / 2 - 1});
    assert_false(watched_add(&r.watched, &a, &half, 0));
    assert_int_equal(a.count, 1);
    watched_release(&r.watched, &a);
    memory_free(name, size);
    close_room(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change), cmocka_unit_test(test_twice), cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_flush),  cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
