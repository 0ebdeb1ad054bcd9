/* Tests of chain.c against a model: one flat array of every byte ever appended. */
#include "base/chain.h"

#include "base/buf.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VALUES_COUNT = 4 };

struct model {
    struct chain chain;
    struct buf bytes; /* bytes[i] is the byte at position i */
    struct random random;
    struct shared *values[VALUES_COUNT];
};

static void append_random(struct model *m, size_t size)
{
    char *start = buf_reserve(&m->bytes, size);
    for (size_t i = 0; i < size; i++) start[i] = (char)random_next(&m->random);
    buf_advance(&m->bytes, size);
    chain_append(&m->chain, (struct slice){start, size});
}

static void build_in_place(struct model *m, size_t size)
{
    char *out = chain_reserve(&m->chain, size);
    size_t used = (size_t)random_below(&m->random, size + 1);
    for (size_t i = 0; i < size; i++) out[i] = (char)random_next(&m->random);
    buf_append(&m->bytes, (struct slice){out, used});
    chain_advance(&m->chain, used);
}

static void append_value(struct model *m)
{
    struct shared *s = m->values[random_below(&m->random, VALUES_COUNT)];
    size_t from = (size_t)random_below(&m->random, s->size);
    struct slice part = {s->data + from, s->size - from};
    buf_append(&m->bytes, part);
    chain_append_shared(&m->chain, s, part);
}

/* The iovecs hold exactly the bytes that may leave, as far as there are iovecs. */
static size_t check_vectors(struct model *m, size_t count)
{
    struct iovec vectors[8];
    size_t filled = chain_vectors(&m->chain, vectors, count);
    uint64_t position = m->chain.sent;
    for (size_t i = 0; i < filled; i++) {
        assert_true(vectors[i].iov_len > 0);
        assert_true(position + vectors[i].iov_len <= m->chain.released);
        assert_memory_equal(vectors[i].iov_base, m->bytes.data + position, vectors[i].iov_len);
        position += vectors[i].iov_len;
    }
    if (filled < count) assert_true(position == m->chain.released);
    return (size_t)(position - m->chain.sent);
}

static uint64_t random_unreleased(struct model *m)
{
    return m->chain.released + random_below(&m->random, m->chain.appended - m->chain.released + 1);
}

static void step(struct model *m)
{
    struct chain *c = &m->chain;
    switch (random_below(&m->random, 16)) {
    case 0: append_random(m, (size_t)random_below(&m->random, 200000)); break;
    case 1: append_value(m); break;
    case 2: build_in_place(m, (size_t)random_below(&m->random, CHAIN_BLOCK_BYTES_MAX + 1)); break;
    case 3:
        m->bytes.size = (size_t)random_unreleased(m);
        chain_truncate(c, m->bytes.size);
        break;
    case 4:
    case 5: chain_release(c, random_unreleased(m)); break;
    case 6:
    case 7:
    case 8: {
        size_t may_leave = check_vectors(m, 1 + (size_t)random_below(&m->random, 8));
        if (random_below(&m->random, 2) == 0) may_leave = random_below(&m->random, may_leave + 1);
        chain_consume(c, may_leave);
        break;
    }
    case 9: chain_release(c, c->appended); break;
    default: build_in_place(m, (size_t)random_below(&m->random, 100)); break;
    }
    assert_true(c->appended == m->bytes.size);
    assert_int_equal(chain_sendable(c), c->sent < c->released);
}

static void drain(struct model *m)
{
    chain_release(&m->chain, m->chain.appended);
    while (chain_sendable(&m->chain)) chain_consume(&m->chain, check_vectors(m, 8));
}

/* After any steps the bytes leave in order, and an empty chain holds nothing. */
static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct model m = {.random = {seed}};
        static const size_t sizes[VALUES_COUNT] = {100, CHAIN_SHARED_BYTES_MIN, 70000, 300000};
        for (size_t i = 0; i < VALUES_COUNT; i++) {
            m.values[i] = shared_create_sized(sizes[i], sizes[i]);
            for (size_t j = 0; j < sizes[i]; j++) m.values[i]->data[j] = (char)(i + j * 7);
        }
        for (int i = 0; i < 300; i++) step(&m);
        if (seed % 2 == 0) {
            append_random(&m, 1);
            drain(&m);
            assert_int_equal(m.chain.memory_bytes, 0);
            assert_null(m.chain.first);
        }
        chain_deinit(&m.chain);
        for (size_t i = 0; i < VALUES_COUNT; i++) {
            assert_int_equal(m.values[i]->references, 1);
            shared_release(m.values[i]);
        }
        buf_deinit(&m.bytes);
    }
}

/* A large value travels as a reference, a small one as a copy; both are counted. */
static void test_shared(void **state)
{
    (void)state;
    struct chain c = {0};
    struct shared *s = shared_create_sized(CHAIN_SHARED_BYTES_MIN, CHAIN_SHARED_BYTES_MIN);
    memset(s->data, 'v', s->size);
    chain_append_shared(&c, s, (struct slice){s->data, CHAIN_SHARED_BYTES_MIN - 1});
    assert_int_equal(s->references, 1);
    size_t before = c.memory_bytes;
    chain_append_shared(&c, s, shared_slice(s));
    assert_int_equal(s->references, 2);
    assert_true(c.memory_bytes >= before + CHAIN_SHARED_BYTES_MIN);
    chain_release(&c, c.appended);
    struct iovec vectors[4];
    size_t count = chain_vectors(&c, vectors, 4);
    assert_ptr_equal(vectors[count - 1].iov_base, s->data);
    chain_consume(&c, CHAIN_SHARED_BYTES_MIN);
    assert_int_equal(s->references, 2);
    chain_consume(&c, CHAIN_SHARED_BYTES_MIN - 1);
    assert_int_equal(s->references, 1);
    /* Gone with its last byte, although more is to come. */
    chain_append_shared(&c, s, shared_slice(s));
    chain_append(&c, SLICE("x"));
    chain_release(&c, c.appended);
    chain_consume(&c, CHAIN_SHARED_BYTES_MIN);
    assert_int_equal(s->references, 1);
    chain_deinit(&c);
    shared_release(s);
}

/* Many small appends cost few blocks: they grow up to their limit. */
static void test_growth(void **state)
{
    (void)state;
    struct chain c = {0};
    chain_append(&c, SLICE("+OK\r\n"));
    assert_true(c.memory_bytes <= CHAIN_BLOCK_BYTES_MIN);
    for (int i = 0; i < 200000; i++) chain_append(&c, SLICE("+OK\r\n"));
    chain_release(&c, c.appended);
    struct iovec vectors[64];
    size_t count = chain_vectors(&c, vectors, 64);
    assert_true(count <= 6 + 1 + 1000000 / CHAIN_BLOCK_BYTES_MAX + 1);
    chain_deinit(&c);
    assert_int_equal(c.memory_bytes, 0);
}

/* With a limit the memory stays near it, whatever is appended and however; the count goes on. Back
 * at where it was before, the chain is as good as ever. */
static void test_limit(void **state)
{
    (void)state;
    enum { LIMIT = 1000 * 1000, ROUNDS = 100 * 1000 };
    struct chain c = {.unsent_max = LIMIT};
    struct shared *s = shared_create_sized(CHAIN_SHARED_BYTES_MIN, CHAIN_SHARED_BYTES_MIN);
    static char text[5000];
    memset(s->data, 'v', s->size);
    memset(text, 't', sizeof text);
    chain_append(&c, SLICE("before"));
    uint64_t expected = 0;
    for (int i = 0; i < ROUNDS; i++) {
        chain_append(&c, (struct slice){text, sizeof text});
        chain_append_shared(&c, s, shared_slice(s));
        memcpy(chain_reserve(&c, 6), "inside", 6);
        chain_advance(&c, 6);
        expected += sizeof text + s->size + 6;
    }
    assert_true(c.spoilt);
    assert_int_equal(c.appended, 6 + expected);
    assert_in_range(c.memory_bytes, 0, 2 * LIMIT);
    chain_truncate(&c, 6);
    assert_false(c.spoilt);
    assert_int_equal(s->references, 1);
    chain_append(&c, SLICE(" after"));
    chain_release(&c, c.appended);
    struct iovec vector;
    assert_int_equal(chain_vectors(&c, &vector, 1), 1);
    assert_int_equal(vector.iov_len, 12);
    assert_memory_equal(vector.iov_base, "before after", 12);
    chain_deinit(&c);
    shared_release(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_shared),
                                       cmocka_unit_test(test_growth), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
