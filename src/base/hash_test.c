/* Tests of hash.c against the published values and a bit-by-bit CRC. */
#include "base/hash.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Every size and content gives what the definition of the CRC gives, one bit at a time. */
static void test_crc16(void **state)
{
    (void)state;
    assert_int_equal(hash_crc16(SLICE("123456789")), 0x31c3);
    assert_int_equal(hash_crc16(SLICE("")), 0);
    struct random random = {3};
    for (size_t round = 0; round < 20000; round++) {
        unsigned char bytes[64];
        size_t size = round % sizeof bytes;
        unsigned expected = 0;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (unsigned char)random_next(&random);
            expected ^= (unsigned)bytes[i] << 8;
            for (int bit = 0; bit < 8; bit++)
                expected = (expected << 1 ^ (expected & 0x8000 ? 0x1021 : 0)) & 0xffff;
        }
        assert_int_equal(hash_crc16((struct slice){(char *)bytes, size}), expected);
    }
}

/* The part in the first braces decides, as the cluster specification says. */
static void test_slots(void **state)
{
    (void)state;
    assert_int_equal(hash_slot(SLICE("foo")), 12182);
    assert_int_equal(hash_slot(SLICE("somekey")), 11058);
    assert_int_equal(hash_slot(SLICE("foo{hash_tag}")), 2515);
    assert_int_equal(hash_slot(SLICE("")), 0);
    assert_int_equal(hash_slot((struct slice){NULL, 0}), 0);
    assert_int_equal(hash_slot(SLICE("{user1000}.following")), hash_slot(SLICE("user1000")));
    assert_int_equal(hash_slot(SLICE("foo{{bar}}zap")), hash_slot(SLICE("{bar")));
    assert_int_equal(hash_slot(SLICE("foo{bar}{zap}")), hash_slot(SLICE("bar")));
    assert_int_equal(hash_slot(SLICE("foo{}{bar}")), hash_crc16(SLICE("foo{}{bar}")) % 16384);
    assert_int_equal(hash_slot(SLICE("foo{bar")), hash_crc16(SLICE("foo{bar")) % 16384);
    assert_int_equal(hash_slot(SLICE("}foo{")), hash_crc16(SLICE("}foo{")) % 16384);
}

/* The values of the XXH3 specification; they stand in files, so they can never change. */
static void test_bytes(void **state)
{
    (void)state;
    assert_true(hash_bytes(SLICE(""), 0) == 0x2d06800538d394c2u);
    assert_true(hash_bytes((struct slice){NULL, 0}, 0) == 0x2d06800538d394c2u);
    assert_true(hash_bytes(SLICE("key"), 1) != hash_bytes(SLICE("key"), 2));
    assert_true(hash_bytes(SLICE("key"), 1) != hash_bytes(SLICE("kez"), 1));
    assert_true(hash_bytes(SLICE("key"), 1) == hash_bytes(SLICE("key"), 1));
    struct hash_128 wide = hash_bytes_128(SLICE(""), 0);
    assert_true(wide.high == 0x99aa06d3014798d8u && wide.low == 0x6001c324468d497fu);
    assert_true(hash_bytes_128(SLICE("key"), 1).low != hash_bytes_128(SLICE("key"), 2).low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc16), cmocka_unit_test(test_slots),
                                       cmocka_unit_test(test_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
