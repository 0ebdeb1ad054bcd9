/* Tests of buf.c: growing, and numbers that come back as they went in. */
#include "base/buf.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Any mix of appends is what the same bytes one after the other are. */
static void test_append(void **state)
{
    (void)state;
    struct buf b = {0};
    char *expected = calloc(1, 200000);
    struct random random = {1};
    size_t size = 0;
    while (size < 100000) {
        size_t piece = (size_t)random_below(&random, 300);
        for (size_t i = 0; i < piece; i++) expected[size + i] = (char)random_next(&random);
        buf_append(&b, (struct slice){expected + size, piece});
        size += piece;
        expected[size++] = 'x';
        buf_append_byte(&b, 'x');
        assert_int_equal(b.size, size);
        assert_true(b.size <= b.capacity);
    }
    assert_memory_equal(b.data, expected, size);
    assert_true(slice_equal(buf_slice(&b), (struct slice){expected, size}));
    buf_deinit(&b);
    assert_null(b.data);
    assert_int_equal(b.capacity, 0);
    free(expected);
}

static void test_reserve(void **state)
{
    (void)state;
    struct buf b = {0};
    for (size_t size = 0; size < 3000; size++) {
        char *at = buf_reserve(&b, size);
        assert_ptr_equal(at, b.data + b.size);
        memset(at, 'y', size);
        buf_advance(&b, size / 2);
    }
    for (size_t i = 0; i < b.size; i++) assert_int_equal(b.data[i], 'y');
    buf_deinit(&b);
}

static void test_consume(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_append_text(&b, "hello world");
    buf_consume(&b, 0);
    buf_consume(&b, 6);
    assert_true(slice_equal(buf_slice(&b), SLICE("world")));
    buf_consume(&b, 5);
    assert_int_equal(b.size, 0);
    buf_deinit(&b);
}

/* printf writes the same whether there was room for its text or not. */
static void test_format(void **state)
{
    (void)state;
    for (int width = 0; width < 300; width++) {
        struct buf b = {0};
        buf_append_format(&b, "%s", "");
        buf_append_text(&b, "<");
        buf_append_format(&b, "%*d", width, 7);
        buf_append_text(&b, ">");
        char expected[400];
        size_t size = (size_t)snprintf(expected, sizeof expected, "<%*d>", width, 7);
        assert_true(slice_equal(buf_slice(&b), (struct slice){expected, size}));
        buf_deinit(&b);
    }
}

static void append_all(struct buf *b, uint64_t value)
{
    buf_append_byte(b, (uint8_t)value);
    buf_append_u32(b, (uint32_t)value);
    buf_append_u64(b, value);
    buf_append_varint(b, value);
    buf_append_zigzag(b, (int64_t)value);
    buf_append_bytes(b, (struct slice){"abcdefgh", value % 9});
}

static bool read_all(struct reader *r, uint64_t value)
{
    uint8_t byte;
    uint32_t narrow;
    uint64_t wide, variable;
    int64_t number;
    struct slice bytes;
    if (!read_byte(r, &byte) || !read_u32(r, &narrow) || !read_u64(r, &wide)) return false;
    if (!read_varint(r, &variable) || !read_zigzag(r, &number) || !read_bytes(r, &bytes))
        return false;
    assert_int_equal(byte, (uint8_t)value);
    assert_int_equal(narrow, (uint32_t)value);
    assert_true(wide == value);
    assert_true(variable == value);
    assert_true(number == (int64_t)value);
    assert_true(slice_equal(bytes, (struct slice){"abcdefgh", value % 9}));
    return true;
}

/* What was written is read back, and any truncation is noticed without moving beyond the end. */
static void test_numbers(void **state)
{
    (void)state;
    struct random random = {2};
    for (int i = 0; i < 3000; i++) {
        uint64_t value = random_next(&random) >> random_below(&random, 64);
        if (i == 0) value = 0;
        if (i == 1) value = UINT64_MAX;
        if (i == 2) value = (uint64_t)INT64_MAX;
        if (i == 3) value = (uint64_t)INT64_MIN;
        struct buf b = {0};
        append_all(&b, value);
        struct reader r = {buf_slice(&b)};
        assert_true(read_all(&r, value));
        assert_int_equal(r.rest.size, 0);
        for (size_t size = 0; size < b.size; size++) {
            struct reader cut = {{b.data, size}};
            assert_false(read_all(&cut, value));
            assert_true(cut.rest.data + cut.rest.size == b.data + size);
        }
        buf_deinit(&b);
    }
}

/* The bytes of the formats are fixed: they stand in the log. */
static void test_layout(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_append_u32(&b, 0x01020304);
    buf_append_u64(&b, 0x0102030405060708);
    buf_append_varint(&b, 127);
    buf_append_varint(&b, 128);
    buf_append_varint(&b, 300);
    buf_append_zigzag(&b, -1);
    buf_append_zigzag(&b, 1);
    buf_append_zigzag(&b, -65);
    assert_true(slice_equal(buf_slice(&b), SLICE("\x04\x03\x02\x01"
                                                 "\x08\x07\x06\x05\x04\x03\x02\x01"
                                                 "\x7f\x80\x01\xac\x02\x01\x02\x81\x01")));
    b.size = 0;
    buf_append_varint(&b, UINT64_MAX);
    assert_int_equal(b.size, VARINT_BYTES_MAX);
    buf_deinit(&b);
}

/* What cannot be read is refused and nothing is consumed. */
static void test_malformed(void **state)
{
    (void)state;
    static const struct slice varints[] = {
        {"", 0},
        {"\x80", 1},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, /* 65 bits */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11},
    };
    for (size_t i = 0; i < sizeof varints / sizeof varints[0]; i++) {
        struct reader r = {varints[i]};
        uint64_t value;
        int64_t number;
        struct slice bytes;
        assert_false(read_varint(&r, &value));
        assert_false(read_zigzag(&r, &number));
        assert_false(read_bytes(&r, &bytes));
        assert_ptr_equal(r.rest.data, varints[i].data);
        assert_int_equal(r.rest.size, varints[i].size);
    }
    struct reader r = {SLICE("\x05"
                             "abcd")};
    struct slice bytes;
    assert_false(read_bytes(&r, &bytes));
    assert_int_equal(r.rest.size, 5);
    r = (struct reader){SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")};
    assert_false(read_bytes(&r, &bytes));
    assert_int_equal(r.rest.size, 10);
    r = (struct reader){{NULL, 0}};
    uint8_t byte;
    uint64_t wide;
    assert_false(read_byte(&r, &byte));
    assert_false(read_u64(&r, &wide));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),    cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_consume),   cmocka_unit_test(test_format),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_layout),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
