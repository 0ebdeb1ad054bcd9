/* crash_oracle_moves_test.c - what the oracle knows of claims, of what is given back, of XACKDEL,
 * XDELEX, XSETID, XGROUP SETID, idempotent messages and EXEC: what may be there afterwards is
 * accepted, all else is found. */
#include "oracle_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Entries 1 to 4, the first three delivered to CONSUMER; nothing is unanswered. */
static struct crash_oracle *delivered_history(void)
{
    struct crash_oracle *oracle = crash_oracle_create(CLIENTS);
    static const char *const payloads[] = {"1", "2", "3", "4"};
    struct oracle_entry read[] = {
        {id_of(1), SLICE("1")}, {id_of(2), SLICE("2")}, {id_of(3), SLICE("3")}};
    crash_oracle_add_stream(oracle, true);
    for (size_t i = 0; i < 4; i++) {
        crash_oracle_invoke_add(oracle, PRODUCER, 0, slice_of(payloads[i]));
        crash_oracle_answered(oracle, PRODUCER, &(struct oracle_answer){.id = id_of(i + 1)});
    }
    crash_oracle_invoke_read(oracle, CONSUMER, 0, 3);
    crash_oracle_answered(oracle, CONSUMER,
                          &(struct oracle_answer){.entries = read, .entry_count = 3});
    return oracle;
}

static void show_delivered(struct shown *shown)
{
    show_history(shown);
    shown->pending[0] = (struct oracle_pending){id_of(1), CONSUMER, 1};
    shown->pending[1] = (struct oracle_pending){id_of(2), CONSUMER, 1};
    shown->pending[2] = (struct oracle_pending){id_of(3), CONSUMER, 1};
    shown->stream.pending_count = 3;
}

/* What 'send' did to entry 2, answered or not: the owner and the count that may be shown. */
struct move_case {
    bool claim;
    bool answered;
    uint32_t owner;
    uint64_t deliveries;
    bool good;
};

static void test_claims_and_what_is_given_back(void **state)
{
    (void)state;
    static const struct move_case cases[] = {
        {true, true, PRODUCER, 2, true},       {true, true, CONSUMER, 1, false},
        {true, true, PRODUCER, 1, false},      {true, true, PRODUCER, 3, false},
        {true, false, PRODUCER, 2, true},      {true, false, CONSUMER, 1, true},
        {true, false, PRODUCER, 1, false},     {true, false, CONSUMER, 2, false},
        {false, true, ORACLE_NOBODY, 1, true}, {false, true, CONSUMER, 1, false},
        {false, true, ORACLE_NOBODY, 0, true}, {false, true, ORACLE_NOBODY, 2, false},
        {false, false, CONSUMER, 1, true},     {false, false, ORACLE_NOBODY, 1, true},
        {false, false, PRODUCER, 1, false},
    };
    struct oracle_id second = id_of(2);
    struct oracle_stream_ids which = {0, &second, 1};
    struct oracle_entry claimed = {id_of(2), SLICE("2")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crash_oracle *oracle = delivered_history();
        struct shown shown;
        show_delivered(&shown);
        if (cases[i].claim) crash_oracle_invoke_claim(oracle, PRODUCER, &which);
        else crash_oracle_invoke_release(oracle, PRODUCER, &which);
        if (cases[i].answered)
            crash_oracle_answered(oracle, PRODUCER,
                                  &(struct oracle_answer){.entries = &claimed, .entry_count = 1});
        shown.pending[1].client = cases[i].owner;
        shown.pending[1].deliveries = cases[i].deliveries;
        if (judge_shown(oracle, &shown) != cases[i].good) fail_msg("case %zu", i);
        assert_int_equal(has_violation(oracle, ORACLE_PENDING_WRONG), !cases[i].good);
        crash_oracle_destroy(oracle);
    }
}

/* XACKDEL of entry 3: pending entry and entry go, or neither. */
static void test_acknowledged_and_removed_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool is_answered = i & 1, entry_gone = i & 2, pending_gone = i & 4;
        struct crash_oracle *oracle = delivered_history();
        struct shown shown;
        struct oracle_id third = id_of(3);
        show_delivered(&shown);
        crash_oracle_invoke_acknowledge_remove(oracle, CONSUMER,
                                               &(struct oracle_stream_ids){0, &third, 1});
        if (is_answered) answered_ok(oracle, CONSUMER);
        if (pending_gone) shown.stream.pending_count = 2;
        if (entry_gone) {
            shown.entries[2] = shown.entries[3];
            shown.stream.entry_count = shown.stream.length = 3;
        }
        bool good = is_answered ? entry_gone && pending_gone : entry_gone == pending_gone;
        if (judge_shown(oracle, &shown) != good) fail_msg("case %d", i);
        crash_oracle_destroy(oracle);
    }
}

static void test_a_raised_last_id(void **state)
{
    (void)state;
    static const struct {
        bool is_answered;
        uint64_t last_id;
        bool good;
    } cases[] = {{true, 9, true},  {true, 4, false}, {true, 10, false},
                 {false, 9, true}, {false, 4, true}, {false, 7, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crash_oracle *oracle = delivered_history();
        struct shown shown;
        show_delivered(&shown);
        crash_oracle_invoke_raise(oracle, PRODUCER, 0, id_of(9));
        if (cases[i].is_answered) answered_ok(oracle, PRODUCER);
        shown.stream.last_id = id_of(cases[i].last_id);
        if (judge_shown(oracle, &shown) != cases[i].good) fail_msg("case %zu", i);
        assert_int_equal(has_violation(oracle, ORACLE_STREAM_INEXACT), !cases[i].good);
        crash_oracle_destroy(oracle);
    }
}

/* A message is sent, perhaps answered, and after the crash sent again, then answered 5 or 6. */
static bool send_message_twice(bool is_answered, bool is_there, uint64_t second_answer)
{
    struct crash_oracle *oracle = delivered_history();
    struct shown shown;
    show_delivered(&shown);
    crash_oracle_invoke_message(oracle, PRODUCER, 0, SLICE("5"));
    if (is_answered)
        crash_oracle_answered(oracle, PRODUCER, &(struct oracle_answer){.id = id_of(5)});
    if (is_there) {
        shown.stream.entry_count = shown.stream.length = shown.stream.entries_added = 5;
        shown.stream.last_id = id_of(5);
        shown.stream.lag = 2;
    }
    bool good = judge_shown(oracle, &shown);
    crash_oracle_invoke_message_again(oracle, PRODUCER);
    crash_oracle_answered(oracle, PRODUCER, &(struct oracle_answer){.id = id_of(second_answer)});
    good &= !has_violation(oracle, ORACLE_ANSWER_WRONG);
    crash_oracle_destroy(oracle);
    return good;
}

static void test_a_message_is_stored_once(void **state)
{
    (void)state;
    assert_true(send_message_twice(true, true, 5));
    assert_false(send_message_twice(true, true, 6));
    assert_false(send_message_twice(true, false, 5));
    assert_true(send_message_twice(false, true, 5));
    assert_false(send_message_twice(false, true, 6));
    assert_true(send_message_twice(false, false, 6));
}

/* --- Several at once, XDELEX DELREF, XGROUP SETID, EXEC. -------------------------------------- */

/* XAUTOCLAIM of two entries: both have moved, or neither. */
static void test_a_run_is_claimed_as_one(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool is_answered = i & 1, first = i & 2, second = i & 4;
        struct crash_oracle *oracle = delivered_history();
        struct shown shown;
        struct oracle_id ids[3];
        show_delivered(&shown);
        assert_int_equal(crash_oracle_pending_run(oracle, 0, id_of(2), ids, 3), 2);
        crash_oracle_invoke_claim(oracle, PRODUCER, &(struct oracle_stream_ids){0, ids, 2});
        struct oracle_entry claimed[] = {{id_of(2), SLICE("2")}, {id_of(3), SLICE("3")}};
        if (is_answered)
            crash_oracle_answered(oracle, PRODUCER,
                                  &(struct oracle_answer){.entries = claimed, .entry_count = 2});
        if (first) shown.pending[1] = (struct oracle_pending){id_of(2), PRODUCER, 2};
        if (second) shown.pending[2] = (struct oracle_pending){id_of(3), PRODUCER, 2};
        bool good = is_answered ? first && second : first == second;
        if (judge_shown(oracle, &shown) != good) fail_msg("case %d", i);
        crash_oracle_destroy(oracle);
    }
}

static void test_a_claim_of_what_was_not_meant(void **state)
{
    (void)state;
    struct crash_oracle *oracle = delivered_history();
    struct oracle_id second = id_of(2);
    struct oracle_entry third = {id_of(3), SLICE("3")};
    crash_oracle_invoke_claim(oracle, PRODUCER, &(struct oracle_stream_ids){0, &second, 1});
    crash_oracle_answered(oracle, PRODUCER,
                          &(struct oracle_answer){.entries = &third, .entry_count = 1});
    assert_true(has_violation(oracle, ORACLE_ANSWER_WRONG));
    crash_oracle_destroy(oracle);
}

/* A run ends where an unanswered operation is concerned, and begins behind it. */
static void test_what_may_be_named(void **state)
{
    (void)state;
    struct crash_oracle *oracle = delivered_history();
    struct oracle_id ids[3], second = id_of(2);
    assert_int_equal(crash_oracle_pending_run(oracle, 0, id_of(0), ids, 3), 3);
    assert_int_equal(crash_oracle_pending_run(oracle, 0, id_of(0), ids, 2), 2);
    crash_oracle_invoke_release(oracle, CONSUMER, &(struct oracle_stream_ids){0, &second, 1});
    assert_int_equal(crash_oracle_pending_run(oracle, 0, id_of(0), ids, 3), 1);
    assert_int_equal(ids[0].ms, 1);
    assert_int_equal(crash_oracle_pending_run(oracle, 0, id_of(2), ids, 3), 1);
    assert_int_equal(ids[0].ms, 3);
    answered_ok(oracle, CONSUMER);
    assert_int_equal(crash_oracle_pending_run(oracle, 0, id_of(2), ids, 3), 2);
    crash_oracle_invoke_acknowledge(oracle, CONSUMER, &(struct oracle_stream_ids){0, &second, 1});
    assert_false(crash_oracle_is_done(oracle, 0, second));
    answered_ok(oracle, CONSUMER);
    assert_true(crash_oracle_is_done(oracle, 0, second));
    assert_false(crash_oracle_is_done(oracle, 0, id_of(4)));
    crash_oracle_destroy(oracle);
}

struct dereference_case {
    int64_t answer; /* 0: none */
    bool rival;     /* an unanswered XDEL of the same entry */
    bool entry_gone;
    bool pending_gone;
    bool good;
};

/* XDELEX DELREF of entry 3. Alone it takes both or nothing; behind an XDEL it finds no entry, and
 * then leaves the pending entry. */
static void test_dereferenced(void **state)
{
    (void)state;
    static const struct dereference_case cases[] = {
        {0, false, false, false, true}, {0, false, true, true, true},
        {0, false, true, false, false}, {0, false, false, true, false},
        {1, false, true, true, true},   {1, false, false, false, false},
        {1, false, true, false, false}, {1, false, false, true, false},
        {0, true, true, false, true},   {0, true, true, true, true},
        {0, true, false, false, true},  {0, true, false, true, false},
        {-1, true, true, false, true},  {-1, true, true, true, false},
        {1, true, true, true, true},    {1, true, true, false, false},
    };
    struct oracle_id third = id_of(3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crash_oracle *oracle = delivered_history();
        struct shown shown;
        show_delivered(&shown);
        if (cases[i].rival)
            crash_oracle_invoke_remove(oracle, WRITER, &(struct oracle_stream_ids){0, &third, 1});
        crash_oracle_invoke_dereference(oracle, CONSUMER, 0, third);
        if (cases[i].answer != 0)
            crash_oracle_answered(oracle, CONSUMER,
                                  &(struct oracle_answer){.integer = cases[i].answer});
        if (cases[i].pending_gone) shown.stream.pending_count = 2;
        if (cases[i].entry_gone) {
            shown.entries[2] = shown.entries[3];
            shown.stream.entry_count = shown.stream.length = 3;
        }
        if (judge_shown(oracle, &shown) != cases[i].good) fail_msg("case %zu", i);
        crash_oracle_destroy(oracle);
    }
}

/* XGROUP SETID to entry 4, which was not delivered. */
static void test_a_group_that_skips(void **state)
{
    (void)state;
    static const struct {
        bool is_answered;
        uint64_t position;
        bool good;
    } cases[] = {{true, 4, true},  {true, 3, false}, {false, 4, true},
                 {false, 3, true}, {true, 5, false}, {false, 5, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crash_oracle *oracle = delivered_history();
        struct shown shown;
        show_delivered(&shown);
        assert_true(crash_oracle_may_skip(oracle, 0));
        crash_oracle_invoke_skip(oracle, PRODUCER, 0, id_of(4));
        assert_false(crash_oracle_may_read(oracle, 0));
        if (cases[i].is_answered) answered_ok(oracle, PRODUCER);
        shown.stream.last_delivered_id = id_of(cases[i].position);
        shown.stream.lag = cases[i].position == 3;
        if (judge_shown(oracle, &shown) != cases[i].good) fail_msg("case %zu", i);
        assert_int_equal(has_violation(oracle, ORACLE_GROUP_INEXACT), !cases[i].good);
        crash_oracle_destroy(oracle);
    }
    struct crash_oracle *oracle = delivered_history();
    struct oracle_entry fourth = {id_of(4), SLICE("4")};
    crash_oracle_invoke_skip(oracle, PRODUCER, 0, id_of(4));
    answered_ok(oracle, PRODUCER);
    assert_true(crash_oracle_is_done(oracle, 0, id_of(4)));
    crash_oracle_invoke_read(oracle, CONSUMER, 0, 1);
    assert_false(crash_oracle_may_skip(oracle, 0));
    crash_oracle_answered(oracle, CONSUMER,
                          &(struct oracle_answer){.entries = &fourth, .entry_count = 1});
    assert_true(has_violation(oracle, ORACLE_DELIVERED_AGAIN));
    crash_oracle_destroy(oracle);
}

/* EXEC of an XADD and a SET: entry and value, or neither. */
static void test_a_write_joins_an_add(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool is_answered = i & 1, value = i & 2, entry = i & 4;
        struct crash_oracle *oracle = delivered_history();
        struct oracle_write write = {ORACLE_SET, crash_oracle_add_key(oracle, PRODUCER), SLICE("x"),
                                     0};
        struct shown shown;
        show_delivered(&shown);
        crash_oracle_invoke_add(oracle, PRODUCER, 0, SLICE("5"));
        crash_oracle_join_writes(oracle, PRODUCER, &write, 1);
        if (is_answered)
            crash_oracle_answered(oracle, PRODUCER, &(struct oracle_answer){.id = id_of(5)});
        if (entry) {
            shown.stream.entry_count = shown.stream.length = shown.stream.entries_added = 5;
            shown.stream.last_id = id_of(5);
            shown.stream.lag = 2;
        }
        shown.stream.entries = shown.entries;
        shown.stream.pending = shown.pending;
        crash_oracle_judge_begin(oracle);
        crash_oracle_judge_value(oracle, 0, value, SLICE("x"));
        crash_oracle_judge_stream(oracle, 0, &shown.stream);
        bool good = is_answered ? value && entry : value == entry;
        if (crash_oracle_judge_end(oracle) != good) fail_msg("case %d", i);
        crash_oracle_destroy(oracle);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims_and_what_is_given_back),
        cmocka_unit_test(test_acknowledged_and_removed_at_once),
        cmocka_unit_test(test_a_raised_last_id),
        cmocka_unit_test(test_a_message_is_stored_once),
        cmocka_unit_test(test_a_run_is_claimed_as_one),
        cmocka_unit_test(test_a_claim_of_what_was_not_meant),
        cmocka_unit_test(test_what_may_be_named),
        cmocka_unit_test(test_dereferenced),
        cmocka_unit_test(test_a_group_that_skips),
        cmocka_unit_test(test_a_write_joins_an_add),
    };
    return cmocka_run_group_tests_name("integration crash_oracle moves", tests, NULL, NULL);
}
