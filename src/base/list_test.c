/* Tests of list.h against the order in which members were appended. */
#include "base/list.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct member {
    int number;
    struct list node;
};

enum { MEMBERS_COUNT = 20 };

/* Walks both ways and compares with 'order'. */
static void check(const struct list *head, const int *order, int count)
{
    int i = 0;
    for (const struct list *n = head->next; n != head; n = n->next, i++) {
        assert_true(i < count);
        const char *start = (const char *)n - offsetof(struct member, node);
        assert_int_equal(((const struct member *)(const void *)start)->number, order[i]);
        assert_ptr_equal(n->next->previous, n);
    }
    assert_int_equal(i, count);
    assert_ptr_equal(head->next->previous, head);
    assert_int_equal(list_empty(head), count == 0);
}

/* Random appends and removals keep the order of the appends. */
static void test_model(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    struct member members[MEMBERS_COUNT];
    for (int i = 0; i < MEMBERS_COUNT; i++) {
        members[i].number = i;
        list_init(&members[i].node);
    }
    int order[MEMBERS_COUNT], count = 0;
    struct random random = {9};
    for (int round = 0; round < 5000; round++) {
        int number = (int)random_below(&random, MEMBERS_COUNT);
        struct list *node = &members[number].node;
        if (list_empty(node)) {
            list_append(&head, node);
            order[count++] = number;
        } else {
            list_remove(node);
            int at = 0;
            while (order[at] != number) at++;
            memmove(order + at, order + at + 1, sizeof order[0] * (size_t)(--count - at));
            assert_true(list_empty(node));
            assert_ptr_equal(CONTAINER_OF(node, struct member, node), &members[number]);
        }
        check(&head, order, count);
    }
}

/* Removing a node that is in no list changes nothing. */
static void test_remove_alone(void **state)
{
    (void)state;
    struct list node;
    list_init(&node);
    list_remove(&node);
    assert_true(list_empty(&node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model),
                                       cmocka_unit_test(test_remove_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
