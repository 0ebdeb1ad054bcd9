/* Tests of hash_table.h against an array of members that says which are in it. */
#include "base/hash_table.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MEMBERS_COUNT = 1000, HASHES_COUNT = 300 };

struct member {
    bool present;
    size_t seen;
    struct hash_node node;
};

static struct member *member_of(struct hash_node *node)
{
    return CONTAINER_OF(node, struct member, node);
}

/* Each present member is met once by a walk over all, and once by a search for its hash. */
static void check(const struct hash_table *t, struct member *members)
{
    size_t count = 0;
    for (struct hash_node *at = hash_table_next(t, NULL); at != NULL; at = hash_table_next(t, at))
        member_of(at)->seen++;
    for (uint64_t hash = 0; hash < HASHES_COUNT; hash++) {
        struct hash_node *at = hash_table_find(t, hash);
        for (; at != NULL; at = hash_table_find_next(at)) {
            assert_int_equal(at->hash, hash);
            member_of(at)->seen++;
        }
    }
    for (size_t i = 0; i < MEMBERS_COUNT; i++) {
        assert_int_equal(members[i].seen, members[i].present ? 2 : 0);
        members[i].seen = 0;
        count += members[i].present;
    }
    assert_int_equal(t->count, count);
    assert_true(t->count <= t->buckets_count);
}

/* Members of few hashes come and go, through every growth, with many and with few of them there. */
static void test_model(void **state)
{
    (void)state;
    static struct member members[MEMBERS_COUNT];
    struct hash_table t = {0};
    struct random random = {5};
    check(&t, members);
    for (size_t round = 0; round < 20000; round++) {
        bool growing = round / 5000 % 2 == 0;
        struct member *m = &members[random_below(&random, MEMBERS_COUNT)];
        if (m->present && (!growing || random_below(&random, 4) == 0)) {
            hash_table_remove(&t, &m->node);
            m->present = false;
        } else if (!m->present && (growing || random_below(&random, 4) == 0)) {
            m->node.hash = random_below(&random, HASHES_COUNT);
            hash_table_insert(&t, &m->node);
            m->present = true;
        }
        if (round % 100 == 0) check(&t, members);
    }
    for (size_t i = 0; i < MEMBERS_COUNT; i++)
        if (members[i].present) hash_table_remove(&t, &members[i].node);
    assert_int_equal(t.count, 0);
    assert_null(hash_table_next(&t, NULL));
    hash_table_deinit(&t);
    assert_null(t.buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
