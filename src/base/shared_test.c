/* Tests of shared.c: who sees which bytes, and when they are freed. */
#include "base/shared.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_create(void **state)
{
    (void)state;
    struct shared *s = shared_create(SLICE("hello"));
    assert_int_equal(s->references, 1);
    assert_true(s->capacity >= 5);
    assert_true(slice_equal(shared_slice(s), SLICE("hello")));
    shared_release(s);
    s = shared_create((struct slice){NULL, 0});
    assert_int_equal(s->size, 0);
    shared_release(s);
    s = shared_create_sized(10, 1000);
    assert_int_equal(s->size, 10);
    assert_true(s->capacity >= 1000);
    memset(s->data, 'x', s->capacity); /* a sanitizer sees whether all of it is there */
    shared_release(s);
}

/* The last release frees, and not an earlier one. */
static void test_references(void **state)
{
    (void)state;
    struct memory_figures before, during, after;
    memory_measure(&before);
    struct shared *s = shared_create_sized(1 << 20, 1 << 20);
    assert_ptr_equal(shared_acquire(s), s);
    assert_int_equal(s->references, 2);
    shared_release(s);
    assert_int_equal(s->references, 1);
    s->data[(1 << 20) - 1] = 'x';
    memory_measure(&during);
    shared_release(s);
    memory_measure(&after);
    assert_true(during.allocated_bytes >= before.allocated_bytes + (1 << 20));
    assert_true(after.allocated_bytes <= during.allocated_bytes - (1 << 20));
}

/* The only owner changes in place, within the capacity and beyond it. */
static void test_reserve_alone(void **state)
{
    (void)state;
    struct shared *s = shared_create(SLICE("hello"));
    struct shared *same = shared_reserve(s, 3);
    assert_ptr_equal(same, s);
    assert_int_equal(s->size, 3);
    s = shared_reserve(s, 100000);
    assert_int_equal(s->references, 1);
    assert_int_equal(s->size, 100000);
    assert_memory_equal(s->data, "hel", 3);
    assert_true(s->capacity >= 200000 - sizeof *s); /* doubled */
    memset(s->data, 'x', s->capacity);
    s = shared_reserve(s, 10000000);
    assert_true(s->capacity >= 10000000);
    assert_true(s->capacity <= 10000000 * 5 / 4 + SHARED_SPARE_BYTES_MAX);
    assert_int_equal(s->data[99999], 'x');
    shared_release(s);
}

/* With a second owner the change happens in a copy: the other one keeps what it has. */
static void test_reserve_shared(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 3, 5, 6, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct shared *reader = shared_create(SLICE("hello"));
        struct shared *writer = shared_reserve(shared_acquire(reader), sizes[i]);
        assert_ptr_not_equal(writer, reader);
        assert_int_equal(reader->references, 1);
        assert_int_equal(writer->references, 1);
        assert_int_equal(writer->size, sizes[i]);
        assert_memory_equal(writer->data, "hello", sizes[i] < 5 ? sizes[i] : 5);
        memset(writer->data, 'x', writer->size);
        assert_true(slice_equal(shared_slice(reader), SLICE("hello")));
        shared_release(reader);
        shared_release(writer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create), cmocka_unit_test(test_references),
        cmocka_unit_test(test_reserve_alone), cmocka_unit_test(test_reserve_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
