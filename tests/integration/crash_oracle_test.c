/* crash_oracle_test.c - the oracle accepts every state that the promise allows, and finds each lie.
 *
 * The state of a small history is shown as it was, and then with one thing wrong at a time: a judge
 * that cannot say no is worth nothing. What moves a group, its pending entries, or does several
 * things at once: crash_oracle_moves_test.c. */
#include "oracle_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void invoke_set(struct crash_oracle *oracle, uint32_t key, const char *value)
{
    struct oracle_write write = {ORACLE_SET, key, slice_of(value), 0};
    crash_oracle_invoke_writes(oracle, WRITER, &write, 1);
}

static bool judge_two_values(struct crash_oracle *oracle, const char *first, const char *second)
{
    crash_oracle_judge_begin(oracle);
    crash_oracle_judge_value(oracle, 0, first != NULL, slice_of(first ? first : ""));
    crash_oracle_judge_value(oracle, 1, second != NULL, slice_of(second ? second : ""));
    return crash_oracle_judge_end(oracle);
}

/* a=1 and b=1 acknowledged, then a=2, b=2 unknown, in this order. */
static struct crash_oracle *two_keys(void)
{
    struct crash_oracle *oracle = crash_oracle_create(CLIENTS);
    crash_oracle_add_key(oracle, WRITER);
    crash_oracle_add_key(oracle, WRITER);
    invoke_set(oracle, 0, "1");
    invoke_set(oracle, 1, "1");
    answered_ok(oracle, WRITER);
    answered_ok(oracle, WRITER);
    invoke_set(oracle, 0, "2");
    invoke_set(oracle, 1, "2");
    return oracle;
}

/* Every prefix of the unknown operations is allowed, and nothing else is. */
static void test_values_survive_as_a_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool good;
        enum oracle_violation_kind kind;
    } cases[] = {
        {"1", "1", true, 0},
        {"2", "1", true, 0},
        {"2", "2", true, 0},
        {"1", "2", false, ORACLE_ORDER_BROKEN},  /* the later without the earlier */
        {"1", NULL, false, ORACLE_VALUE_WRONG},  /* an acknowledged key is lost */
        {"", "1", false, ORACLE_VALUE_WRONG},    /* half a value */
        {"22", "1", false, ORACLE_VALUE_WRONG},  /* never sent */
        {NULL, NULL, false, ORACLE_VALUE_WRONG}, /* all is lost */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crash_oracle *oracle = two_keys();
        assert_int_equal(judge_two_values(oracle, cases[i].first, cases[i].second), cases[i].good);
        if (!cases[i].good) assert_true(has_violation(oracle, cases[i].kind));
        struct oracle_figures figures;
        crash_oracle_measure(oracle, &figures);
        assert_int_equal(figures.acknowledged, 2);
        assert_int_equal(figures.unknown, 2);
        crash_oracle_destroy(oracle);
    }
}

/* What one judgement has shown is what the next one expects. */
static void test_a_settled_value_stays(void **state)
{
    (void)state;
    struct crash_oracle *oracle = two_keys();
    assert_true(judge_two_values(oracle, "2", "1"));
    assert_true(judge_two_values(oracle, "2", "1"));
    assert_false(judge_two_values(oracle, "2", "2"));
    crash_oracle_destroy(oracle);
    oracle = two_keys();
    assert_true(judge_two_values(oracle, "2", "2"));
    assert_false(judge_two_values(oracle, "1", "2"));
    crash_oracle_destroy(oracle);
}

/* What a reader has seen of an unknown write must survive, with all that came before it. */
static void test_a_seen_value_survives(void **state)
{
    (void)state;
    struct crash_oracle *oracle = two_keys();
    crash_oracle_saw_value(oracle, 1, true, SLICE("2"));
    assert_false(judge_two_values(oracle, "2", "1"));
    crash_oracle_destroy(oracle);
    oracle = two_keys();
    crash_oracle_saw_value(oracle, 1, true, SLICE("2"));
    assert_false(judge_two_values(oracle, "1", "2"));
    crash_oracle_destroy(oracle);
    oracle = two_keys();
    crash_oracle_saw_value(oracle, 1, true, SLICE("2"));
    crash_oracle_saw_value(oracle, 0, true, SLICE("1")); /* late, proves nothing */
    assert_true(judge_two_values(oracle, "2", "2"));
    crash_oracle_destroy(oracle);
}

/* A command that writes two keys is there for both or for none. */
static void test_one_command_is_atomic(void **state)
{
    (void)state;
    for (int both = 0; both < 2; both++) {
        struct crash_oracle *oracle = crash_oracle_create(CLIENTS);
        crash_oracle_add_key(oracle, WRITER);
        crash_oracle_add_key(oracle, WRITER);
        struct oracle_write writes[] = {{ORACLE_SET, 0, SLICE("x"), 0},
                                        {ORACLE_SET, 1, SLICE("y"), 0}};
        crash_oracle_invoke_writes(oracle, WRITER, writes, 2);
        assert_int_equal(judge_two_values(oracle, "x", both ? "y" : NULL), both);
        assert_int_equal(has_violation(oracle, ORACLE_ORDER_BROKEN), !both);
        crash_oracle_destroy(oracle);
    }
}

/* Increments and appends are applied once each; live answers are held against the history. */
static void test_increments_and_appends(void **state)
{
    (void)state;
    static const struct {
        const char *number, *text;
        bool good;
    } cases[] = {
        {"5", "ab", true},   {"12", "ab", true}, {"12", "abcd", true},    {"19", "abcd", false},
        {"5", "abc", false}, {"7", "ab", false}, {"12", "abcdcd", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crash_oracle *oracle = crash_oracle_create(CLIENTS);
        crash_oracle_add_key(oracle, WRITER);
        crash_oracle_add_key(oracle, WRITER);
        struct oracle_write writes[] = {{ORACLE_INCREMENT, 0, SLICE(""), 5},
                                        {ORACLE_APPEND, 1, SLICE("ab"), 0},
                                        {ORACLE_INCREMENT, 0, SLICE(""), 7},
                                        {ORACLE_APPEND, 1, SLICE("cd"), 0}};
        for (size_t w = 0; w < 4; w++) crash_oracle_invoke_writes(oracle, WRITER, &writes[w], 1);
        struct oracle_answer answer = {.has_integer = true, .integer = 5};
        crash_oracle_answered(oracle, WRITER, &answer);
        answer.integer = 2;
        crash_oracle_answered(oracle, WRITER, &answer);
        assert_null(crash_oracle_violation(oracle, 0));
        assert_int_equal(judge_two_values(oracle, cases[i].number, cases[i].text), cases[i].good);
        crash_oracle_destroy(oracle);
    }
    struct crash_oracle *oracle = crash_oracle_create(CLIENTS);
    crash_oracle_add_key(oracle, WRITER);
    struct oracle_write write = {ORACLE_INCREMENT, 0, SLICE(""), 5};
    crash_oracle_invoke_writes(oracle, WRITER, &write, 1);
    crash_oracle_answered(oracle, WRITER,
                          &(struct oracle_answer){.has_integer = true, .integer = 6});
    assert_true(has_violation(oracle, ORACLE_ANSWER_WRONG));
    crash_oracle_destroy(oracle);
}

/* A refused operation has no effect. */
static void test_a_refused_write_is_absent(void **state)
{
    (void)state;
    struct crash_oracle *oracle = two_keys();
    crash_oracle_answered(oracle, WRITER, &(struct oracle_answer){.is_error = true});
    crash_oracle_answered(oracle, WRITER, &(struct oracle_answer){.is_error = true});
    assert_false(judge_two_values(oracle, "2", "2"));
    crash_oracle_destroy(oracle);
}

/* --- Streams. -------------------------------------------------------------------------------- */

/* Entries 1 to 4 acknowledged with payloads "1" to "4", "5" and "6" unknown. 1 to 3 were
 * delivered to the consumer; 1 is acknowledged, the acknowledgement of 2 is unknown; a group
 * read is unknown. */
static struct crash_oracle *stream_history(void)
{
    static const char *const payloads[] = {"1", "2", "3", "4", "5", "6"};
    struct crash_oracle *oracle = crash_oracle_create(CLIENTS);
    crash_oracle_add_stream(oracle, true);
    for (size_t i = 0; i < 6; i++)
        crash_oracle_invoke_add(oracle, PRODUCER, 0, slice_of(payloads[i]));
    for (size_t i = 0; i < 4; i++)
        crash_oracle_answered(oracle, PRODUCER, &(struct oracle_answer){.id = id_of(i + 1)});
    struct oracle_entry read[] = {
        {id_of(1), SLICE("1")}, {id_of(2), SLICE("2")}, {id_of(3), SLICE("3")}};
    crash_oracle_invoke_read(oracle, CONSUMER, 0, 3);
    crash_oracle_answered(oracle, CONSUMER,
                          &(struct oracle_answer){.entries = read, .entry_count = 3});
    struct oracle_id first = id_of(1), second = id_of(2);
    crash_oracle_invoke_acknowledge(oracle, CONSUMER, &(struct oracle_stream_ids){0, &first, 1});
    answered_ok(oracle, CONSUMER);
    crash_oracle_invoke_acknowledge(oracle, CONSUMER, &(struct oracle_stream_ids){0, &second, 1});
    crash_oracle_invoke_read(oracle, CONSUMER, 0, 10);
    return oracle;
}

static void set_unknown_add(struct shown *s)
{
    s->stream.entry_count = s->stream.length = s->stream.entries_added = 5;
    s->stream.last_id = id_of(5);
    s->stream.lag = 2;
}

static void set_both_unknown_adds(struct shown *s)
{
    s->stream.entry_count = s->stream.length = s->stream.entries_added = 6;
    s->stream.last_id = id_of(6);
    s->stream.lag = 3;
}

static void set_unknown_acknowledgement(struct shown *s)
{
    s->pending[0] = s->pending[1];
    s->stream.pending_count = 1;
}

static void set_unknown_delivery(struct shown *s)
{
    set_unknown_acknowledgement(s);
    s->pending[1] = s->pending[2];
    s->stream.pending_count = 2;
    s->stream.last_delivered_id = id_of(4);
    s->stream.lag = 0;
    s->stream.entries_read = 4;
}

static void lose_last_entry(struct shown *s)
{
    s->stream.entry_count = s->stream.length = 3;
    s->stream.lag = 0;
}

static void lose_middle_entry(struct shown *s)
{
    s->entries[1] = s->entries[2];
    s->entries[2] = s->entries[3];
    s->stream.entry_count = s->stream.length = 3;
    s->stream.entries_read = 2;
}

static void change_payload(struct shown *s)
{
    s->entries[2].payload = SLICE("33");
}
static void invent_entry(struct shown *s)
{
    set_unknown_add(s);
    s->entries[4].payload = SLICE("x");
}

static void skip_unknown_add(struct shown *s)
{
    set_unknown_add(s);
    s->entries[4].payload = SLICE("6");
}

static void repeat_entry(struct shown *s)
{
    set_unknown_add(s);
    s->entries[4].payload = SLICE("4");
}

static void swap_unknown_adds(struct shown *s)
{
    set_both_unknown_adds(s);
    s->entries[4].payload = SLICE("6");
    s->entries[5].payload = SLICE("5");
}

static void swap_ids(struct shown *s)
{
    struct oracle_entry entry = s->entries[2];
    s->entries[2] = s->entries[3];
    s->entries[3] = entry;
}

static void wrong_last_id(struct shown *s)
{
    s->stream.last_id = id_of(5);
}
static void older_last_id(struct shown *s)
{
    s->stream.last_id = id_of(3);
}
static void wrong_added(struct shown *s)
{
    s->stream.entries_added = 5;
}
static void fewer_added(struct shown *s)
{
    s->stream.entries_added = 3;
}
static void wrong_length(struct shown *s)
{
    s->stream.length = 3;
}
static void lose_stream(struct shown *s)
{
    s->stream.exists = false;
}
static void lose_group(struct shown *s)
{
    s->stream.group_exists = false;
}
static void lose_pending(struct shown *s)
{
    s->stream.pending_count = 1;
}
static void lose_all_pending(struct shown *s)
{
    s->stream.pending_count = 0;
}
static void steal_pending(struct shown *s)
{
    s->pending[1].client = PRODUCER;
}
static void unknown_owner(struct shown *s)
{
    s->pending[1].client = UINT32_MAX;
}
static void count_twice(struct shown *s)
{
    s->pending[1].deliveries = 2;
}
static void wrong_lag(struct shown *s)
{
    s->stream.lag = 2;
}
static void wrong_entries_read(struct shown *s)
{
    s->stream.entries_read = 4;
}
static void older_position(struct shown *s)
{
    s->stream.last_delivered_id = id_of(2);
}
static void newer_position(struct shown *s)
{
    s->stream.last_delivered_id = id_of(4);
    s->stream.lag = 0;
    s->stream.entries_read = 4;
}

static void return_acknowledged(struct shown *s)
{
    s->pending[2] = s->pending[1];
    s->pending[1] = s->pending[0];
    s->pending[0] = (struct oracle_pending){id_of(1), CONSUMER, 1};
    s->stream.pending_count = 3;
}

/* The read was sent after the acknowledgement of 2: it cannot have happened alone. */
static void deliver_without_acknowledgement(struct shown *s)
{
    s->stream.pending_count = 3;
    s->stream.last_delivered_id = id_of(4);
    s->stream.lag = 0;
    s->stream.entries_read = 4;
}

static void deliver_with_a_gap(struct shown *s)
{
    set_unknown_delivery(s);
    set_unknown_add(s);
    s->pending[1].id = id_of(5);
    s->stream.last_delivered_id = id_of(5);
    s->stream.lag = 0;
    s->stream.entries_read = 5;
}

typedef void spoil(struct shown *shown);

/* All that the promise allows is accepted. */
static void test_a_stream_as_promised(void **state)
{
    (void)state;
    spoil *const allowed[] = {NULL, set_unknown_add, set_both_unknown_adds,
                              set_unknown_acknowledgement, set_unknown_delivery};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        struct crash_oracle *oracle = stream_history();
        struct shown shown;
        show_history(&shown);
        if (allowed[i] != NULL) allowed[i](&shown);
        bool good = judge_shown(oracle, &shown);
        if (!good) print_message("case %zu: %s\n", i, crash_oracle_violation(oracle, 0)->text);
        assert_true(good);
        assert_true(judge_shown(oracle, &shown)); /* a second crash changes nothing */
        crash_oracle_destroy(oracle);
    }
}

/* Each single lie about entries, counters, group and pending entries is found, by its name. */
static void test_each_lie_about_a_stream_is_found(void **state)
{
    (void)state;
    static const struct {
        spoil *spoil;
        enum oracle_violation_kind kind;
    } lies[] = {
        {lose_last_entry, ORACLE_ENTRY_LOST},
        {lose_middle_entry, ORACLE_ENTRY_LOST},
        {lose_stream, ORACLE_ENTRY_LOST},
        {change_payload, ORACLE_ENTRY_CHANGED},
        {invent_entry, ORACLE_ENTRY_UNKNOWN},
        {repeat_entry, ORACLE_ENTRY_UNKNOWN},
        {skip_unknown_add, ORACLE_ORDER_BROKEN},
        {swap_unknown_adds, ORACLE_ORDER_BROKEN},
        {swap_ids, ORACLE_STREAM_INEXACT},
        {wrong_last_id, ORACLE_STREAM_INEXACT},
        {older_last_id, ORACLE_STREAM_INEXACT},
        {wrong_added, ORACLE_STREAM_INEXACT},
        {fewer_added, ORACLE_STREAM_INEXACT},
        {wrong_length, ORACLE_STREAM_INEXACT},
        {lose_group, ORACLE_GROUP_INEXACT},
        {lose_pending, ORACLE_PENDING_LOST},
        {lose_all_pending, ORACLE_PENDING_LOST},
        {steal_pending, ORACLE_PENDING_WRONG},
        {unknown_owner, ORACLE_PENDING_WRONG},
        {count_twice, ORACLE_PENDING_WRONG},
        {return_acknowledged, ORACLE_PENDING_WRONG},
        {wrong_lag, ORACLE_GROUP_INEXACT},
        {wrong_entries_read, ORACLE_GROUP_INEXACT},
        {older_position, ORACLE_GROUP_INEXACT},
        {newer_position, ORACLE_GROUP_INEXACT},
        {deliver_without_acknowledgement, ORACLE_ORDER_BROKEN},
        {deliver_with_a_gap, ORACLE_GROUP_INEXACT},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct crash_oracle *oracle = stream_history();
        struct shown shown;
        show_history(&shown);
        lies[i].spoil(&shown);
        bool good = judge_shown(oracle, &shown);
        if (good || !has_violation(oracle, lies[i].kind))
            print_message("lie %zu was not found\n", i);
        assert_false(good);
        assert_true(has_violation(oracle, lies[i].kind));
        crash_oracle_destroy(oracle);
    }
}

/* Removed entries stay away; an unknown removal is there for all of its IDs or for none. */
static void test_removed_entries(void **state)
{
    (void)state;
    static const struct {
        bool second, third, good;
    } cases[] = {{true, true, true}, {false, false, true}, {true, false, false}};
    for (size_t i = 0; i < 3; i++) {
        struct crash_oracle *oracle = stream_history();
        struct oracle_id first = id_of(1), others[] = {id_of(2), id_of(3)};
        crash_oracle_invoke_remove(oracle, WRITER, &(struct oracle_stream_ids){0, &first, 1});
        answered_ok(oracle, WRITER);
        crash_oracle_invoke_remove(oracle, WRITER, &(struct oracle_stream_ids){0, others, 2});
        struct shown shown;
        show_history(&shown);
        size_t count = 0;
        if (cases[i].second) shown.entries[count++] = (struct oracle_entry){id_of(2), SLICE("2")};
        if (cases[i].third) shown.entries[count++] = (struct oracle_entry){id_of(3), SLICE("3")};
        shown.entries[count++] = (struct oracle_entry){id_of(4), SLICE("4")};
        shown.stream.entry_count = shown.stream.length = count;
        assert_int_equal(judge_shown(oracle, &shown), cases[i].good);
        assert_int_equal(has_violation(oracle, ORACLE_ORDER_BROKEN), !cases[i].good);
        crash_oracle_destroy(oracle);
    }
    struct crash_oracle *oracle = stream_history();
    struct oracle_id first = id_of(1);
    crash_oracle_invoke_remove(oracle, WRITER, &(struct oracle_stream_ids){0, &first, 1});
    answered_ok(oracle, WRITER);
    struct shown shown;
    show_history(&shown);
    assert_false(judge_shown(oracle, &shown));
    assert_true(has_violation(oracle, ORACLE_ENTRY_UNKNOWN));
    crash_oracle_destroy(oracle);
}

/* An acknowledged trim has removed all below its ID, an unknown one all or nothing. */
static void test_trimmed_entries(void **state)
{
    (void)state;
    for (size_t first = 1; first <= 4; first++) { /* the first entry that is shown */
        for (int known = 0; known < 2; known++) {
            struct crash_oracle *oracle = stream_history();
            crash_oracle_invoke_trim(oracle, WRITER, 0, id_of(3));
            if (known) answered_ok(oracle, WRITER);
            struct shown shown;
            show_history(&shown);
            for (size_t i = 0; i + first <= 4; i++) shown.entries[i] = shown.entries[i + first - 1];
            shown.stream.entry_count = shown.stream.length = 5 - first;
            shown.stream.lag = first <= 4;
            bool good = first == 3 || (first == 1 && !known);
            assert_int_equal(judge_shown(oracle, &shown), good);
            crash_oracle_destroy(oracle);
        }
    }
}

/* An entry that was delivered before its producer had the answer must survive. */
static void test_a_seen_entry_survives(void **state)
{
    (void)state;
    struct crash_oracle *oracle = crash_oracle_create(CLIENTS);
    crash_oracle_add_stream(oracle, true);
    crash_oracle_invoke_add(oracle, PRODUCER, 0, SLICE("seen"));
    crash_oracle_invoke_read(oracle, CONSUMER, 0, 1);
    struct oracle_entry entry = {id_of(1), SLICE("seen")};
    crash_oracle_answered(oracle, CONSUMER,
                          &(struct oracle_answer){.entries = &entry, .entry_count = 1});
    struct shown shown = {
        .stream = {.exists = true, .group_exists = true, .lag = -1, .entries_read = -1}};
    assert_false(judge_shown(oracle, &shown));
    assert_true(has_violation(oracle, ORACLE_ENTRY_LOST));
    assert_true(has_violation(oracle, ORACLE_PENDING_LOST));
    crash_oracle_destroy(oracle);
}

/* A live server that answers an old ID, or gives an entry of the group twice, is caught at once. */
static void test_wrong_live_answers(void **state)
{
    (void)state;
    struct crash_oracle *oracle = stream_history();
    crash_oracle_invoke_add(oracle, WRITER, 0, SLICE("new"));
    crash_oracle_answered(oracle, WRITER, &(struct oracle_answer){.id = id_of(4)});
    assert_true(has_violation(oracle, ORACLE_ANSWER_WRONG));
    struct oracle_entry again = {id_of(1), SLICE("1")};
    crash_oracle_invoke_read(oracle, WRITER, 0, 1);
    crash_oracle_answered(oracle, WRITER,
                          &(struct oracle_answer){.entries = &again, .entry_count = 1});
    assert_true(has_violation(oracle, ORACLE_DELIVERED_AGAIN));
    crash_oracle_destroy(oracle);
}

/* An operation that was refused is no gap in the order, and none of its effects may be there. */
static void test_refused_without_an_answer(void **state)
{
    (void)state;
    struct crash_oracle *oracle = two_keys();
    crash_oracle_was_refused(oracle, WRITER, 0);
    assert_true(judge_two_values(oracle, "1", "2"));
    crash_oracle_destroy(oracle);

    oracle = two_keys();
    assert_false(judge_two_values(oracle, "1", "2"));
    assert_true(has_violation(oracle, ORACLE_ORDER_BROKEN));
    crash_oracle_destroy(oracle);

    oracle = two_keys();
    crash_oracle_was_refused(oracle, WRITER, 0);
    assert_false(judge_two_values(oracle, "2", "1"));
    crash_oracle_destroy(oracle);

    oracle = two_keys();
    crash_oracle_saw_value(oracle, 0, true, slice_of("2"));
    crash_oracle_was_refused(oracle, WRITER, 0);
    assert_true(has_violation(oracle, ORACLE_ANSWER_WRONG));
    crash_oracle_destroy(oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_survive_as_a_prefix),
        cmocka_unit_test(test_a_settled_value_stays),
        cmocka_unit_test(test_a_seen_value_survives),
        cmocka_unit_test(test_one_command_is_atomic),
        cmocka_unit_test(test_increments_and_appends),
        cmocka_unit_test(test_a_refused_write_is_absent),
        cmocka_unit_test(test_a_stream_as_promised),
        cmocka_unit_test(test_each_lie_about_a_stream_is_found),
        cmocka_unit_test(test_removed_entries),
        cmocka_unit_test(test_trimmed_entries),
        cmocka_unit_test(test_a_seen_entry_survives),
        cmocka_unit_test(test_wrong_live_answers),
        cmocka_unit_test(test_refused_without_an_answer),
    };
    return cmocka_run_group_tests_name("integration crash_oracle", tests, NULL, NULL);
}
