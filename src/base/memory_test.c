/* Tests of memory.h; they hold for either allocator. */
#include "base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Content survives every move between sizes, and the figures come back to where they were. */
static void test_resize(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 100, 5000, 4096, 1 << 20, 17, 3 << 20, 2};
    char *pointer = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pointer = memory_resize(pointer, size, sizes[i]);
        size_t kept = size < sizes[i] ? size : sizes[i];
        for (size_t j = 0; j < kept; j++) assert_int_equal(pointer[j], (char)(j * 31));
        size = sizes[i];
        for (size_t j = 0; j < size; j++) pointer[j] = (char)(j * 31);
    }
    memory_free(pointer, size);
    memory_free(NULL, 0);
}

static void test_zeroed(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        char *dirty = memory_allocate(10000);
        memset(dirty, 'x', 10000);
        memory_free(dirty, 10000);
        char *clean = memory_allocate_zeroed(10000);
        for (int i = 0; i < 10000; i++) assert_int_equal(clean[i], 0);
        memory_free(clean, 10000);
    }
}

/* A rounded size is at least the size, and is its own rounded size. */
static void test_rounded(void **state)
{
    (void)state;
    for (size_t size = 1; size < 100000; size += 1 + size / 7) {
        size_t rounded = memory_rounded_size(size);
        assert_true(rounded >= size);
        assert_int_equal(memory_rounded_size(rounded), rounded);
        char *pointer = memory_allocate(rounded);
        memset(pointer, 'x', rounded);
        memory_free(pointer, rounded);
    }
}

static void test_aligned(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        char *pointer = memory_allocate_aligned(alignment, 10000);
        assert_int_equal((uintptr_t)pointer % alignment, 0);
        memset(pointer, 'x', 10000);
        memory_free_aligned(pointer, alignment, 10000);
    }
}

static void test_figures(void **state)
{
    (void)state;
    struct memory_figures before, during, after;
    memory_measure(&before);
    char *pointer = memory_allocate(32 << 20);
    memset(pointer, 1, 32 << 20);
    memory_measure(&during);
    assert_true(during.allocated_bytes >= before.allocated_bytes + (32 << 20));
    assert_true(during.resident_bytes >= before.resident_bytes + (32 << 20));
    memory_free(pointer, 32 << 20);
    memory_measure(&after);
    assert_true(after.allocated_bytes <= during.allocated_bytes - (32 << 20));
    assert_true(strlen(memory_allocator_name()) > 0);
}

static void *use_arena(void *context)
{
    memory_use_arena(*(unsigned *)context);
    return memory_arena() == *(unsigned *)context ? memory_allocate(1000) : NULL;
}

/* What a thread allocates for another one is that one's to free. */
static void test_arena(void **state)
{
    (void)state;
    unsigned arena = memory_arena();
    pthread_t thread;
    void *pointer;
    assert_int_equal(pthread_create(&thread, NULL, use_arena, &arena), 0);
    assert_int_equal(pthread_join(thread, &pointer), 0);
    assert_non_null(pointer);
    memory_free(pointer, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize),  cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_rounded), cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_figures), cmocka_unit_test(test_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
