/* waiters_test.c - who waits for which key: order, several keys, deadlines against a model. */
#include "engine/waiters.h"

#include "base/memory.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum outcome never(struct command_context *c, struct wait *w)
{
    (void)c;
    (void)w;
    return OUTCOME_WAIT;
}

/* What the waiters_wake_function of these tests sees and does. */
struct log {
    struct waiters *waiters;
    const void *owners[64];
    size_t count;
    bool removes;       /* every waiter that is woken */
    const void *remove; /* or this one */
};

static void note_wake(void *context, struct waiter *waiter)
{
    struct log *l = context;
    assert_true(l->count < 64);
    l->owners[l->count++] = waiter->owner;
    if (l->removes || l->remove == waiter->owner) waiters_remove(l->waiters, waiter);
}

static struct waiter *add(struct waiters *w, void *owner, const char *const *keys, size_t count,
                          int64_t deadline_ms)
{
    struct slice arguments[16] = {SLICE("XREAD")};
    for (size_t i = 0; i < count; i++) arguments[1 + i] = slice_of(keys[i]);
    struct wait wait = {
        .deadline_ms = deadline_ms, .keys_first = 1, .keys_count = count, .again = never};
    struct command_context request = {.arguments = arguments, .arguments_count = 1 + count};
    return waiters_add(w, owner, &wait, &request);
}

static struct waiter *add_one(struct waiters *w, void *owner, const char *key)
{
    return add(w, owner, &key, 1, 0);
}

static void wake(struct log *l, unsigned database, const char *key)
{
    struct db_touched touched = {.database = database, .name = slice_of(key)};
    l->count = 0;
    waiters_wake(l->waiters, &touched, note_wake, l);
}

/* Oldest first; one that is woken and stays keeps its place; other keys and databases sleep on. */
static void test_order(void **state)
{
    (void)state;
    struct waiters w;
    struct log l = {.waiters = &w};
    int a, b, c, d;
    waiters_init(&w, 1);
    add_one(&w, &a, "k");
    add_one(&w, &b, "k");
    add_one(&w, &d, "other");
    add_one(&w, &c, "k");
    wake(&l, 0, "k");
    assert_int_equal(l.count, 3);
    assert_ptr_equal(l.owners[0], &a);
    assert_ptr_equal(l.owners[1], &b);
    assert_ptr_equal(l.owners[2], &c);
    l.remove = &b;
    wake(&l, 0, "k");
    wake(&l, 0, "k");
    assert_int_equal(l.count, 2);
    assert_ptr_equal(l.owners[0], &a);
    assert_ptr_equal(l.owners[1], &c);
    wake(&l, 1, "k");
    assert_int_equal(l.count, 0);
    wake(&l, 0, "nobody");
    assert_int_equal(l.count, 0);
    l.removes = true;
    wake(&l, 0, "k");
    wake(&l, 0, "other");
    assert_int_equal(w.count, 0);
    waiters_deinit(&w);
}

/* One waiter, several keys, one of them named twice: woken once for each key, gone from all. */
static void test_several_keys(void **state)
{
    (void)state;
    struct waiters w;
    struct log l = {.waiters = &w};
    int a;
    waiters_init(&w, 1);
    struct waiter *waiter = add(&w, &a, (const char *const[]){"x", "y", "x"}, 3, 0);
    assert_int_equal(waiter->nodes_count, 2);
    assert_int_equal(w.keys.count, 2);
    wake(&l, 0, "x");
    assert_int_equal(l.count, 1);
    wake(&l, 0, "y");
    assert_int_equal(l.count, 1);
    l.removes = true;
    wake(&l, 0, "x");
    wake(&l, 0, "y");
    assert_int_equal(l.count, 0);
    assert_int_equal(w.keys.count, 0);
    waiters_deinit(&w);
}

/* A request may name as many keys as it has arguments: each costs the same, however many there are.
 * (Were each compared with all before it, nobody would live to see the end of this test.) */
static void test_very_many_keys(void **state)
{
    (void)state;
    enum { COUNT = 1000 * 1000 };
    struct slice *arguments = memory_allocate(COUNT * sizeof *arguments);
    uint32_t *names = memory_allocate(COUNT * sizeof *names);
    for (uint32_t i = 0; i < COUNT; i++) {
        names[i] = i / 2; /* each of them twice */
        arguments[i] = (struct slice){(const char *)&names[i], sizeof names[i]};
    }
    struct wait wait = {.keys_count = COUNT, .again = never};
    struct command_context request = {.arguments = arguments, .arguments_count = COUNT};
    struct waiters w;
    int a;
    waiters_init(&w, 1);
    struct waiter *waiter = waiters_add(&w, &a, &wait, &request);
    assert_int_equal(waiter->nodes_count, COUNT / 2);
    assert_int_equal(w.keys.count, COUNT / 2);
    waiters_remove(&w, waiter);
    assert_int_equal(w.keys.count, 0);
    waiters_deinit(&w);
    memory_free(names, COUNT * sizeof *names);
    memory_free(arguments, COUNT * sizeof *arguments);
}

/* The arguments are copies, and the plan is freed with the waiter. */
static void test_arguments_are_copied(void **state)
{
    (void)state;
    struct waiters w;
    int a;
    char key[] = "key";
    struct slice arguments[] = {SLICE("XREAD"), {key, 3}};
    struct wait wait = {.keys_first = 1, .keys_count = 1, .again = never, .plan_size = 100};
    struct command_context request = {.arguments = arguments, .arguments_count = 2};
    wait.plan = memory_allocate(wait.plan_size);
    waiters_init(&w, 1);
    struct waiter *waiter = waiters_add(&w, &a, &wait, &request);
    key[0] = 'X';
    assert_true(slice_equal(waiter->arguments[1], SLICE("key")));
    waiters_remove(&w, waiter);
    waiters_deinit(&w);
}

/* FLUSHDB wakes all of its database, in order of arrival, whatever they wait for. */
static void test_all(void **state)
{
    (void)state;
    struct waiters w;
    struct log l = {.waiters = &w, .removes = true};
    int a, b;
    waiters_init(&w, 1);
    add_one(&w, &a, "x");
    add_one(&w, &b, "y");
    struct db_touched other = {.database = 3, .all = true}, touched = {.all = true};
    waiters_wake(&w, &other, note_wake, &l);
    assert_int_equal(l.count, 0);
    waiters_wake(&w, &touched, note_wake, &l);
    assert_int_equal(l.count, 2);
    assert_ptr_equal(l.owners[0], &a);
    assert_ptr_equal(l.owners[1], &b);
    waiters_deinit(&w);
}

/* Waits for key "k" in a group; number >= 0: for pending entries, too. */
static struct waiter *add_grouped(struct waiters *w, void *owner, const char *group, int64_t number,
                                  int64_t wake_ms)
{
    struct slice arguments[] = {SLICE("XREADGROUP"), slice_of(group), SLICE("k"), SLICE("k")};
    struct wait wait = {.wake_ms = wake_ms,
                        .keys_first = 2,
                        .keys_count = 2,
                        .cohort_argument = 1,
                        .cohort_number = number,
                        .again = never};
    struct command_context request = {.arguments = arguments, .arguments_count = 4};
    struct waiter *waiter = waiters_add(w, owner, &wait, &request);
    assert_int_equal(waiter->nodes_count, 1);
    return waiter;
}

/* Of each group only the oldest is tried, and the next only when that one is gone, in whichever
 * cohort it is: 10,000 who wait cost one try. */
static void test_one_of_each_group(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct waiters w;
    struct log l = {.waiters = &w};
    int first, second, third, other, reader;
    struct waiter **many = memory_allocate(COUNT * sizeof *many);
    waiters_init(&w, 1);
    add_grouped(&w, &first, "g", -1, 0);
    add_grouped(&w, &second, "g", 50, 0);
    add_grouped(&w, &third, "g", -1, 0);
    add_grouped(&w, &other, "h", -1, 0);
    add_one(&w, &reader, "k");
    for (size_t i = 0; i < COUNT; i++)
        many[i] = add_grouped(&w, &many[i], "g", i % 2 == 0 ? -1 : 50, 0);
    wake(&l, 0, "k");
    assert_int_equal(l.count, 3); /* the reader, and the oldest of each group */
    assert_ptr_equal(l.owners[0], &reader);
    assert_ptr_equal(l.owners[1], &first);
    assert_ptr_equal(l.owners[2], &other);
    l.remove = &first;
    wake(&l, 0, "k");
    assert_int_equal(l.count, 4);
    assert_ptr_equal(l.owners[1], &first);
    assert_ptr_equal(l.owners[2], &second);
    l.remove = &second;
    wake(&l, 0, "k");
    assert_int_equal(l.count, 4);
    assert_ptr_equal(l.owners[2], &third);
    for (size_t i = 0; i < COUNT; i++) waiters_remove(&w, many[i]);
    l.removes = true;
    wake(&l, 0, "k");
    assert_int_equal(l.count, 3);
    assert_int_equal(w.keys.count, 0);
    assert_int_equal(w.pending_count, 0);
    waiters_deinit(&w);
    memory_free(many, COUNT * sizeof *many);
}

/* What is pending concerns the heads of the cohorts that wait for it, each of them. */
static void test_pending_touches_heads(void **state)
{
    (void)state;
    struct waiters w;
    struct log l = {.waiters = &w};
    struct db_touched touched = {.name = SLICE("k"), .pending_only = true};
    int plain, slow, fast, next, reader;
    waiters_init(&w, 1);
    add_grouped(&w, &plain, "g", -1, 0);
    add_grouped(&w, &slow, "g", 500, 0);
    add_grouped(&w, &fast, "g", 50, 0);
    add_grouped(&w, &next, "g", 50, 0);
    add_one(&w, &reader, "k");
    assert_int_equal(w.pending_count, 3);
    waiters_wake(&w, &touched, note_wake, &l);
    assert_int_equal(l.count, 2);
    assert_ptr_equal(l.owners[0], &slow);
    assert_ptr_equal(l.owners[1], &fast);
    l.count = 0;
    l.remove = &fast;
    waiters_wake(&w, &touched, note_wake, &l);
    assert_int_equal(l.count, 3);
    assert_ptr_equal(l.owners[2], &next);
    l.removes = true;
    l.count = 0;
    waiters_wake(&w, &touched, note_wake, &l);
    wake(&l, 0, "k");
    assert_int_equal(w.count, 0);
    waiters_deinit(&w);
}

/* Only the head of a cohort is on its timer; who becomes the head is due at once, and a waiter that
 * was tried is due when it says. */
static void test_timers_of_heads(void **state)
{
    (void)state;
    struct waiters w;
    int a, b;
    waiters_init(&w, 1);
    struct waiter *head = add_grouped(&w, &a, "g", 50, 1000);
    struct waiter *next = add_grouped(&w, &b, "g", 50, 900);
    assert_int_equal(waiters_due_ms(&w), 1000);
    assert_ptr_equal(waiters_due(&w, 1000), head);
    assert_true(waiter_is_timed(head, 1000));
    assert_false(waiter_is_timed(head, 999));
    head->wait.wake_ms = 2000;
    waiters_settle(&w, head);
    assert_int_equal(waiters_due_ms(&w), 2000);
    waiters_remove(&w, head);
    assert_ptr_equal(waiters_due(&w, 1), next);
    assert_true(waiter_is_timed(next, 1));
    next->wait.wake_ms = 0;
    waiters_settle(&w, next);
    assert_int_equal(waiters_due_ms(&w), INT64_MAX);
    next->wait.wake_ms = 3000;
    next->wait.deadline_ms = 2500;
    waiters_settle(&w, next);
    assert_int_equal(waiters_due_ms(&w), 2500);
    assert_false(waiter_is_timed(next, 2500));
    waiters_remove(&w, next);
    waiters_deinit(&w);
}

enum { MODEL_COUNT = 200, MODEL_STEPS = 20000 };

static int64_t earliest(struct waiter *const *model)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < MODEL_COUNT; i++)
        if (model[i] != NULL && model[i]->wait.deadline_ms != 0 && model[i]->wait.deadline_ms < due)
            due = model[i]->wait.deadline_ms;
    return due;
}

/* Waiters come and go at random: the earliest deadline is always that of the model. */
static void test_deadlines_model(void **state)
{
    (void)state;
    struct waiters w;
    struct waiter *model[MODEL_COUNT] = {NULL};
    struct random random = {99};
    waiters_init(&w, 1);
    for (int step = 0; step < MODEL_STEPS; step++) {
        size_t i = (size_t)random_below(&random, MODEL_COUNT);
        char key[16];
        const char *keys[] = {key};
        snprintf(key, sizeof key, "k%d", (int)random_below(&random, 50));
        if (model[i] != NULL) {
            waiters_remove(&w, model[i]);
            model[i] = NULL;
        } else {
            int64_t deadline = (int64_t)random_below(&random, 100);
            model[i] = add(&w, &model[i], keys, 1, deadline);
        }
        int64_t due = earliest(model);
        assert_int_equal(waiters_due_ms(&w), due);
        assert_null(waiters_due(&w, due - 1));
        if (due == INT64_MAX) continue;
        assert_non_null(waiters_due(&w, due));
        assert_int_equal(waiters_due(&w, due)->wait.deadline_ms, due);
    }
    for (size_t i = 0; i < MODEL_COUNT; i++)
        if (model[i] != NULL) waiters_remove(&w, model[i]);
    waiters_deinit(&w);
}

/* Those who wait for the log are woken once, when it is synced so far; keys do not matter. */
static void test_synced(void **state)
{
    (void)state;
    struct waiters w;
    waiters_init(&w, 1);
    struct log l = {.waiters = &w};
    int owners[3];
    struct slice argument = SLICE("WAITAOF");
    struct command_context request = {.arguments = &argument, .arguments_count = 1};
    for (size_t i = 0; i < 3; i++) {
        struct wait wait = {.synced_lsn = (lsn_t[]){7, 5, 0}[i], .again = never};
        waiters_add(&w, &owners[i], &wait, &request);
    }
    waiters_wake_synced(&w, 4, note_wake, &l);
    assert_int_equal(l.count, 0);
    waiters_wake_synced(&w, 5, note_wake, &l);
    waiters_wake_synced(&w, 6, note_wake, &l);
    assert_int_equal(l.count, 1);
    assert_ptr_equal(l.owners[0], &owners[1]);
    l.removes = true;
    waiters_wake_synced(&w, 7, note_wake, &l);
    assert_int_equal(l.count, 2);
    assert_ptr_equal(l.owners[1], &owners[0]);
    while (w.count > 0) waiters_remove(&w, CONTAINER_OF(w.all.next, struct waiter, link));
    assert_true(list_empty(&w.synced));
    waiters_deinit(&w);
}

/* Those who wait for an errand of the host are tried whenever one is done, others are not. */
static void test_errands(void **state)
{
    (void)state;
    struct waiters w;
    waiters_init(&w, 1);
    struct log l = {.waiters = &w};
    int owners[3];
    struct slice argument = SLICE("CONFIG");
    struct command_context request = {.arguments = &argument, .arguments_count = 1};
    for (size_t i = 0; i < 3; i++) {
        struct wait wait = {.errand = (uint64_t[]){1, 0, 2}[i], .again = never};
        waiters_add(&w, &owners[i], &wait, &request);
    }
    waiters_wake_errands(&w, note_wake, &l);
    assert_int_equal(l.count, 2);
    assert_ptr_equal(l.owners[0], &owners[0]);
    assert_ptr_equal(l.owners[1], &owners[2]);
    l.removes = true;
    waiters_wake_errands(&w, note_wake, &l);
    assert_int_equal(l.count, 4);
    assert_int_equal(w.count, 1);
    while (w.count > 0) waiters_remove(&w, CONTAINER_OF(w.all.next, struct waiter, link));
    waiters_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_very_many_keys),
        cmocka_unit_test(test_arguments_are_copied),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_one_of_each_group),
        cmocka_unit_test(test_pending_touches_heads),
        cmocka_unit_test(test_timers_of_heads),
        cmocka_unit_test(test_deadlines_model),
        cmocka_unit_test(test_synced),
        cmocka_unit_test(test_errands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
